"""Overlap of sets and agreement of labels are two things."""

import math

import numpy as np
import pytest

from explicate.benchmarks.wack import Item, WackDataset, WackRecord, similarity
from explicate.errors import InputError


def dataset(labels, model, setting="bad-shots"):
    records = []
    for number, label in enumerate(labels):
        item = Item(f"{number}?", ("yes",))
        records.append(WackRecord(item, label, {"HK-": 0, "middle": 3}.get(label, 6), item.prompt))
    return WackDataset(tuple(records), model, setting)


def test_both_figures_by_hand():
    first = dataset(["correct", "correct", "HK+", "HK+", "HK-", "middle"], "a")
    second = dataset(["correct", "HK+", "HK+", "correct", "correct", "HK-"], "b")
    found = similarity(first, second)
    assert (found.questions, found.known, found.shared) == (6, (4, 5), 4)
    assert found.known_jaccard == 4 / 5
    assert found.errors == (2, 2)
    assert found.error_jaccard == 1 / 3
    assert found.agreement == 2 / 4
    assert found.chance_agreement == 0.5


def test_rare_errors_agree_by_chance_and_overlap_little():
    """Where 5 % are errors, independent models agree on 90 %: that is no similarity."""
    rng = np.random.default_rng(0)
    first, second = (dataset(np.where(rng.random(20_000) < 0.05, "HK+", "correct"), name) for name in "ab")
    found = similarity(first, second)
    assert found.agreement == pytest.approx(0.905, abs=0.02)
    assert found.agreement == pytest.approx(found.chance_agreement, abs=0.02)
    assert found.error_jaccard < 0.06
    assert found.error_jaccard == pytest.approx(found.chance_error_jaccard, abs=0.01)


def test_a_model_is_like_itself_and_empty_sets_have_no_figure():
    own = dataset(["correct", "HK+", "HK-"], "a")
    found = similarity(own, own)
    assert found.known_jaccard == found.error_jaccard == found.agreement == 1.0
    none = similarity(dataset(["HK-", "HK-"], "a"), dataset(["HK-", "middle"], "b"))
    assert math.isnan(none.known_jaccard)
    assert math.isnan(none.error_jaccard)
    assert math.isnan(none.agreement)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="use one"):
        similarity(dataset(["correct"], "a"), dataset(["correct"], "b", "alice-bob"))
    with pytest.raises(InputError, match="no question"):
        similarity(dataset(["correct"], "a"), WackDataset((), "b", "bad-shots"))
