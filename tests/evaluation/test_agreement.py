"""Measures of agreement, by hand."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from explicate import Attribution
from explicate.core.provenance import Provenance
from explicate.errors import InputError, UnknownNameError
from explicate.evaluation.agreement import (
    MEASURES,
    agreement_matrix,
    cosine_distance,
    feature_agreement,
    l1_distance,
    pairwise_rank_agreement,
    rank_agreement,
    rank_correlation,
    sign_agreement,
    signed_rank_agreement,
)

A = np.array([[5.0, -4.0, 3.0, 2.0, 1.0]])
B = np.array([[4.0, 5.0, -3.0, 0.0, 3.5]])  # by size: 1, 0, 4, 2, 3


def test_measures_of_the_top_features():
    assert feature_agreement(A, B, 3) == pytest.approx(2 / 3)  # {0, 1, 2} and {1, 0, 4}
    assert rank_agreement(A, B, 3) == pytest.approx(0)
    assert sign_agreement(A, B, 3) == pytest.approx(1 / 3)  # feature 0; feature 1 has two signs
    assert feature_agreement(A, B, 5) == 1
    assert rank_agreement(A, [[5.5, -1.0, 4.0, 0.0, 0.0]], 3) == pytest.approx(1 / 3)
    assert signed_rank_agreement(A, [[-9.0, -8.0, 7.0, 0.0, 0.0]], 3) == pytest.approx(2 / 3)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 7, 12)).round(1)  # with ties
    for absolute, change in ((True, np.abs), (False, np.asarray)):
        expected = [stats.spearmanr(change(a), change(b)).statistic for a, b in zip(x, y, strict=True)]
        np.testing.assert_allclose(rank_correlation(x, y, absolute=absolute), expected)
    assert np.isnan(rank_correlation(A, np.ones((1, 5)))).all()


def test_pairwise_rank_agreement_is_the_share_of_pairs_in_the_same_order():
    # by size: 5 4 3 2 1 against 4 5 3 0 3.5: of ten pairs, (0, 1), (2, 4) and (3, 4) are turned
    assert pairwise_rank_agreement(A, B) == pytest.approx(0.7)


def test_distances():
    np.testing.assert_allclose(l1_distance(A, B), [1 + 9 + 6 + 2 + 2.5])
    np.testing.assert_allclose(cosine_distance(A, A * 3), [0], atol=1e-12)
    np.testing.assert_allclose(cosine_distance(A, -A), [2])
    np.testing.assert_allclose(cosine_distance([[1.0, 0.0]], [[0.0, 2.0]]), [1])
    assert np.isnan(cosine_distance(A, A * 0)).all()


@pytest.mark.parametrize(("measure", "k", "chance"), [
    (feature_agreement, 3, 3 / 10), (rank_agreement, 3, 1 / 10), (sign_agreement, 3, 3 / 20),
    (signed_rank_agreement, 3, 1 / 20), (pairwise_rank_agreement, None, 0.5), (rank_correlation, None, 0.0),
    (cosine_distance, None, 1.0),
])  # fmt: skip
def test_what_chance_gives(measure, k, chance):
    x, y = np.random.default_rng(0).normal(size=(2, 4000, 10))
    options = {} if k is None else {"k": k}
    assert measure(x, y, **options).mean() == pytest.approx(chance, abs=0.02)
    perfect = 0.0 if measure is cosine_distance else 1.0
    np.testing.assert_allclose(measure(x[:5], x[:5], **options), perfect, atol=1e-12)


def test_a_matrix_over_methods():
    methods = {"a": A, "b": B, "minus a": -A}
    matrix = agreement_matrix(methods, "cosine")
    assert matrix.sel(one="a", other="minus a") == pytest.approx(2)
    assert matrix.sel(one="b", other="a") == matrix.sel(one="a", other="b") == pytest.approx(cosine_distance(A, B)[0])
    top = agreement_matrix(methods, "sign-agreement", k=3)
    assert top.sel(one="a", other="minus a") == 0
    assert top.sel(one="a", other="b") == pytest.approx(1 / 3)
    assert top.attrs["k"] == 3


def test_maps_with_and_without_channels_are_compared_by_pixel(explained):
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    with_channels = explained(None, np.ones((2, 3, 4, 4)), values)
    without = explained(None, np.ones((2, 3, 4, 4)), values.sum(axis=1))
    np.testing.assert_allclose(l1_distance(with_channels, without), 0, atol=1e-12)


def test_padding_of_shorter_texts_does_not_count():
    def text(values):
        present = np.array([[True] * 6, [True] * 4 + [False] * 2])
        dims = ("sample", "token")
        data = xr.Dataset(
            {
                "attribution": (dims, values * present),
                "present": (dims, present),
                "inputs": (dims, np.ones((2, 6), dtype=int)),
                "target": ("sample", np.zeros(2, dtype=int)),
                "score": ("sample", np.zeros(2)),
            }
        )
        return Attribution(data, Provenance("random"))

    x, y = np.random.default_rng(0).normal(size=(2, 2, 6))
    expected = stats.spearmanr(np.abs(x[1, :4]), np.abs(y[1, :4])).statistic
    assert rank_correlation(text(x), text(y))[1] == pytest.approx(expected)


def test_bad_input():
    with pytest.raises(InputError, match="cannot be compared"):
        l1_distance(A, A[:, :3])
    with pytest.raises(InputError, match="k is 9"):
        feature_agreement(A, B, 9)
    with pytest.raises(UnknownNameError, match="there are: feature-agreement"):
        agreement_matrix({"a": A}, "colour")
    with pytest.raises(InputError, match="takes too long"):
        pairwise_rank_agreement(np.ones((1, 5000)), np.ones((1, 5000)))
    assert len(MEASURES) == 8
