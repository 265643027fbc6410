"""What a fine-tune learns from."""

from pathlib import Path

import numpy as np

from training.finetune import PACKS, mistaken_photos


def test_a_table_of_what_was_mistaken_gives_photos_without_labels(tmp_path: Path) -> None:
    """One photo for all its lines, below the unpacked packs."""
    table = tmp_path / "plate_mistaken.csv"
    table.write_text(
        "photo,cx,cy,width,height\n"
        "faces/images/more/a.jpg,0.5,0.4,0.1,0.05\n"
        "faces/images/train/b.webp,0.2,0.2,0.1,0.1\n"
        "faces/images/more/a.jpg,0.9,0.4,0.02,0.01\n"
    )
    first, second = mistaken_photos(table)
    assert first.file == PACKS / "faces/images/more/a.jpg"
    assert len(first.shares) == len(second.shares) == 0
    assert first.mistaken is not None
    np.testing.assert_allclose(first.mistaken, [[0.5, 0.4, 0.1, 0.05], [0.9, 0.4, 0.02, 0.01]])
