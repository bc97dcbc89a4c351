"""The cells of a table as FOLD reads them: each cell is a number or a text, and both may stand in one column.

A missing cell (None, NaN) is the empty text. Nothing is scaled, imputed or one-hot encoded.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from explicate.core.features import Feature
from explicate.errors import InputError, MissingColumnError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

ColumnKind = Literal["numeric", "categorical", "mixed"]
"""How cells are read. numeric: as a number where they can be; categorical: as a text; mixed: by their type."""

Value = float | str
MISSING = ""


@dataclass(frozen=True, eq=False)
class Column:
    """The cells of one column.

    Attributes
    ----------
    numbers : (row,) float64; NaN where the cell is a text. None where all cells are texts.
    words : the distinct texts, sorted.
    codes : (row,) which of `words` a cell is; -1 where it is a number. None where all cells are numbers.
    """

    numbers: np.ndarray | None
    words: tuple[str, ...] = ()
    codes: np.ndarray | None = None

    def __len__(self) -> int:
        array = self.numbers if self.codes is None else self.codes
        return 0 if array is None else len(array)

    def at_most(self, threshold: float) -> np.ndarray:
        """(row,) whether the cell is a number that is not above `threshold`."""
        if self.numbers is None:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.numbers <= threshold)

    def above(self, threshold: float) -> np.ndarray:
        """(row,) whether the cell is a number above `threshold`; texts are not."""
        if self.numbers is None:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.numbers > threshold)

    def equals(self, word: str) -> np.ndarray:
        """(row,) whether the cell is the text `word`."""
        if self.codes is None or word not in self.words:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.codes == self.words.index(word))

    def cell(self, row: int) -> Value:
        """One cell."""
        if self.codes is not None and self.codes[row] >= 0:
            return self.words[self.codes[row]]
        assert self.numbers is not None
        return float(self.numbers[row])


class Cells:
    """A table whose columns are read when they are first asked for.

    Parameters
    ----------
    frame : the rows; column names are texts and each occurs once (see `as_frame`).
    kinds : how to read each column.
    """

    def __init__(self, frame: pd.DataFrame, kinds: Mapping[str, ColumnKind]) -> None:
        self._frame = frame
        self.kinds = kinds
        self._read: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self._frame)

    def __getitem__(self, name: str) -> Column:
        if name not in self._read:
            if name not in self.kinds or name not in self._frame:
                raise UnknownNameError(f"the table has no column {name!r}; there are {', '.join(self._frame)}")
            self._read[name] = read_column(self._frame[name], self.kinds[name])
        return self._read[name]


class StoredCells:
    """A table of cells that are already read: name -> `Column`."""

    def __init__(self, columns: Mapping[str, Column], rows: int) -> None:
        self._columns = columns
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> Column:
        if name not in self._columns:
            raise UnknownNameError(f"the table has no column {name!r}; there are {', '.join(self._columns)}")
        return self._columns[name]


AnyCells = Cells | StoredCells


def column_kinds(frame: pd.DataFrame, declared: Mapping[str, str] | Sequence[Feature] | None) -> dict[str, ColumnKind]:
    """How each column of a training table is to be read.

    Parameters
    ----------
    declared : kinds that the user knows: `Feature` objects, or name -> "numeric", "categorical" or "mixed". The other
        columns are judged by what they hold: numbers, texts (categories and truth values too), or both.

    Raises
    ------
    InputError : a declared name is no column, a kind is none of the three, or a column holds dates.
    """
    import pandas as pd

    if declared is not None and not isinstance(declared, Mapping):
        declared = {feature.name: feature.kind for feature in declared}
    declared = {str(name): kind for name, kind in (declared or {}).items()}
    for name, said in declared.items():
        if name not in frame:
            raise InputError(f"the declared feature {name!r} is no column; there are {', '.join(frame)}")
        if said not in get_args(ColumnKind):
            raise InputError(f"column {name!r} is declared {said!r}; use 'numeric', 'categorical' or 'mixed'")
    kinds: dict[str, ColumnKind] = {}
    for name in frame:
        kind: str | None = declared.get(name)
        if pd.api.types.is_datetime64_any_dtype(frame[name]) or pd.api.types.is_timedelta64_dtype(frame[name]):
            raise InputError(f"column {name!r} holds dates or times; turn it into numbers or categories first")
        if kind == "numeric" and not _has_number(read_column(frame[name], "numeric")):
            warnings.warn(
                f"column {name!r} is declared numeric but holds no number; it is read as categorical", stacklevel=4
            )
            kind = "categorical"
        kinds[name] = _kind_of(frame[name]) if kind is None else kind  # type: ignore[assignment]
    return kinds


def read_column(series: pd.Series, kind: ColumnKind) -> Column:
    """Read the cells of a column.

    Raises
    ------
    InputError : a number is infinite.
    """
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        column = _from_distinct(series.cat.codes.to_numpy(), series.cat.categories, kind)
    elif _holds_numbers(series) and kind != "categorical":
        column = _from_numbers(series.to_numpy(dtype=float, na_value=np.nan))
    elif pd.api.types.is_object_dtype(dtype) and pd.api.types.infer_dtype(series, skipna=True) != "string":
        # by cell: a dictionary of distinct values would take 1, 1.0 and True for the same
        column = _from_cells([read_cell(cell, kind) for cell in series])
    else:
        codes, distinct = pd.factorize(series)
        column = _from_distinct(codes, distinct, kind)
    if column.numbers is not None and np.isinf(column.numbers).any():
        row = int(np.flatnonzero(np.isinf(column.numbers))[0])
        raise InputError(f"column {series.name!r}, row {row}: the number is infinite; replace it or leave it empty")
    return column


def read_cell(cell: Any, kind: ColumnKind) -> Value:
    """One cell as a number or a text; missing cells are the empty text."""
    if cell is None or (not isinstance(cell, str) and _is_missing(cell)):
        return MISSING
    if kind == "numeric":
        return _number_in(cell)
    if kind == "mixed" and isinstance(cell, numbers.Real) and not isinstance(cell, bool | np.bool_):
        return float(cell)
    return text_of(cell)


def text_of(cell: Any) -> str:
    """A value as a category: whole numbers have no fraction, whatever type a gap in the column gave them."""
    if isinstance(cell, float | np.floating) and math.isfinite(cell) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def as_frame(inputs: Any, names: Sequence[str] | None = None, model: str = "the program") -> pd.DataFrame:
    """Rows as a data frame whose column names are texts.

    Parameters
    ----------
    inputs : a data frame, one row as a mapping or series, or an array (row, column).
    names : what the columns of an array are called; by default x0, x1, ... Of a data frame, the columns that must be
        there; others are left out.
    model : who wants the rows, for the error.

    Raises
    ------
    InputError : a column name occurs twice, or the array has no two dimensions, no row or no column.
    MissingColumnError : a column of `names` is not there.
    """
    import pandas as pd

    if isinstance(inputs, Mapping | pd.Series) and not hasattr(inputs, "nnz"):  # one kind of sparse matrix is a mapping
        inputs = pd.DataFrame([dict(inputs)])
    if not isinstance(inputs, pd.DataFrame):
        values = _as_array(inputs)
        if names is not None and len(names) != values.shape[1]:
            raise InputError(
                f"X has {values.shape[1]} features, but {model} is expecting {len(names)} features as input"
            )
        return pd.DataFrame(values, columns=list(names or (f"x{place}" for place in range(values.shape[1]))))
    found = [str(name) for name in inputs.columns]
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled:
        raise InputError(f"column {doubled[0]!r} occurs more than once; rename one of them")
    if found != list(inputs.columns):
        inputs = inputs.set_axis(found, axis=1)
    if names is None:
        return inputs
    absent = [name for name in names if name not in found]
    if absent:
        raise MissingColumnError(f"column {absent[0]!r} is missing; needed are {', '.join(names)}")
    return inputs if found == list(names) else inputs[list(names)]


def _as_array(inputs: Any) -> np.ndarray:
    from sklearn.utils import check_array

    try:
        return np.asarray(check_array(inputs, dtype=None, ensure_all_finite=False))
    except (TypeError, ValueError) as error:
        raise InputError(" ".join(str(error).split())) from error


def _holds_numbers(series: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)


def _has_number(column: Column) -> bool:
    return column.numbers is not None and not np.isnan(column.numbers).all()


def _kind_of(series: pd.Series) -> ColumnKind:
    if _holds_numbers(series):
        return "numeric"
    if series.dtype != object:
        return "categorical"
    column = read_column(series, "mixed")
    if not _has_number(column):
        return "categorical"
    return "mixed" if any(word != MISSING for word in column.words) else "numeric"


def _is_missing(cell: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_scalar(cell) and bool(pd.isna(cell))


def _number_in(cell: Any) -> Value:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return text_of(cell)
    return number if math.isfinite(number) or not isinstance(cell, str) else cell


def _from_numbers(values: np.ndarray) -> Column:
    missing = np.isnan(values)
    if not missing.any():
        return Column(values)
    return Column(values, (MISSING,), np.where(missing, 0, -1).astype(np.int32))


def _from_cells(cells: Sequence[Value]) -> Column:
    import pandas as pd

    is_text = np.fromiter((isinstance(cell, str) for cell in cells), dtype=bool, count=len(cells))
    values = np.array([np.nan if isinstance(cell, str) else cell for cell in cells], dtype=float)
    if not is_text.any():
        return Column(values)
    codes = np.full(len(cells), -1, dtype=np.int32)
    texts = pd.Series([cell for cell in cells if isinstance(cell, str)], dtype=object)
    found, words = pd.factorize(texts, sort=True)
    codes[is_text] = found
    return Column(None if is_text.all() else values, tuple(words), codes)


def _from_distinct(codes: np.ndarray, distinct: Iterable[Any], kind: ColumnKind) -> Column:
    """Cells given as indices (-1: missing) in a list of distinct values."""
    values = [read_cell(value, kind) for value in distinct]
    values.append(MISSING)  # reached by the index -1
    present = np.zeros(len(values), dtype=bool)
    present[np.unique(codes)] = True
    words = sorted({value for value, there in zip(values, present, strict=True) if there and isinstance(value, str)})
    places = {word: place for place, word in enumerate(words)}
    word_codes = np.array([places.get(v, -1) if isinstance(v, str) else -1 for v in values], dtype=np.int32)
    amounts = np.array([np.nan if isinstance(value, str) else value for value in values], dtype=float)
    has_numbers = bool((~np.isnan(amounts) & present).any())
    return Column(
        amounts[codes] if has_numbers else None,
        tuple(words),
        word_codes[codes] if words or not has_numbers else None,
    )
