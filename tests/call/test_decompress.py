from __future__ import annotations

import gzip
import random
import sys
import zlib
from collections.abc import Callable
from itertools import islice

import brotli
import pytest

from capstan.call.decompress import ACCEPTED, DecodeError, open_decoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress,
}  # fmt: skip
ENCODINGS = [*ENCODERS.items(), ("deflate", raw_deflate)]
IDS = [*ENCODERS, "deflate without its header"]
every_encoding = pytest.mark.parametrize(("name", "encode"), ENCODINGS, ids=IDS)


def decode(name: str, data: bytes, step: int | None = None) -> bytes:
    decoder = open_decoder(name)
    assert decoder is not None
    step = step or max(len(data), 1)
    found = b"".join(piece for i in range(0, len(data), step) for piece in decoder.feed(data[i : i + step]))
    decoder.finish()
    return found


def test_every_accepted_encoding_can_be_decoded() -> None:
    assert {name.strip() for name in ACCEPTED.split(",")} == set(ENCODERS)


@every_encoding
@pytest.mark.parametrize("step", [1, 7, 4096, None])
def test_data_comes_back_however_it_is_cut(name: str, encode: Callable[[bytes], bytes], step: int | None) -> None:
    data = random.Random(1).randbytes(3000) + b"a" * 3000
    assert decode(name, encode(data), step) == data


@every_encoding
@pytest.mark.parametrize("size", [65535, 65536, 65537, 196608, 300_000])
def test_nothing_is_lost_at_the_borders_of_pieces(name: str, encode: Callable[[bytes], bytes], size: int) -> None:
    data = bytes(random.Random(size).choices(b"ab", k=size))
    assert decode(name, encode(data)) == data


@every_encoding
def test_a_stream_that_breaks_off_is_refused(name: str, encode: Callable[[bytes], bytes]) -> None:
    encoded = encode(random.Random(2).randbytes(1000))
    for cut in (len(encoded) // 2, len(encoded) - 1):
        with pytest.raises(DecodeError):
            decode(name, encoded[:cut])


@pytest.mark.parametrize("name", ENCODERS)
def test_bytes_that_are_not_encoded_so_are_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        decode(name, b'{"plain": "json, though the header says otherwise"}')


@every_encoding
def test_a_bomb_is_unpacked_only_as_far_as_it_is_asked_for(name: str, encode: Callable[[bytes], bytes]) -> None:
    bomb = encode(b"\0" * 10_000_000)
    decoder = open_decoder(name)
    assert decoder is not None
    pieces = list(islice(decoder.feed(bomb), 3))
    assert max(map(len, pieces)) <= 256 * 1024


def test_gzip_members_and_zstd_frames_may_follow_each_other() -> None:
    assert decode("gzip", gzip.compress(b"one ") + gzip.compress(b"two"), 5) == b"one two"
    assert decode("zstd", zstd.compress(b"one ") + zstd.compress(b"two"), 5) == b"one two"


def test_a_window_that_would_take_much_memory_is_refused() -> None:
    def windowed(log: int) -> bytes:
        compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
        return compressor.compress(b"x" * 1000, zstd.ZstdCompressor.FLUSH_BLOCK) + compressor.flush()

    assert decode("zstd", windowed(23)) == b"x" * 1000
    with pytest.raises(DecodeError, match="memory"):
        decode("zstd", windowed(26))


@pytest.mark.parametrize("name", [*ENCODERS, "x-gzip", " GZIP "])
def test_an_empty_body_is_complete(name: str) -> None:
    assert decode(name, b"") == b""


@pytest.mark.parametrize("name", ["", "identity", "Identity"])
def test_no_encoding_needs_no_decoder(name: str) -> None:
    assert open_decoder(name) is None


@pytest.mark.parametrize("name", ["compress", "gzip, br", "gzip, gzip", "rot13"])
def test_an_encoding_that_was_not_asked_for_is_refused(name: str) -> None:
    with pytest.raises(DecodeError, match="was not asked for"):
        open_decoder(name)
