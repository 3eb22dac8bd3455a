"""`sandbox`: the stateful stand-in, alone."""

from __future__ import annotations

import argparse
import gc
from urllib.parse import urlsplit

from capstan.cli.options import UsageError


def sandbox(options: argparse.Namespace) -> int:
    from capstan import log, sandbox
    from capstan.companion import READY, end_with_input

    if not 0 <= options.port < 65536:
        raise UsageError(f"{options.port} is no port")
    if options.capstan is not None and not _is_origin(options.capstan):
        raise UsageError(f"--capstan takes http://host:port, not '{options.capstan}'")
    log.configure("text", quiet=True)
    if options.end_with_input:
        end_with_input()
    gc.enable()

    def ready(url: str) -> None:
        print(f"{READY}{url}", flush=True)

    return sandbox.run(
        host=options.host, port=options.port, database=options.db, rate_limits=options.rate_limits,
        capstan_url=options.capstan and options.capstan.rstrip("/"), ready=ready,
    )  # fmt: skip


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.netloc)
        and url.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
    )
