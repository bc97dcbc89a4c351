"""Directions in other programs' files: safetensors with a JSON header, and llama.cpp's control vectors (GGUF)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.kinds import Direction
from explicate.core.provenance import Provenance
from explicate.errors import FileFormatError, InputError, MissingDependencyError
from explicate.runtime.files import replacing

FORMAT = "explicate-directions-1"


def write_safetensors(direction: Direction, path: str | Path) -> Path:
    """Each direction as a tensor named by its site; what is known of them is JSON in the file's header."""
    from safetensors.numpy import save_file

    facts = {name: direction.data[name].values.tolist() for name in _facts(direction)}
    attributes = {name: _plain(value) for name, value in direction.data.attrs.items()}
    header = {
        "format": FORMAT,
        "facts": json.dumps(
            {"facts": facts, "order": [str(site) for site in direction.sites], "attributes": attributes}
        ),
        "provenance": direction.provenance.to_json(),
    }
    tensors = {str(s): np.ascontiguousarray(v) for s, v in zip(direction.sites, direction.values, strict=True)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=header)
    return Path(path)


def read_safetensors(path: str | Path) -> Direction:
    """What `write_safetensors` wrote."""
    import xarray as xr
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise InputError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118, no mapping
    except SafetensorError as error:
        raise FileFormatError(f"{path} cannot be read as safetensors ({error}); make it again") from error
    if header.get("format") != FORMAT:
        raise FileFormatError(f"{path} holds no directions that this version can read; make it again")
    stored = json.loads(header["facts"])
    provenance = Provenance.from_json(header["provenance"])
    data = xr.Dataset(
        {"direction": (("site", "width"), np.stack([tensors[name] for name in stored["order"]]))},
        coords={"site": stored["order"]},
        attrs=stored["attributes"],
    )
    return Direction(data.assign({n: (("site",), np.array(v, float)) for n, v in stored["facts"].items()}), provenance)


def write_gguf(direction: Direction, path: str | Path) -> Path:
    """A control vector for llama.cpp (`--control-vector`): directions at block outputs, `resid_post`, from layer 1 on.

    Raises
    ------
    InputError : a direction elsewhere; llama.cpp adds them to the outputs of blocks only, and to none before block 1.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingDependencyError("GGUF files need the gguf package: pip install gguf") from error
    for site in direction.sites:
        if site.kind != "resid_post" or not site.layer:
            raise InputError(f"{site}: llama.cpp adds directions to outputs of blocks from 1 on: L1.resid_post, ...")
    with replacing(path) as temporary:
        writer = gguf.GGUFWriter(temporary, "controlvector")
        writer.add_string("controlvector.model_hint", direction.provenance.model or "unknown")
        writer.add_uint32("controlvector.layer_count", len(direction.sites))
        for site, vector in zip(direction.sites, direction.values, strict=True):
            writer.add_tensor(f"direction.{site.layer}", vector.astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return Path(path)


def _plain(value: Any) -> Any:
    """An attribute as JSON has it; a file read before gives numpy's."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _facts(direction: Direction) -> list[str]:
    return [str(name) for name, value in direction.data.data_vars.items() if value.dims == ("site",)]
