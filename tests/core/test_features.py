import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.core.features import Feature, decode_frame, encode_frame, features_of
from explicate.errors import InputError

FRAME = pd.DataFrame({"age": [30.0, 40, 50], "job": ["cook", "pilot", "cook"], "active": [True, False, True]})


def test_kinds_and_categories_are_read_off_the_frame():
    features = features_of(FRAME, immutable=["age"])
    assert [f.kind for f in features] == ["numeric", "categorical", "categorical"]
    assert features[1].categories == ("cook", "pilot")
    assert [f.immutable for f in features] == [True, False, False]


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=20))
def test_encoding_is_undone_by_decoding(rows):
    features = (Feature("number"), Feature("letter", "categorical", ("a", "b", "c")))
    frame = pd.DataFrame(rows, columns=["number", "letter"])
    back = decode_frame(encode_frame(frame, features), features)
    assert (back["number"] == frame["number"]).all()
    assert back["letter"].astype(str).tolist() == frame["letter"].tolist()


def test_column_order_does_not_matter_but_names_do():
    features = features_of(FRAME)
    assert np.array_equal(encode_frame(FRAME[["job", "active", "age"]], features), encode_frame(FRAME, features))
    with pytest.raises(InputError, match="column 'job' is missing"):
        encode_frame(FRAME[["age", "active"]], features)


def test_bad_tables_are_named():
    with pytest.raises(InputError, match="row 1: category 'nurse' is unknown; known are cook, pilot"):
        encode_frame(FRAME.assign(job=["cook", "nurse", "cook"]), features_of(FRAME))
    with pytest.raises(InputError, match="'age' is numeric, but row 1 holds 'y'; write a number there or drop the row"):
        encode_frame(FRAME.assign(age=["1", "y", "z"]), features_of(FRAME))
    with pytest.raises(InputError, match="more than once"):
        features_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InputError, match="is no column"):
        features_of(FRAME, immutable=["height"])


def test_a_value_is_known_by_its_text_or_by_being_equal():
    features = features_of(pd.DataFrame({"region": pd.Categorical([1, 2, 3]), "owner": [True, False, True]}))
    assert [f.categories for f in features] == [("1", "2", "3"), ("False", "True")]
    for region, owner in ([3, 1], [True, False]), ([3.0, 1.0], [1, 0]), (["3", "1"], ["True", "False"]):
        assert encode_frame(pd.DataFrame({"region": region, "owner": owner}), features).tolist() == [[2, 1], [0, 0]]


def test_values_that_read_alike_are_refused():
    with pytest.raises(InputError, match="'mixed' holds different values that all read 1"):
        features_of(pd.DataFrame({"mixed": pd.Series([1, "1", 2], dtype=object)}))


def test_a_column_of_lists_is_refused():
    with pytest.raises(InputError, match="'tags' holds neither numbers nor categories: unhashable type"):
        features_of(pd.DataFrame({"tags": [["a"], ["b"]]}))


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA])
def test_a_missing_value_is_named_by_column_and_row(empty):
    features = features_of(FRAME)
    for job, row in (([empty] * 3, 0), (["cook", empty, "pilot"], 1)):
        with pytest.raises(InputError, match=f"'job', row {row}: no value; fill it in or drop the row"):
            encode_frame(FRAME.assign(job=job), features)
    assert np.isnan(encode_frame(FRAME.assign(age=[1, empty, 3]), features)[1, 0])  # as in arrays; models refuse it
