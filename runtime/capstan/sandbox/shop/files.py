"""The files of this folder as answers, with what a browser must be told about them."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from capstan.sandbox.web import Answer, Refusal

ANYWHERE: Final = (("Access-Control-Allow-Origin", "*"),)

_FOLDER: Final = files("capstan.sandbox.shop")
_FILE: Final = re.compile(r"[a-z]+\.(css|js|svg)")
_MEDIA_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_EVERY: Final = (("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"))
# Capstan's REST adapter is at an address of its own, which the page is told.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(name: str) -> Answer:
    """An HTML file."""
    headers = (*_EVERY, ("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer"))
    return Answer(200, _FOLDER.joinpath(name).read_bytes(), headers, "text/html; charset=utf-8")


def part(name: str, *folder: str) -> Answer:
    """A file that pages use.

    Raises:
        Refusal: there is no such file for them.
    """
    found = _FILE.fullmatch(name)
    path = _FOLDER.joinpath(*folder, name)
    if found is None or not path.is_file():
        raise Refusal(404, "NOT_FOUND", "There is no such file")
    # A shop's own page, served from elsewhere, may use the widget too.
    return Answer(200, path.read_bytes(), (*_EVERY, *ANYWHERE), _MEDIA_TYPES[found[1]])
