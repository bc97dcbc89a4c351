import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.core.features import Feature
from explicate.errors import InputError, MissingColumnError
from explicate.glassbox.fold.columns import Cells, as_frame, column_kinds, read_column


def cells(series, kind):
    column = read_column(series, kind)
    return [column.cell(row) for row in range(len(series))]


def test_a_cell_is_a_number_or_a_text_and_a_gap_is_the_empty_text():
    mixed = pd.Series([1, "1", 2.5, None, "?", float("nan"), True, np.float32(0.5)], dtype=object)
    assert cells(mixed, "mixed") == [1.0, "1", 2.5, "", "?", "", "True", 0.5]
    assert cells(mixed, "categorical") == ["1", "1", "2.5", "", "?", "", "True", "0.5"]
    assert cells(pd.Series(["12", "?", "1e3", None, "nan", "inf"]), "numeric") == [12.0, "?", 1000.0, "", "nan", "inf"]


@pytest.mark.parametrize(
    ("series", "kind", "found"),
    [
        (pd.Series([3, 1, 2]), "numeric", [3.0, 1.0, 2.0]),
        (pd.Series([3.0, np.nan]), "numeric", [3.0, ""]),
        (pd.Series([3, None], dtype="Int64"), "numeric", [3.0, ""]),
        (pd.Series(["b", "a", None]), "categorical", ["b", "a", ""]),
        (pd.Series(["b", "a", None], dtype="category"), "categorical", ["b", "a", ""]),
        (pd.Series([2, 1, 2], dtype="category"), "numeric", [2.0, 1.0, 2.0]),
        (pd.Series([True, False]), "categorical", ["True", "False"]),
        (pd.Series([1.0, 2.5, np.nan]), "categorical", ["1", "2.5", ""]),
        (pd.Series([np.nan, np.nan]), "numeric", ["", ""]),
    ],
)
def test_every_type_of_column_is_read(series, kind, found):
    assert cells(series, kind) == found


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.sampled_from([1, 1.0, "1", True, None, "a", 2.5]), min_size=1, max_size=8))
def test_fast_and_slow_reading_agree(values):
    series = pd.Series(values, dtype=object)
    for kind in ("numeric", "categorical", "mixed"):
        one_by_one = [cells(pd.Series([value], dtype=object), kind)[0] for value in values]
        assert cells(series, kind) == one_by_one


def test_kinds_are_judged_by_the_cells_unless_declared():
    frame = pd.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", "y"],
            "c": pd.Series([1, "?"], dtype=object),
            "d": [True, False],
            "e": pd.Series([1, None], dtype=object),
            "f": ["1", "?"],
        }
    )
    found = {"a": "numeric", "b": "categorical", "c": "mixed", "d": "categorical", "e": "numeric", "f": "categorical"}
    assert column_kinds(frame, None) == found
    assert column_kinds(frame, {"f": "numeric"})["f"] == "numeric"
    assert column_kinds(frame, [Feature("a", "categorical", ("1", "2"))])["a"] == "categorical"


def test_a_declared_numeric_column_without_a_number_is_categorical_with_a_warning():
    frame = pd.DataFrame({"good": [1, 2], "bad": ["x", "?"]})
    with pytest.warns(UserWarning, match="column 'bad' is declared numeric but holds no number"):
        kinds = column_kinds(frame, {"bad": "numeric"})
    assert kinds["bad"] == "categorical"


def test_what_cannot_be_read_is_named():
    frame = pd.DataFrame({"a": [1.0, np.inf]})
    with pytest.raises(InputError, match="column 'a', row 1: the number is infinite"):
        Cells(frame, {"a": "numeric"})["a"]
    with pytest.raises(InputError, match="'b' is no column"):
        column_kinds(frame, {"b": "numeric"})
    with pytest.raises(InputError, match="declared 'ordinal'"):
        column_kinds(frame, {"a": "ordinal"})


def test_frames_are_matched_by_name_and_arrays_by_place():
    frame = pd.DataFrame({"b": [1], "extra": [0], "a": [2]})
    assert list(as_frame(frame, ["a", "b"]).columns) == ["a", "b"]
    assert as_frame(np.array([[2, 1]]), ["a", "b"]).to_dict("records") == [{"a": 2, "b": 1}]
    assert as_frame({"a": 2, "b": 1}, ["a", "b"]).to_dict("records") == [{"a": 2, "b": 1}]
    with pytest.raises(KeyError, match="column 'c' is missing"):
        as_frame(frame, ["a", "c"])
    assert issubclass(MissingColumnError, InputError)
    with pytest.raises(InputError, match="column '1' occurs more than once"):
        as_frame(pd.DataFrame([[1, 2]], columns=["1", 1]))
