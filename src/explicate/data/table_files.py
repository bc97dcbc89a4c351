"""Reading a user's own table: CSV, Parquet or Arrow."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from explicate.core.features import features_of
from explicate.data.table import Table, Task
from explicate.errors import FileFormatError, InputError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

TEXT_FILES = (".csv", ".tsv", ".txt")
PARQUET_FILES = (".parquet", ".pq")
ARROW_FILES = (".arrow", ".feather")
MISSING_VALUES = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null")
MOST_CLASSES = 20


def table_from_file(
    path: str | Path,
    target: str | None = None,
    task: Literal["classification", "regression"] | None = None,
    immutable: tuple[str, ...] = (),
    sensitive: tuple[str, ...] = (),
) -> Table:
    """Read a table from a CSV (.csv, .tsv, .txt), Parquet (.parquet, .pq) or Arrow (.arrow, .feather) file.

    Columns of texts or truth values are categorical; their missing values become the category "unknown". Missing
    numbers stay NaN.

    Parameters
    ----------
    path : the file; its name without ending becomes the table's name.
    target : the column with the labels; None gives an unlabelled table.
    task : how to read the labels. By default numbers with fractions, or with more than 20 distinct values, are
        values to predict (regression), and everything else names classes (in sorted order).
    immutable, sensitive : names of columns, as in `Table`.

    Raises
    ------
    InputError : no such file or column, doubled or empty column names, a missing label, dates as features.
    FileFormatError : the file is empty, damaged or of an unknown kind.
    MissingDependencyError : Parquet and Arrow need pyarrow.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path")
    if path.stat().st_size == 0:
        raise FileFormatError(f"{path} is empty; give a file with a header line and rows")
    frame = _read(path)
    _check_names(path, [str(name) for name in frame.columns])
    frame.columns = [str(name) for name in frame.columns]
    if len(frame) == 0:
        raise FileFormatError(f"{path} has column names but no rows; add rows")
    if target is not None and target not in frame.columns:
        raise InputError(f"{path} has no column {target!r}; its columns are {', '.join(frame.columns)}")
    column = None if target is None else frame.pop(target)
    if len(frame.columns) == 0:
        raise InputError(f"{path} has no column beside the target {target!r}; add features")
    frame = frame.reset_index(drop=True)
    for name in frame.columns:
        frame[name] = _feature_column(path, name, frame[name])
    labels, found, class_names = _labels(path, column, task)
    return Table(
        name=path.stem,
        frame=frame,
        labels=labels,
        task=found,
        class_names=class_names,
        features=features_of(frame, immutable),
        sensitive=sensitive,
        source=f"file {path.name}",
    )


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    ending = path.suffix.lower()
    if ending not in TEXT_FILES + PARQUET_FILES + ARROW_FILES:
        kinds = ", ".join(TEXT_FILES + PARQUET_FILES + ARROW_FILES)
        raise FileFormatError(f"{path} is of an unknown kind; its name must end in one of {kinds}")
    try:
        if ending in TEXT_FILES:
            return _read_text(path)
        return pd.read_parquet(path) if ending in PARQUET_FILES else pd.read_feather(path)
    except ImportError as error:
        raise MissingDependencyError(f"reading {path} needs pyarrow; run: pip install pyarrow") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is no UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        if isinstance(error, InputError | FileFormatError):
            raise
        reason = " ".join(str(error).split())
        raise FileFormatError(f"{path} cannot be read as {ending[1:]}: {reason}; write it again") from error


def _read_text(path: Path) -> pd.DataFrame:
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), "")
        separator = max(",;\t|", key=first.count)
        header = next(csv.reader([first], delimiter=separator), [])
    # pandas would rename doubled columns without a word, so the names are checked before it sees them
    _check_names(path, [name.strip() for name in header])
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        return pd.read_csv(
            path,
            sep=separator,
            encoding="utf-8-sig",
            skipinitialspace=True,
            index_col=False,
            keep_default_na=False,
            na_values=list(MISSING_VALUES),
        ).rename(columns=str.strip)


def _check_names(path: Path, names: list[str]) -> None:
    for place, name in enumerate(names):
        if not name:
            raise InputError(f"{path}: column {place + 1} has no name; name it, or write the file without row numbers")
        if name in names[:place]:
            raise InputError(f"{path}: the column name {name!r} occurs more than once; rename one of them")


def _feature_column(path: Path, name: str, column: pd.Series) -> pd.Series:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise InputError(f"{path}: column {name!r} holds dates or times; turn it into numbers or categories first")
    whole = bool(column.notna().all())
    if whole and isinstance(column.dtype, pd.CategoricalDtype):
        return column  # whatever its categories are: a model fitted to them must get them back
    if whole and pd.api.types.is_bool_dtype(column):
        return column.astype(bool)
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        texts = column.astype(object).where(column.notna(), "unknown").astype(str)
        if isinstance(column.dtype, pd.CategoricalDtype):  # keep the order of the file's own categories
            order = [str(each) for each in column.cat.categories]
            order += ["unknown"] * (column.isna().any() and "unknown" not in order)
            return pd.Series(pd.Categorical(texts, categories=order))
        return texts.astype("category")
    if isinstance(column.dtype, pd.api.extensions.ExtensionDtype):
        return column.astype("float64")
    return column


def _labels(path: Path, column: pd.Series | None, task: str | None) -> tuple[np.ndarray, Task, tuple[str, ...]]:
    import pandas as pd

    if column is None:
        return np.empty(0), "unlabelled", ()
    name = column.name
    missing = np.flatnonzero(column.isna().to_numpy())
    if missing.size:
        count = f" and {missing.size - 1} more" if missing.size > 1 else ""
        raise InputError(f"{path}: column {name!r} has no label in row {missing[0]}{count}; drop the row or fill it in")
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if task is None:
        values = column.to_numpy(dtype=float) if numeric else np.empty(0)
        fractions = bool(np.any(values != np.rint(values)))
        task = "regression" if fractions or len(np.unique(values)) > MOST_CLASSES else "classification"
    if task == "regression":
        if not numeric:
            raise InputError(f"{path}: column {name!r} holds {column.iloc[0]!r}, which is no number to predict")
        return column.to_numpy(dtype=float), "regression", ()
    if task != "classification":
        raise InputError(f"task is {task!r}; use 'classification' or 'regression'")
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), "classification", tuple(str(each) for each in column.cat.categories)
    kinds, codes = np.unique(column.to_numpy(dtype=float) if numeric else column.astype(str), return_inverse=True)
    return codes, "classification", tuple(f"{kind:g}" if numeric else str(kind) for kind in kinds)
