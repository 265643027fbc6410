"""The one error that this package adds to the tree of `obscura.errors`."""

from obscura.errors import PhotoError


class NotSpliceableError(PhotoError):
    """A JPEG that cannot be changed in place: it has to be decoded, painted over and encoded again."""

    code = "not_spliceable"
