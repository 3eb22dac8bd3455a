"""Credentials of the consumed APIs: filled in, checked, and remembered so that they can be masked."""

from __future__ import annotations

from typing import Final

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.expression import Template
from capstan.load.schema import suggest
from capstan.plan.auth import AuthPlan, Credential, Fill, plan_auth
from capstan.plan.request import FORBIDDEN_IN_HEADER, HEADER_NAME
from capstan.plan.values import Secret
from capstan.plan.variables import Variables

_NEVER_EMPTY: Final = frozenset({"token", "value"})  # a user may have no password
_CREDENTIALS: Final = frozenset({"password", "token", "value", "clientSecret", "clientKeyPassword"})


class Credentials:
    """The credentials of one file while its APIs are planned."""

    def __init__(self, binds: tuple[model.Bind, ...], variables: Variables, problems: list[Problem]) -> None:
        self._bound = [key for bind in binds for key in bind.keys]
        self._variables = variables
        self._problems = problems
        self._fixed: list[Credential] = []
        self._written: list[Secret] = []  # those that stand in the file itself, or around a variable

    def secrets(self, hosts: set[str]) -> tuple[Secret, ...]:
        """Everything that must be masked wherever it turns up; a host is known to all and is not among it."""
        used = self._variables.used.items()
        found = [secret for name, secret in used if name not in hosts and not secret.is_setting]
        found += self._written
        for credential in self._fixed:  # `Basic dXNlcjpwYXNz`: the encoded pair is as good as the pair
            found.append(Secret(credential.value.reveal().rpartition(" ")[2], credential.name))
        return tuple(dict.fromkeys(found))

    def plan(self, auth: model.Auth) -> Credential | AuthPlan | None:
        """What an authentication adds to each request, or what has to be negotiated for it."""
        planned = plan_auth(auth, self.fill_at(auth.at))
        if isinstance(planned, Credential):
            self._fixed.append(planned)
            if planned.place == "header":
                self._check_header(planned, auth.at)
        return planned

    def fill_at(self, at: Place) -> Fill:
        """What fills in a template of the block that stands there."""

        def fill(template: Template, keyword: str) -> Secret:
            texts: list[str] = []
            names: list[str] = []
            for part in template.parts:
                if isinstance(part, str):
                    texts.append(part)
                    names.append(part)
                    continue
                secret = self._variables.lookup(part.name, at / keyword, implicit=True)
                if secret is None:
                    self.problem("unknown-name", f"'{{{{{part.name}}}}}' names no bound variable", at / keyword,
                                 suggest(part.name, self._bound))  # fmt: skip
                    continue
                texts.append(secret.reveal())
                names.append(secret.shown)
            written = keyword in _CREDENTIALS and template.literal is not None
            secret = Secret("".join(texts), "***" if written else "".join(names))
            if (meant := self._meant(template.literal or "")) is not None:
                self.problem("bad-expression", f"'{template.literal}' is only text", at / keyword,
                             f"did you mean '{{{{{meant}}}}}'?")  # fmt: skip
            bound = self._variables.filled and template.holes and self._variables.holds(template.holes)
            if bound and not secret.reveal() and keyword in _NEVER_EMPTY:
                self.problem("missing-variable", f"the value of {secret.name} is empty", at / keyword)
            if keyword in _CREDENTIALS:
                self._written.append(secret)
            return secret

        return fill

    def _meant(self, text: str) -> str | None:
        """The variable that a text of another spelling was meant to be: `{KEY}`, or `$env.KEY` as old pages say."""
        if text.startswith("$env."):
            return text.removeprefix("$env.")
        return text[1:-1] if text.startswith("{") and self._variables.declares(text[1:-1]) else None

    def _check_header(self, credential: Credential, at: Place) -> None:
        if credential.name and not HEADER_NAME.fullmatch(credential.name):
            self.problem("bad-name", f"'{credential.name}' cannot be the name of a header", at / "key")
        if FORBIDDEN_IN_HEADER.search(credential.value.reveal()):
            message = f"the credential '{credential.value.name}' holds a line break or another control character"
            self.problem("bad-value", message, at, "a header cannot; was a file read with its last line's end?")

    def problem(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self._problems.append(Problem(code, message, at.location(), hint))
