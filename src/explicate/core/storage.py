"""Explanations on disk: NetCDF4 through h5netcdf, one file, never pickle.

The root attributes `explicate_format`, `kind` and `provenance` (JSON) say what the file is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from explicate.core.provenance import Provenance
from explicate.errors import FileFormatError, InputError
from explicate.runtime.files import replacing

FORMAT = 1
COMPRESSED_FROM = 4096  # entries; smaller variables only grow by compression


def write(path: Path, data: xr.Dataset, kind: str, provenance: Provenance) -> Path:
    """Write a data set at once: either the whole file is there afterwards or nothing has changed."""
    stored = data.assign_attrs(
        {**data.attrs, "explicate_format": FORMAT, "kind": kind, "provenance": provenance.to_json()}
    )
    encoding = {
        str(name): {"zlib": True, "complevel": 4}
        for name, variable in data.variables.items()
        if variable.size >= COMPRESSED_FROM and variable.dtype.kind in "fiub"
    }
    with replacing(path) as temporary:
        stored.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
    return path


def read(path: Path) -> tuple[xr.Dataset, str, Provenance]:
    """Read a file that `write` wrote: data set, kind, provenance."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as opened:
            data = opened.load()
    except Exception as error:
        raise FileFormatError(
            f"{path} cannot be read as NetCDF4 ({error}); it may be cut short: make it again"
        ) from error
    attributes = dict(data.attrs)
    if "explicate_format" not in attributes:
        raise FileFormatError(f"{path} is a NetCDF file but holds no explanation")
    damaged = f"{path}: its attributes are damaged, or a newer version wrote them; make the file again"
    try:
        version = int(np.asarray(attributes.pop("explicate_format")).item())
    except ValueError as error:
        raise FileFormatError(damaged) from error
    if version > FORMAT:
        raise FileFormatError(f"{path} has format {version}, this version reads up to {FORMAT}; update explicate")
    try:
        kind = str(attributes.pop("kind"))
        provenance = Provenance.from_json(str(attributes.pop("provenance")))
    except (KeyError, FileFormatError) as error:
        raise FileFormatError(damaged) from error
    data.attrs = attributes
    for variable in data.variables.values():
        variable.encoding = {}
    return data, kind, provenance
