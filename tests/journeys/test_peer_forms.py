"""Capabilities as authors of the format's first engines write them: what they may rely on, through both doors."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import BlobResourceContents, CallToolResult, ImageContent, TextContent, TextResourceContents

from journeys.running import Capstan, client, serving
from support import Raw, Received, RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMS = Path(__file__).parent / "forms"
APIS = ("bakery", "stock", "notes", "recipes", "desk")
PORTS = (8080, 9090, 9092)
JPEG = b"\xff\xd8\xff\xe0 not quite a picture \x00\xfe"
PNG = b"\x89PNG\r\n\x1a\n\x00"
LOAF = {
    "loaf_code": "l-1", "title": "Rye", "pieces": "12", "oven_no": 7, "bakers": ["b-3", "b-9", "b-1"], "route": "r-2",
    "flour": {"kind": "rye", "grams": 800, "mill": "m-1"},
}  # fmt: skip
MILL = {"id": "m-1", "name": "Old Mill", "address": {"town": "Brest", "zip": "29200"}}
JSON: dict[str, Any] = {
    "/loaves/l-1": LOAF,
    "/bakers": [
        {"baker_id": "b-1", "full_name": "Ada", "role": "master", "phone": "1"},
        "not an object",
        {"baker_id": "b-3", "full_name": "Bo"},
    ],
    "/ovens": [{"number": "17", "site": "south"}, {"number": "7", "site": "north"}],
    "/mills/m-1": MILL,
    "/routes": {"routes": [{"code": "r-1", "town": "Brest"}, {"code": "r-2", "town": "Quimper"}]},
    "/clerks": {"people": [{"mail": "a@x", "name": "Ann", "desk": 1}, {"mail": "b@x", "name": "Ben", "desk": 2}]},
    "/guests": [{"contact": {"mail": "b@x"}, "since": 2019}, {"contact": {"mail": "c@x"}, "since": 2020}],
    "/recipes": {"recipes": ["rye"]},
    "/recipes/rye": {"id": "rye", "title": "Rye bread"},
}
ROWS = (("code", "title"), ("1", "Rye, dark"), ("2", "Spelt"))
TEXTS = {
    "/notes.xml": '<breads><bread kind="rye"><code>1</code></bread><bread kind="spelt"><code>2</code></bread></breads>',
    "/notes.csv": 'code,title\n1,"Rye, dark"\n2,Spelt\n',
    "/notes.tsv": "\n".join("\t".join(row) for row in ROWS) + "\n",
    "/notes.psv": "\n".join("|".join(row) for row in ROWS) + "\n",
    "/notes.yaml": "breads:\n- {title: Rye}\n- {title: Spelt}\n",
    "/notes.html": """<html><body>
        <table><tr><th>Bread</th></tr><tr><td>another table</td></tr></table>
        <table class="bread"><thead><tr><th>Bread</th><th> Price </th></tr></thead>
        <tbody><tr><td>Rye</td><td>4</td></tr><tr><td><b>Spelt</b> loaf</td></tr></tbody></table></body></html>""",
    "/notes.md": "---\nauthor: Ada\n---\n# Rye\n\nDark *and* heavy.\n\nKeeps long.\n\n| Flour | Grams |\n|---|---|\n"
    "| rye | 800 |\n\n## Spelt\n\nLight.\n",
}


def answer(request: Received) -> Raw:
    path = urlsplit(request.target).path
    if path == "/sales":
        return reply(201, data={"saleNumber": "s-1", **request.json})
    if path == "/broken":
        return reply(409, data={"loaf": "l-1", "why": "dropped"})
    if path in TEXTS:
        return reply(body=TEXTS[path], content_type="text/plain")
    if path in ("/picture", "/poster"):
        return reply(body=JPEG * (1 if path == "/picture" else 100), content_type="application/octet-stream")
    return reply(data=JSON[path]) if path in JSON else reply(404, data={"error": path})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream(answer) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Capstan]:
    folder = tmp_path_factory.mktemp("peers") / "forms"
    shutil.copytree(FORMS, folder)
    (folder / "cards").mkdir()
    (folder / "cards" / "rye.md").write_text("Bake {{bread}}, says the card.")
    (folder / "cards" / "loaf.png").write_bytes(PNG)
    bases = [part for api in APIS for part in ("--base-uri", f"{api}={upstream.url}")]
    async with serving(folder, *bases, ports=PORTS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest(server: Capstan) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(server.rest) as opened:
        yield opened


async def called(server: Capstan, tool: str, **arguments: Any) -> CallToolResult:
    async with Client(server.mcp) as session:
        result = await session.call_tool(tool, arguments)
        assert isinstance(result, CallToolResult)
        return result


def data_of(result: CallToolResult) -> Any:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return json.loads(block.text)


async def seen(upstream: RecordingUpstream, asking: Any) -> tuple[Any, list[Received]]:
    """What something answers, and the requests that were made for it."""
    before = len(upstream.requests)
    return await asking, upstream.requests[before:]


# --- steps


@pytest.fixture(scope="module")
def label() -> dict[str, Any]:
    """The answer of the flow that does everything; asked once."""
    return {}


@pytest_asyncio.fixture(loop_scope="module")
async def told(rest: httpx2.AsyncClient, label: dict[str, Any]) -> dict[str, Any]:
    if not label:
        response = await rest.get("/label/l-1")
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        label.update(response.json())
    return label


async def test_a_lookup_of_many_values_finds_objects_in_the_order_of_the_values(told: dict[str, Any]) -> None:
    assert [(hand["full_name"], hand["role"]) for hand in told["hands"]] == [("Bo", None), ("Ada", "master")]


async def test_a_lookup_matches_by_what_the_operation_declares_of_each_entry(told: dict[str, Any]) -> None:
    assert "phone" not in told["hands"][0]
    assert told["hands"][1]["full_name"] == "Ada"


async def test_a_number_is_found_by_its_text(told: dict[str, Any]) -> None:
    assert told["oven"]["site"] == "north"


async def test_a_field_that_is_not_there_is_null(told: dict[str, Any]) -> None:
    assert told["oven"] == {"site": "north", "inspected": None}


async def test_what_is_not_found_is_null_and_no_failure(told: dict[str, Any]) -> None:
    assert told["guest"] is None


async def test_a_lookup_in_one_object_is_a_question_to_it(told: dict[str, Any]) -> None:
    assert told["same"] == "Rye"


async def test_a_lookup_goes_through_lists_that_run_side_by_side(told: dict[str, Any]) -> None:
    assert told["way"] == "Quimper"


async def test_targets_with_dots_stand_in_one_object(told: dict[str, Any]) -> None:
    assert set(told["oven"]) == {"site", "inspected"}


async def test_values_are_of_the_type_that_is_declared(told: dict[str, Any]) -> None:
    assert (told["pieces"], told["weight"]) == (12, "800")


async def test_a_declared_output_that_nothing_gives_is_null(told: dict[str, Any]) -> None:
    assert told["organic"] is None
    assert [hand["type"] for hand in told["hands"]] == [None, None]


async def test_what_is_mapped_and_not_declared_stays(told: dict[str, Any]) -> None:
    assert told["raw"] == LOAF["flour"]


async def test_a_step_of_declared_outputs_is_those(told: dict[str, Any]) -> None:
    assert told["mill"] == {"town": "Brest", "title": "Old Mill"}


async def test_declared_outputs_can_be_lists_that_run_side_by_side(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/clerks/b@x")).json() == {"name": "Ben", "desk": "2"}


async def test_a_declared_output_of_a_list_is_one_of_each_of_its_items(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/guests")).json() == {"known": [{"mail": "b@x", "since": 2019}]}


async def test_a_mapping_without_a_step_counts_from_what_the_last_call_declares(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/town/m-1")).json() == {"where": "Brest", "zip": "29200"}


async def test_without_mappings_the_last_call_is_the_answer(rest: httpx2.AsyncClient) -> None:
    response = await rest.get("/last/l-1")
    assert (response.status_code, response.json()) == (200, MILL)


async def test_without_mappings_outputs_count_from_the_last_answer(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/last-shaped/l-1")).json() == "Brest"


async def test_inputs_reach_every_step_without_a_with(upstream: RecordingUpstream, rest: httpx2.AsyncClient) -> None:
    _, requests = await seen(upstream, rest.get("/last/l-1"))
    assert [request.target for request in requests] == ["/loaves/l-1", "/mills/m-1"]


async def test_a_tool_and_its_step_may_have_names_that_inputs_have(server: Capstan) -> None:
    assert data_of(await called(server, "mill-of", loaf="l-1")) == {"mill": {"town": "Brest", "title": "Old Mill"}}


async def test_a_failing_step_is_the_end_of_a_flow(upstream: RecordingUpstream, rest: httpx2.AsyncClient) -> None:
    response, requests = await seen(upstream, rest.post("/stops"))
    assert response.status_code == 409
    assert [request.target for request in requests] == ["/broken"]


async def test_a_failing_step_makes_a_tool_fail(upstream: RecordingUpstream, server: Capstan) -> None:
    result, requests = await seen(upstream, called(server, "stops"))
    assert result.is_error
    assert [request.target for request in requests] == ["/broken"]


# --- bodies


async def test_fields_of_a_body_are_inputs_of_their_names(
    upstream: RecordingUpstream, rest: httpx2.AsyncClient
) -> None:
    sale = {"loaf": 'with "quotes"', "pieces": ["1", "2"], "extras": []}
    response, requests = await seen(upstream, rest.post("/sales", json=sale))
    assert requests[0].json == sale
    assert response.status_code == 201
    assert response.json() == {"number": "s-1", "what": {"loaf": sale["loaf"], "pieces": ["1", "2"]}}


async def test_a_list_that_is_not_given_leaves_a_body_that_is_json(
    upstream: RecordingUpstream, rest: httpx2.AsyncClient
) -> None:
    _, requests = await seen(upstream, rest.post("/sales", json={"loaf": "l-1", "pieces": ["1"]}))
    assert requests[0].json == {"loaf": "l-1", "pieces": ["1"]}


# --- aggregates


async def test_a_flow_of_an_aggregate_answers_the_same_at_both_doors(server: Capstan, rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/from/l-1")).json() == {"town": "Brest"}
    assert data_of(await called(server, "where-from", loaf="l-1")) == {"town": "Brest"}


async def test_a_mock_of_an_aggregate_answers_the_same_at_both_doors(server: Capstan, rest: httpx2.AsyncClient) -> None:
    expected = {"words": "Fresh for Nina!", "by": "nobody"}
    assert (await rest.get("/slogan", params={"guest": "Nina"})).json() == expected
    assert data_of(await called(server, "slogan", guest="Nina")) == expected


async def test_a_tool_takes_description_inputs_and_hints_from_its_function(server: Capstan) -> None:
    async with Client(server.mcp) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    tool, anywhere = tools["where-from"], tools["where-from-anywhere"]
    assert tool.description == "The town a loaf's flour comes from."
    assert anywhere.description == "Of any bakery."
    assert tool.input_schema["required"] == ["loaf"]
    hints, wider = tool.annotations, anywhere.annotations
    assert hints is not None
    assert wider is not None
    assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (True, False, True)
    assert (wider.read_only_hint, wider.open_world_hint) == (True, True)


# --- forwarding


async def test_what_is_forwarded_arrives_under_the_apis_own_address(
    upstream: RecordingUpstream, rest: httpx2.AsyncClient
) -> None:
    headers = {"stock-trace": "t-1", "X-Other": "o-1", "Authorization": "Bearer of-the-caller"}
    asking = rest.request("PATCH", "/stock/recipes/rye?a=1&a=2", json={"n": 1}, headers=headers)
    response, (request,) = await seen(upstream, asking)
    assert response.json() == JSON["/recipes/rye"]
    assert (request.method, request.target, request.json) == ("PATCH", "/recipes/rye?a=1&a=2", {"n": 1})
    assert request.header("Stock-Trace") == "t-1"
    assert request.header("X-Other") is None
    assert request.header("Stock-Version") == "2026-03-03"
    assert request.header("Authorization") == "Basic " + base64.b64encode(b"scott:tiger").decode()


async def test_an_operation_wins_over_a_forward_of_its_resource(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/stock/mine")).json() == {"whose": "mine"}


async def test_an_answer_is_forwarded_as_it_is(rest: httpx2.AsyncClient) -> None:
    response = await rest.get("/stock/nothing/here")
    assert (response.status_code, response.json()) == (404, {"error": "/nothing/here"})


# --- formats


@pytest.mark.parametrize("spelling", ["named", "dropped"])
async def test_xml_has_its_root_or_not_as_the_path_says(spelling: str, rest: httpx2.AsyncClient) -> None:
    expected = [{"code": "1", "kind": "rye"}, {"code": "2", "kind": "spelt"}]
    assert (await rest.get(f"/xml/{spelling}")).json() == expected


@pytest.mark.parametrize("kind", ["csv", "tsv", "psv"])
async def test_rows_are_objects_of_texts(kind: str, rest: httpx2.AsyncClient) -> None:
    assert (await rest.get(f"/{kind}")).json() == [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]


async def test_yaml_is_data(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/yaml")).json() == ["Rye", "Spelt"]


async def test_the_tables_of_a_page_are_those_its_selector_means(rest: httpx2.AsyncClient) -> None:
    expected = [{"bread": "Rye", "price": "4"}, {"bread": "Spelt loaf", "price": ""}]
    assert (await rest.get("/html")).json() == expected


async def test_markdown_is_front_matter_tables_and_sections(rest: httpx2.AsyncClient) -> None:
    expected = {"author": "Ada", "table": [{"flour": "rye"}], "titles": ["Rye", "Spelt"]}
    assert (await rest.get("/markdown")).json() == expected


async def test_a_section_is_its_heading_level_and_paragraphs(rest: httpx2.AsyncClient) -> None:
    expected = [{"heading": "Rye", "level": 1, "content": "Dark and heavy.\nKeeps long."}]
    assert (await rest.get("/sections")).json() == expected


async def test_bytes_have_the_media_type_their_operation_declares(server: Capstan, rest: httpx2.AsyncClient) -> None:
    response = await rest.get("/picture")
    assert (response.headers["content-type"], response.content) == ("image/jpeg", JPEG)
    block = (await called(server, "picture")).content[0]
    assert isinstance(block, ImageContent)
    assert (block.mime_type, base64.b64decode(block.data)) == ("image/jpeg", JPEG)


async def test_bytes_above_their_limit_are_no_answer(server: Capstan, rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/poster")).status_code >= 500
    assert (await called(server, "poster")).is_error


# --- resources and prompts


async def read(server: Capstan, uri: str) -> TextResourceContents | BlobResourceContents:
    async with Client(server.mcp) as session:
        (content,) = (await session.read_resource(uri)).contents
        return content


async def test_resources_with_variables_are_listed_apart(server: Capstan) -> None:
    async with Client(server.mcp) as session:
        plain = {str(found.uri) for found in (await session.list_resources()).resources}
        templates = {found.uri_template for found in (await session.list_resource_templates()).resource_templates}
    assert {"data://recipes", "file://cards/rye.md", "file://cards/loaf.png"} <= plain
    assert {"data://recipes/{id}/title", "data://recipes/{id}/whole"} == templates


async def test_a_resource_is_what_its_call_answers(server: Capstan) -> None:
    content = await read(server, "data://recipes")
    assert isinstance(content, TextResourceContents)
    assert (content.mime_type, json.loads(content.text)) == ("application/json", JSON["/recipes"])


@pytest.mark.parametrize(("part", "expected"), [("title", "Rye bread"), ("whole", JSON["/recipes/rye"])])
async def test_variables_of_a_uri_are_inputs(part: str, expected: Any, server: Capstan) -> None:
    content = await read(server, f"data://recipes/rye/{part}")
    assert isinstance(content, TextResourceContents)
    assert json.loads(content.text) == expected


async def test_files_of_a_folder_are_resources(server: Capstan) -> None:
    text, picture = await read(server, "file://cards/rye.md"), await read(server, "file://cards/loaf.png")
    assert isinstance(text, TextResourceContents)
    assert (text.mime_type, text.text) == ("text/markdown", "Bake {{bread}}, says the card.")
    assert isinstance(picture, BlobResourceContents)
    assert (picture.mime_type, base64.b64decode(picture.blob)) == ("image/png", PNG)


@pytest.mark.parametrize(
    "uri", ["data://nothing", "file://cards", "file://cards/none.md", "file://cards/../flows.yaml"]
)
async def test_what_is_no_resource_is_refused(uri: str, server: Capstan) -> None:
    async with Client(server.mcp) as session:
        with pytest.raises(MCPError):
            await session.read_resource(uri)


async def test_a_prompt_is_its_messages_with_the_arguments_in_them(server: Capstan) -> None:
    async with Client(server.mcp) as session:
        found = await session.get_prompt("bake", {"bread": "{{oven}}"})
    texts = [message.content.text for message in found.messages if isinstance(message.content, TextContent)]
    assert [message.role for message in found.messages] == ["user", "assistant"]
    assert texts[0].startswith("Bake {{oven}} in ")  # an argument is never filled in again
    assert texts[1] == "Gladly."


async def test_a_prompt_can_be_a_file(server: Capstan) -> None:
    async with Client(server.mcp) as session:
        (message,) = (await session.get_prompt("card", {"bread": "rye"})).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    assert message.content.text == "Bake rye, says the card."


# --- scripts


@pytest.mark.parametrize(("least", "sites"), [(1, ["south", "north"]), (8, ["south"]), (18, [])])
async def test_a_script_finds_answers_of_calls_and_what_it_is_given(
    least: int, sites: list[str], rest: httpx2.AsyncClient
) -> None:
    assert (await rest.get("/ovens/above", params={"least": least})).json() == {"sites": sites}


async def test_what_a_script_makes_is_called_with_and_looked_up_in(
    rest: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    response, requests = await seen(upstream, rest.get("/bakers/named"))
    assert response.json() == {"people": ["Ada", "Bo"], "loaf": "Rye", "found": "Bo"}
    assert [request.target for request in requests] == ["/bakers", "/loaves/l-1"]
