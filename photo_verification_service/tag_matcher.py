"""Match a word against the tags that the configured tagger gives a photo."""

import structlog

from obscura.errors import TaggerMissingError
from obscura.imaging.pixels import Pixels
from obscura.settings import Settings, TaggerChoice
from obscura.tagging import matches, open_tagger, read_synonyms

__all__ = ["TagMatcher"]

log = structlog.get_logger(__name__)


class TagMatcher:
    """The configured tagger with its lowest score and synonyms.

    If the tagger cannot be set up, an error is logged, `shown` raises TaggerError, and requests that compare
    photos still work.
    """

    def __init__(self, settings: Settings) -> None:
        self._min_score = settings.tag_min_score
        try:
            self._tagger = open_tagger(settings)
            self._synonyms = read_synonyms(settings.tag_synonyms)
        except TaggerMissingError as error:
            log.error("tagger_cannot_be_used", reason=error.message)  # noqa: TRY400 - the reason is enough
            self._tagger = open_tagger(settings.model_copy(update={"tagger": TaggerChoice.NONE}))
            self._synonyms = read_synonyms(None)

    def shown(self, pixels: Pixels, keyword: str) -> bool:
        """Whether ``keyword`` is among the tags of a picture (RGB pixels).

        Raises
        ------
        TaggerError
            If the tagger fails.
        """
        return matches(self._tagger.tags(pixels), keyword, self._min_score, self._synonyms)
