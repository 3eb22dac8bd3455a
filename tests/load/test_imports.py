"""Parts of a capability that stand in other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from capstan.errors import LoadError
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from capstan.plan.request import HttpRequest
from capstan.plan.types import CapabilityPlan

SHARED = """
naftiko: 1.0.0-alpha2
binds:
- {namespace: env, keys: {TOKEN: SHOP_TOKEN}}
- {namespace: file, location: 'file:///./pin.env', keys: {PIN: PIN}}
consumes:
- type: http
  namespace: shop
  baseUri: https://shop.example/v1
  authentication: {type: bearer, token: '{{env.TOKEN}}'}
  resources:
  - name: order
    path: /orders/{id}
    operations:
    - {name: get, method: GET, inputParameters: [{name: X-Pin, in: header, value: '{{PIN}}'}]}
"""


def write(folder: Path, entry: str, call: str = "store.get", binds: str = "[]") -> Path:
    (folder / "shared").mkdir()
    (folder / "shared" / "shop.yaml").write_text(SHARED)
    (folder / "shared" / "pin.env").write_text("PIN=4711")
    path = folder / "orders.yaml"
    path.write_text(f"""
naftiko: 1.0.0-alpha2
binds: {binds}
capability:
  consumes: [{entry}]
  exposes:
  - type: mcp
    namespace: m
    port: 9090
    tools: [{{name: get, call: {call}}}]
""")
    return path


def request(plan: CapabilityPlan) -> HttpRequest:
    call = plan.mcp[0].tools[0].unit.call
    assert call is not None
    return call.request.bind({"id": "o-1"})


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("{from: ./shared/shop.yaml, import: shop, as: store}", id="from"),
        pytest.param("{location: shared/shop.yaml, import: shop, as: store}", id="location"),
        pytest.param("{location: 'file:///./shared/shop.yaml', import: shop, as: store}", id="a file URI"),
    ],
)
def test_an_imported_api_is_called_with_the_binds_that_stand_beside_it(entry: str, tmp_path: Path) -> None:
    plan, warnings = plan_file(write(tmp_path, entry), {"SHOP_TOKEN": "secret-token"})
    sent = request(plan)
    assert sent.url == "https://shop.example/v1/orders/o-1"
    assert {("Authorization", "Bearer secret-token"), ("X-Pin", "4711")} <= set(sent.headers)
    assert warnings == ()
    assert [Path(source).name for source in plan.sources] == ["shop.yaml", "pin.env"]


def test_an_import_without_another_name_keeps_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/shop.yaml, import: shop}", call="shop.get")
    assert plan_file(path)[0].apis[0].namespace == "shop"


def test_binds_are_imported_under_another_name(tmp_path: Path) -> None:
    auth = "authentication: {type: bearer, token: '{{s.TOKEN}}'}"
    resources = "resources: [{name: r, path: '/{id}', operations: [{name: get, method: GET}]}]"
    own = f"{{type: http, namespace: store, baseUri: 'https://x.example', {auth}, {resources}}}"
    path = write(tmp_path, own, binds="[{from: ./shared/shop.yaml, import: env, as: s}]")
    assert ("Authorization", "Bearer t") in request(plan_file(path, {"SHOP_TOKEN": "t"})[0]).headers


def test_a_fault_in_the_imported_file_is_told_where_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/shop.yaml, import: shop, as: store}")
    shared = tmp_path / "shared" / "shop.yaml"
    shared.write_text(SHARED.replace("baseUri:", "baseUrl:"))
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    (problem,) = [p for p in caught.value.problems if p.code == "unknown-keyword"]
    assert (problem.at.file, problem.at.line) == (str(shared), 9)


def test_an_imported_file_does_not_import_in_turn(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/shop.yaml, import: shop, as: store}")
    more = "consumes:\n- {from: ./other.yaml, import: other}\n"
    (tmp_path / "shared" / "shop.yaml").write_text(SHARED.replace("consumes:\n", more))
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    assert [problem.code for problem in caught.value.problems] == ["bad-import"]


def test_a_file_of_parts_is_passed_over_in_a_folder_and_exposes_nothing_by_itself(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/shop.yaml, import: shop, as: store}")
    shared = tmp_path / "shared" / "shop.yaml"
    assert find_files([str(tmp_path)]) == ([path], [])  # nor is it told to be of no use
    plan, (warning,) = plan_file(shared)
    assert (plan.rest, plan.mcp, warning.code, warning.severity) == ((), (), "nothing-exposed", "warning")


WHOLE = """
naftiko: 1.0.0-alpha2
binds:
- {namespace: env, keys: {HOST: SHOP_HOST, TOKEN: SHOP_TOKEN}, defaults: {HOST: play.example}}
types:
  reference: {type: string, maxLength: 9}
capability:
  consumes:
  - namespace: payments
    baseUri: https://{{env.HOST}}/v1
    authentication: {type: bearer, token: '{{env.TOKEN}}'}
    resources:
    - name: payments
      path: /payments
      operations:
      - name: pay
        method: POST
        inputParameters:
        - {name: reference, in: body, $ref: '#/types/reference', required: true}
        - {name: currency, in: body, $ref: ./types.yaml#/types/currency}
  exposes:
  - type: rest
    namespace: payments-rest
    port: 8080
    resources: [{path: /p, operations: [{method: POST, call: payments.pay}]}]
"""
TYPES = "naftiko: 1.0.0-alpha2\ntypes: {currency: {type: string, pattern: '^[A-Z]{3}$'}}"


def test_an_api_comes_from_a_whole_capability_with_its_binds_and_types(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/payments.yaml, import: payments}", "payments.pay")
    (tmp_path / "shared" / "payments.yaml").write_text(WHOLE)
    (tmp_path / "shared" / "types.yaml").write_text(TYPES)
    plan, warnings = plan_file(path, {"SHOP_TOKEN": "t-0123456789"})
    (unit,) = plan.units  # what the other file exposes stays there
    assert unit.input_schema["properties"] == {
        "reference": {"type": "string", "maxLength": 9},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    }
    assert unit.call is not None
    sent = unit.call.request.bind({"reference": "r"})
    assert sent.url == "https://play.example/v1/payments"
    assert dict(sent.headers)["Authorization"] == "Bearer t-0123456789"
    assert [secret.reveal() for secret in plan.secrets if secret.name == "env.TOKEN"] == ["t-0123456789"]
    assert warnings == ()
    folder = tmp_path / "shared"
    assert plan.sources == (str(folder / "payments.yaml"), str(folder / "types.yaml"))


def test_what_is_wrong_with_an_imported_file_is_told_at_its_own_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/payments.yaml, import: payments}", "payments.pay")
    (tmp_path / "shared" / "payments.yaml").write_text(WHOLE)
    (tmp_path / "shared" / "types.yaml").write_text(TYPES.replace("currency", "currencies"))
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    assert [(Path(p.at.file).name, p.code) for p in caught.value.problems] == [("payments.yaml", "unknown-type")]


def test_an_api_of_a_file_that_imports_in_turn_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/payments.yaml, import: payments}", "payments.pay")
    more = WHOLE.replace("  consumes:\n", "  consumes:\n  - {from: ./shop.yaml, import: shop}\n")
    (tmp_path / "shared" / "payments.yaml").write_text(more)
    (tmp_path / "shared" / "types.yaml").write_text(TYPES)
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    assert [p.code for p in caught.value.problems] == ["bad-import"]


@pytest.mark.parametrize("name", ["a" * 5000, "a%00"])
def test_a_name_that_no_file_can_have_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoadError) as caught:
        plan_file(write(tmp_path, f"{{from: './{name}.yaml', import: shop, as: store}}"))
    assert caught.value.problems[0].code == "bad-import"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("TOKEN=hunter2-hunter2: x: y\n", id="no YAML"),
        pytest.param("hunter2-hunter2: 1\nhunter2-hunter2: 1\n", id="a key twice"),
        pytest.param("TOKEN: *hunter2-hunter2\n", id="an alias"),
        pytest.param("TOKEN: !hunter2-hunter2 x\n", id="a tag"),
        pytest.param("TOKEN: hunter2-hunter2\n", id="another YAML"),
        pytest.param("hunter2-hunter2", id="one text"),
    ],
)
@pytest.mark.parametrize("reference", ["import", "type"])
def test_nothing_is_shown_of_a_file_that_is_none_of_ours(tmp_path: Path, text: str, reference: str) -> None:
    path = write(tmp_path, "{from: ./shared/shop.yaml, import: shop, as: store}")
    if reference == "import":
        path.write_text(path.read_text().replace("shop.yaml", "secrets.yaml"))
    else:
        tool = "{name: get, call: store.get, inputParameters: [{name: a, $ref: './shared/secrets.yaml#/types/a'}]}"
        path.write_text(path.read_text().replace("{name: get, call: store.get}", tool))
    (tmp_path / "shared" / "secrets.yaml").write_text(text)
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    assert "hunter2" not in str(caught.value)
    assert str(tmp_path / "shared" / "secrets.yaml") in str(caught.value)
