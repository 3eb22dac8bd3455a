"""TLS settings of a consumed API -> an SSL context that always verifies."""

from __future__ import annotations

import functools
import ssl

from capstan.plan.types import TlsPlan


@functools.cache
def open_context(tls: TlsPlan | None) -> ssl.SSLContext:
    """The context for an API; the default one is made once.

    Raises:
        OSError: a file is missing or holds no certificate or key (ssl.SSLError is one too).
    """
    context = ssl.create_default_context(cafile=tls.ca_bundle if tls is not None else None)
    if tls is not None and tls.client_certificate is not None:
        password = tls.client_key_password.reveal() if tls.client_key_password is not None else ""
        context.load_cert_chain(tls.client_certificate, tls.client_key, password)
    return context
