"""Who may ask: merchants of the classic APIs and partners of the network, each valid in one environment and region."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Final

from capstan.sandbox.hosts import SITES, Environment, Region
from capstan.sandbox.state import EVERYBODY, State, Transaction

_KIND: Final = "accounts"
KEYS: Final = "api-keys"  # further keys of partners: digest -> account


@dataclass(frozen=True, slots=True)
class Account:
    """A merchant with user name and password, or a partner: no user name, and the API key for a password."""

    id: str
    name: str
    environment: Environment
    region: Region
    username: str
    password: str = field(repr=False)

    def is_known_at(self, host: str) -> bool:
        """Whether its credentials are good on that host. A host that is none of Klarna's takes all of them."""
        site = SITES.get(host)
        return site is None or (site.environment, site.region) == (self.environment, self.region)


def _merchant(number: int, environment: Environment, region: Region, label: str) -> Account:
    name = f"Sandbox {environment} {region.upper()}{label and ' ' + label}"
    username = f"sandbox-{environment}-{region}{label and '-' + label}"
    return Account(f"M{number:06d}", name, environment, region, username, "sandbox-password")


def _partner(number: int, environment: Environment, key: str) -> Account:
    return Account(f"P{number:06d}", f"Sandbox partner {environment}", environment, "global", "", key)


# The first is who the examples are; the second is for seeing that merchants are kept apart.
MERCHANTS: Final = (
    _merchant(100001, "playground", "eu", ""),
    _merchant(100002, "playground", "eu", "other"),
    _merchant(100003, "playground", "na", ""),
    _merchant(100004, "playground", "oc", ""),
    _merchant(200001, "live", "eu", ""),
    _merchant(200002, "live", "na", ""),
    _merchant(200003, "live", "oc", ""),
)
PARTNERS: Final = (
    _partner(300001, "playground", "klarna_test_api_sandbox"),
    _partner(300002, "playground", "klarna_test_api_sandbox_other"),
    _partner(400001, "live", "klarna_live_api_sandbox"),
)
DEMO_MERCHANT: Final = MERCHANTS[0]
DEMO_PARTNER: Final = PARTNERS[0]
MERCHANT_KEY: Final = "klarna_test_api_sandbox_merchant"  # of the first merchant, for disputes about its orders


def key_id(api_key: str) -> str:
    """Under which a further API key is kept, so that no list of documents shows it."""
    return hashlib.sha256(api_key.encode()).hexdigest()


class Accounts:
    """All accounts: those above, and those that were added."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_id: dict[str, Account] = {}
        self._by_credentials: dict[tuple[str, str], Account] = {}
        self.read()

    def read(self) -> None:
        """Take up what the state says."""
        transaction = self._state.transaction()
        added = (Account(**document) for _, document in transaction.items(EVERYBODY, _KIND))
        self._by_id = {account.id: account for account in (*MERCHANTS, *PARTNERS, *added)}
        self._by_credentials = {(a.username, a.password): a for a in self._by_id.values()}
        self._by_credentials["", MERCHANT_KEY] = DEMO_MERCHANT

    def all(self) -> tuple[Account, ...]:
        return tuple(self._by_id.values())

    def find(self, username: str, password: str) -> Account | None:
        found = self._by_credentials.get((username, password))
        if found is None and not username:  # a partner makes itself more keys
            key = self._state.transaction().get(EVERYBODY, KEYS, key_id(password))
            found = self._by_id.get(key["account"]) if key is not None else None
        return found

    def get(self, id_: str) -> Account | None:
        return self._by_id.get(id_)

    def add(self, account: Account, transaction: Transaction) -> None:
        """Known from the next `read` on.

        Raises:
            ValueError: the id or the credentials are taken.
        """
        if account.id in self._by_id or (account.username, account.password) in self._by_credentials:
            raise ValueError("an account with this id or these credentials exists")
        transaction.put(EVERYBODY, _KIND, account.id, asdict(account))
