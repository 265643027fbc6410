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
    """The request ends here, with an answer."""

    code = "refused"

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


@dataclass(frozen=True)
class Context:
    """What one process works with."""

    settings: Settings
    storage: Storage
    records: Records
    administration: Administration
    repository: PhotoRepository
    standards: Standards
    tag_matcher: TagMatcher


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes
    ----------
    token
        Hexadecimal digits, the same for every try of the same request.
    moment
        When it came in, in the challenges' zone: a photo that waited in the queue is not late.
    owner
        Id of the API key that asked, whose photos are the only ones there are; empty where there are no
        keys.
    """

    head: VerificationRequest
    photo: bytes
    standard: bytes
    token: str
    moment: datetime
    owner: str = ""

    @property
    def may_see(self) -> bool:
        """Whether the caller may have an answer to this request that shows stored photos."""
        return self.head.may_read or not self.head.debug

    def opened(self, settings: Settings) -> Photo:
        """Return the photo; raise RefusedError where it is none."""
        try:
            return open_photo(self.photo, settings)
        except PhotoError as error:
            raise RefusedError(Outcome.UNREADABLE_PHOTO) from error

    def key(self, kind: str, subject: int | str) -> str:
        """Return the name under which the photo is kept."""
        slug = re.sub(r"[^A-Za-z0-9-]", "-", str(subject))[:SLUG_LENGTH]
        return f"{kind}_{slug}_{self.moment:%Y%m%d%H%M%S}_{self.token}.jpg"

    def must_be_in_time(self) -> None:
        """Raise RefusedError where nobody waits for the answer any more, so that nothing is written."""
        if time.time() > self.head.deadline:
            raise RefusedError(Outcome.FAILED)


def standard_key(storage: Storage, url: str) -> str | None:
    """Return the key of a standard photo of ours; None for any other URL.

    The storage holds other things as well, and a caller's URL must not reach them.
    """
    key = storage.key_of(url)
    return key if key is not None and STANDARD_KEY.fullmatch(key) else None
