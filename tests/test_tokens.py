"""`capstan tokens`: the sizes of lists of tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capstan.cli import main
from journeys.test_mcp_lists import SHOP

OTHER = """\
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: mcp
    namespace: other-mcp
    port: 9090
    tools: [{name: where, description: Says whére., outputParameters: [{name: place, type: string, value: here}]}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    assert main(["tokens", *map(str, arguments), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_each_tool_and_the_list_are_told_the_largest_first(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = told(capsys, file)
    assert (one["port"], one["paths"]) == (9090, ["/mcp", "/shop-mcp/mcp"])
    sizes = [tool["bytes"] for tool in one["tools"]]
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)
    assert one["bytes"] == sum(sizes) + 4  # brackets and commas
    assert all(tool["tokens"] == -(-tool["bytes"] // 4) for tool in (one, *one["tools"]))
    assert main(["tokens", str(file)]) == 0
    first, head, *lines = capsys.readouterr().out.splitlines()
    assert first == "/mcp and /shop-mcp/mcp on port 9090: 3 tools"
    assert head.split() == ["bytes", "tokens"]
    assert [line.split()[2] for line in lines[:-1]] == [tool["name"] for tool in one["tools"]]
    assert lines[-1].split() == [f"{one['bytes']:,}", f"{one['tokens']:,}", "the", "whole", "list"]


def test_endpoints_of_one_port_are_told_apart(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "other.yaml").write_text(OTHER)
    found = told(capsys, file.parent)
    assert [(one["paths"], len(one["tools"])) for one in found] == [
        (["/mcp"], 4), (["/other-mcp/mcp"], 1), (["/shop-mcp/mcp"], 3),
    ]  # fmt: skip
    assert found[0]["bytes"] == found[1]["bytes"] + found[2]["bytes"] - 1


def test_standard_input_and_output_have_a_list_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(SHOP.replace("port: 9090", "transport: stdio"))
    (one,) = told(capsys, file)
    assert one["transport"] == "stdio"
    assert "port" not in one


def test_what_is_counted_is_what_would_be_listed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (whole,) = told(capsys, file)
    (reads,) = told(capsys, file, "--effect", "read")
    assert [tool["name"] for tool in reads["tools"]] == ["read-order"]
    assert reads["bytes"] < whole["bytes"]
    (search,) = told(capsys, file, "--tools", "search")
    assert {tool["name"] for tool in search["tools"]} == {"search-tools", "describe-tool", "call-tool"}
    assert main(["tokens", str(file), "--tool", "raed-order"]) == 1
    assert "did you mean 'read-order'?" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [True, False])
def test_a_list_above_its_budget_ends_with_1_and_names_the_largest(
    as_json: bool,  # noqa: FBT001
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (one,) = told(capsys, file)
    options = ["--json"] if as_json else []
    assert main(["tokens", str(file), "--budget", str(one["tokens"]), *options]) == 0
    capsys.readouterr()
    assert main(["tokens", str(file), "--budget", str(one["tokens"] - 1), *options]) == 1
    out, err = capsys.readouterr()
    assert out
    if as_json:
        assert json.loads(out) == [one]
    largest = one["tools"][0]
    assert f"about {one['tokens']} tokens, 1 more than the budget of {one['tokens'] - 1}" in err
    assert f"the largest tools: {largest['name']} ({largest['tokens']}), " in err


def test_no_variable_is_needed_and_none_is_told(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    credential = "    authentication: {type: bearer, token: '{{env.TOKEN}}'}\n    resources:\n    - name: orders"
    text = SHOP.replace("    resources:\n    - name: orders", credential, 1)
    file.write_text(text + "binds: [{namespace: env, keys: {TOKEN: SHOP_TOKEN}}]\n")
    (unset,) = told(capsys, file)
    monkeypatch.setenv("SHOP_TOKEN", "token-of-the-shop")
    assert told(capsys, file) == [unset]


def test_what_cannot_be_counted_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", str(file), "--budget", "0"]) == 2
    file.write_text(SHOP.replace("shop.drop-order", "shop.drop-ordr"))
    assert main(["tokens", str(file)]) == 1
    assert "[unknown-operation]" in capsys.readouterr().err
    file.write_text(
        SHOP.partition("  exposes:")[0]
        + """\
  exposes:
  - type: rest
    namespace: shop-rest
    port: 8080
    resources: [{path: '/o/{order_id}', operations: [{method: GET, name: read, call: shop.read-order}]}]
"""
    )
    assert main(["tokens", str(file)]) == 1
    assert capsys.readouterr().err == "capstan: there is no MCP adapter here, and so no list of tools\n"


def test_the_help_says_what_a_token_is_taken_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tokens", "--help"])
    assert "a token is taken for 4 bytes" in " ".join(capsys.readouterr().out.split())
