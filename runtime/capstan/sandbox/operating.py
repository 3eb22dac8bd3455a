"""The control paths that are about the sandbox itself: its time, its accounts, its faults, its deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.accounts import Account
from capstan.sandbox.app import App
from capstan.sandbox.clock import write_time
from capstan.sandbox.control import CONTROL, control_routes, read_options
from capstan.sandbox.deliveries import DONE, WAITING
from capstan.sandbox.faults import KINDS, MAX_DELAY_SECONDS, Fault
from capstan.sandbox.hosts import SITES
from capstan.sandbox.state import EVERYBODY
from capstan.sandbox.web import Answer, Call, Refusal, Route, Routes

_NUMBER: Final = (int, float)


def base_routes(app: App) -> list[Route]:
    """Paths that need the application, not a request alone."""
    return [
        route
        for table in (_about(app), _time(app), _accounts(app), _faults(app), _limits(app))
        for route in table.routes
    ]


def _about(app: App) -> Routes:
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

    @routes("GET", "/sandbox/capstan")
    def capstan(call: Call) -> Answer:
        """Where the pages find Capstan, if the sandbox was told."""
        return Answer(200, {"rest": app.capstan_url})

    @routes("POST", "/sandbox/reset")
    def reset(call: Call) -> Answer:
        """Forget everything and begin anew, with the sample data."""
        read_options(call)
        call.state.discard()
        app.reset()
        return Answer(200, {"now": write_time(app.clock.now())})

    @routes("GET", "/sandbox/deliveries")
    def deliveries(call: Call) -> Answer:
        """What was sent to merchants, and what became of it; the newest last."""
        found = [{"id": id_, **d} for kind in (DONE, WAITING) for id_, d in call.state.items(EVERYBODY, kind)]
        return Answer(200, {"deliveries": found})

    return routes


def _time(app: App) -> Routes:
    routes = control_routes()

    @routes("GET", "/sandbox/time")
    def time(call: Call) -> Answer:
        return Answer(200, {"now": write_time(call.now)})

    @routes("POST", "/sandbox/time")
    def advance(call: Call) -> Answer:
        """Let time pass: `{"days": 1, "hours": 2, "minutes": 3, "seconds": 4}`, added up."""
        options = read_options(call, days=_NUMBER, hours=_NUMBER, minutes=_NUMBER, seconds=_NUMBER)
        try:
            app.clock.advance(timedelta(**options))
        except (ValueError, OverflowError) as error:
            raise Refusal(400, "BAD_OPTION", str(error)) from error
        call.now = app.clock.now()
        call.state.put(EVERYBODY, "clock", "ahead", {"seconds": app.clock.ahead.total_seconds()})
        app.look_after(call)
        app.deliveries.wake()
        return Answer(200, {"now": write_time(call.now)})

    return routes


def _accounts(app: App) -> Routes:
    routes = control_routes()

    @routes("POST", "/sandbox/accounts")
    def add_account(call: Call) -> Answer:
        """Add a merchant, or a partner (region `global`, no user name, an API key for a password)."""
        options = read_options(call, id=str, name=str, environment=str, region=str, username=str, password=str)
        account = Account(**{"name": options.get("id", ""), "username": "", **_checked_account(options)})
        try:
            app.accounts.add(account, call.state)
        except ValueError as error:
            raise Refusal(409, "TAKEN", str(error)) from error
        call.state.commit()
        app.accounts.read()
        return Answer(201, {"id": account.id})

    return routes


def _checked_account(options: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in ("id", "environment", "region", "password") if not options.get(name)]
    if missing:
        raise Refusal(400, "BAD_OPTION", f"'{missing[0]}' is missing")
    if not any((s.environment, s.region) == (options["environment"], options["region"]) for s in SITES.values()):
        raise Refusal(400, "BAD_OPTION", "there is no such environment and region")
    username = options.get("username", "")
    if (options["region"] == "global") == bool(username) or ":" in username:
        raise Refusal(400, "BAD_OPTION", "'username' has no colon; a merchant has one, a partner none")
    return options


def _faults(app: App) -> Routes:
    routes = control_routes()

    @routes("GET", "/sandbox/faults")
    def faults(call: Call) -> Answer:
        return Answer(200, {"faults": [rule.as_json() for rule in app.faults.rules]})

    @routes("POST", "/sandbox/faults")
    def add_fault(call: Call) -> Answer:
        """Have something go wrong: what, on which method and path, how often or how probably."""
        rule = Fault(**_checked_fault(read_options(
            call, kind=str, method=str, path=str, probability=_NUMBER, count=int, delay_seconds=_NUMBER, seed=int
        )))  # fmt: skip
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

    return routes


def _checked_fault(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("kind") not in KINDS:
        raise Refusal(400, "BAD_OPTION", f"'kind' is one of: {', '.join(KINDS)}")
    if not 0 <= options.get("probability", 1) <= 1:
        raise Refusal(400, "BAD_OPTION", "'probability' is between 0 and 1")
    if options.get("count", 1) < 1:
        raise Refusal(400, "BAD_OPTION", "'count' is 1 or more")
    if not 0 <= options.get("delay_seconds", 0) <= MAX_DELAY_SECONDS:
        raise Refusal(400, "BAD_OPTION", f"'delay_seconds' is at most {MAX_DELAY_SECONDS:g}")
    if options["kind"] == "delay" and not options.get("delay_seconds"):
        raise Refusal(400, "BAD_OPTION", "'delay_seconds' is missing")
    return {**options, "method": options.get("method", "*").upper()}


def _limits(app: App) -> Routes:
    routes = control_routes()

    @routes("PUT", "/sandbox/rate-limits")
    def rate_limits(call: Call) -> Answer:
        """Turn the limits on requests on or off: `{"enforced": true}`."""
        options = read_options(call, enforced=bool)
        app.limits.enforced = options.get("enforced", True)
        return Answer(200, {"enforced": app.limits.enforced})

    return routes
