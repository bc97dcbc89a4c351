from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.core.features import features_of
from explicate.data import Table
from explicate.errors import InputError, SelectionError


def small(rows: int = 40, classes: int = 2, **changes) -> Table:
    frame = pd.DataFrame(
        {
            "income": np.arange(rows, dtype=float),
            "sex": pd.Categorical(["f", "m"] * (rows // 2) + ["f"] * (rows % 2)),
            "age": np.arange(rows) + 18,
        }
    )
    parts = {
        "name": "small",
        "frame": frame,
        "labels": np.arange(rows) % classes,
        "task": "classification",
        "class_names": tuple("abcdefgh"[:classes]),
        "features": features_of(frame, immutable=("age", "sex")),
        "sensitive": ("sex",),
    }
    return Table(**{**parts, **changes})


def test_values_are_numbers_with_codes_for_categories() -> None:
    assert small(3).values().tolist() == [[0, 0, 18], [1, 1, 19], [2, 0, 20]]


def test_repr_is_one_line_that_says_what_it_is() -> None:
    text = repr(small())
    assert text == "Table('small': 40 rows, 3 features of which 1 categorical, classification, 2 classes)"


def test_numeric_keeps_numbers_and_forgets_categorical_sensitive_columns() -> None:
    numeric = small().numeric()
    assert [feature.name for feature in numeric.features] == ["income", "age"]
    assert list(numeric.frame.columns) == ["income", "age"]
    assert numeric.sensitive == ()
    assert numeric.immutable == ("age",)
    assert len(numeric) == 40


def test_numeric_of_categories_only_is_refused() -> None:
    with pytest.raises(InputError, match=r"no numeric feature.*values\(\)"):
        small().columns(["sex"]).numeric()


def test_columns_are_chosen_in_the_order_given() -> None:
    assert list(small().columns(["age", "income"]).frame.columns) == ["age", "income"]
    with pytest.raises(InputError, match="no feature 'height'; there are income, sex, age"):
        small().columns(["height"])


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([3, 1, 1], [3, 1, 1]),
        ([-1], [39]),
        (slice(2, 5), [2, 3, 4]),
        (np.arange(40) < 2, [0, 1]),
        ([], []),
    ],
)
def test_take_keeps_rows_labels_and_categories_together(rows, kept) -> None:
    table = small().take(rows)
    assert table.frame["income"].tolist() == kept
    assert table.labels.tolist() == [row % 2 for row in kept]
    assert table.frame.index.tolist() == list(range(len(kept)))
    assert list(table.frame["sex"].cat.categories) == ["f", "m"]


@pytest.mark.parametrize("rows", [[40], [-41], [0.5], [True, False], [[0]]])
def test_take_refuses_rows_that_do_not_exist(rows) -> None:
    with pytest.raises(SelectionError, match="table 'small'"):
        small().take(rows)


@given(
    rows=st.integers(12, 60),
    classes=st.integers(2, 4),
    test=st.floats(0.35, 0.6),
    seed=st.integers(0, 2**40),
)
def test_split_divides_every_class_alike(rows, classes, test, seed) -> None:
    table = small(rows, classes)
    training, held_out = table.split(test, seed)
    both = np.concatenate([training.frame["income"], held_out.frame["income"]])
    assert sorted(both) == list(range(rows))
    whole = np.bincount(table.labels, minlength=classes) * len(held_out) / rows
    assert np.all(np.abs(np.bincount(held_out.labels, minlength=classes) - whole) <= 1)
    for part in (training, held_out):
        assert np.array_equal(part.labels, part.frame["income"].to_numpy().astype(int) % classes)


def test_split_depends_on_the_seed_only() -> None:
    first, second, other = (small().split(0.25, seed)[1].frame["income"].tolist() for seed in (7, 7, 8))
    assert len(first) == 10
    assert first == second
    assert first != other


def test_split_refuses_what_cannot_be_divided() -> None:
    with pytest.raises(InputError, match=r"between 0 and 1, for example 0\.2"):
        small().split(1.5)
    with pytest.raises(InputError, match="cannot be divided") as caught:
        small(labels=np.array([1] + [0] * 39)).split()
    assert "\n" not in str(caught.value)


def test_an_unlabelled_table_has_no_labels_and_can_be_divided() -> None:
    table = small(labels=np.empty(0), task="unlabelled", class_names=())
    training, held_out = table.split(0.25)
    assert (len(training), len(held_out), held_out.labels.size, held_out.classes) == (30, 10, 0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(3)}, "40 labels are needed"),
        ({"labels": np.full(40, 2)}, "from 2 to 2, but there are 2 class names"),
        ({"task": "ranking"}, "use one of classification, regression, unlabelled"),
        ({"sensitive": ("race",)}, "sensitive column 'race' is no feature"),
        ({"features": ()}, "features and columns differ"),
        ({"task": "regression", "class_names": (), "labels": np.array([np.nan] * 40)}, "row 0: the label is nan"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message) -> None:
    with pytest.raises(InputError, match=message):
        small(**changes)
