from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from explicate.data import table_from_file
from explicate.errors import FileFormatError, InputError, MissingDependencyError


def written(folder: Path, text: str, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "age,city,grant\n31,Bern,yes\n45,Ulm,no\n28,,yes\n"


def test_a_csv_file_becomes_a_table(tmp_path) -> None:
    table = table_from_file(written(tmp_path, GOOD), target="grant", immutable=("age",), sensitive=("city",))
    assert (table.name, table.task, table.class_names) == ("people", "classification", ("no", "yes"))
    assert table.labels.tolist() == [1, 0, 1]
    assert table.frame["city"].tolist() == ["Bern", "Ulm", "unknown"]
    assert table.features[1].categories == ("Bern", "Ulm", "unknown")
    assert (table.immutable, table.sensitive) == (("age",), ("city",))


def test_without_a_target_the_table_is_unlabelled(tmp_path) -> None:
    table = table_from_file(written(tmp_path, GOOD))
    assert (table.task, table.labels.size, len(table)) == ("unlabelled", 0, 3)


@pytest.mark.parametrize(("separator", "name"), [(";", "a.csv"), ("\t", "a.tsv"), ("|", "a.txt")])
def test_other_separators_are_seen(tmp_path, separator, name) -> None:
    table = table_from_file(written(tmp_path, GOOD.replace(",", separator), name), target="grant")
    assert list(table.frame.columns) == ["age", "city"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path) -> None:
    assert table_from_file(written(tmp_path, "\ufeff" + GOOD)).features[0].name == "age"


def test_missing_numbers_stay_missing(tmp_path) -> None:
    table = table_from_file(written(tmp_path, "a,y\n1.5,0\n?,1\n"), target="y")
    assert table.features[0].kind == "numeric"
    assert math.isnan(table.frame["a"][1])


def test_the_category_none_is_kept(tmp_path) -> None:
    assert table_from_file(written(tmp_path, "debt,y\nNone,0\nsome,1\n"), "y").frame["debt"].tolist() == [
        "None",
        "some",
    ]


@pytest.mark.parametrize(
    ("values", "task", "class_names"),
    [
        (["1", "0", "1"], "classification", ("0", "1")),
        (["10", "9", "2"], "classification", ("2", "9", "10")),
        (["1.0", "0.0", "1.0"], "classification", ("0", "1")),
        (["True", "False", "True"], "classification", ("False", "True")),
        (["1.5", "0.0", "1.0"], "regression", ()),
        ([str(value) for value in range(21)], "regression", ()),
        ([str(value) for value in range(20)], "classification", tuple(str(value) for value in range(20))),
    ],
)
def test_labels_are_read_as_classes_or_values(tmp_path, values, task, class_names) -> None:
    text = "x,y\n" + "".join(f"{place},{value}\n" for place, value in enumerate(values))
    table = table_from_file(written(tmp_path, text), target="y")
    assert (table.task, table.class_names) == (task, class_names)
    if task == "classification":
        meant = [class_names[code] for code in table.labels]
        assert meant == [value.removesuffix(".0") for value in values]
    else:
        assert table.labels.tolist() == [float(value) for value in values]


def test_the_task_can_be_given(tmp_path) -> None:
    path = written(tmp_path, "x,y\n1,3\n2,4\n")
    assert table_from_file(path, "y", task="regression").labels.tolist() == [3.0, 4.0]
    assert table_from_file(path, "y").class_names == ("3", "4")
    with pytest.raises(InputError, match="use 'classification' or 'regression'"):
        table_from_file(path, "y", task="ranking")
    with pytest.raises(InputError, match="holds 'yes', which is no number to predict"):
        table_from_file(written(tmp_path, GOOD), "grant", task="regression")


@pytest.mark.parametrize("name", ["a.parquet", "a.pq", "a.arrow", "a.feather"])
def test_parquet_and_arrow_keep_their_categories(tmp_path, name) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "size": pd.Categorical(["s", "l", None], categories=["s", "m", "l"]),
            "flag": [True, False, True],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "y": [0.5, 1.5, 2.5],
        }
    )
    path = tmp_path / name
    frame.to_parquet(path) if name.endswith(("parquet", "pq")) else frame.to_feather(path)
    table = table_from_file(path, target="y")
    assert table.task == "regression"
    assert table.features[0].categories == ("s", "m", "l", "unknown")
    assert table.frame["flag"].tolist() == [True, False, True]
    assert table.features[1].categories == ("False", "True")
    assert table.features[2].kind == "numeric"
    assert np.isnan(table.frame["count"][1])


@pytest.mark.parametrize(
    ("text", "target", "error", "message"),
    [
        ("", None, FileFormatError, "is empty"),
        ("\n\n", None, FileFormatError, "cannot be read as csv"),
        ("a,y\n", "y", FileFormatError, "no rows"),
        ("a,y\n1,2\n", "z", InputError, "has no column 'z'; its columns are a, y"),
        ("a,a,y\n1,2,0\n", "y", InputError, "the column name 'a' occurs more than once"),
        ("a, a,y\n1,2,0\n", "y", InputError, "the column name 'a' occurs more than once"),
        (",a,y\n0,2,0\n", "y", InputError, "column 1 has no name"),
        ("a,y\n1,0\n2,\n3,nan\n", "y", InputError, "no label in row 1 and 1 more"),
        ("y\n1\n", "y", InputError, "no column beside the target"),
        ("a,y\n1,2\n3,4,5\n", "y", FileFormatError, "cannot be read as csv"),
        ("a,y\n1,2,3\n3,4,5\n", "y", FileFormatError, "cannot be read as csv"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, target, error, message) -> None:
    path = written(tmp_path, text)
    with pytest.raises(error, match=message) as caught:
        table_from_file(path, target)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        table_from_file(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="there is no file"):
        table_from_file(tmp_path)
    with pytest.raises(FileFormatError, match=r"unknown kind; its name must end in one of \.csv"):
        table_from_file(written(tmp_path, GOOD, "people.xlsx"))
    (tmp_path / "latin.csv").write_bytes("stadt,y\nZürich,1\n".encode("latin-1"))
    with pytest.raises(FileFormatError, match="no UTF-8 text"):
        table_from_file(tmp_path / "latin.csv", "y")
    pytest.importorskip("pyarrow")
    with pytest.raises(FileFormatError, match="cannot be read as parquet") as caught:
        table_from_file(written(tmp_path, GOOD, "people.parquet"))
    assert "\n" not in str(caught.value)


def test_dates_are_no_features(tmp_path) -> None:
    pytest.importorskip("pyarrow")
    pd.DataFrame({"born": pd.to_datetime(["2001-01-01"]), "y": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="column 'born' holds dates"):
        table_from_file(tmp_path / "a.parquet", "y")


def test_without_pyarrow_the_command_is_named(tmp_path, monkeypatch) -> None:
    def absent(path):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", absent)
    with pytest.raises(MissingDependencyError, match=r"pip install pyarrow$"):
        table_from_file(written(tmp_path, GOOD, "a.parquet"))


@pytest.mark.parametrize(
    "column",
    [pd.Series([True, False, True]), pd.Series(pd.Categorical([3, 1, 3])), pd.Series(pd.Categorical(list("aba")))],
)
def test_values_of_a_column_without_gaps_stay_what_they_are(tmp_path, column):
    """A model fitted to booleans, or to categories that are numbers, must be given these again."""
    pd.DataFrame({"kind": column, "size": [1.0, 2.0, 3.0]}).to_feather(tmp_path / "rows.feather")
    table = table_from_file(tmp_path / "rows.feather")
    assert table.frame["kind"].tolist() == column.tolist()
    assert [feature.kind for feature in table.features] == ["categorical", "numeric"]
