"""Open standard photos and cache their keypoints."""

from collections import OrderedDict
from io import BytesIO

from PIL import Image

from obscura.anonymisation.detect import open_photo
from obscura.contract import OutputFormat
from obscura.errors import FeaturesUnreadableError, PhotoError
from obscura.imaging.encode import EncodeOptions, encode
from obscura.imaging.open import Photo
from obscura.imaging.pixels import Pixels
from obscura.matching import Features, features
from obscura.settings import Settings
from obscura.storage import MissingObjectError, Storage
from photo_verification_service.database import Records

__all__ = ["StandardUnreadableError", "Standards", "as_jpeg", "jpeg_of_pixels"]

# At most 25 MB: the features of a photo have at most 400 kB.
CACHE_SIZE = 64


class StandardUnreadableError(PhotoError):
    """The standard photo is missing or cannot be decoded."""

    code = "standard_unreadable"


def as_jpeg(photo: Photo) -> bytes:
    """Return the photo as a JPEG file of the source's quality, without metadata and thumbnail."""
    return encode(photo, EncodeOptions(output=OutputFormat.JPEG)).data


def jpeg_of_pixels(pixels: Pixels) -> bytes:
    """Return RGB pixels (H, W, 3) as a JPEG file."""
    sink = BytesIO()
    Image.fromarray(pixels).save(sink, format="JPEG", quality=85)
    return sink.getvalue()


class Standards:
    """Decodes standard photos and caches their features, in the database and in this process."""

    def __init__(self, settings: Settings, storage: Storage, records: Records) -> None:
        self._settings = settings
        self._storage = storage
        self._records = records
        self._known: OrderedDict[tuple[str, int], Features] = OrderedDict()

    async def features_of(self, url: str, key: str) -> Features:
        """Return the features of the photo stored under ``key``.

        Raises
        ------
        StandardUnreadableError
            If there is no such object, or it cannot be decoded.
        ServiceError
            If storage or database is away.
        """
        try:
            # The size detects an object that was replaced since its features were cached.
            size = self._storage.size(key)
        except MissingObjectError as error:
            message = "the standard photo is not in the storage"
            raise StandardUnreadableError(message) from error
        known = self._known.get((url, size))
        if known is None:
            known = await self._read(url, key, size)
            self._known[url, size] = known
            while len(self._known) > CACHE_SIZE:
                self._known.popitem(last=False)
        self._known.move_to_end((url, size))
        return known

    async def _read(self, url: str, key: str, size: int) -> Features:
        facts = await self._records.facts_of(url)
        if facts is not None and facts.features is not None and facts.size == size:
            try:
                return Features.from_bytes(facts.features)
            except FeaturesUnreadableError:
                # Written by another release: compute them again.
                pass
        found = features(self.photo(key).pixels)
        await self._records.save_features(url, size, found.to_bytes())
        return found

    def photo(self, key: str) -> Photo:
        """Return the decoded photo of the object ``key``; raise StandardUnreadableError."""
        try:
            return self.opened(self._storage.get(key))
        except MissingObjectError as error:
            message = "the standard photo is not in the storage"
            raise StandardUnreadableError(message) from error

    def opened(self, data: bytes) -> Photo:
        """Return the decoded photo in ``data``; raise StandardUnreadableError."""
        try:
            return open_photo(data, self._settings)
        except PhotoError as error:
            message = "the standard photo cannot be opened"
            raise StandardUnreadableError(message) from error
