"""The sandbox's own paths, under /sandbox: what only a customer, an operator or time can do. No credentials are asked.

A browser's page from elsewhere cannot use them: what changes something must be declared as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.app import App
from capstan.sandbox.clock import write_time
from capstan.sandbox.deliveries import DONE, WAITING
from capstan.sandbox.faults import KINDS, MAX_DELAY_SECONDS, Fault
from capstan.sandbox.hosts import SITES
from capstan.sandbox.state import EVERYBODY
from capstan.sandbox.web import Answer, Call, Refusal, Request, Route, Routes

OPERATOR: Final = Account(EVERYBODY, "Operator", "playground", "eu", "", "")

Sweep = Callable[[Call], None]
SWEEPS: list[Sweep] = []  # what to look after when time passed; each is run as every account in turn


def sweep(function: Sweep) -> Sweep:
    """Have something looked after when time passed: what is then over, and who must be told."""
    SWEEPS.append(function)
    return function


class Control:
    """The family of the sandbox's own paths."""

    name = "control"
    key_header = ""

    def account(self, request: Request, accounts: Accounts) -> Account:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":  # other methods a browser asks about first
            raise Refusal(415, "JSON_EXPECTED", "Send Content-Type: application/json")
        return OPERATOR

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer:
        return Answer(refusal.status, {"error": refusal.code, "message": " ".join(refusal.messages), **refusal.extra})

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        return ()


CONTROL: Final = Control()


def control_routes() -> Routes:
    """An empty table for the control paths of a surface."""
    return Routes(CONTROL)


def read_options(call: Call, **known: type | tuple[type, ...]) -> dict[str, Any]:
    """The JSON body of a control path; an empty one is `{}`. Unknown members and wrong types are refused."""
    body = call.json() if call.request.body.strip() else {}
    if not isinstance(body, dict):
        raise Refusal(400, "BAD_OPTION", "The body is not a JSON object")
    for name, value in body.items():
        if name not in known:
            raise Refusal(400, "BAD_OPTION", f"'{name}' is unknown; known are: {', '.join(known) or 'none'}")
        # JSON's true is no number, though Python's is.
        if not isinstance(value, known[name]) or (isinstance(value, bool) and known[name] is not bool):
            raise Refusal(400, "BAD_OPTION", f"'{name}' cannot be {value!r}")
    return body


def as_owner(call: Call, kind: str, id_: str, missing: str) -> Call:
    """The call as if it came from whoever owns that document.

    Raises:
        Refusal: nobody owns it; `missing` says so.
    """
    owner = call.state.owner_of(kind, id_)
    account = call.accounts.get(owner) if owner is not None else None
    if account is None:
        raise Refusal(404, "NOT_FOUND", missing)
    return replace(call, account=account)


def base_routes(app: App) -> list[Route]:
    """The paths that are about the sandbox itself."""
    routes = control_routes()

    @routes("GET", "/sandbox")
    def describe(call: Call) -> Answer:
        """What this is, for whoever finds it."""
        accounts = [
            {"id": a.id, "name": a.name, "environment": a.environment, "region": a.region,
             "username": a.username, "password": a.password}
            for a in app.accounts.all()
        ]  # fmt: skip
        paths = sorted(f"{r.method} {r.template}" for r in app.table.routes if r.family is CONTROL)
        return Answer(200, {
            "about": "A stand-in for Klarna's APIs, for trying things out. It is not Klarna's, and no money moves.",
            "now": write_time(call.now), "hosts": list(SITES), "rate_limits": app.limits.enforced,
            "accounts": accounts, "control_paths": paths,
        })  # fmt: skip

    @routes("GET", "/sandbox/time")
    def time(call: Call) -> Answer:
        return Answer(200, {"now": write_time(call.now)})

    @routes("POST", "/sandbox/time")
    def advance(call: Call) -> Answer:
        """Let time pass: `{"days": 1, "hours": 2, "minutes": 3, "seconds": 4}`, added up."""
        number = (int, float)
        options = read_options(call, days=number, hours=number, minutes=number, seconds=number)
        try:
            app.clock.advance(timedelta(**options))
        except (ValueError, OverflowError) as error:
            raise Refusal(400, "BAD_OPTION", str(error)) from error
        call.now = app.clock.now()
        call.state.put(EVERYBODY, "clock", "ahead", {"seconds": app.clock.ahead.total_seconds()})
        look_after(call)
        app.deliveries.wake()
        return Answer(200, {"now": write_time(call.now)})

    @routes("POST", "/sandbox/reset")
    def reset(call: Call) -> Answer:
        """Forget everything and begin anew, with the sample data."""
        read_options(call)
        call.state.discard()
        app.reset()
        return Answer(200, {"now": write_time(app.clock.now())})

    @routes("POST", "/sandbox/accounts")
    def add_account(call: Call) -> Answer:
        """Add a merchant, or a partner (region `global`, no user name, an API key for a password)."""
        options = read_options(call, id=str, name=str, environment=str, region=str, username=str, password=str)
        missing = [n for n in ("id", "environment", "region", "password") if not options.get(n)]
        if missing:
            raise Refusal(400, "BAD_OPTION", f"'{missing[0]}' is missing")
        if not any((s.environment, s.region) == (options["environment"], options["region"]) for s in SITES.values()):
            raise Refusal(400, "BAD_OPTION", "there is no such environment and region")
        account = Account(**{"name": options["id"], "username": "", **options})
        try:
            app.accounts.add(account, call.state)
        except ValueError as error:
            raise Refusal(409, "TAKEN", str(error)) from error
        call.state.commit()
        app.accounts.read()
        return Answer(201, {"id": account.id})

    @routes("GET", "/sandbox/deliveries")
    def deliveries(call: Call) -> Answer:
        """What was sent to merchants, and what became of it; the newest last."""
        found = [{"id": id_, **d} for kind in (DONE, WAITING) for id_, d in call.state.items(EVERYBODY, kind)]
        return Answer(200, {"deliveries": found})

    @routes("GET", "/sandbox/faults")
    def faults(call: Call) -> Answer:
        return Answer(200, {"faults": [rule.as_json() for rule in app.faults.rules]})

    @routes("POST", "/sandbox/faults")
    def add_fault(call: Call) -> Answer:
        """Have something go wrong: what, on which method and path, how often or how probably."""
        number = (int, float)
        options = read_options(
            call, kind=str, method=str, path=str, probability=number, count=int, delay_seconds=number, seed=int
        )
        if options.get("kind") not in KINDS:
            raise Refusal(400, "BAD_OPTION", f"'kind' is one of: {', '.join(KINDS)}")
        if not 0 <= options.get("probability", 1) <= 1:
            raise Refusal(400, "BAD_OPTION", "'probability' is between 0 and 1")
        if options.get("count", 1) < 1:
            raise Refusal(400, "BAD_OPTION", "'count' is 1 or more")
        if not 0 <= options.get("delay_seconds", 0) <= MAX_DELAY_SECONDS:
            raise Refusal(400, "BAD_OPTION", f"'delay_seconds' is at most {MAX_DELAY_SECONDS:g}")
        rule = Fault(**options)
        app.faults.rules.append(rule)
        return Answer(201, rule.as_json())

    @routes("DELETE", "/sandbox/faults")
    def clear_faults(call: Call) -> Answer:
        app.faults.rules.clear()
        return Answer(204)

    @routes("DELETE", "/sandbox/faults/{id}")
    def remove_fault(call: Call) -> Answer:
        left = [rule for rule in app.faults.rules if rule.id != call.params["id"]]
        if len(left) == len(app.faults.rules):
            raise Refusal(404, "NOT_FOUND", "There is no such fault")
        app.faults.rules[:] = left
        return Answer(204)

    @routes("PUT", "/sandbox/rate-limits")
    def rate_limits(call: Call) -> Answer:
        """Turn the limits on requests on or off: `{"enforced": true}`."""
        options = read_options(call, enforced=bool)
        app.limits.enforced = options.get("enforced", True)
        return Answer(200, {"enforced": app.limits.enforced})

    return routes.routes


def look_after(call: Call) -> None:
    """Run every sweep as every account."""
    for account in call.accounts.all():
        for function in SWEEPS:
            function(replace(call, account=account))
