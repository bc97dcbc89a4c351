"""Labels, masks and parts of tables, as the command line reads them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from explicate.cli.inputs import read_inputs, read_labels, read_masks
from explicate.errors import InputError


class Halving:
    """Sees pictures at half their size, (channel, row, column)."""

    kind, name = "image", "halving"

    def encode(self, picture):
        return np.moveaxis(picture[::2, ::2].astype(float), -1, 0)[None]


def test_labels_follow_the_rows(tmp_path):
    table = tmp_path / "rows.csv"
    pd.DataFrame({"a": range(5), "y": [0, 1, 0, 1, 1]}).to_csv(table, index=False)
    pd.DataFrame({"label": [4, 5, 6, 7, 8]}).to_csv(tmp_path / "labels.csv", index=False)
    np.save(tmp_path / "two.npy", np.array([7, 9]))
    assert read_labels("y", str(table), "1:3").tolist() == [1, 0]
    assert read_labels(str(tmp_path / "labels.csv"), str(table), "1:3").tolist() == [5, 6]
    assert read_labels(str(tmp_path / "two.npy"), str(table), "1:3").tolist() == [7, 9]
    with pytest.raises(InputError, match="has 2 columns"):
        read_labels(str(table), "a text")


def test_masks_are_seen_as_the_model_sees_its_pictures(tmp_path):
    drawn = np.zeros((8, 8), dtype=np.uint8)
    drawn[2:6, 4:] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(drawn).save(tmp_path / "masks" / "one.png")
    np.testing.assert_array_equal(read_masks(tmp_path / "masks", Halving()), drawn[None, ::2, ::2] > 0)
    np.save(tmp_path / "masks.npy", drawn[None])
    np.testing.assert_array_equal(read_masks(tmp_path / "masks.npy", Halving()), drawn[None])
    np.save(tmp_path / "flat.npy", drawn)
    with pytest.raises(InputError, match=r"\(sample, row, column\) is needed"):
        read_masks(tmp_path / "flat.npy", Halving())


@pytest.mark.parametrize("kind", ["image", "text"])
def test_rows_are_for_tables(kind):
    with pytest.raises(InputError, match="--rows takes part of a table"):
        read_inputs(SimpleNamespace(kind=kind, name="m"), "cat", "0:2")
