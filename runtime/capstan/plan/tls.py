"""TLS settings of a consumed API -> its files, and an SSL context that always verifies."""

from __future__ import annotations

import functools
import ssl

from capstan.errors import Problem
from capstan.load.expression import Template
from capstan.load.files import find_written, is_file
from capstan.load.model import Tls
from capstan.plan.auth import Fill
from capstan.plan.types import TlsPlan


def plan_tls(tls: Tls, fill: Fill, problems: list[Problem], *, is_filled: bool) -> TlsPlan | None:
    """The files, found and tried where their variables have values; None when none of them is given."""
    password = tls.client_key_password
    plan = TlsPlan(
        _path(tls.client_certificate, "clientCertificate", tls, fill), _path(tls.client_key, "clientKey", tls, fill),
        fill(password, "clientKeyPassword") if password is not None else None,
        _path(tls.ca_bundle, "caBundle", tls, fill),
    )  # fmt: skip
    if plan.client_certificate is None and plan.client_key is not None and tls.client_certificate is not None:
        message = "there is a clientKey, and the clientCertificate it belongs to is empty"
        problems.append(Problem("bad-certificate", message, (tls.at / "clientCertificate").location()))
        return None
    if plan.client_certificate is None and plan.ca_bundle is None:
        return None
    if is_filled:
        try:
            open_context(plan)
        except OSError as error:
            reason = error.strerror or "no certificate or key in PEM form"
            problems.append(Problem("bad-certificate", f"the TLS files cannot be used: {reason}", tls.at.location()))
    return plan


def _path(template: Template | None, keyword: str, tls: Tls, fill: Fill) -> str | None:
    if template is None:
        return None
    text = fill(template, keyword).reveal()
    if not text:  # a variable that is set to nothing, or not set where it may be left out
        return None
    found = [] if text.startswith("{{") else find_written(text, tls.at.document.path)
    return str(next((path for path in found if is_file(path)), found[0])) if found else text


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
