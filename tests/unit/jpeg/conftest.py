"""What the tests of this folder share."""

import pytest

from obscura.jpeg import native
from obscura.jpeg.codec import Codec
from obscura.jpeg.native import NativeCodec
from obscura.jpeg.portable import PortableCodec


@pytest.fixture(params=["native", "portable"])
def codec(request: pytest.FixtureRequest) -> Codec:
    """Each of the coders; the compiled one where it is."""
    if request.param == "portable":
        return PortableCodec()
    if native.problem() is not None:
        pytest.skip(f"native coder: {native.problem()}")
    return NativeCodec()
