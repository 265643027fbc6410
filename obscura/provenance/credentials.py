"""Embed Content Credentials in redacted pictures, with the certificate and key of the settings."""

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
    """Embeds Content Credentials; the c2pa library, certificate and key are loaded on first use.

    Attributes
    ----------
    settings
        The settings, which may lack a certificate or key.
    """

    settings: "Settings"

    def require_usable(self) -> None:
        """Raise CredentialsUnavailableError if pictures cannot be signed."""
        self._signer.require_usable()

    def embed(
        self, redacted: RedactedPhoto, models: Iterable[ModelInfo], limits: "ValidationLimits"
    ) -> RedactedPhoto:
        """Return a redacted picture with signed Content Credentials embedded.

        Parameters
        ----------
        redacted
            The redacted picture, already verified.
        models
            The models that detected the hidden objects.
        limits
            Limits of decoding, for the comparison of pixels before and after.

        Raises
        ------
        CredentialsUnavailableError
            If the extra, certificate or key is missing or cannot be used.
        ProcessingFailedError
            If the library fails, or the pixels of the result differ.
        """
        signed = self._signer.sign(redacted.data, redacted.media_type, claim_of(redacted, models))
        own_limits = replace(limits, max_bytes=len(signed))
        before, after = (decode(data, own_limits) for data in (redacted.data, signed))
        if not np.array_equal(before.pixels, after.pixels):
            message = "embedding Content Credentials changed the pixels of the picture"
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
            message = "Content Credentials need the extra `c2pa`: pip install 'obscura-photo[c2pa]'"
            raise CredentialsUnavailableError(message) from error
        return Signer(certificate, key.get_secret_value())
