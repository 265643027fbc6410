"""What tests of the lesion detector share."""

import pytest

from obscura.imaging.configured_limits import medical_limits
from obscura.imaging.validation import ValidationLimits
from obscura.settings import Settings
from tests.mammograms import Phantom, phantom


@pytest.fixture(scope="session")
def limits() -> ValidationLimits:
    """The medical profile of the gate."""
    return medical_limits(Settings())


@pytest.fixture(scope="session")
def made() -> Phantom:
    """One phantom for all tests."""
    return phantom()
