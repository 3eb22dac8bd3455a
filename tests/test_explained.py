"""What a person reads of a plan: every line of it from a file of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from capstan.cli import main

FILE = """
naftiko: 1.0.0-alpha2
info: {label: Books}
capability:
  consumes:
  - namespace: shop
    baseUri: https://shop.example
    resources:
    - name: loans
      path: /loans
      operations:
      - {name: lend, method: POST, body: {type: json, data: {book: '{{book}}'}}}
      - {name: patch, method: PATCH,
         body: {type: json, contentType: application/merge-patch+json, data: {book: '{{book}}'}}}
      - {name: form, method: PUT, body: {type: formUrlEncoded, data: {book: '{{book}}'}}}
      - {name: xml, method: DELETE, body: {type: xml, data: '<a>{{book}}</a>'}}
    - {name: one, path: '/books/{id}', operations: [{name: get, method: GET}]}
  exposes:
  - type: rest
    namespace: r
    port: 8080
    resources:
    - path: /loans
      operations:
      - {name: lend, method: POST, call: shop.lend, inputParameters: [{name: book, type: string, required: true}]}
  - type: mcp
    namespace: m
    port: 9090
    tools:
    - {name: lend, description: L., call: shop.lend, inputParameters: [{name: book, type: string}]}
    - {name: patch, description: L., call: shop.patch, inputParameters: [{name: book, type: string}]}
    - {name: form, description: L., call: shop.form, inputParameters: [{name: book, type: string}]}
    - {name: xml, description: L., call: shop.xml, inputParameters: [{name: book, type: string}]}
    - name: many
      description: M.
      inputParameters:
      - {name: count, type: integer, minimum: 1, maximum: 9, default: 1}
      - {name: order_ids, type: array, minItems: 1, maxItems: 50, items: {type: string}}
      - {name: lang, type: string, enum: [sv, en]}
      - {name: who, type: string, pattern: '^[a-z]+$', maxLength: 5, required: false}
      steps:
      - {name: enough, assert: count > 2, message: 'only {{count}} are there'}
      - {name: all, call: shop.get, foreach: order_ids, with: {id: item}}
      mappings: [{target: n, value: '{{lang}}{{who}}'}, {target: all.of, value: $.all}]
      outputParameters:
      - {name: n, type: string}
      - {name: all, type: object, properties: [{name: of, type: array}]}
    prompts:
    - name: about
      arguments: [{name: id}]
      template: [{role: user, content: 'Read about {{id}}.'}, {role: user, call: shop.get}]
"""


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    return explained(FILE, tmp_path, monkeypatch, capsys)


def explained(
    text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int = 90
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    file = folder / "books.yaml"
    file.write_text(text)
    assert main(["explain", str(file)]) == 0
    return capsys.readouterr().out.splitlines()


def below(lines: list[str], start: str) -> list[str]:
    """What stands below a line, without its indentation, up to the next empty line."""
    (first,) = [number for number, line in enumerate(lines) if line.strip().startswith(start)]
    rest = [*lines[first + 1 :], ""]
    return [line.strip() for line in rest[: rest.index("")]]


@pytest.mark.parametrize(
    ("unit", "body"),
    [
        ("POST /loans", 'body {"book": "<book>"}'),
        ("patch  ", 'body {"book": "<book>"} (application/merge-patch+json)'),
        ("form  ", 'body form {"book": "<book>"}'),
        ("xml  ", "body <a><book></a> (application/xml)"),
    ],
)
def test_a_body_is_shown_as_it_is_sent(lines: list[str], unit: str, body: str) -> None:
    assert below(lines, unit)[-1] == body


def test_an_input_is_shown_with_what_it_takes(lines: list[str]) -> None:
    assert below(lines, "many")[:4] == [
        "count: integer 1..9, default 1",
        "order_ids: array of string, 1..50 items, required",
        "lang: one of sv, en, required",
        "who: string, at most 5 characters, as ^[a-z]+$, optional",
    ]


def test_mcp_is_shown_with_its_paths(lines: list[str]) -> None:
    assert "MCP on port 9090, at /mcp and /m/mcp" in lines


def test_an_assert_is_shown_with_its_message(lines: list[str]) -> None:
    told = below(lines, "many")
    assert told[told.index("-> goes on only if count > 2") + 1] == "else: only <count> are there"


def test_the_answer_of_a_flow_is_shown_once_with_its_sources_and_types(lines: list[str]) -> None:
    assert below(lines, "many")[-1] == '<- {"n": "<lang><who> (string)", "all": {"of": "<$.all> (array)"}}'


def test_what_a_message_calls_stands_below_its_prompt(lines: list[str]) -> None:
    (first,) = [number for number, line in enumerate(lines) if line.strip() == "about  prompt"]
    assert lines[first + 1 :] == [
        "      id: string, required",
        "      user: Read about <id>.",
        "      user: the answer of this call  read",
        "          id: string, required",
        "          -> GET https://shop.example/books/<id>",
    ]


def test_a_tool_that_does_what_an_operation_does_refers_to_it(lines: list[str]) -> None:
    assert below(lines, "lend  ") == ["the same as POST /loans"]


def test_a_tool_that_takes_other_inputs_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILE.replace("[{name: book, type: string, required: true}]", "[{name: book, type: string}]")
    lines = explained(text, tmp_path, monkeypatch, capsys)
    assert below(lines, "lend  ") == ["book: string, required", "-> does what POST /loans does"]


def test_headers_of_all_calls_are_told_once(lines: list[str]) -> None:
    assert lines[2:4] == ["Every call to shop has", "  header Accept: application/json, */*;q=0.8"]
    assert sum("Accept" in line for line in lines) == 1


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_no_line_with_a_place_to_break_is_wider_than_the_terminal(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in explained(FILE, tmp_path, monkeypatch, capsys, columns):
        assert len(line) <= columns or "https://" in line, line


def test_data_that_does_not_fit_on_a_line_has_one_for_each_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = below(explained(FILE, tmp_path, monkeypatch, capsys, 60), "many")
    assert told[-3:] == ["<- answers with:", "n: <lang><who> (string)", 'all: {"of": "<$.all> (array)"}']


def test_of_two_limits_the_stricter_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILE.replace(
        "{name: get, method: GET}",
        """
      {name: get, method: GET, inputParameters: [{name: n, in: query, type: integer, minimum: 3, maximum: 20}]}""",
    )
    text = text.replace(
        "    prompts:",
        """
    - {name: two, description: T., call: shop.get, with: {n: m.n, id: m.id},
       inputParameters: [{name: id, type: string}, {name: n, type: integer, minimum: 1, maximum: 9}]}
    prompts:""",
    )
    assert "n: integer 3..9, required" in below(explained(text, tmp_path, monkeypatch, capsys), "two  ")


def test_what_mappings_are_called_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = "[{target: operation, value: a}, {target: url, value: b}, {target: headers, value: c}]"
    text = FILE.replace("[{target: n, value: '{{lang}}{{who}}'}, {target: all.of, value: $.all}]", targets)
    text = text.replace(
        """
      outputParameters:
      - {name: n, type: string}
      - {name: all, type: object, properties: [{name: of, type: array}]}""",
        "",
    )
    told = below(explained(text, tmp_path, monkeypatch, capsys), "many")
    assert told[-1] == '<- {"operation": "a", "url": "b", "headers": "c"}'
