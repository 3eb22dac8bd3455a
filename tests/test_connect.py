from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from capstan.cli import main

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "clients.md"
SCRIPT = str(Path(sys.executable).with_name("capstan"))
HELLO = REPOSITORY / "capabilities" / "hello.yaml"


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the README, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "of-the-shell")
    text = (REPOSITORY / "README.md").read_text("utf-8")
    path = tmp_path / "orders.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    (tmp_path / "shop.env").write_text("SHOP_TOKEN=of-the-file\n")
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["connect", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(["connect", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    return err


def examples() -> list[Any]:
    """The configurations of the page, each with what is asked for it."""
    text = PAGE.read_text("utf-8").partition("\n## Claude Code")[2]
    found = []
    for section in re.split(r"\n## ", text):
        client = re.search(r"capstan connect (\S+)", section)
        assert client is not None
        for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL):
            found.append(pytest.param(client[1], json.loads(block), id=f"{client[1]}-{len(found)}"))
    return found


@pytest.mark.parametrize(("client", "told"), examples())
def test_the_page_shows_what_connect_prints(
    client: str, told: Any, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(told)
    options = (["--stdio"] if "--stdio" in text else []) + (["--env-file", "shop.env"] if "--env-file" in text else [])
    found = json.dumps(printed(capsys, client, "orders.yaml", *options))
    here = found.replace(SCRIPT, "/opt/capstan/.venv/bin/capstan").replace(str(orders.parent), "/home/ada")
    assert json.loads(here) == told


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor", "vscode", "generic"])
def test_no_value_of_a_variable_is_ever_printed(client: str, orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", client, "orders.yaml", "--stdio", "--env-file", "shop.env"]) == 0
    assert main(["connect", client, "orders.yaml", "--stdio"]) == int(client in ("claude-desktop", "generic"))
    told = "".join(capsys.readouterr())
    assert "of-the-shell" not in told
    assert "of-the-file" not in told


def test_a_client_that_fills_in_no_variable_needs_a_file_of_them(
    orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, 1, "claude-desktop", "orders.yaml")
    assert "SHOP_TOKEN" in told
    assert "--env-file" in told


def test_a_server_is_merged_and_the_rest_stays(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = orders.parent / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text(json.dumps({
        "servers": {"other": {"url": "https://é.example"}, "shop": {"old": True}},
        "inputs": [{"id": "SHOP_TOKEN", "old": True}, {"id": "X"}], "more": 1,
    }))  # fmt: skip
    assert main(["connect", "vscode", "orders.yaml", "--stdio", "--write"]) == 0
    found = json.loads(path.read_text("utf-8"))
    assert found["servers"].keys() == {"other", "shop"}
    assert found["servers"]["shop"]["type"] == "stdio"
    assert [(one["id"], one.get("password")) for one in found["inputs"]] == [("X", None), ("SHOP_TOKEN", True)]
    assert found["more"] == 1
    assert "'shop' is replaced in .vscode/mcp.json" in capsys.readouterr().err
    assert main(["connect", "vscode", "orders.yaml", "--name", "again", "--write"]) == 0
    assert "'again' is added" in capsys.readouterr().err
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("text", ['{"mcpServers": {}, // mine\n}', "[]", '{"mcpServers": []}'])
def test_a_file_that_cannot_be_merged_stays_as_it_is(
    text: str, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = orders.parent / ".mcp.json"
    path.write_text(text)
    assert "is left as it is" in refused(capsys, 1, "claude-code", "orders.yaml", "--write")
    assert path.read_text() == text


def test_who_may_read_a_clients_file_stays(orders: Path) -> None:
    path = orders.parent / ".mcp.json"
    path.write_text("{}")
    path.chmod(0o640)
    assert main(["connect", "claude-code", "orders.yaml", "--write"]) == 0
    assert path.stat().st_mode & 0o777 == 0o640
    assert main(["connect", "cursor", "orders.yaml", "--into", "new.json"]) == 0
    assert (orders.parent / "new.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["cursor"], 2, "--url"),
        (["cursor", "orders.yaml", "--sandbox"], 2, "--stdio"),
        (["cursor", "orders.yaml", "--stdio", "--url", "http://x.example/mcp"], 2, "one of them"),
        (["cursor", "orders.yaml", "--stdio", "--port-offset", "5"], 2, "no"),
        (["claude-desktop", "--url", "http://x.example/mcp"], 1, "leave out --url"),
        (["chatgpt", "orders.yaml"], 1, "https"),
        (["chatgpt", "orders.yaml", "--stdio"], 1, "starts no servers"),
        (["chatgpt", "--url", "https://x.example/mcp", "--write"], 2, "no file"),
        (["generic", "orders.yaml", "--write"], 2, "--into"),
    ],
)
def test_what_makes_no_sense_is_told(
    arguments: list[str], code: int, word: str, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in refused(capsys, code, *arguments)


def test_several_files_are_connected_at_the_address_of_all(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "cursor", "orders.yaml", str(HELLO), "--port-offset", "100")
    assert found == {"mcpServers": {"capstan": {"url": "http://127.0.0.1:9190/mcp"}}}


async def test_what_is_printed_starts_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [entry] = printed(capsys, "claude-desktop", str(HELLO))["mcpServers"].values()
    parameters = StdioServerParameters(command=entry["command"], args=entry["args"], cwd=tmp_path)
    async with Client(stdio_client(parameters)) as client:
        answer = await client.call_tool("say-hello", {"name": "Ada"})
    assert "Ada" in answer.content[0].text  # type: ignore[union-attr]


def test_stdio_needs_something_to_speak_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rest.yaml"
    path.write_text(
        "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n  - type: rest\n    namespace: r\n    port: 8080\n"
        "    resources:\n    - path: /a\n"
        "      operations: [{method: GET, name: a, outputParameters: [{type: string, value: x}]}]\n"
    )
    assert main(["serve", str(path), "--stdio"]) == 1
    assert "no file here has an MCP adapter" in capsys.readouterr().err
    assert main(["serve", str(HELLO), "--stdio", "--host", "0.0.0.0"]) == 2
    assert main(["serve", str(HELLO), "--stdio", "--workers", "2"]) == 1
