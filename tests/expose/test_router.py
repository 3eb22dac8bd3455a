from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.expose.router import Router
from capstan.load.expression import parse_route
from capstan.plan.build import _route_segment
from capstan.plan.types import RouteSegment


def segments(path: str) -> tuple[RouteSegment, ...]:
    return tuple(_route_segment(parts, {}) for parts in parse_route(path).segments)


def router(*routes: str) -> Router[str]:
    built: Router[str] = Router()
    for route in routes:
        method, _, path = route.partition(" ")
        assert built.add(method, segments(path), path) is None
    return built


def found(built: Router[str], path: str, method: str = "GET") -> tuple[Any, list[str]]:
    routes, values = built.find(path.strip("/").split("/") if path != "/" else [])
    return routes.get(method), values


ROUTES = router(
    "GET /", "GET /orders", "POST /orders", "GET /orders/{id}", "GET /orders/{id}/captures", "GET /orders/summary",
    "GET /orders/summary/all", "GET /files/{name}.json", "GET /files/{name}", "GET /v/{a}-{b}", "GET /x y/{id}",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "route", "values"),
    [
        ("/", "/", []),
        ("/orders", "/orders", []),
        ("/orders/1", "/orders/{id}", ["1"]),
        ("/orders/1/captures", "/orders/{id}/captures", ["1"]),
        ("/files/a.json", "/files/{name}.json", ["a"]),
        ("/files/a.b.json", "/files/{name}.json", ["a.b"]),
        ("/files/a", "/files/{name}", ["a"]),
        ("/files/.json", "/files/{name}", [".json"]),
        ("/v/1-2-3", "/v/{a}-{b}", ["1", "2-3"]),
        ("/x y/1", "/x y/{id}", ["1"]),
    ],
)
def test_a_path_finds_its_route(path: str, route: str, values: list[str]) -> None:
    assert found(ROUTES, path) == (route, values)


TEMPLATES = ["{a}-{b}", "{a}-{b}-{c}.x", "-{a}{b}", "{a}-{b}{c}-", "{a}.{b}-.{c}", "x-{a}-x"]


@given(st.sampled_from(TEMPLATES), st.text("-.x1", min_size=1, max_size=12))
def test_of_variables_in_one_segment_each_is_as_short_as_can_be(template: str, text: str) -> None:
    lazy = re.sub(r"\{.\}", "(.+?)", template.replace(".", r"\."))
    match = re.fullmatch(lazy, text)
    assert found(router(f"GET /{template}"), f"/{text}") == (
        (f"/{template}", [*match.groups()]) if match else (None, [])
    )


@pytest.mark.parametrize("template", ["{a}-{b}-{c}.json", "{a}-{b}-{c}-{d}-{e}", "{a}{b}{c}{d}.x"])
def test_a_long_segment_is_no_riddle(template: str) -> None:
    built = router(f"GET /{template}")
    began = time.perf_counter()
    for text in ("-" * 60_000 + "/", "-" * 60_000 + "!", "a" * 60_000):
        found(built, text)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("path", ["/order", "/orders/1/2", "/orders//captures", "/v/12", "/files", "/Orders"])
def test_any_other_path_finds_nothing(path: str) -> None:
    assert found(ROUTES, path) == (None, [])


@pytest.mark.parametrize("order", [("GET /a/b", "GET /a/{x}"), ("GET /a/{x}", "GET /a/b")], ids=["before", "after"])
def test_a_literal_wins_over_a_variable_wherever_it_stands(order: tuple[str, str]) -> None:
    built = router(*order)
    assert found(built, "/a/b") == ("/a/b", [])
    assert found(built, "/a/c") == ("/a/{x}", ["c"])


def test_a_literal_that_leads_nowhere_gives_way_to_a_variable() -> None:
    assert found(ROUTES, "/orders/summary/captures") == ("/orders/{id}/captures", ["summary"])
    assert found(ROUTES, "/orders/summary/all") == ("/orders/summary/all", [])


def test_values_of_a_way_that_was_given_up_are_forgotten() -> None:
    built = router("GET /{a}.x/{b}/end", "GET /{c}/{d}/other")
    assert found(built, "/1.x/2/other") == ("/{c}/{d}/other", ["1.x", "2"])


def test_one_path_serves_several_methods() -> None:
    routes, _ = ROUTES.find(["orders"])
    assert set(routes) == {"GET", "POST"}


def test_a_route_that_is_taken_stays() -> None:
    built = router("GET /a/{x}")
    assert built.add("GET", segments("/a/{y}"), "second") == "/a/{x}"
    assert found(built, "/a/1") == ("/a/{x}", ["1"])
