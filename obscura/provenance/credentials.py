"""From settings to Content Credentials in a finished picture."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from obscura.anonymisation import RedactedPhoto
from obscura.contract import ModelInfo
from obscura.errors import CredentialsUnavailableError, ProcessingFailedError
from obscura.imaging.open import decode
from obscura.provenance.claim import claim_of

if TYPE_CHECKING:
    from obscura.imaging.validation import ValidationLimits
    from obscura.provenance.c2pa import Signer
    from obscura.settings import Settings

__all__ = ["Credentials"]


@dataclass(frozen=True)
class Credentials:
    """Writes Content Credentials with an installation's certificate and key, once those are asked for.

    Attributes
    ----------
    settings
        With the certificate chain and the private key, or without.
    """

    settings: "Settings"

    def require_usable(self) -> None:
        """Raise CredentialsUnavailableError where pictures could not be signed."""
        self._signer.require_usable()

    def embed(
        self, redacted: RedactedPhoto, models: Iterable[ModelInfo], limits: "ValidationLimits"
    ) -> RedactedPhoto:
        """Return a finished picture with signed Content Credentials in it.

        Parameters
        ----------
        redacted
            The finished picture; it has passed its checks.
        models
            The weights that found what was hidden.
        limits
            Of what may be decoded.

        Raises
        ------
        CredentialsUnavailableError
            If the extra is missing, or certificate or key are missing or of no use.
        ProcessingFailedError
            If the library refuses, or what it wrote no longer shows the same pixels.
        """
        signed = self._signer.sign(redacted.data, redacted.media_type, claim_of(redacted, models))
        own_limits = replace(limits, max_bytes=len(signed))
        before, after = (decode(data, own_limits) for data in (redacted.data, signed))
        if not np.array_equal(before.pixels, after.pixels):
            message = "the picture is no longer the same with Content Credentials in it"
            raise ProcessingFailedError(message)
        return replace(redacted, data=signed, report=replace(redacted.report, content_credentials=True))

    @cached_property
    def _signer(self) -> "Signer":
        certificate, key = self.settings.c2pa_certificate, self.settings.c2pa_key
        if not certificate or key is None:
            message = (
                "this installation cannot write Content Credentials: set OBSCURA_C2PA_CERTIFICATE_FILE and "
                "OBSCURA_C2PA_KEY_FILE"
            )
            raise CredentialsUnavailableError(message)
        try:
            from obscura.provenance.c2pa import Signer  # noqa: PLC0415 - optional, and large
        except ImportError as error:
            message = "Content Credentials need the extra `c2pa`: pip install 'obscura[c2pa]'"
            raise CredentialsUnavailableError(message) from error
        return Signer(certificate, key.get_secret_value())
