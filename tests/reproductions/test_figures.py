"""Figures are written with as many digits as asked for, in the order given."""

import numpy as np
import pytest

from explicate.reproductions.figures import listed, mean_of, named


def test_figures_are_written_in_one_way():
    assert listed([0.12345, 1.0]) == "0.123, 1.000"
    assert listed(np.array([0.126, -2.0]), 2) == "0.13, -2.00"
    assert listed(value for value in ()) == ""
    assert named({"one": 0.5, "two": 2.0}) == "one 0.500, two 2.000"
    assert named({"one": 0.5}, 1) == "one 0.5"
    assert mean_of([{"a": 1, "b": 9}, {"a": 2.0}], "a") == pytest.approx(1.5)
