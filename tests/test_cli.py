"""The `capstan` command as people and scripts run it: its output and its exit code."""

from __future__ import annotations

import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest

from capstan.cli import main
from capstan.resources import VERSION

REPOSITORY = Path(__file__).parents[1]
HELLO = REPOSITORY / "capabilities" / "hello.yaml"
KLARNA = REPOSITORY / "capabilities" / "klarna" / "order-management-captures.yaml"

_ORDERS = """\
naftiko: 1.0.0-alpha2
info: {label: Orders, description: Orders for the tests., created: '2026-01-01', modified: '2026-01-01'}
binds:
- {namespace: env, keys: {ORDERS_TOKEN: ORDERS_TOKEN}}
capability:
  consumes:
  - type: http
    namespace: orders
    baseUri: http://127.0.0.1:1
    authentication: {type: bearer, token: '{{env.ORDERS_TOKEN}}'}
    resources:
    - name: order
      path: /orders/{order_id}
      operations:
      - name: read-order
        method: GET
        inputParameters:
        - {name: order_id, in: path, type: string, required: true}
        - {name: limit, in: query, type: integer}
      - name: change-order
        method: PUT
        inputParameters:
        - {name: order_id, in: path, type: string, required: true}
        - {name: body, in: body, type: object, required: true}
  exposes:
  - type: mcp
    namespace: orders-mcp
    port: 9090
    tools:
    - name: read-order
      description: Read an order.
      call: orders.read-order
      with: {order_id: tools.order_id, limit: tools.limit}
    - name: change-order
      description: Change an order.
      call: orders.change-order
      with: {order_id: tools.order_id, body: tools.body}
"""


@dataclass
class Found:
    """How a command ended, and what it wrote."""

    returncode: int
    written: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return self.written.decode()


_ENVIRON = {"PATH": os.environ["PATH"], "ORDERS_TOKEN": "token-of-the-orders"}


def capstan(*arguments: str | Path, env: dict[str, str] | None = None) -> Found:
    """Run the command in this process: a process for each would take most of the time of these tests."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    environ = _ENVIRON if env is None else env
    with mock.patch.dict(os.environ, environ, clear=True), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([*map(str, arguments)])
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
    return Found(code, out.buffer.getvalue(), err.getvalue())  # type: ignore[attr-defined]


def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=_ENVIRON)


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, or with the status that the order is named after."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {"method": self.command, "target": self.path, "body": body.decode()}
        self.seen.append({**told, "authorization": self.headers["Authorization"]})
        name = self.path.rpartition("/")[2].partition("?")[0]
        if name == "empty":
            self.send_response(201)
            self.send_header("Location", "/orders/made")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status = int(name) if name.isdigit() else 200
        kind, answer = "application/json", json.dumps(told).encode()
        if name == "pdf":
            kind, answer = "application/pdf", b"%PDF-1.7\xff\x00"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_GET  # noqa: N815 - the library looks for this name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"orders=http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.yaml"
    path.write_text(_ORDERS)
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(_ORDERS.replace("call: orders.read-order", "call: orders.read-ordr"))
    return path


# --- validate


def test_validate_of_right_files_exits_0_and_counts_them() -> None:
    found = capstan("validate", HELLO, KLARNA)
    assert (found.returncode, found.stdout) == (0, "")
    assert "2 files: 2 right, 0 wrong" in found.stderr


def test_validate_of_a_wrong_file_exits_1_and_names_place_fault_and_hint(wrong: Path) -> None:
    found = capstan("validate", wrong)
    assert (found.returncode, found.stdout) == (1, "")
    line = _ORDERS[: _ORDERS.index("call: orders.read-order")].count("\n") + 1
    assert f"{wrong}:{line}:13: " in found.stderr
    assert "[unknown-operation]" in found.stderr
    assert "orders.read-order" in found.stderr
    assert "\x1b" not in found.stderr


def test_validate_tells_the_problems_of_all_files_and_not_only_of_the_first(wrong: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(_ORDERS.replace("method: GET", "methd: GET"))
    found = capstan("validate", wrong, HELLO, other)
    assert found.returncode == 1
    assert "wrong.yaml:" in found.stderr
    assert "other.yaml:" in found.stderr
    assert "3 files: 1 right, 2 wrong" in found.stderr


def test_validate_of_a_missing_path_exits_1(tmp_path: Path) -> None:
    found = capstan("validate", tmp_path / "nothing.yaml")
    assert found.returncode == 1
    assert "nothing.yaml" in found.stderr
    assert "[no-such-file]" in found.stderr


def test_validate_json_gives_each_problem_as_data(wrong: Path) -> None:
    found = capstan("validate", wrong, "--json")
    assert found.returncode == 1
    (problem,) = json.loads(found.stdout)
    assert list(problem) == ["severity", "code", "message", "file", "line", "column", "pointer", "hint"]
    assert problem["severity"] == "error"
    assert problem["code"] == "unknown-operation"
    assert problem["file"] == str(wrong)
    assert problem["pointer"] == "/capability/exposes/0/tools/0/call"
    assert (type(problem["line"]), problem["column"]) == (int, 13)
    assert "orders.read-order" in problem["hint"]
    assert found.stderr == ""


def test_validate_json_of_a_right_file_is_an_empty_list() -> None:
    found = capstan("validate", HELLO, "--json")
    assert (found.returncode, json.loads(found.stdout)) == (0, [])


def test_validate_needs_no_secret(orders: Path) -> None:
    assert capstan("validate", orders, env={}).returncode == 0


def test_two_files_with_one_route_are_right_alone_and_wrong_together(tmp_path: Path) -> None:
    twin = tmp_path / "twin.yaml"
    twin.write_text(HELLO.read_text())
    assert capstan("validate", HELLO, twin).returncode == 0
    found = capstan("validate", HELLO, twin, "--together")
    assert found.returncode == 1
    assert "hello.yaml" in found.stderr
    assert "twin.yaml" in found.stderr


def test_validate_of_a_folder_passes_over_other_yaml_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO.read_text())
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    found = capstan("validate", tmp_path)
    assert found.returncode == 0
    assert "compose.yaml is no capability file" in found.stderr


def test_validate_loads_no_server_stack() -> None:
    check = (
        "import sys; from capstan.cli import main; code = main(['validate', sys.argv[1]]); "
        "heavy = {'mcp', 'starlette', 'uvicorn', 'aiohttp', 'uvloop', 'httptools', 'anyio'} & set(sys.modules); "
        "sys.exit(code or ', '.join(sorted(heavy)) or 0)"
    )
    found = process("-c", check, HELLO)
    assert (found.returncode, found.stderr) == (0, "1 file: 1 right, 0 wrong\n")


# --- explain


def test_explain_shows_the_request_behind_each_route_and_tool() -> None:
    found = capstan("explain", KLARNA)
    assert found.returncode == 0
    assert "GET /v1/ordermanagement/v1/orders/{order-id}/captures" in found.stdout
    assert "klarna-capture-order  money" in found.stdout
    assert "-> POST https://api.playground.klarna.com/ordermanagement/v1/orders/<order_id>/captures" in found.stdout
    assert "\x1b" not in found.stdout


def test_explain_shows_settings_as_they_are_here_and_credentials_never() -> None:
    env = {"KLARNA_API_HOST": "api-na.playground.klarna.com", "KLARNA_API_PASSWORD": "a-secret-of-mine"}
    found = capstan("explain", KLARNA, env=env)
    assert "-> POST https://api-na.playground.klarna.com/ordermanagement" in found.stdout
    assert "api.playground.klarna.com" not in found.stdout
    assert "a-secret-of-mine" not in found.stdout


def test_explain_json_is_the_plan_as_data() -> None:
    found = capstan("explain", KLARNA, "--json")
    plan = json.loads(found.stdout)
    assert [adapter["port"] for adapter in plan["rest"] + plan["mcp"]] == [8080, 9090]
    assert len(plan["mcp"][0]["tools"]) == 7
    tool = plan["mcp"][0]["tools"][0]
    assert (tool["tool"], tool["effect"]) == ("klarna-capture-order", "money")


def test_explain_names_secrets_and_never_shows_them(orders: Path) -> None:
    for form in ([], ["--json"]):
        found = capstan("explain", orders, *form, env={"ORDERS_TOKEN": "a-secret-of-mine"})
        assert found.returncode == 0
        assert "a-secret-of-mine" not in found.stdout + found.stderr
        assert form == [] or "ORDERS_TOKEN" in found.stdout


def test_explain_shows_every_kind_of_step(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW)
    (tmp_path / "sum.js").write_text("result = 1")
    found = capstan("explain", file)
    assert (found.returncode, found.stderr) == (0, "")
    for line in (
        "order, when id != 'x':", "-> GET https://api.example/orders/<id>", "-> looks up n in <$.order>, where id is 7",
        "-> goes on only if $.found.n > 0", "-> runs sum.js (javascript)", "all, for each of <ids>, 5 at a time:",
        '<- {"sum": "<$.sum>"}',
    ):  # fmt: skip
        assert line in found.stdout


FLOW = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - namespace: api
    baseUri: https://api.example
    resources: [{name: r, path: '/orders/{id}', operations: [{name: get, method: GET}]}]
  exposes:
  - {type: control, port: 9092, management: {scripting: {}}}
  - type: mcp
    namespace: m
    port: 9090
    tools:
    - name: t
      description: T.
      inputParameters: [{name: id, type: string}, {name: ids, type: array, items: {type: string}}]
      steps:
      - {name: order, call: api.get, when: id != 'x', with: {id: id}}
      - {name: found, index: order, match: id, lookupValue: 7, outputParameters: [n]}
      - {name: enough, assert: $.found.n > 0}
      - {name: sum, file: sum.js, language: javascript, location: file:///./}
      - {name: all, call: api.get, foreach: ids, with: {id: item}}
      mappings: [{target: sum, value: $.sum}]
"""


def test_explain_of_a_wrong_file_exits_1(wrong: Path) -> None:
    found = capstan("explain", wrong)
    assert (found.returncode, found.stdout) == (1, "")
    assert "[unknown-operation]" in found.stderr


def test_explain_of_a_folder_asks_for_one_file_and_names_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(HELLO.read_text())
    found = capstan("explain", tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        f"capstan: {tmp_path} is a folder; give one file:\n"
        f"  capstan explain {tmp_path}/a.yaml\n  capstan explain {tmp_path}/b.yaml\n"
    )


# --- call


_NAMESAKES = """\
naftiko: 1.0.0-alpha2
info: {label: Names}
capability:
  exposes:
  - type: mcp
    namespace: m
    port: 9090
    tools:
    - {name: both, description: B., outputParameters: [{name: from, value: tool}]}
    - {name: tool, description: T., outputParameters: [{name: from, value: tool}]}
    resources:
    - {name: tool, uri: 'data://tool', outputParameters: [{name: from, value: resource}]}
    - {name: resource, uri: 'data://it', outputParameters: [{name: from, value: resource}]}
    prompts:
    - {name: both, template: [{role: user, call: m2.x}]}
    - {name: prompt, template: [{role: user, call: m2.x}]}
  - type: rest
    namespace: r
    port: 8080
    resources:
    - {path: /both, operations: [{method: GET, name: both, outputParameters: [{name: from, value: operation}]}]}
  consumes:
  - namespace: m2
    baseUri: http://127.0.0.1:1
    resources: [{name: x, path: /x, operations: [{name: x, method: GET}]}]
"""


@pytest.mark.parametrize(
    ("name", "taken", "told"),
    [
        ("both", "operation", "'both' is called as an operation; a tool of that name does something else"),
        ("tool", "tool", "'tool' is called as a tool; a resource of that name does something else"),
        ("resource", "resource", ""),
    ],
)
def test_call_takes_an_operation_before_a_tool_and_says_which(tmp_path: Path, name: str, taken: str, told: str) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(_NAMESAKES)
    found = capstan("call", file, name)
    assert (found.returncode, json.loads(found.stdout)) == (0, {"from": taken})
    assert told in found.stderr
    assert told or "called as" not in found.stderr


def test_call_says_nothing_of_a_tool_that_does_the_same_with_other_names(tmp_path: Path) -> None:
    file = tmp_path / "same.yaml"
    file.write_text("""
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - namespace: api
    baseUri: http://127.0.0.1:1
    resources: [{name: x, path: '/x/{order_id}', operations: [{name: x, method: GET}]}]
  exposes:
  - type: rest
    namespace: r
    port: 8080
    resources: [{path: '/x/{order-id}', operations: [{method: GET, name: x, call: api.x}]}]
  - {type: mcp, namespace: m, port: 9090, tools: [{name: x, description: X., call: api.x}]}
""")
    assert "called as" not in capstan("call", file, "x", "order_id=1").stderr


def test_call_never_takes_what_a_prompt_calls(tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(_NAMESAKES)
    found = capstan("call", file, "prompt")
    assert (found.returncode, found.stdout) == (2, "")
    assert "has no 'prompt'" in found.stderr


def test_call_works_without_any_network() -> None:
    found = capstan("call", HELLO, "say-hello", "name=Ada")
    assert found.returncode == 0
    assert json.loads(found.stdout) == {"message": "Hello, Ada!"}


def test_call_prints_the_answer_on_stdout_and_the_status_on_stderr(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "read-order", "order_id=a b", "limit=3", "--base-uri", upstream)
    assert found.returncode == 0
    assert json.loads(found.stdout) == {"method": "GET", "target": "/orders/a%20b?limit=3", "body": ""}
    assert found.stderr.strip() == "status 200"


def test_call_json_prints_one_line(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "read-order", "order_id=a", "--json", "--base-uri", upstream)
    assert found.stdout.count("\n") == 1
    assert json.loads(found.stdout)["target"] == "/orders/a"
    assert found.stderr == ""


def test_call_reads_json_behind_colon_equals(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "change-order", "order_id=a", 'body:={"amount": 100}', "--base-uri", upstream)
    assert json.loads(json.loads(found.stdout)["body"]) == {"amount": 100}


def test_call_reads_json_from_a_file(orders: Path, upstream: str, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text('{"name": "J\u00fcrgen \\"x\\""}')
    found = capstan("call", orders, "change-order", "order_id=a", f"body=@{body}", "--base-uri", upstream)
    assert json.loads(json.loads(found.stdout)["body"]) == {"name": 'Jürgen "x"'}


def test_call_keeps_an_equals_sign_inside_a_value(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "read-order", "order_id=a=b", "--base-uri", upstream)
    assert json.loads(found.stdout)["target"] in ("/orders/a=b", "/orders/a%3Db")


def test_call_writes_bytes_that_are_no_json_as_they_are(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "read-order", "order_id=pdf", "--base-uri", upstream)
    assert (found.returncode, found.written) == (0, b"%PDF-1.7\xff\x00")


def test_call_of_an_empty_answer_tells_its_status_and_location(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "read-order", "order_id=empty", "--base-uri", upstream)
    assert json.loads(found.stdout) == {"status": 201, "Location": "/orders/made"}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        pytest.param(["read-order", "order_id=404"], 1, "upstream-refused", id="upstream refuses"),
        pytest.param(["read-order", "order_id=503"], 1, "upstream-failed", id="upstream fails"),
        pytest.param(["read-order"], 1, "'order_id' is missing", id="missing argument"),
        pytest.param(["read-order", "order_id=a", "oder=b"], 1, "there is no argument 'oder'", id="unknown argument"),
        pytest.param(["read-order", "order_id=.."], 1, "order_id", id="dots in a path"),
        pytest.param(["read-order", "order_id=a", "limit=x"], 2, "'limit'", id="not of its type"),
        pytest.param(["read-order", "order_id"], 2, "'order_id' is not KEY=VALUE", id="no equals sign"),
        pytest.param(["change-order", "body:={"], 2, "'body", id="broken JSON"),
        pytest.param(["change-order", "body=@nothing.json"], 2, "nothing.json cannot be read", id="no such file"),
        pytest.param(["read-oder", "order_id=a"], 2, "read-order", id="unknown name, with a suggestion"),
    ],
)
def test_call_that_does_not_work_says_why_on_stderr(
    arguments: list[str], code: int, text: str, orders: Path, upstream: str
) -> None:
    found = capstan("call", orders, *arguments, "--base-uri", upstream)
    assert (found.returncode, found.stdout) == (code, "")
    assert text in found.stderr
    assert "Traceback" not in found.stderr


def test_call_json_prints_an_error_as_data_on_stdout(orders: Path, upstream: str) -> None:
    found = capstan("call", orders, "read-order", "order_id=404", "--json", "--base-uri", upstream)
    problem = json.loads(found.stdout)
    assert found.returncode == 1
    assert (problem["status"], problem["code"], problem["outcome"]) == (404, "upstream-refused", "refused")
    assert found.stdout.count("\n") == 1


def test_call_of_an_unreachable_upstream_says_that_nothing_was_sent(orders: Path) -> None:
    found = capstan("call", orders, "change-order", "order_id=a", "body:={}", "--json")
    assert found.returncode == 1
    problem = json.loads(found.stdout)
    assert (problem["code"], problem["outcome"], problem["retry_safe"]) == ("upstream-unreachable", "not-sent", True)


def test_call_takes_secrets_from_an_env_file_and_the_environment_goes_first(
    orders: Path, upstream: str, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("# comment\nORDERS_TOKEN='from the file'\n")
    arguments = ("call", orders, "read-order", "order_id=a", "--base-uri", upstream)
    without = capstan(*arguments, env={})
    assert without.returncode == 1
    assert "ORDERS_TOKEN is not set" in without.stderr
    assert capstan(*arguments, "--env-file", file, env={}).returncode == 0
    assert Upstream.seen[-1]["authorization"] == "Bearer from the file"
    assert capstan(*arguments, "--env-file", file).returncode == 0
    assert Upstream.seen[-1]["authorization"] == "Bearer token-of-the-orders"


# --- the command as a whole


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no command"),
        pytest.param(["sevre", "x.yaml"], id="unknown command"),
        pytest.param(["validate"], id="no path"),
        pytest.param(["validate", "x.yaml", "--jsn"], id="unknown option"),
        pytest.param(["serve", str(HELLO), "--workers", "0"], id="no workers"),
        pytest.param(["serve", str(HELLO), "--port-offset", "x"], id="offset is no number"),
        pytest.param(["serve", str(HELLO), "--base-uri", "hello"], id="base URI without a namespace"),
        pytest.param(["serve", str(HELLO), "--base-uri", "hello=ftp://x"], id="base URI of another scheme"),
        pytest.param(["serve", str(HELLO), "--env-file", "nothing.env"], id="no such env file"),
        pytest.param(["serve", str(HELLO), "--log-format", "xml"], id="unknown log format"),
    ],
)
def test_bad_usage_exits_2_and_prints_nothing_on_stdout(arguments: list[str]) -> None:
    found = capstan(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert "Traceback" not in found.stderr
    assert found.stderr


def test_help_opens_with_examples_of_every_verb_they_name() -> None:
    found = capstan("--help")
    assert found.returncode == 0
    for verb in ("validate", "explain", "serve", "call"):
        assert f"  capstan {verb} " in found.stdout


@pytest.mark.parametrize("verb", ["validate", "explain", "serve", "call"])
def test_every_verb_has_help(verb: str) -> None:
    found = capstan(verb, "--help")
    assert found.returncode == 0
    assert found.stdout.startswith(f"usage: capstan {verb}")


def test_version_is_printed() -> None:
    found = process("-m", "capstan", "--version")
    assert (found.returncode, found.stdout) == (0, f"capstan {VERSION}\n")


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m capstan explain {KLARNA} --json | head -c 10; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, found.stderr) == (0, "")
