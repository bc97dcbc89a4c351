import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.encoding import encode

KINDS = {"number": "numeric", "word": "categorical", "both": "mixed", "no gaps": "numeric"}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_codes_order_cells_as_the_page_does(tables, data):
    cells = Cells(data.draw(tables), KINDS)
    encoding = encode(cells, list(KINDS))
    for place, name in enumerate(KINDS):
        values = [cells[name].cell(row) for row in range(len(cells))]
        assert [encoding.value(place, code) for code in encoding.codes[place]] == values
        order = [encoding.value(place, code) for code in range(encoding.distinct(place))]
        assert order == sorted(set(values), key=lambda v: (isinstance(v, str), v))


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("gaps", [True, False])
def test_both_ways_to_rank_agree_with_sorting(many, gaps):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=5000) if many else rng.integers(0, 9, 5000).astype(float)
    if gaps:
        numbers[rng.random(5000) < 0.1] = np.nan
    encoding = encode(Cells(pd.DataFrame({"a": numbers}), {"a": "numeric"}), ["a"])
    there = ~np.isnan(numbers)
    distinct = np.unique(numbers[there])
    assert np.array_equal(encoding.thresholds[0], distinct)
    assert np.array_equal(encoding.codes[0][there], np.searchsorted(distinct, numbers[there]))
    assert (encoding.codes[0][~there] == len(distinct)).all()
