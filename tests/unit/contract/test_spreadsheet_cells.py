"""Cells of tables that people open in a spreadsheet."""

import pytest

from obscura.contract.spreadsheet_cells import plain_cell


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"],
)
def test_no_name_is_calculated(text: str) -> None:
    """What a spreadsheet would calculate begins with a quote."""
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b.jpg", "写真.jpg", "'=1"])
def test_other_names_stay(text: str) -> None:
    """Anything else is written as it is."""
    assert plain_cell(text) == text
