"""Content-Encoding -> plain bytes, piece by piece.

The HTTP library's own decoding accepts a gzip stream cut in the middle as complete, and expands each piece without a
bound; this does neither.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPTED: Final = "gzip, deflate, br, zstd"
_PIECE: Final = 64 * 1024
_WINDOW: Final[Mapping[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}  # RFC 9659: 8 MB


class DecodeError(Exception):
    """The bytes are not what their Content-Encoding says."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def finish(self) -> None:
        """Raises DecodeError when the stream is not complete."""


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner = zlib.decompressobj(wbits)
        self._started = False
        self._head = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._started:
            self._head += data
            if len(self._head) < 2:  # only two bytes show whether zlib's header is there
                return
            data = self._head
        while data:
            if self._inner.eof:  # gzip members may follow each other
                self._inner = zlib.decompressobj(self._wbits)
            try:
                piece = self._inner.decompress(data, _PIECE)
            except zlib.error as error:
                if self._started or self._wbits != zlib.MAX_WBITS:
                    raise DecodeError(str(error)) from error
                # Some servers say `deflate` and send it without zlib's header.
                self._wbits = -zlib.MAX_WBITS
                self._inner = zlib.decompressobj(self._wbits)
                continue
            self._started = True
            data = self._inner.unconsumed_tail or self._inner.unused_data
            if piece:
                yield piece

    def finish(self) -> None:
        if (self._started or self._head) and not self._inner.eof:
            raise DecodeError("the compressed stream breaks off")


class _Brotli:
    def __init__(self) -> None:
        self._inner: Any = brotli.Decompressor()
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._started = self._started or bool(data)
        try:
            piece = self._inner.process(data, output_buffer_limit=_PIECE)
            while piece:  # it can hold output back even when it says it would take more input
                yield piece
                piece = b"" if self._inner.is_finished() else self._inner.process(b"", output_buffer_limit=_PIECE)
        except brotli.error as error:
            raise DecodeError(str(error)) from error

    def finish(self) -> None:
        if self._started and not self._inner.is_finished():
            raise DecodeError("the compressed stream breaks off")


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstd.ZstdDecompressor(options=_WINDOW)
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._started = self._started or bool(data)
        try:
            while data or not self._inner.needs_input:
                if self._inner.eof:
                    data = data or self._inner.unused_data
                    if not data:
                        return
                    self._inner = zstd.ZstdDecompressor(options=_WINDOW)
                piece = self._inner.decompress(data, _PIECE)
                data = self._inner.unused_data if self._inner.eof else b""
                if piece:
                    yield piece
                if self._inner.eof and not data:
                    return
        except zstd.ZstdError as error:
            raise DecodeError(str(error)) from error

    def finish(self) -> None:
        if self._started and not self._inner.eof:
            raise DecodeError("the compressed stream breaks off")


def open_decoder(encoding: str) -> Decoder | None:
    """The decoder for a Content-Encoding; None when there is nothing to decode.

    Raises:
        DecodeError: the encoding was never offered.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Zlib(16 + zlib.MAX_WBITS)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
    raise DecodeError(f"the encoding '{encoding[:40]}' was not asked for")
