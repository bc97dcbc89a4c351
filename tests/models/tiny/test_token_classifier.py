"""The plain token transformer: patches, the schedule's best epoch, seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explicate.errors import InputError
from explicate.models.tiny.token_classifier import TokenClassifier, cut_into_patches
from explicate.models.tiny.token_transformer import TokenTransformer
from explicate.runtime.seeds import generator


def sequences(cases=120, seed=0):
    """Five tokens of three numbers; the label is the sign of the second number of the third token."""
    x = np.random.default_rng(seed).normal(size=(cases, 5, 3))
    return x, np.where(x[:, 2, 1] > 0, "up", "down")


def test_patches_are_cut_row_by_row():
    pictures = np.arange(2 * 4 * 6).reshape(1, 2, 4, 6)
    cut = cut_into_patches(pictures, 2)
    assert cut.shape == (1, 6, 8)
    np.testing.assert_array_equal(cut[0, 1], pictures[0, :, :2, 2:4].ravel())
    np.testing.assert_array_equal(cut[0, 3], pictures[0, :, 2:, :2].ravel())


def test_the_epoch_with_the_least_validation_loss_is_kept():
    x, y = sequences()
    model = TokenClassifier(width=8, layers=1, epochs=25, batch=16, learning_rate=3e-2, validation=0.25).fit(x, y)
    held = generator(0, "validation").permutation(len(x))[: round(0.25 * len(x))]
    loss = -np.log(model.predict_proba(x[held])[np.arange(len(held)), (y[held] == "up").astype(int)]).mean()
    assert loss == pytest.approx(min(model.history_), abs=1e-4)
    assert len(model.history_) == 25
    assert model.score(*sequences(80, 1)) >= 0.9


def test_a_seed_fixes_the_weights():
    x, y = sequences(40)
    one, two, other = (
        TokenClassifier(width=8, layers=1, epochs=2, seed=s).fit(x, y).predict_proba(x) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-4


def test_without_places_the_transformer_does_not_see_the_order():
    torch.manual_seed(0)
    module = TokenTransformer(3, 5, width=8, layers=2).eval()
    torch.nn.init.zeros_(module.place)
    cases, order = torch.randn(2, 5, 3), torch.tensor([3, 0, 4, 1, 2])
    tokens, summary = module(cases)
    moved, same = module(cases[:, order])
    torch.testing.assert_close(moved, tokens[:, order])
    torch.testing.assert_close(same, summary)


def test_bad_input_is_refused():
    x, y = sequences(10)
    with pytest.raises(InputError, match="width 8 must be divisible by heads 3"):
        TokenClassifier(width=8, heads=3).fit(x, y)
    with pytest.raises(InputError, match="give one label per case"):
        TokenClassifier().fit(x, y[:5])
    with pytest.raises(InputError, match="hold something that is no number"):
        TokenClassifier().fit([["a"]], y)
    with pytest.raises(InputError, match="layers at least 0"):
        TokenClassifier(layers=-1).fit(x, y)
