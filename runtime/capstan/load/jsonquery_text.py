"""The text of a JSONPath -> Query. RFC 9535's grammar, and the few forms of Jayway's that files use.

Those are: names with `-`, `$` and inner blanks after a dot, `.length()` and its like at the end, `[(@.length-1)]`.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from capstan.load.expression import ExpressionError
from capstan.load.jsonfilter import SIGNATURES, Operand, call, compare, literal, pattern, query
from capstan.load.jsonquery import TAILS, Filter, Index, Name, Query, Segment, Selector, Slice, Test, Wildcard
from capstan.load.jsonstring import STRING, unescape

LENGTH: Final = 4000
DEPTH: Final = 30
NAME: Final = r"[A-Za-z_$@\x80-\U0010ffff][\w$@\x80-\U0010ffff-]*+"
INTEGER: Final = r"0|-?[1-9][0-9]*+"

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_NAME: Final = re.compile(NAME)
_NAME_WITH_BLANKS: Final = re.compile(rf"{NAME}(?: +[\w$@\x80-\U0010ffff-]++)*+")
_INTEGER: Final = re.compile(rf"(?:{INTEGER})(?![\w.])")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.])")
_TAIL: Final = re.compile(r"\.([A-Za-z]+)\(\)")
_FROM_END: Final = re.compile(r"\([ ]*@\.(?:length|size)(?:\(\))?[ ]*-[ ]*([1-9][0-9]{0,9})[ ]*\)")
_FUNCTION: Final = re.compile(r"([a-z][a-z_0-9]*)\(")
_COMPARISON: Final = re.compile(r"==|!=|<=|>=|<|>")
_WORDS: Final = {"true": True, "false": False, "null": None}
_FOREIGN: Final = re.compile(r"=~|(?:in|nin|contains|size|empty|subsetof|anyof|noneof)\b")
_LARGEST: Final = 2**53 - 1


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.position, self.depth, self.looks_back = text, 0, 0, False

    # --- Reading

    def fail(self, reason: str) -> NoReturn:
        raise ExpressionError(f"'{self.text}' is not a JSONPath: {reason}, at character {self.position + 1}")

    def skip(self) -> None:
        match = _BLANK.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def at(self, token: str) -> bool:
        return self.text.startswith(token, self.position)

    def take(self, token: str) -> bool:
        if found := self.at(token):
            self.position += len(token)
        return found

    def match(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        if match := expression.match(self.text, self.position):
            self.position = match.end()
        return match

    def need(self, token: str) -> None:
        if not self.take(token):
            self.fail(f"'{token}' is missing")

    # --- Segments

    def path(self) -> Query:
        self.need("$")
        segments: list[Segment] = []
        tail, ends = None, 0
        while self.position < len(self.text):
            if (match := self.match(_TAIL)) is not None:
                tail = self.tail(match[1])
                break
            segment = self.segment(_NAME_WITH_BLANKS)
            if segment is None:
                self.fail("'.' or '[' is missing")
            segments.append(segment)
            ends = ends or self.position
        if self.position < len(self.text):
            self.fail("nothing may follow a function")
        return Query(tuple(segments), tail, ends, self.looks_back, self.text)

    def tail(self, name: str) -> str:
        if name not in TAILS:
            self.fail(f"there is no function '{name}' for the end of a path: {', '.join(TAILS)} are")
        return name

    def segment(self, names: re.Pattern[str]) -> Segment | None:
        start = self.position
        self.skip()
        descends = self.take("..")
        if self.at("["):
            return Segment(self.bracketed(), descends)
        if not descends and not self.take("."):
            self.position = start
            return None
        if self.take("*"):
            return Segment((Wildcard(),), descends)
        if (match := self.match(names)) is None:
            self.fail("a name is missing; other than of letters, digits, '_' and '-' it goes in quotes: ['...']")
        return Segment((Name(match[0]),), descends)

    def bracketed(self) -> tuple[Selector, ...]:
        self.need("[")
        selectors = []
        while True:
            self.skip()
            selectors.append(self.selector())
            self.skip()
            if self.take("]"):
                return tuple(selectors)
            self.need(",")

    def selector(self) -> Selector:
        if self.at("'") or self.at('"'):
            return Name(self.string())
        if self.take("*"):
            return Wildcard()
        if self.take("?"):
            self.skip()
            return Filter(self.logical())
        if (match := self.match(_FROM_END)) is not None:
            return Index(-int(match[1]))
        return self.index_or_slice()

    def index_or_slice(self) -> Selector:
        bounds = [self.integer()]
        while len(bounds) < 3:
            before = self.position
            self.skip()
            if not self.take(":"):
                self.position = before
                break
            self.skip()
            bounds.append(self.integer())
        if len(bounds) > 1:
            return Slice(*(*bounds, None)[:3])
        if bounds[0] is None:
            self.fail("a name in quotes, an index, a slice, '*' or '?' is missing")
        return Index(bounds[0])

    def integer(self) -> int | None:
        match = self.match(_INTEGER)
        if match is None:
            return None
        number = int(match[0][:20])
        if abs(number) > _LARGEST:
            self.fail("the number is too large")
        return number

    def string(self) -> str:
        match = self.match(STRING)
        if match is None:
            self.fail("a text does not end, or has a line break or another control character in it")
        try:
            return unescape(match[0])
        except ValueError as error:
            self.fail(str(error))

    # --- Filters

    def logical(self) -> Test:
        self.depth += 1
        if self.depth > DEPTH:
            self.fail("it is nested too deep")
        tests = [self.conjunction()]
        while self.operator("||"):
            tests.append(self.conjunction())
        self.depth -= 1
        return tests[0] if len(tests) == 1 else lambda node, run: any(test(node, run) for test in tests)

    def conjunction(self) -> Test:
        tests = [self.basic()]
        while self.operator("&&"):
            tests.append(self.basic())
        return tests[0] if len(tests) == 1 else lambda node, run: all(test(node, run) for test in tests)

    def operator(self, token: str) -> bool:
        before = self.position
        self.skip()
        if self.take(token):
            self.skip()
            return True
        self.position = before
        return False

    def basic(self) -> Test:
        negated = self.take("!")
        if negated:
            self.skip()
        if self.take("("):
            self.skip()
            test = self.logical()
            self.skip()
            self.need(")")
        else:
            test = self.comparison(negated=negated)
        return (lambda node, run: not test(node, run)) if negated else test

    def comparison(self, *, negated: bool) -> Test:
        left = self.operand()
        before = self.position
        self.skip()
        if (match := self.match(_COMPARISON)) is None:
            if _FOREIGN.match(self.text, self.position):
                self.fail("this operator is not in RFC 9535, where match(@.a, 'pattern') and == with || take its place")
            self.position = before
            return left.test or self.fail("a comparison is missing: this alone is neither true nor false")
        if negated:
            self.fail("'!' before a comparison needs parentheses after it")
        if left.value is None:
            self.fail("only what is one value can be compared")
        self.skip()
        right = self.operand()
        return compare(match[0], left.value, right.value or self.fail("only what is one value can be compared"))

    def operand(self) -> Operand:
        if self.at("'") or self.at('"'):
            return literal(self.string())
        if self.at("@") or self.at("$"):
            return self.filter_query()
        if (match := self.match(_FUNCTION)) is not None:
            return self.function(match[1])
        if (match := self.match(_NUMBER)) is not None:
            return literal(_number(match[0]))
        for word, value in _WORDS.items():
            if self.take(word):
                return literal(value)
        return self.fail("'@', '$', a text, a number, true, false, null or a function is missing")

    def filter_query(self) -> Operand:
        absolute = self.text[self.position] == "$"
        self.looks_back |= absolute
        self.position += 1
        segments: list[Segment] = []
        self.depth += 1
        if self.depth > DEPTH:
            self.fail("it is nested too deep")
        while (match := self.match(_TAIL)) is None and (segment := self.segment(_NAME)) is not None:
            segments.append(segment)
        self.depth -= 1
        found = query(segments, absolute=absolute)
        if match is None:
            return found
        if match[1] not in ("length", "size") or found.value is None:
            self.fail("only .length() of one value may end a path in a filter")
        return call("length", [found.value])

    def function(self, name: str) -> Operand:
        kinds = SIGNATURES.get(name) or self.fail(f"there is no function '{name}': {', '.join(SIGNATURES)} are")
        arguments: list[Any] = []
        for index, kind in enumerate(kinds):
            self.skip()
            if index:
                self.need(",")
                self.skip()
            operand = self.operand()
            if index and isinstance(operand.constant, str) and pattern(operand.constant, whole=True) is None:
                self.fail(f"'{operand.constant}' is no pattern that can be used (I-Regexp, RFC 9485)")
            arguments.append(getattr(operand, kind) or self.fail(f"'{name}' takes another kind of argument"))
        self.skip()
        self.need(")")
        return call(name, arguments)


def _number(text: str) -> int | float:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def parse_query(text: str) -> Query:
    """`$.a[?@.b > 1]..c` -> Query.

    Raises:
        ExpressionError: it is no JSONPath, or one that cannot be evaluated here.
    """
    if len(text) > LENGTH:
        raise ExpressionError(f"a JSONPath of more than {LENGTH} characters is not read")
    return _Parser(text).path()
