"""Writing files so that a reader sees the old content or the new one, never half of either."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from explicate.errors import OutputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the place of `path` when the block ends without an exception."""
    path = Path(path)
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path` at once."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_text(path: str | Path, content: str) -> Path:
    """Write `content` to `path` at once, as UTF-8."""
    return write_bytes(path, content.encode())


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as indented JSON with sorted keys and a final newline; NaN is refused."""
    return write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def make_folder(path: str | Path) -> Path:
    """Make a folder and its parents; an `OutputError` names what stands in the way."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}; choose another") from error
    return path


def cache_folder(*parts: str) -> Path:
    """A folder in the user's cache: below `$EXPLICATE_CACHE`, `$XDG_CACHE_HOME/explicate` or `~/.cache/explicate`."""
    own = os.environ.get("EXPLICATE_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME")
    top = Path(own) if own else (Path(shared) if shared else Path.home() / ".cache") / "explicate"
    return make_folder(top.joinpath(*parts))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
