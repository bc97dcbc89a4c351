import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.encoding import encode
from explicate.glassbox.fold.rules import OPERATORS, Literal
from explicate.glassbox.fold.search import Search, gini, information_gain

KINDS = {"number": "numeric", "word": "categorical", "both": "mixed", "no gaps": "numeric"}
COLUMNS = list(KINDS)


def score(criterion, tp, fn, tn, fp):
    """The page's formulas with loops."""
    total, inside, outside = tp + fn + tn + fp, tp + fp, tn + fn
    if criterion == "gini":
        found = (tp * fp / inside if inside else 0.0) + (tn * fn / outside if outside else 0.0)
        return -found / total
    branches = ((tp, inside), (fp, inside), (tn, outside), (fn, outside))
    return sum(x * math.log(x / branch) for x, branch in branches if x) / total


def exhaustive(frame, positives, negatives, used, criterion, comparison, holds):
    """Every literal on every row: the best score, and the first literal that has it."""
    best, found = -math.inf, None
    for column in COLUMNS:
        cells = ["" if c is None or c != c else c for c in frame[column]]
        here = [cells[row] for row in [*positives, *negatives]]
        numbers = sorted({c for c in here if not isinstance(c, str)})
        words = sorted({c for c in here if isinstance(c, str)})
        for operator in OPERATORS:
            for value in numbers if operator in ("<=", ">") else words:
                literal = Literal(column, operator, value)
                if (column, value) in used:
                    continue
                tp = sum(holds(literal, cells[row], comparison) for row in positives)
                fp = sum(holds(literal, cells[row], comparison) for row in negatives)
                fn, tn = len(positives) - tp, len(negatives) - fp
                if tp + tn < fp + fn or not 0 < tp + fp < len(here):
                    continue
                value_found = score(criterion, tp, fn, tn, fp)
                if value_found > best:
                    best, found = value_found, literal
    return best, found


@pytest.mark.parametrize("criterion", ["gini", "information_gain"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_prefix_sums_find_what_trying_every_literal_finds(tables, literal_by_the_book, criterion, data):
    frame = data.draw(tables)
    comparison = data.draw(st.sampled_from(["complementary", "strict"]))
    sides = data.draw(st.lists(st.sampled_from("pn-"), min_size=len(frame), max_size=len(frame)))
    positives, negatives = (np.flatnonzero([side == one for side in sides]) for one in "pn")
    encoding = encode(Cells(frame, KINDS), COLUMNS)
    everything = [(c, k) for c in range(len(COLUMNS)) for k in range(encoding.distinct(c))]
    used = set(data.draw(st.lists(st.sampled_from(everything), max_size=3)))
    words = {(COLUMNS[c], encoding.value(c, k)) for c, k in used}
    found = Search(encoding, criterion, comparison).best(positives, negatives, used)
    best, literal = exhaustive(frame, positives, negatives, words, criterion, comparison, literal_by_the_book)
    if literal is None:
        assert found is None
        return
    ours = Literal(COLUMNS[found.column], OPERATORS[found.operator], encoding.value(found.column, found.code))
    holding = found.holds(encoding, np.arange(len(frame)), comparison)
    assert holding.tolist() == [literal_by_the_book(ours, cell, comparison) for cell in frame[ours.column]]
    tp, fp = int(holding[positives].sum()), int(holding[negatives].sum())
    reached = score(criterion, tp, len(positives) - tp, len(negatives) - fp, fp)
    assert reached == pytest.approx(best, abs=1e-12)
    if criterion == "gini":  # the same arithmetic in both, so ties are the same too
        assert ours == literal


def test_counting_by_sorting_and_by_bins_agree(monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.integers(0, 5, 200)})
    encoding = encode(Cells(frame, {"a": "numeric", "b": "numeric"}), ["a", "b"])
    rows = rng.permutation(200)[:60]
    search = Search(encoding)
    for column in range(2):
        sides = rows[:25], rows[25:]
        monkeypatch.setattr("explicate.glassbox.fold.search.SPARSE", 1000)
        bins = search._counts(column, *sides)
        monkeypatch.setattr("explicate.glassbox.fold.search.SPARSE", 0)
        for one, other in zip(bins, search._counts(column, *sides), strict=True):
            assert one.tolist() == other.tolist()


def test_ties_go_to_the_first_column_then_operator_then_value():
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]})
    encoding = encode(Cells(frame, {"a": "numeric", "b": "numeric"}), ["a", "b"])
    found = Search(encoding).best(np.array([0, 3]), np.array([1, 2]), set())
    assert (found.column, OPERATORS[found.operator], encoding.value(0, found.code)) == (0, "<=", 1.0)


def test_scores_of_a_worked_count():
    counts = [np.array([float(x)]) for x in (30, 10, 40, 20)]  # tp, fn, tn, fp
    assert gini(*counts)[0] == pytest.approx(-(30 * 20 / 50 + 40 * 10 / 50) / 100)
    expected = (30 * math.log(0.6) + 20 * math.log(0.4) + 40 * math.log(0.8) + 10 * math.log(0.2)) / 100
    assert information_gain(*counts)[0] == pytest.approx(expected)
