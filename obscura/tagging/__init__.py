"""Image tagging: one interface and its backends."""

from obscura.errors import TaggerMissingError
from obscura.imaging.pixels import Pixels
from obscura.settings import Settings, TaggerChoice
from obscura.tagging.base import Tag, Tagger
from obscura.tagging.clarifai import ClarifaiTagger
from obscura.tagging.classifier import ClassifierTagger
from obscura.tagging.matching import Synonyms, matches, read_synonyms

__all__ = ["Synonyms", "Tag", "Tagger", "matches", "open_tagger", "read_synonyms"]


class _NoTagger:
    """Raises TaggerMissingError, because no tagger is configured."""

    def tags(self, pixels: Pixels) -> tuple[Tag, ...]:  # noqa: ARG002 - required by Tagger
        message = "no tagger is configured: set OBSCURA_TAGGER"
        raise TaggerMissingError(message)

    def close(self) -> None:
        pass


def open_tagger(settings: Settings) -> Tagger:
    """Return the tagger of the settings; must be called after a fork.

    Raises
    ------
    TaggerMissingError
        If it is not installed, or its key, model or labels are missing or do not fit.
    """
    match settings.tagger:
        case TaggerChoice.NONE:
            return _NoTagger()
        case TaggerChoice.CLARIFAI:
            return ClarifaiTagger(settings)
        case TaggerChoice.ONNX:
            return ClassifierTagger(settings)
