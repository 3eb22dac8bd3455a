"""A process that reads scripts without running them: is their syntax right, and where does each statement begin?

Started by plan/script.py while a file is loaded, by path and without any package of ours. No engine of scripts counts
statements, so calls that count are put before them here, on lines of their own only where the language asks for it: the
answer has the counted sources and, for each of their lines, the line its author knows.
"""

from __future__ import annotations

import ast
import json
import re
import resource
import sys
from contextlib import suppress
from typing import Any, Final

_STEP: Final = b"__capstan_step();"
_PLACE: Final = re.compile(r"<input>:(\d+)")
_BLOCKS: Final = frozenset({"program", "statement_block", "switch_case", "switch_default"})
_LOOPS: Final = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})
_NOT_YET: Final = "The monty syntax parser does not yet support "
_SECONDS: Final = 20


class _Wrong(Exception):
    def __init__(self, message: str, line: int | None) -> None:
        self.message, self.line = message, line
        super().__init__(message)


# --- JavaScript


class _JavaScript:
    def __init__(self, binary: str) -> None:
        import quickjs  # noqa: PLC0415 - only one of the engines is loaded
        import tree_sitter  # noqa: PLC0415
        import tree_sitter_javascript  # noqa: PLC0415

        self._quickjs = quickjs
        self._parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))

    def counted(self, code: str) -> tuple[str, list[int]]:
        self._parse(code)
        tree = self._parser.parse(code.encode())
        if tree.root_node.has_error:
            raise _Wrong("its statements cannot be counted: it has syntax that is too new", None)
        text = _joined(code.encode(), _javascript_inserts(tree.root_node))
        self._parse(text)
        return text, []

    def _parse(self, code: str) -> None:
        """All is compiled before anything runs, and the first statement ends it."""
        sandbox = self._quickjs.Context()
        try:
            sandbox.eval("throw '__capstan_parsed';\n" + code)
        except self._quickjs.JSException as error:
            text = str(error)
            if text.startswith("__capstan_parsed"):
                return
            place = _PLACE.search(text)
            raise _Wrong(text.partition("\n")[0], int(place[1]) - 1 if place else None) from None


def _javascript_inserts(root: Any) -> list[tuple[int, int, int, bytes]]:
    """Where to put what: offset, closings before openings, order."""
    inserts: list[tuple[int, int, int, bytes]] = []
    waiting = [root]
    order = 0
    while waiting:
        node = waiting.pop()
        waiting += reversed(node.children)
        order += 1
        if node.parent is not None and node.parent.type in _BLOCKS and _is_statement(node):
            inserts.append((node.start_byte, 1, order, _STEP))
        if node.type in _LOOPS or node.type in ("if_statement", "else_clause", "with_statement"):
            for body in _bodies(node):
                if body.type != "statement_block":  # the inner one of two that end together closes first
                    inserts.append((body.start_byte, 1, order, b"{" + _STEP))
                    inserts.append((body.end_byte, 0, -body.start_byte, b"}"))
                elif node.type in _LOOPS:  # it may be empty
                    inserts.append((body.start_byte + 1, 1, order, _STEP))
        elif node.type == "arrow_function":
            body = node.child_by_field_name("body")
            if body is not None and body.type != "statement_block":
                inserts.append((body.start_byte, 1, order, b"(" + _STEP[:-1] + b",("))
                inserts.append((body.end_byte, 0, -body.start_byte, b"))"))
    return inserts


def _bodies(node: Any) -> list[Any]:
    if node.type == "else_clause":
        return [child for child in node.named_children if child.type != "comment"]
    names = ("consequence",) if node.type == "if_statement" else ("body",)
    return [child for name in names if (child := node.child_by_field_name(name)) is not None]


def _is_statement(node: Any) -> bool:
    kind: str = node.type
    if kind in ("function_declaration", "generator_function_declaration"):
        return False  # it does nothing where it stands
    if kind == "expression_statement" and node.named_child_count == 1 and node.named_children[0].type == "string":
        return False  # it may be a directive, which stands first
    return kind.endswith(("_statement", "_declaration")) or kind == "statement_block"


def _joined(text: bytes, inserts: list[tuple[int, int, int, bytes]]) -> str:
    pieces: list[bytes] = []
    before = 0
    for offset, _, _, piece in sorted(inserts):
        pieces += [text[before:offset], piece]
        before = offset
    return b"".join([*pieces, text[before:]]).decode()


# --- Python


class _Python:
    def __init__(self, binary: str) -> None:
        import pydantic_monty  # noqa: PLC0415

        self._monty = pydantic_monty
        self._pool = pydantic_monty.Monty(binary_path=binary, min_processes=1, max_processes=1)
        self._pool.__enter__()

    def counted(self, code: str) -> tuple[str, list[int]]:
        code = code.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        self._parse(code)
        try:
            tree = ast.parse(code)
        except (SyntaxError, ValueError) as error:
            message = error.msg if isinstance(error, SyntaxError) else str(error)
            raise _Wrong(f"SyntaxError: {message}", getattr(error, "lineno", None)) from None
        self._check_imports(tree)
        text, lines = _python_counted(code, tree)
        self._parse(text)
        return text, lines

    def _parse(self, code: str) -> None:
        """As for JavaScript."""
        told = self._feed("raise KeyError('__capstan_parsed')\n" + code)
        if told is None or "__capstan_parsed" in str(told):
            return
        text = str(told)
        if _NOT_YET in text:
            text = "its engine does not support " + text.partition(_NOT_YET)[2]
        elif not text.startswith("SyntaxError"):
            text = f"SyntaxError: {text}"
        frames = told.traceback() if hasattr(told, "traceback") else []
        raise _Wrong(text, frames[-1].line - 1 if frames else None)

    def _check_imports(self, tree: ast.Module) -> None:
        guarded = {id(n) for t in ast.walk(tree) if isinstance(t, ast.Try) for n in ast.walk(t)}
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Import, ast.ImportFrom)) or id(node) in guarded:
                continue
            told = self._feed(ast.unparse(node))
            if told is not None:
                raise _Wrong(str(told), node.lineno)

    def _feed(self, code: str) -> Any:
        limits: Any = {"max_feed_duration_secs": 2.0, "max_memory": 64 * 1024**2}
        with self._pool.checkout(limits=limits) as session:
            try:
                session.feed_run(code, print_callback=_unheard)
            except self._monty.MontyError as error:
                return error
        return None


def _python_counted(code: str, tree: ast.Module) -> tuple[str, list[int]]:
    source = code.split("\n")
    inline: list[tuple[int, int]] = []  # line, byte: simple statements
    above: dict[int, bytes] = {}  # line -> its indentation: compound ones have a line above
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            continue  # its body may hold no calls
        for field in ("body", "orelse", "finalbody"):
            found = getattr(owner, field, None)
            for index, node in enumerate(found if isinstance(found, list) else []):
                if not isinstance(node, ast.stmt) or _is_text(node):
                    continue
                line = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
                indent = source[line - 1].encode()[: node.col_offset]
                if not hasattr(node, "body") and not isinstance(node, ast.Match):
                    inline.append((node.lineno, node.col_offset))
                elif not indent.strip() and not (field == "orelse" and index == 0 and _is_elif(node, source)):
                    above[line] = indent
    written: list[str] = []
    lines: list[int] = []
    for number, text in enumerate(source, 1):
        if number in above:
            written.append((above[number] + _STEP[:-1]).decode())
            lines.append(number)
        inserts = [(column, 1, 0, _STEP) for line, column in inline if line == number]
        written.append(_joined(text.encode(), inserts) if inserts else text)
        lines.append(number)
    return "\n".join(written), lines


def _is_text(node: ast.stmt) -> bool:
    """A text that stands alone, or what has to stand before all else."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_elif(node: ast.stmt, source: list[str]) -> bool:
    return isinstance(node, ast.If) and source[node.lineno - 1].encode()[node.col_offset :].startswith(b"elif")


def _unheard(stream: str, text: str) -> None:
    """What a script prints."""


def main() -> None:
    """Sources on standard input, what is to be said of each on standard output."""
    language, binary, *folders = sys.argv[1:]
    sys.path += folders
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reader = _JavaScript(binary) if language == "javascript" else _Python(binary)
    answers: list[dict[str, Any]] = []
    for code in json.load(sys.stdin):
        try:
            text, lines = reader.counted(code)
            answers.append({"code": text, "lines": lines})
        except _Wrong as wrong:
            answers.append({"wrong": wrong.message, "line": wrong.line})
        except (RecursionError, MemoryError):
            answers.append({"wrong": "it is nested too deeply", "line": None})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
