"""Card data as the merchant card service hands it out: AES-128 in counter mode, its key encrypted for the merchant."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_SMALLEST: Final = 2048  # bits of a merchant's key
_LARGEST: Final = 8192


def read_key(given: str | Mapping[str, Any]) -> str:
    """A merchant's RSA key, as PEM text or as a JWK -> PEM.

    Raises:
        ValueError: it is none, or one of an unfit size.
    """
    try:
        key = _from_jwk(given) if isinstance(given, Mapping) else serialization.load_pem_public_key(given.encode())
    except (UnsupportedAlgorithm, KeyError, TypeError) as error:
        raise ValueError("it is no public key") from error
    if not isinstance(key, RSAPublicKey) or not _SMALLEST <= key.key_size <= _LARGEST:
        raise ValueError(f"it is no RSA key of {_SMALLEST} to {_LARGEST} bits")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def _from_jwk(jwk: Mapping[str, Any]) -> RSAPublicKey:
    numbers = [int.from_bytes(base64.urlsafe_b64decode(f"{jwk[name]}==")) for name in ("e", "n")]
    return RSAPublicNumbers(*numbers).public_key()


def encrypt(data: Mapping[str, Any], pem: str) -> dict[str, str]:
    """`pci_data`, `iv` and `aes_key`, each in base64; every card has a key of its own."""
    key, start = secrets.token_bytes(16), secrets.token_bytes(16)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()
    public = serialization.load_pem_public_key(pem.encode())
    assert isinstance(public, RSAPublicKey), "a key is kept only after it was read"
    parts = {
        "pci_data": encryptor.update(json.dumps(data).encode()) + encryptor.finalize(),
        "iv": start,
        "aes_key": public.encrypt(key, PKCS1v15()),
    }
    return {name: base64.b64encode(part).decode() for name, part in parts.items()}
