"""Content hashes: the same content gives the same short text on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 16  # bytes: 32 hexadecimal digits


def digest(*values: Any) -> str:
    """Hash values made of None, bool, int, float, str, bytes, arrays, paths (by content), lists, tuples and dicts."""
    state = hashlib.blake2b(digest_size=SIZE)
    for value in values:
        _feed(state, value)
    return state.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value. NaN and infinities are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        _tagged(state, "bytes", value)
    elif isinstance(value, Path):
        inner = hashlib.blake2b(digest_size=SIZE)
        with value.open("rb") as file:
            while block := file.read(1 << 20):
                inner.update(block)
        _tagged(state, "file", inner.digest())
    elif isinstance(value, np.ndarray):
        if value.dtype.kind in "OSU":
            _tagged(state, f"array{value.shape}", b"")
            _feed(state, value.tolist())
        else:
            content = np.ascontiguousarray(value)
            _tagged(state, f"array{value.shape}{value.dtype.str}", content.view(np.uint8).reshape(-1).data)
    elif isinstance(value, dict):
        _tagged(state, f"dict{len(value)}", b"")
        for key in sorted(value, key=str):
            _feed(state, str(key))
            _feed(state, value[key])
    elif isinstance(value, list | tuple):
        _tagged(state, f"list{len(value)}", b"")
        for item in value:
            _feed(state, item)
    elif value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        _tagged(state, type(value).__name__, str(value).encode() if isinstance(value, str) else repr(value).encode())
    elif isinstance(value, float):
        _tagged(state, "float", repr(value).encode())
    else:
        raise TypeError(
            f"cannot take the fingerprint of a {type(value).__name__}: turn it into arrays, numbers or text"
        )


def _tagged(state: Any, tag: str, content: Any) -> None:
    state.update(f"{tag}:{len(content)}:".encode())
    state.update(content)
