"""Sign manifests and check signatures (HMAC, Ed25519).

HMAC-SHA256 needs nothing but the standard library; Ed25519 needs the package ``cryptography``.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, Final, Protocol, TypeAlias, assert_never

from pydantic import SecretStr

from obscura.errors import InvalidOptionError

LEAST_HMAC_BYTES: Final = 16
ED25519_BYTES: Final = 32


class Signature(StrEnum):
    """Result of the check of a signature."""

    GOOD = "good"
    BAD = "bad"
    MISSING = "missing"
    """There is a key, but no signature."""
    UNCHECKED = "unchecked"
    """There is a signature, but no key."""
    UNSIGNED = "unsigned"
    """There is neither a key nor a signature."""

    @property
    def is_refused(self) -> bool:
        """Whether a holder of the key must reject the manifest."""
        return self in {Signature.BAD, Signature.MISSING}


class _Public(Protocol):
    def verify(self, signature: bytes, data: bytes) -> None: ...


class _Private(Protocol):
    def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A secret that signs and verifies."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """A key pair; with ``private`` None it can only verify."""

    public: _Public = field(repr=False)
    private: _Private | None = field(default=None, repr=False)


Key: TypeAlias = HmacKey | Ed25519Key


def read_key(text: SecretStr | None) -> Key | None:
    """Return the key in a setting, None if that is unset or blank.

    Raises
    ------
    InvalidOptionError
        If it is malformed, or needs a package that is not installed. The message contains nothing of the key.
    """
    words = "" if text is None else text.get_secret_value().strip()
    if not words:
        return None
    kind, _, digits = words.partition(":")
    # `from None`: the parser's message may contain the key.
    try:
        material = bytes.fromhex(digits)
    except ValueError:
        message = "the manifest key does not consist of hexadecimal digits after its kind"
        raise InvalidOptionError(message) from None
    match kind:
        case "hmac" if len(material) >= LEAST_HMAC_BYTES:
            return HmacKey(material)
        case "ed25519" | "ed25519-public" if len(material) == ED25519_BYTES:
            return _ed25519(material, is_public=kind == "ed25519-public")
        case _:
            message = (
                f"a manifest key is hmac:<at least {2 * LEAST_HMAC_BYTES} hex digits>, "
                f"ed25519:<{2 * ED25519_BYTES}> or, to verify, ed25519-public:<{2 * ED25519_BYTES}>"
            )
            raise InvalidOptionError(message)


def _ed25519(material: bytes, *, is_public: bool) -> Ed25519Key:
    try:
        # Optional: HMAC keys do not need it.
        ed25519 = import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError as error:
        message = "an ed25519 key needs the package cryptography: pip install 'obscura-photo[signing]'"
        raise InvalidOptionError(message) from error
    if is_public:
        return Ed25519Key(ed25519.Ed25519PublicKey.from_public_bytes(material))
    private = ed25519.Ed25519PrivateKey.from_private_bytes(material)
    return Ed25519Key(private.public_key(), private)


def canonical(value: object) -> bytes:
    """Return the canonical form of a JSON value: sorted keys, no spaces, UTF-8, ``1`` for ``1.0``."""
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _plain(value: object) -> object:
    """Return a JSON value with whole floats as int, since JavaScript does not distinguish them."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _message(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes that a signature covers."""
    return canonical({name: value for name, value in manifest.items() if name != "signature"})


def signing_key(text: SecretStr | None) -> Key | None:
    """Return the key in a setting like `read_key`; raise InvalidOptionError for a public key."""
    key = read_key(text)
    if isinstance(key, Ed25519Key) and key.private is None:
        message = "OBSCURA_MANIFEST_KEY must be able to sign: a public key cannot"
        raise InvalidOptionError(message)
    return key


def signed(manifest: Mapping[str, Any], key: Key | None) -> dict[str, Any]:
    """Return a manifest with its signature, which is null without a key.

    Raises
    ------
    InvalidOptionError
        If the key is a public one.
    """
    match key:
        case None:
            signature = None
        case HmacKey(secret):
            value = hmac.digest(secret, _message(manifest), "sha256")
            signature = {"algorithm": "hmac-sha256", "value": value.hex()}
        case Ed25519Key(private=private):
            if private is None:
                message = "a public key cannot sign manifests"
                raise InvalidOptionError(message)
            signature = {"algorithm": "ed25519", "value": private.sign(_message(manifest)).hex()}
        case _:
            assert_never(key)
    return {**manifest, "signature": signature}


def check(manifest: Mapping[str, Any], key: Key | None) -> Signature:
    """Check the signature of a manifest as `obscura.provenance.read` returns it.

    The algorithm is that of the key, never the one in the manifest, which a forger could choose.
    """
    signature = manifest["signature"]
    match signature, key:
        case None, None:
            return Signature.UNSIGNED
        case None, _:
            return Signature.MISSING
        case _, None:
            return Signature.UNCHECKED
        case {"algorithm": "hmac-sha256", "value": value}, HmacKey(secret):
            expected = hmac.digest(secret, _message(manifest), "sha256")
            is_good = hmac.compare_digest(expected, bytes.fromhex(value))
        case {"algorithm": "ed25519", "value": value}, Ed25519Key(public=public):
            is_good = _is_signed_by(public, bytes.fromhex(value), _message(manifest))
        case _:
            is_good = False
    return Signature.GOOD if is_good else Signature.BAD


def _is_signed_by(public: _Public, signature: bytes, message: bytes) -> bool:
    # An Ed25519 key exists only if the package is installed.
    invalid: type[Exception] = import_module("cryptography.exceptions").InvalidSignature
    try:
        public.verify(signature, message)
    except invalid:
        return False
    return True
