"""Answers in other formats: what they become, what an answer is believed to be, what is refused at load."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.errors import LoadError, Problem
from capstan.load import load
from capstan.load.model import AnswerFormat
from capstan.plan.build import build_plan
from capstan.plan.decode import DECODERS, Decoder, plan_decoder
from capstan.plan.explain import explain
from capstan.plan.types import CapabilityPlan
from capstan.resources import install_command
from conftest import Golden
from support import capability_text, write_capability

GOLDEN = Path(__file__).parents[1] / "golden" / "decode"
PAIRS = sorted(
    path
    for folder in GOLDEN.iterdir()
    for path in folder.iterdir()
    if path.suffix not in (".json", ".schema", ".avsc", ".proto")
)


def decoder(name: str, schema: str | None = None, beside: Path | None = None) -> Decoder:
    """The decoder of a format; a schema's file is beside `beside`."""
    path = (beside or GOLDEN) / "capability.yaml"
    place = _Anywhere(path)
    problems: list[Problem] = []
    found = plan_decoder(AnswerFormat(name, schema, at=place), problems, [])  # type: ignore[arg-type]
    assert not problems
    assert found is not None
    return found


class _Anywhere:
    """A place in a file of which nothing is known but where it is."""

    def __init__(self, path: Path) -> None:
        self.document = type("Document", (), {"path": path})

    def __truediv__(self, _: str) -> _Anywhere:
        return self


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_an_answer_becomes_is_as_reviewed(path: Path, golden: Golden) -> None:
    schema = path.with_suffix(".schema")
    chosen = decoder(path.parent.name, schema.read_text() if schema.exists() else None, path.parent)
    found = chosen.decode(path.read_bytes(), "")
    golden(path.with_suffix(".json"), json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def test_every_format_has_an_example() -> None:
    assert {path.parent.name for path in PAIRS} == set(DECODERS)


# --- what an answer is believed to be


@pytest.mark.parametrize(
    ("name", "media_type", "said"),
    [
        ("xml", "", "this"),
        ("xml", "Application/XML; charset=utf-8", "this"),
        ("xml", "application/soap+xml", "this"),
        ("xml", "text/plain", "this"),
        ("xml", "application/octet-stream", "this"),
        ("xml", "application/json; charset=utf-8", "json"),
        ("xml", "application/problem+json", "json"),
        ("xml", "application/pdf", "other"),
        ("xml", "text/html", "other"),
        ("csv", "text/csv;header=present", "this"),
        ("csv", "application/vnd.ms-excel", "this"),
        ("csv", "text/html", "other"),
        ("tsv", "text/tab-separated-values", "this"),
        ("yaml", "application/x-yaml", "this"),
        ("html", "application/xhtml+xml", "this"),
        ("markdown", "text/markdown; variant=GFM", "this"),
        ("markdown", "text/csv", "other"),
    ],
)
def test_an_answer_is_what_its_media_type_plainly_says(name: str, media_type: str, said: str) -> None:
    assert decoder(name).says(media_type) == said


@pytest.mark.parametrize("media_type", ["application/avro", "avro/binary", "application/vnd.apache.avro+binary"])
def test_avro_goes_by_several_names(media_type: str) -> None:
    assert decoder("avro", "orders.avsc", GOLDEN / "avro").says(media_type) == "this"


@pytest.mark.parametrize(
    "media_type", ["application/x-protobuf", "application/vnd.google.protobuf", "application/proto"]
)
def test_protobuf_goes_by_several_names(media_type: str) -> None:
    assert decoder("protobuf", "orders.proto", GOLDEN / "protobuf").says(media_type) == "this"


def test_json_in_place_of_xml_is_read_as_json() -> None:
    assert decoder("xml").decode(b'{"a": [1]}', "application/json") == {"a": [1]}


# --- the root of an XML document


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param("csv", b"n" * 100_000 + b"\n" + b"1\n" * 1000, id="the name of a column"),
        pytest.param("yaml", b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a," * 1000 + b"]", id="an anchor"),
        pytest.param("html", b"<table><tr><th>" + b"n" * 100_000 + b"<tr><td>1" * 1000, id="a header"),
    ],
)
def test_a_text_that_would_be_repeated_without_end_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(ValueError, match="its texts are repeated"):
        decoder(name).decode(body, "")


def rooted(text: str, *names: str) -> Any:
    return decoder("xml").for_roots(iter(names)).decode(text.encode(), "")


def test_the_root_is_left_out_unless_a_path_begins_with_it() -> None:
    assert rooted("<fleet><ship>a</ship></fleet>", "ship") == {"ship": "a"}
    found = rooted("<fleet><ship>a</ship></fleet>", "fleet", "ship")
    assert found == {"ship": "a", "fleet": {"ship": "a"}}


def test_a_child_of_the_roots_name_is_meant_before_the_root() -> None:
    assert rooted("<ship><ship>inner</ship></ship>", "ship") == {"ship": "inner"}


def test_a_root_of_text_can_be_named_too() -> None:
    assert rooted("<state>open</state>", "state") == {"state": "open"}
    assert rooted("<state>open</state>") == "open"


@pytest.mark.parametrize("mapping", ["$.fleet.ship", "$['fleet']['ship']", '$["fleet"].ship', "$.ship", "$['ship']"])
def test_a_mapping_finds_it_with_the_root_and_without(mapping: str, tmp_path: Path) -> None:
    plan = planned(tmp_path, {"outputRawFormat": "xml"}, [{"type": "array", "mapping": mapping}])
    (unit, *_) = plan.units
    assert unit.call is not None
    assert unit.call.decoder is not None
    value = unit.call.decoder.decode(b"<fleet><ship>a</ship><ship>b</ship></fleet>", "")
    assert unit.shape.take(value, value, {}) == ["a", "b"]


# --- what is decided when a file is loaded


def planned(tmp_path: Path, operation: dict[str, Any], outputs: Any = (), **adapter: Any) -> CapabilityPlan:
    document = yaml.safe_load(capability_text(path="/things", outputs=outputs))
    body = document["capability"]
    body["consumes"][0]["resources"][0]["operations"][0].update(operation)
    for exposed in body["exposes"]:
        exposed.update(adapter)
    return build_plan(load(write_capability(tmp_path, yaml.safe_dump(document, sort_keys=False))))[0]


def refused(tmp_path: Path, operation: dict[str, Any]) -> Problem:
    with pytest.raises(LoadError) as caught:
        planned(tmp_path, operation)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("written", ["shapes/orders.avsc", "file:///./shapes/orders.avsc", "./shapes/orders.avsc"])
def test_a_schema_is_found_beside_the_file_and_reread_with_it(written: str, tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "orders.avsc").write_bytes((GOLDEN / "avro" / "orders.avsc").read_bytes())
    plan = planned(tmp_path, {"outputRawFormat": "avro", "outputSchema": written})
    assert str(tmp_path / "shapes" / "orders.avsc") in plan.sources
    call = plan.units[0].call
    assert call is not None
    assert call.decoder is not None
    assert call.decoder.decode((GOLDEN / "avro" / "orders.avro").read_bytes(), "")["orders"][0]["id"] == "o-1"


def test_a_schema_is_found_beside_the_file_that_an_api_is_imported_from(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "orders.avsc").write_bytes((GOLDEN / "avro" / "orders.avsc").read_bytes())
    (shared / "api.yaml").write_text(
        "naftiko: 1.0.0-alpha2\nconsumes:\n- {namespace: shop, baseUri: 'https://shop.example', resources: [{name: a, "
        "path: /a, operations: [{name: act, method: GET, outputRawFormat: avro, outputSchema: orders.avsc}]}]}\n"
    )
    text = (
        "naftiko: 1.0.0-alpha2\ncapability:\n  consumes: [{from: shared/api.yaml, import: shop}]\n"
        "  exposes: [{type: mcp, namespace: tools, port: 9090, tools: [{name: act, call: shop.act}]}]\n"
    )
    plan, _ = build_plan(load(write_capability(tmp_path, text)))
    assert str(shared / "orders.avsc") in plan.sources


@pytest.mark.parametrize(
    ("operation", "code", "told"),
    [
        pytest.param({"outputRawFormat": "avro"}, "bad-output-schema", "without an outputSchema", id="avro without"),
        pytest.param({"outputRawFormat": "protobuf"}, "bad-output-schema", "without an outputSchema", id="protobuf"),
        pytest.param({"outputRawFormat": "csv", "outputSchema": "a"}, "bad-output-schema", "takes no", id="csv with"),
        pytest.param({"outputSchema": "a"}, "bad-output-schema", "'json' takes no outputSchema", id="json with one"),
        pytest.param({"outputRawFormat": "avro", "outputSchema": "no.avsc"}, "missing-file", "no.avsc", id="no file"),
        pytest.param({"outputRawFormat": "avro", "outputSchema": "bad.avsc"}, "bad-output-schema", "Avro schema",
                     id="no schema"),
        pytest.param({"outputRawFormat": "avro", "outputSchema": "bad.json"}, "bad-output-schema", "cannot be used",
                     id="no JSON"),
        pytest.param({"outputRawFormat": "protobuf", "outputSchema": "bad.proto"}, "bad-output-schema", "bad.proto:3:",
                     id="no proto"),
        pytest.param({"outputRawFormat": "protobuf", "outputSchema": "none.proto"}, "bad-output-schema", "no message",
                     id="no message"),
        pytest.param({"outputRawFormat": "protobuf", "outputSchema": "good.proto#B"}, "bad-output-schema",
                     "no message 'B'; it has A", id="no such message"),
        pytest.param({"outputRawFormat": "html", "outputSchema": "table["}, "bad-output-schema", "no CSS selector",
                     id="no selector"),
        pytest.param({"outputRawFormat": "binary", "maxBinarySize": "10 apples"}, "wrong-form", "no size", id="size"),
        pytest.param({"outputRawFormat": "binary", "maxBinarySize": "0KiB"}, "wrong-form", "no size", id="size 0"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_when_the_file_is_loaded(
    operation: dict[str, Any], code: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.avsc").write_text('{"type": "record", "name": "A", "fields": [{"name": "a", "type": "nope"}]}')
    (tmp_path / "bad.json").write_text("nope")
    (tmp_path / "bad.proto").write_text('syntax = "proto3";\nmessage A {\n  nope a = 1;\n}\n')
    (tmp_path / "none.proto").write_text('syntax = "proto3";\nenum E { A = 0; }\n')
    (tmp_path / "good.proto").write_text('syntax = "proto3";\nmessage A { string a = 1; }\n')
    problem = refused(tmp_path, operation)
    assert problem.code == code
    assert told in problem.message
    assert problem.at.source.strip().partition(":")[0] in operation


@pytest.mark.parametrize(
    ("name", "library", "schema"),
    [
        ("html", "lxml.etree", "table"),
        ("html", "cssselect", "table"),
        ("markdown", "markdown_it", None),
        ("avro", "fastavro.schema", "orders.avsc"),
        ("protobuf", "google.protobuf", "orders.proto"),
        ("protobuf", "grpc_tools.protoc", "orders.proto"),
    ],
)
def test_a_library_that_is_not_installed_is_told_with_how_to_install_it(
    name: str, library: str, schema: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # which makes its import fail
    for source in (GOLDEN / "avro" / "orders.avsc", GOLDEN / "protobuf" / "orders.proto"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    problem = refused(tmp_path, {"outputRawFormat": name, **({"outputSchema": schema} if schema else {})})
    assert (problem.code, problem.hint) == ("missing-library", install_command(name))
    assert library.partition(".")[0] in problem.message


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512KiB", 512 * 1024),
        ("10MiB", 10 * 1024**2),
        ("1.5MiB", 1536 * 1024),
        ("2GiB", 2 * 1024**3),
        ("7B", 7),
        (4096, 4096),
    ],
)
def test_sizes_are_binary_and_may_have_no_unit(written: str | int, size: int, tmp_path: Path) -> None:
    call = planned(tmp_path, {"outputRawFormat": "binary", "maxBinarySize": written}).units[0].call
    assert call is not None
    assert call.passing is not None
    assert call.passing.limit == size


def test_the_size_of_an_operation_goes_before_that_of_the_adapter(tmp_path: Path) -> None:
    both = planned(tmp_path, {"outputRawFormat": "binary", "maxBinarySize": "1KiB"}, maxBinarySize="2KiB")
    adapter = planned(tmp_path, {"outputRawFormat": "binary"}, maxBinarySize="2KiB")
    plain = planned(tmp_path, {}, maxBinarySize="2KiB")
    limits = [unit.call.passing.limit for plan in (both, adapter, plain) for unit in plan.units
              if unit.call is not None and unit.call.passing is not None]  # fmt: skip
    assert limits == [1024, 1024, 2048, 2048, 2048, 2048]


def test_an_operation_of_which_nothing_is_said_has_nothing_to_decode_or_limit(tmp_path: Path) -> None:
    call = planned(tmp_path, {"outputRawFormat": "json"}).units[0].call
    assert call is not None
    assert (call.decoder, call.passing) == (None, None)


def test_explain_says_what_is_decoded_and_what_is_passed_on(tmp_path: Path) -> None:
    told = explain(planned(tmp_path, {"outputRawFormat": "html", "outputSchema": "table.x", "maxBinarySize": "1KiB"}))
    call = told["rest"][0]["operations"][0]["call"]
    assert (call["decoded"], call["passed on"]["limit"]) == ({"format": "html", "schema": "table.x"}, 1024)
    assert "decoded" not in explain(planned(tmp_path, {}))["rest"][0]["operations"][0]["call"]
