"""The first principal component of differences against repeng's."""

import numpy as np
import pytest

from explicate.mechanisms.steering import read_directions


@pytest.fixture
def repeng(monkeypatch):
    """The peer; it was written for numpy 1, of which it only misses a name."""
    monkeypatch.setattr(np, "float_", np.float64, raising=False)
    return pytest.importorskip("repeng")


def test_the_same_components_with_the_same_sign(llama, repeng):
    endings = ["the store", "a drink", "Mary", "the park.", "the cat sat", "nobody", "a ball to Anna", "the value"]
    positive = [f"John gave {ending}" for ending in endings]
    negative = [f"The dog did not; {ending}" for ending in endings]
    entries = [repeng.DatasetEntry(a, b) for a, b in zip(positive, negative, strict=True)]
    theirs = repeng.ControlVector.train(llama.module, llama.tokenizer, entries, method="pca_diff")
    ours = read_directions(llama, positive, negative, how="pca-of-differences", layers=1)  # theirs has no layer 0
    assert abs(float(ours["agreement"][0]) - 0.5) > 0.1  # else the two rules for the sign may differ
    sign = 1 if float(ours["agreement"][0]) > 0.5 else -1
    np.testing.assert_allclose(sign * theirs.directions[1], ours.values[0], atol=1e-3)
