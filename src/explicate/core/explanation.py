"""The one result type: labelled arrays plus provenance.

`Explanation` holds an `xarray.Dataset` with named dimensions. Pictures, metrics, files and reports work on it alone, so
a new method has all of them at once. Each kind says which variables it must have, and checks them when it is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import xarray as xr

from explicate.core import registry, storage
from explicate.core.provenance import Provenance
from explicate.errors import FileFormatError, InputError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

_KINDS: dict[str, type[Explanation]] = {}


class Explanation:
    """Labelled arrays that explain something, and where they came from.

    Parameters
    ----------
    data : variables and coordinates; see `required` for those that a kind must have, with their leading dimensions.
    provenance : method, parameters, model, seed, versions and cost.

    Raises
    ------
    InputError : a required variable is missing, has other dimensions, or holds NaN or infinities.
    """

    kind: ClassVar[str] = "explanation"
    main: ClassVar[str] = ""
    required: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init__(self, data: xr.Dataset, provenance: Provenance) -> None:
        self.data = data
        self.provenance = provenance
        self._check()

    def __init_subclass__(cls) -> None:
        _KINDS[cls.kind] = cls

    def _check(self) -> None:
        for name, leading in self.required.items():
            if name not in self.data:
                have = ", ".join(map(str, self.data)) or "none"
                raise InputError(f"{type(self).__name__} needs the variable {name!r}; it has {have}")
            dims = tuple(str(dim) for dim in self.data[name].dims)
            if dims[: len(leading)] != leading:
                raise InputError(f"the variable {name!r} must start with the dimensions {leading}, not {dims}")
            values = self.data[name].values
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise InputError(f"the variable {name!r} holds NaN or infinite values: the method or the model failed")

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.data[name]

    def __len__(self) -> int:
        return int(self.data.sizes.get("sample", 1))

    def sel(self, **labels: Any) -> Self:
        """Part of the explanation, by labels (as `xarray.Dataset.sel`); samples stay a dimension."""
        return type(self)(self.data.sel({k: _kept(v) for k, v in labels.items()}), self.provenance)

    def isel(self, **places: Any) -> Self:
        """Part of the explanation, by position (as `xarray.Dataset.isel`); samples stay a dimension."""
        return type(self)(self.data.isel({k: _kept(v) for k, v in places.items()}), self.provenance)

    def to_frame(self) -> pd.DataFrame:
        """The main variable as a tidy data frame: one row per entry, dimensions as columns."""
        name = self.main or next(iter(self.data))
        frame = self.data[name].to_dataframe()
        return frame.reset_index(drop=name in frame.index.names)  # rules are their own labels

    def save(self, path: str | Path) -> Path:
        """Write everything to one NetCDF4 file, readable from any language; nothing is half-written."""
        return storage.write(Path(path), self.data, self.kind, self.provenance)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote. Called on a kind, it refuses files of another kind."""
        data, kind, provenance = storage.read(Path(path))
        found = _KINDS.get(kind)
        if found is None:
            try:
                found = registry.find(kind, "kinds")
            except UnknownNameError as error:
                raise FileFormatError(
                    f"{path} holds a {kind!r}, which this version does not know; update explicate"
                ) from error
        if not issubclass(found, cls):
            raise FileFormatError(f"{path} holds a {kind!r}, not a {cls.kind!r}; use Explanation.load")
        return found(data, provenance)  # type: ignore[return-value]

    def plot(self, **options: Any) -> Any:
        """Draw it; returns the matplotlib axes. Options depend on the kind, `ax=` always works."""
        return registry.find(self.kind, "pictures")(self, **options)

    def _repr_html_(self) -> str:
        return str(registry.find(self.kind, "fragments")(self))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in self.data.sizes.items())
        return f"<{type(self).__name__} ({sizes}) by {self.provenance.summary()}>"


_KINDS["explanation"] = Explanation


def _kept(value: Any) -> Any:
    return value if isinstance(value, slice | list | np.ndarray | tuple) else [value]
