"""The patterns of ``text_match``: RE2, which takes linear time whatever the pattern is."""

from typing import Any, Final

from obscura.errors import ClassUnavailableError, InvalidOptionError

__all__ = ["compiled"]

MAX_MEMORY: Final = 1 << 20
"""Bytes that a compiled pattern may take."""


def compiled(pattern: str) -> Any:  # noqa: ANN401 - re2 publishes no types
    """Return a pattern of RE2's syntax, with the methods of one of `re`.

    Raises
    ------
    InvalidOptionError
        If the pattern is none, or takes more than `MAX_MEMORY`.
    ClassUnavailableError
        If google-re2 is not installed.
    """
    try:
        import re2  # noqa: PLC0415 - a plain install does not have it
    except ModuleNotFoundError as error:
        message = "text_match needs the package google-re2: pip install 'obscura-photo[text]'"
        raise ClassUnavailableError(message) from error
    options = re2.Options()
    options.max_mem, options.log_errors = MAX_MEMORY, False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        message = f"text_match is no pattern of RE2: {reason}"
        raise InvalidOptionError(message) from error
