"""One verification request and the context that operations work with."""

import re
import time
from dataclasses import dataclass
from datetime import datetime

from obscura.anonymisation.detect import open_photo
from obscura.contract.verification import Outcome, VerificationRequest
from obscura.errors import ObscuraError, PhotoError
from obscura.imaging.open import Photo
from obscura.settings import Settings
from obscura.storage import Storage
from photo_verification_service.database import Administration, Records
from photo_verification_service.photo_repository import PhotoRepository
from photo_verification_service.standard_photos import Standards
from photo_verification_service.tag_matcher import TagMatcher

__all__ = ["Context", "RefusedError", "Request", "standard_key"]

SLUG_LENGTH = 40
STANDARD_KEY = re.compile(r"std_[^/\\]+\.jpg")


class RefusedError(ObscuraError):
    """The request is refused with an outcome."""

    code = "refused"

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


@dataclass(frozen=True)
class Context:
    """The objects that operations work with; one per process."""

    settings: Settings
    storage: Storage
    records: Records
    administration: Administration
    repository: PhotoRepository
    standards: Standards
    tag_matcher: TagMatcher


@dataclass(frozen=True)
class Request:
    """One verification request.

    Attributes
    ----------
    head
        The request as the gateway sent it.
    photo, standard
        The files of the photo and of a standard photo that came along; empty if there is none.
    token
        Hexadecimal digits, equal for all attempts of a request.
    moment
        Time of arrival in the time zone of challenges; time in the queue does not make a photo late.
    owner
        Id of the client's API key; only this owner's photos are visible. Empty without API keys.
    """

    head: VerificationRequest
    photo: bytes
    standard: bytes
    token: str
    moment: datetime
    owner: str = ""

    @property
    def may_see(self) -> bool:
        """Whether the client may get the answer of this request, which may show stored photos."""
        return self.head.may_read or not self.head.debug

    def opened(self, settings: Settings) -> Photo:
        """Return the decoded photo; raise RefusedError if it cannot be decoded."""
        try:
            return open_photo(self.photo, settings)
        except PhotoError as error:
            raise RefusedError(Outcome.UNREADABLE_PHOTO) from error

    def key(self, kind: str, subject: int | str) -> str:
        """Return the storage key of the photo: kind, subject, time and token."""
        slug = re.sub(r"[^A-Za-z0-9-]", "-", str(subject))[:SLUG_LENGTH]
        return f"{kind}_{slug}_{self.moment:%Y%m%d%H%M%S}_{self.token}.jpg"

    def must_be_in_time(self) -> None:
        """Raise RefusedError after the deadline, when the client has given up, so that nothing is written."""
        if time.time() > self.head.deadline:
            raise RefusedError(Outcome.FAILED)


def standard_key(storage: Storage, url: str) -> str | None:
    """Return the key of a stored standard photo by its URL; None for any other URL.

    A client's URL must not give access to other objects of the storage.
    """
    key = storage.key_of(url)
    return key if key is not None and STANDARD_KEY.fullmatch(key) else None
