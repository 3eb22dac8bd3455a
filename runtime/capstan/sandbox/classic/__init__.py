"""Klarna's classic merchant APIs, with a merchant's user name and password on the regional hosts.

What they have in common: `family` (credentials, errors, limits of bodies), `basket` (do the figures agree), `methods`,
`merchants`, `browser`.

- Order management: `ledger` (the arithmetic and the states of an order), `orders` (its document), and the operations in
  `management`, `captures`, `refunds`; `order_controls` is what only the customer or Klarna does.
- Payments: `sessions` and `authorizations`, with the operations in `payments`; customer tokens in `tokens`.
- Hosted payment pages in `hosted`, checkout in `checkout`.
- Settlements: `settlements` (what waits for a payout, with fees), and the operations in `payouts` and `reports`, which
  draws with `pdf`.
- Merchant card service: `cards`, `cardcancels`, `cardkeys`, `cardcrypto`.
"""
