"""The Klarna Network's partner APIs, with a partner's API key on the global host; a few are on the regional hosts.

What they have in common: `family` (credentials, errors, reading bodies), `operations` (the decorator: whose account is
acted for), `resources` (what is only created, listed, read, changed and deleted), `paging`, `timers` (what is over at
some time), `events` (telling webhooks), `controls` (what customers and Klarna do).

- Payments: `requests`, `customer`, `authorization`, `tokens`; `transactions` (the arithmetic and the states) with
  `transaction_operations`.
- After payments: `disputes`, `disputes_v4`, `dispute_controls`, `attachments`; `settlements`.
- Partners and their accounts: `partners`, `onboarding`, `shops`, `products`, `programs`, `compliance`, `portal`,
  `credentials`, `webhooks`.
- In the shop: `presentation`, `identity`, `shopping_sessions`, `plugins`.

`surfaces` names every module that has routes.
"""
