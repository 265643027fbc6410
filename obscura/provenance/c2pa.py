"""Sign and read Content Credentials with the c2pa library; the only module that imports it.

The library is used offline: no time stamp server, no OCSP, no remote manifests.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import c2pa
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from obscura.errors import CredentialsUnavailableError, ProcessingFailedError

__all__ = ["Signer", "read"]

_CURVES: Final = {
    "secp256r1": c2pa.C2paSigningAlg.ES256,
    "secp384r1": c2pa.C2paSigningAlg.ES384,
    "secp521r1": c2pa.C2paSigningAlg.ES512,
}
_OFFLINE: Final[Mapping[str, Any]] = {
    "verify": {"verify_after_sign": False, "ocsp_fetch": False, "remote_manifest_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
_GOOD: Final = frozenset({"Valid", "Trusted"})
"""Accepted validation states. A certificate that is not in the reader's trust list still gives ``Valid``."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs pictures with one certificate.

    Attributes
    ----------
    certificates
        The certificate chain in PEM, the signer's first.
    key
        The signer's private key in PEM.
    """

    certificates: str
    key: str = field(repr=False)

    def require_usable(self) -> None:
        """Sign a tiny picture, so that a wrong key or certificate is found at start.

        Raises
        ------
        CredentialsUnavailableError
            If the key cannot be used, or does not belong to the certificate, or that may not sign.
        """
        action = {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
        claim = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}]}
        try:
            self.sign(_TINY_PNG, "image/png", claim)
        except ProcessingFailedError as error:
            message = f"the certificate or the key of Content Credentials cannot be used: {error.message}"
            raise CredentialsUnavailableError(message) from error

    def sign(self, data: bytes, media_type: str, claim: Mapping[str, Any]) -> bytes:
        """Return the file of a picture with a signed claim embedded; the encoded pixels do not change.

        Raises
        ------
        CredentialsUnavailableError
            If the key cannot be used.
        ProcessingFailedError
            If the library fails, or the result contains no valid claim.
        """
        algorithm = self._algorithm()
        sink = BytesIO()
        try:
            context = c2pa.Context(c2pa.Settings.from_dict(dict(_OFFLINE)))
            info = c2pa.C2paSignerInfo(algorithm, self.certificates.encode(), self.key.encode(), None)
            with c2pa.Signer.from_info(info) as signer, c2pa.Builder(dict(claim), context) as builder:
                builder.sign(signer, media_type, BytesIO(data), sink)
        except c2pa.C2paError as error:
            # The library's messages contain neither the key nor the picture.
            message = f"Content Credentials cannot be signed: {error}"
            raise ProcessingFailedError(message) from error
        signed = sink.getvalue()
        state = read(signed, media_type)["validation_state"]
        if state not in _GOOD:
            message = f"the written Content Credentials are not valid: {state}"
            raise ProcessingFailedError(message)
        return signed

    def _algorithm(self) -> c2pa.C2paSigningAlg:
        """Return the signature algorithm for the key; raise CredentialsUnavailableError."""
        try:
            key = load_pem_private_key(self.key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # `from None`: the parser's message may contain the key.
            message = "the key of Content Credentials is not a PEM private key without a password"
            raise CredentialsUnavailableError(message) from None
        match key:
            case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
                return _CURVES[key.curve.name]
            case rsa.RSAPrivateKey():
                return c2pa.C2paSigningAlg.PS256
            case ed25519.Ed25519PrivateKey():
                return c2pa.C2paSigningAlg.ED25519
            case _:
                message = "the key of Content Credentials must be ECDSA (P-256, P-384, P-521), RSA or Ed25519"
                raise CredentialsUnavailableError(message)


def read(data: bytes, media_type: str, anchors: str | None = None) -> dict[str, Any]:
    """Return the Content Credentials of a picture as the library reports them, with ``validation_state``.

    Parameters
    ----------
    data, media_type
        The file of the picture and its media type.
    anchors
        Trusted certificates in PEM; None: no trust list.

    Raises
    ------
    ProcessingFailedError
        If the picture has no readable Content Credentials.
    """
    settings = dict(_OFFLINE) | ({} if anchors is None else {"trust": {"trust_anchors": anchors}})
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(settings))
        with c2pa.Reader(media_type, BytesIO(data), context=context) as reader:
            report: dict[str, Any] = json.loads(reader.json())
            return {**report, "validation_state": reader.get_validation_state()}
    except c2pa.C2paError as error:
        message = f"Content Credentials cannot be read: {error}"
        raise ProcessingFailedError(message) from error


_TINY_PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a494441"
    "54789c636000000002000148afa4710000000049454e44ae426082"
)
"""A PNG file of one black pixel."""
