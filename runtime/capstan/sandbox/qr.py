"""A short text as a QR code in SVG, for a telephone to read from a screen.

Bytes at the lowest error correction, versions 1 to 5, which have a single block: at most 106 bytes, enough for a URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

Grid = list[list[bool]]

# Data and error correction codewords by version.
_CODEWORDS: Final = {1: (19, 7), 2: (34, 10), 3: (55, 15), 4: (80, 20), 5: (108, 26)}
_HEADER_BITS: Final = 12  # that it is bytes, and how many
_FORMAT: Final = 0b111011111000100  # error correction L with mask 0, as the standard has it
_FINDER: Final = (0b1111111, 0b1000001, 0b1011101, 0b1011101, 0b1011101, 0b1000001, 0b1111111)
_QUIET: Final = 4  # modules of white around it


def qr_svg(text: str) -> bytes:
    """A drawing of the code.

    Raises:
        ValueError: the text is too long.
    """
    grid = qr_modules(text)
    size = len(grid) + 2 * _QUIET
    dark = "".join(
        f"M{x + _QUIET} {y + _QUIET}h1v1h-1z" for y, row in enumerate(grid) for x, module in enumerate(row) if module
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size * 8}" height="{size * 8}">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{dark}"/></svg>\n'
    ).encode()


def qr_modules(text: str) -> Grid:
    """The code as rows of modules, True where it is dark."""
    content = text.encode()
    version = next((v for v, (data, _) in _CODEWORDS.items() if len(content) * 8 + _HEADER_BITS <= data * 8), None)
    if version is None:
        raise ValueError("the text is too long for a QR code")
    data_words, check_words = _CODEWORDS[version]
    data = _data(content, data_words)
    grid, reserved = _frame(version)
    bits = [bool(word >> place & 1) for word in data + _checks(data, check_words) for place in range(7, -1, -1)]
    for number, (x, y) in enumerate(_way(reserved)):
        bit = bits[number] if number < len(bits) else False
        grid[y][x] = bit ^ ((x + y) % 2 == 0)  # mask 0
    return grid


def _data(content: bytes, words: int) -> list[int]:
    bits = f"0100{len(content):08b}" + "".join(f"{byte:08b}" for byte in content)
    bits += "0" * min(4, words * 8 - len(bits))
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    return data + [(0xEC, 0x11)[number % 2] for number in range(words - len(data))]


# --- error correction: Reed and Solomon's code over GF(256)


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        product ^= left * (right & 1)
        left = left << 1 ^ (left >> 7) * 0x11D
        right >>= 1
    return product


def _checks(data: list[int], count: int) -> list[int]:
    divisor, root = [1], 1
    for _ in range(count):
        divisor = [a ^ _times(b, root) for a, b in zip([*divisor, 0], [0, *divisor], strict=True)]
        root = _times(root, 2)
    rest = [0] * count
    for word in data:
        lead, rest = word ^ rest[0], [*rest[1:], 0]
        rest = [have ^ _times(factor, lead) for have, factor in zip(rest, divisor[1:], strict=True)]
    return rest


# --- drawing


def _frame(version: int) -> tuple[Grid, Grid]:
    """What every code of a version has, and where it is."""
    size = 17 + 4 * version
    grid = [[False] * size for _ in range(size)]
    reserved = [[False] * size for _ in range(size)]

    def draw(x: int, y: int, *, dark: bool) -> None:
        grid[y][x], reserved[y][x] = dark, True

    for number in range(size):  # timing
        draw(number, 6, dark=number % 2 == 0)
        draw(6, number, dark=number % 2 == 0)
    for left, top in ((0, 0), (size - 7, 0), (0, size - 7)):  # finders, each with white around it
        for y in range(max(top - 1, 0), min(top + 8, size)):
            for x in range(max(left - 1, 0), min(left + 8, size)):
                inside = 0 <= x - left < 7 and 0 <= y - top < 7
                draw(x, y, dark=inside and bool(_FINDER[y - top] >> (x - left) & 1))
    if version > 1:  # alignment
        for y in range(-2, 3):
            for x in range(-2, 3):
                draw(size - 7 + x, size - 7 + y, dark=max(abs(x), abs(y)) != 1)
    for number in range(15):  # format, twice
        dark = bool(_FORMAT >> number & 1)
        first = number if number < 6 else number + 1 if number < 8 else size - 15 + number
        draw(8, first, dark=dark)
        second = size - 1 - number if number < 8 else 7 if number == 8 else 14 - number
        draw(second, 8, dark=dark)
    draw(8, size - 8, dark=True)
    return grid, reserved


def _way(reserved: Grid) -> Iterator[tuple[int, int]]:
    """The modules that hold the data, in order: in pairs of columns from the right, up and down in turn."""
    size = len(reserved)
    up = True
    for right in (*range(size - 1, 6, -2), *range(5, 0, -2)):
        for y in range(size - 1, -1, -1) if up else range(size):
            for x in (right, right - 1):
                if not reserved[y][x]:
                    yield x, y
        up = not up
