"""An answer in another format than JSON, from the consumed API to the value of a call."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.call.unit import LiveUnit
from capstan.errors import CallError, ShapeError, UpstreamError, UpstreamRefused
from capstan.settings import Settings
from support import QUICK, RecordingUpstream, body_of, capability_text, chunked, reply, wired

GOLDEN = Path(__file__).parents[1] / "golden" / "decode"


@contextlib.asynccontextmanager
async def answering(
    folder: Path, operation: dict[str, Any], outputs: Any = (), settings: Settings = QUICK, **more: Any
) -> AsyncIterator[tuple[RecordingUpstream, LiveUnit]]:
    """An upstream and a unit in front of its only operation, of which `operation` says something."""
    document = yaml.safe_load(capability_text(path="/things", outputs=outputs, **more))
    document["capability"]["consumes"][0]["resources"][0]["operations"][0].update(operation)
    environ = {name: f"value-of-{name}" for name in more.get("variables", ())}
    async with wired(folder, yaml.safe_dump(document, sort_keys=False), environ, settings=settings) as pair:
        yield pair


SHIPS = "<fleet><ship><code>V1</code></ship><ship><code>V2</code></ship></fleet>"
CODES = [{"type": "array", "mapping": "$.ship", "items": {"type": "string", "mapping": "$.code"}}]


async def test_what_is_mapped_is_taken_from_the_tree(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}, CODES) as (upstream, unit):
        upstream.then(reply(body=SHIPS, content_type="application/xml"))
        assert (await unit.call({})).value == ["V1", "V2"]


ONE_SHIP = "<fleet><ship><code>V1</code></ship></fleet>"


async def test_what_stands_once_in_xml_is_a_list_of_one_where_a_list_is_declared(tmp_path: Path) -> None:
    listed = {"name": "list", "type": "array", "mapping": "$.ship"}
    none = {"name": "none", "type": "array", "mapping": "$.boat", "items": {"type": "string"}}
    one = {"name": "one", "type": "string", "mapping": "$.ship.code"}
    first = {"name": "first", "type": "string", "mapping": "$.ship[0].code"}
    found = {"name": "found", "type": "string", "mapping": "$.ship[?@.code=='V1'].code"}
    outputs = [{"name": "codes", **CODES[0]}, listed, none, one, first, found]
    async with answering(tmp_path, {"outputRawFormat": "xml"}, outputs) as (upstream, unit):
        upstream.then(reply(body=ONE_SHIP, content_type="application/xml"))
        answer = (await unit.call({})).value
    ones = {"one": "V1", "first": "V1", "found": "V1"}
    assert answer == {"codes": ["V1"], "list": [{"code": "V1"}], "none": None, **ones}


TAILS = {
    "$.ship.length()": 1,
    "$.ship.size()": 1,
    "$.fleet.ship.length()": 1,
    "$.ship.first()": {"code": "V1", "n": "2.5"},
    "$.ship.last()": {"code": "V1", "n": "2.5"},
    "$.ship.code.first()": "V1",
    "$.ship.n.sum()": 2.5,
    "$.ship.n.max()": 2.5,
    "$.ship[0].n.avg()": 2.5,
    "$.ship[*].n.min()": 2.5,
    "$.ship[0].length()": 2,  # of one element, which says how many members it has
    "$.ship.keys()": ["code", "n"],
    "$.boat.length()": None,
    "$.boat.first()": None,
}


@pytest.mark.parametrize("in_flow", [False, True])
async def test_a_function_of_a_list_takes_what_stands_once_in_xml_for_a_list(in_flow: object, tmp_path: Path) -> None:
    """A feed of one entry has one entry, and not as many as that has members."""
    outputs = [{"name": f"n{number}", "mapping": path} for number, path in enumerate(TAILS)]
    document = yaml.safe_load(capability_text(path="/things", outputs=outputs))
    body = document["capability"]
    body["consumes"][0]["resources"][0]["operations"][0]["outputRawFormat"] = "xml"
    if in_flow:
        for unit in (body["exposes"][0]["resources"][0]["operations"][0], body["exposes"][1]["tools"][0]):
            unit["steps"] = [{"name": "look", "type": "call", "call": unit.pop("call")}]
            unit["mappings"] = [{"target": f"m{n}", "value": f"$.look{path[1:]}"} for n, path in enumerate(TAILS)]
    async with wired(tmp_path, yaml.safe_dump(document, sort_keys=False), {}, settings=QUICK) as (upstream, unit):
        one = "<fleet><ship><code>V1</code><n>2.5</n></ship></fleet>"
        upstream.then(reply(body=one, content_type="application/xml"))
        answer = (await unit.call({})).value
    assert [answer[f"n{number}"] for number in range(len(TAILS))] == list(TAILS.values())
    if in_flow:
        assert [answer.get(f"m{number}") for number in range(len(TAILS))] == list(TAILS.values())


async def test_what_stands_once_in_the_json_of_another_step_stays_what_it_is(tmp_path: Path) -> None:
    document = yaml.safe_load(capability_text(path="/things"))
    body = document["capability"]
    resource = body["consumes"][0]["resources"][0]
    resource["operations"].append({**resource["operations"][0], "name": "json"})
    resource["operations"][0]["outputRawFormat"] = "xml"
    for unit in (body["exposes"][0]["resources"][0]["operations"][0], body["exposes"][1]["tools"][0]):
        call = unit.pop("call")
        unit["steps"] = [
            {"name": "look", "type": "call", "call": call},
            {"name": "text", "type": "call", "call": call.replace("act", "json")},
        ]
        unit["outputParameters"] = [
            {"name": "xml", "mapping": "$.look.a.length()"},
            {"name": "json", "mapping": "$.text.a.length()"},
        ]
    async with wired(tmp_path, yaml.safe_dump(document, sort_keys=False), {}, settings=QUICK) as (upstream, unit):
        upstream.always = lambda request: (
            reply(body="<r><a>abc</a></r>", content_type="application/xml")
            if "xml" in (request.header("accept") or "")
            else reply(data={"a": "abc"})
        )
        assert (await unit.call({})).value == {"xml": 1, "json": 3}


async def test_a_flow_takes_what_stands_once_in_xml_for_a_list_too(tmp_path: Path) -> None:
    document = yaml.safe_load(capability_text(path="/things"))
    body = document["capability"]
    operation = body["consumes"][0]["resources"][0]["operations"][0]
    operation |= {"outputRawFormat": "xml", "outputParameters": [{"name": "lead", "value": "$.ship[0].code"}]}
    for unit in (body["exposes"][0]["resources"][0]["operations"][0], body["exposes"][1]["tools"][0]):
        call = unit.pop("call")
        unit["steps"] = [
            {"type": "call", "name": "look", "call": call},
            {"type": "call", "name": "each", "call": call, "foreach": "$.look.ship", "as": "one"},
        ]
        paths = {"ships": "$.look.ship", "n": "$.each.length()", "all": "$.look.ship[*].code", "lead": "$.look.lead"}
        unit["mappings"] = [{"target": target, "value": path} for target, path in paths.items()]
        unit["outputParameters"] = [
            {"name": "ships", "type": "array", "items": {"type": "object", "properties": {"code": {"type": "string"}}}},
            {"name": "n", "type": "integer"},
        ]
    async with wired(tmp_path, yaml.safe_dump(document, sort_keys=False), {}, settings=QUICK) as (upstream, unit):
        upstream.then(*[reply(body=ONE_SHIP, content_type="application/xml")] * 2)
        assert (await unit.call({})).value == {"ships": [{"code": "V1"}], "n": 1, "all": ["V1"], "lead": "V1"}


async def test_an_answer_that_nothing_is_taken_from_is_given_as_json(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "csv"}) as (upstream, unit):
        upstream.then(reply(206, "a,b\n1,2\n", content_type="text/csv", headers={"ETag": '"x"'}))
        answer = await unit.call({})
    assert (answer.status, answer.value, answer.response) == (206, [{"a": "1", "b": "2"}], None)
    assert [(name.lower(), value) for name, value in answer.headers] == [("etag", '"x"')]


@pytest.mark.parametrize("path", ["$.look.ship", "$.look.fleet.ship", "$['look']['fleet'].ship", "$.fleet.ship"])
async def test_a_step_gives_the_tree_to_those_after_it(path: str, tmp_path: Path) -> None:
    document = yaml.safe_load(capability_text(path="/things"))
    body = document["capability"]
    body["consumes"][0]["resources"][0]["operations"][0]["outputRawFormat"] = "xml"
    for unit in (body["exposes"][0]["resources"][0]["operations"][0], body["exposes"][1]["tools"][0]):
        del unit["call"]
        unit["steps"] = [{"name": "look", "type": "call", "call": "api.act"}]
        unit["outputParameters"] = [{"type": "array", "mapping": path}]
    async with wired(tmp_path, yaml.safe_dump(document, sort_keys=False)) as (upstream, unit):
        pdf = reply(body="%PDF", content_type="application/pdf")
        upstream.then(reply(body=SHIPS, content_type="application/xml"), pdf)
        assert (await unit.call({})).value == [{"code": "V1"}, {"code": "V2"}]
        with pytest.raises(ShapeError) as caught:
            await unit.call({})
    assert caught.value.message == "step 'look': 'api' answered 200, but not with xml (application/pdf)"


@pytest.mark.parametrize(("name", "mapping"), [("orders", "$.orders[0].id"), ("container", "$[0].orders[0].id")])
async def test_a_binary_format_is_read_with_the_schema_beside_the_file(name: str, mapping: str, tmp_path: Path) -> None:
    (tmp_path / "orders.avsc").write_bytes((GOLDEN / "avro" / "orders.avsc").read_bytes())
    said = {"outputRawFormat": "avro", "outputSchema": "orders.avsc"}
    async with answering(tmp_path, said, [{"type": "string", "mapping": mapping}]) as (upstream, unit):
        body = (GOLDEN / "avro" / f"{name}.avro").read_bytes()
        upstream.then(reply(body=body, content_type="application/octet-stream"))
        assert (await unit.call({})).value == "o-1"


async def test_a_compressed_answer_in_another_charset_is_read(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "csv"}) as (upstream, unit):
        body = gzip.compress("name\nÅsa\n".encode("utf-16"))
        upstream.then(reply(body=body, content_type="text/csv", headers={"Content-Encoding": "gzip"}))
        assert (await unit.call({})).value == [{"name": "Åsa"}]


async def test_an_answer_in_chunks_is_read_whole(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "yaml"}) as (upstream, unit):
        upstream.then(chunked(b"a: [1", b", 2]\n", content_type="application/yaml"))
        assert (await unit.call({})).value == {"a": [1, 2]}


@pytest.mark.parametrize("outputs", [(), CODES], ids=["as it comes", "mapped"])
async def test_a_pdf_where_xml_was_declared_is_passed_on(outputs: Any, tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}, outputs) as (upstream, unit):
        upstream.then(reply(body=b"%PDF-1.7", content_type="application/pdf"))
        answer = await unit.call({})
        assert answer.response is not None
        assert (answer.response.media_type, await body_of(answer)) == ("application/pdf", b"%PDF-1.7")


async def test_json_where_xml_was_declared_is_read_as_json(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}, CODES) as (upstream, unit):
        upstream.then(reply(data={"ship": [{"code": "J"}]}))
        assert (await unit.call({})).value == ["J"]


async def test_json_that_nothing_is_taken_from_is_passed_on_as_it_was_written(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}) as (upstream, unit):
        upstream.then(reply(body='{"a":  1.10}', content_type="application/json"))
        assert await body_of(await unit.call({})) == b'{"a":  1.10}'


@pytest.mark.parametrize(
    ("said", "accept"),
    [
        ({}, "application/json, */*;q=0.8"),
        ({"outputRawFormat": "text"}, "text/plain, text/*;q=0.99, */*;q=0.8"),
        ({"outputRawFormat": "xml"}, "application/xml, text/xml;q=0.99, */*;q=0.8"),
        ({"outputRawFormat": "csv"}, "text/csv, */*;q=0.8"),
        ({"outputRawFormat": "binary"}, "*/*"),
        ({"outputRawFormat": "binary", "outputMediaType": "image/png"}, "image/png, */*;q=0.8"),
        ({"outputRawFormat": "xml", "inputParameters": [{"name": "accept", "in": "header", "value": "a/b"}]}, "a/b"),
    ],
)
async def test_the_declared_format_is_what_is_asked_for(said: dict[str, Any], accept: str, tmp_path: Path) -> None:
    async with answering(tmp_path, said) as (upstream, unit):
        answer = await unit.call({})
        if answer.response is not None:
            answer.response.close()
    assert upstream.last.all("accept") == [accept]


async def test_an_answer_without_a_body_is_empty(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}) as (upstream, unit):
        upstream.then(reply(204), reply(200, "", content_type="application/xml"))
        assert [(await unit.call({})).empty for _ in range(2)] == [True, True]


async def test_an_error_is_passed_on_and_never_read_as_a_success(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}, CODES) as (upstream, unit):
        upstream.then(reply(404, SHIPS, content_type="application/xml"))
        with pytest.raises(UpstreamRefused) as caught:
            await unit.call({})
    assert (caught.value.status, caught.value.body, caught.value.media_type) == (404, SHIPS.encode(), "application/xml")


@pytest.mark.parametrize(
    ("said", "body", "told"),
    [
        ({"outputRawFormat": "xml"}, "<a>", "'api' answered 200 with xml that cannot be read: line 1, column 4: no el"),
        ({"outputRawFormat": "csv"}, "a\n1,2\n", "with csv that cannot be read: line 2 has 2 values"),
        ({"outputRawFormat": "yaml"}, "a: [", "with yaml that cannot be read: line 2"),
        ({"outputRawFormat": "html"}, "<p>Log in", "with html that cannot be read: it has no table"),
        ({"outputRawFormat": "markdown"}, b"\xff", "with markdown that cannot be read: byte 1 is not utf-8"),
    ],
)  # fmt: skip
async def test_an_answer_that_cannot_be_read_is_an_error_with_its_reason(
    said: dict[str, Any], body: str | bytes, told: str, tmp_path: Path
) -> None:
    async with answering(tmp_path, said) as (upstream, unit):
        upstream.then(reply(body=body, content_type=None))
        with pytest.raises(ShapeError) as caught:
            await unit.call({})
    error = caught.value
    assert (error.code, error.outcome, error.retry_safe) == ("unexpected-answer", "done", True)
    assert told in error.message


async def test_a_write_whose_answer_cannot_be_read_is_not_safe_to_repeat(tmp_path: Path) -> None:
    async with answering(tmp_path, {"outputRawFormat": "xml"}, method="POST") as (upstream, unit):
        upstream.then(reply(body="<a>", content_type="application/xml"))
        with pytest.raises(ShapeError) as caught:
            await unit.call({})
    assert (caught.value.outcome, caught.value.retry_safe) == ("done", False)


async def test_a_secret_is_in_no_value_and_in_no_reason(tmp_path: Path) -> None:
    auth = {"type": "bearer", "token": "{{env.TOKEN}}"}
    secret = "value-of-TOKEN"
    shown = {"authentication": auth, "variables": ["TOKEN"]}
    async with answering(tmp_path, {"outputRawFormat": "xml"}, **shown) as (upstream, unit):
        body = f"<a><b>&#118;{secret[1:]}</b><c>{secret}</c></a>"
        upstream.then(
            reply(body=body, content_type="application/xml"),
            reply(body=f"<a><b>{secret}</b></a>".encode("utf-16"), content_type="application/xml"),
            reply(body=f"<!DOCTYPE a SYSTEM 'x'><a>&{secret};</a>".encode("utf-16"), content_type="application/xml"),
        )
        assert secret not in str((await unit.call({})).value)
        assert secret not in str((await unit.call({})).value)
        with pytest.raises(ShapeError) as caught:
            await unit.call({})
    assert "declared nowhere" in caught.value.message
    assert secret not in caught.value.message


async def test_a_secret_does_not_damage_a_format_with_lengths_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.avsc").write_text('{"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}')
    said = {"outputRawFormat": "avro", "outputSchema": "a.avsc"}
    auth = {"type": "bearer", "token": "{{env.TOKEN}}"}
    async with answering(tmp_path, said, authentication=auth, variables=["TOKEN"]) as (upstream, unit):
        upstream.then(reply(body=b"\x1cvalue-of-TOKEN", content_type="application/avro"))
        value = (await unit.call({})).value
    assert list(value) == ["a"]
    assert "value-of-TOKEN" not in value["a"]


@pytest.mark.parametrize(
    ("format_", "size", "elsewhere"),
    [
        ("csv", 1000, False),
        ("xml", 1000, False),
        ("csv", 100_000, True),
        ("markdown", 1000, True),  # 16 KiB of `![` take a second
        ("html", 1000, True),  # cells that span
        ("yaml", 1000, True),  # aliases
    ],
)
async def test_other_calls_go_on_while_an_answer_is_read_that_may_take_long(
    format_: str, size: int, elsewhere: object, tmp_path: Path
) -> None:
    threads: list[threading.Thread] = []

    def read(body: bytes, charset: str) -> Any:
        threads.append(threading.current_thread())
        return len(body)

    async with answering(tmp_path, {"outputRawFormat": format_}) as (upstream, unit):
        call = unit.unit.call
        assert call is not None
        assert call.decoder is not None
        unit.unit = replace(unit.unit, call=replace(call, decoder=replace(call.decoder, read=read)))
        upstream.then(reply(body=b"x" * size, content_type="text/plain"))
        assert (await unit.call({})).value == size
    assert (threads[0] is not threading.main_thread()) is elsewhere


# --- bytes


BINARY = {"outputRawFormat": "binary"}


@pytest.mark.parametrize("named", [None, "application/octet-stream", "binary/octet-stream; x=y"])
async def test_the_declared_media_type_stands_in_for_one_that_says_nothing(named: str | None, tmp_path: Path) -> None:
    async with answering(tmp_path, {**BINARY, "outputMediaType": "application/pdf"}) as (upstream, unit):
        upstream.then(reply(body=b"%PDF", content_type=named), reply(body=b"GIF", content_type="image/gif"))
        first, second = await unit.call({}), await unit.call({})
        assert first.response is not None
        assert second.response is not None
        assert (first.response.media_type, second.response.media_type) == ("application/pdf", "image/gif")
        assert (await body_of(first), await body_of(second)) == (b"%PDF", b"GIF")


async def test_bytes_that_say_nothing_are_no_json_where_bytes_are_declared(tmp_path: Path) -> None:
    async with answering(tmp_path, BINARY, [{"name": "a", "type": "string", "mapping": "$.a"}]) as (upstream, unit):
        upstream.then(reply(body=b"\0\1", content_type=None), reply(data={"a": "b"}))
        assert await body_of(await unit.call({})) == b"\0\1"
        assert (await unit.call({})).value == {"a": "b"}


async def test_an_announced_size_beyond_the_limit_is_refused_before_a_byte_is_read(tmp_path: Path) -> None:
    async with answering(tmp_path, {**BINARY, "maxBinarySize": "1KiB"}, method="POST") as (upstream, unit):
        upstream.then(reply(body=b"x" * 1025, content_type="image/png"))
        with pytest.raises(UpstreamError) as caught:
            await unit.call({})
    error = caught.value
    assert (error.code, error.outcome, error.retry_safe) == ("answer-too-large", "done", False)
    assert error.message == "'api' answers with 1,025 bytes, more than the 1,024 allowed"


async def test_the_limit_holds_where_no_size_is_announced(tmp_path: Path) -> None:
    async with answering(tmp_path, {**BINARY, "maxBinarySize": "1KiB"}) as (upstream, unit):
        upstream.then(chunked(b"x" * 1000, b"x" * 24, content_type="image/png"),
                      chunked(b"x" * 1000, b"x" * 25, content_type="image/png"))  # fmt: skip
        fits, does_not = await unit.call({}), await unit.call({})
        assert fits.limit == does_not.limit == 1024
        assert len(await body_of(fits, 1024)) == 1024
        with pytest.raises(CallError) as caught:
            await body_of(does_not, 1024)
    assert caught.value.code == "answer-too-large"


async def test_the_limit_is_for_bytes_and_never_above_what_the_settings_allow(tmp_path: Path) -> None:
    said = {"outputRawFormat": "json", "maxBinarySize": "1GiB"}
    async with answering(tmp_path, said, settings=Settings(max_streamed_bytes=5000)) as (upstream, unit):
        upstream.then(reply(body=b"x", content_type="image/png"), reply(data={"a": 1}))
        image, data = await unit.call({}), await unit.call({})
        assert (image.limit, data.limit) == (5000, None)
        await body_of(image)
        await body_of(data)
