"""A cache of calls on disk, addressed by what was asked: the same question is never paid for twice."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from explicate.errors import InputError
from explicate.runtime.files import write_json
from explicate.runtime.fingerprint import canonical_json, digest

Mode = Literal["read", "write", "both", "off"]

FORMAT = 1
_MISSING: Any = object()


class CallCache:
    """JSON answers under the digest of their questions, one file each; safe to share between processes.

    Entries never expire: everything that an answer depends on belongs into its key (the model's fingerprint with
    whatever is attached to it, the messages, the parameters, and the repetition where answers are drawn at random).

    Parameters
    ----------
    folder : where the entries lie, in two levels of folders; made when the first one is stored.
    mode : "both" looks up and stores; "read" never stores; "write" stores without looking; "off" does neither.

    Attributes
    ----------
    hits, misses : look-ups by this object that found an answer, and that did not.
    """

    def __init__(self, folder: str | Path, mode: Mode = "both") -> None:
        if mode not in get_args(Mode):
            raise InputError(f"there is no cache mode {mode!r}: choose one of {', '.join(get_args(Mode))}")
        self.folder = Path(folder)
        self.mode: Mode = mode
        self.hits = 0
        self.misses = 0
        self._counting = threading.Lock()

    def __repr__(self) -> str:
        return f"CallCache({str(self.folder)!r}, mode={self.mode!r}, hits={self.hits}, misses={self.misses})"

    def __reduce__(self) -> tuple[type[CallCache], tuple[str, Mode]]:  # a copy in another process counts for itself
        return CallCache, (str(self.folder), self.mode)

    def path(self, key_fields: Mapping[str, Any]) -> Path:
        """The file of an entry, whether there is one or not."""
        key = digest(_json(dict(key_fields), "the key of a cached call"))
        return self.folder / f"{key[:2]}/{key[2:4]}/{key}.json"

    def get(self, key_fields: Mapping[str, Any], default: Any = None) -> Any:
        """The stored answer to `key_fields`, else `default`; a damaged entry counts as none, with a warning."""
        value = self._look_up(key_fields) if self.mode in ("read", "both") else _MISSING
        with self._counting:
            if value is _MISSING:
                self.misses += 1
            else:
                self.hits += 1
        return default if value is _MISSING else value

    def put(self, key_fields: Mapping[str, Any], value: Any) -> None:
        """Store an answer, replacing an older one; nothing is stored in the modes "read" and "off".

        Raises `InputError` for a value that is not JSON (NaN included), `OutputError` if it cannot be written.
        """
        _json(value, "a cached answer")
        if self.mode in ("write", "both"):
            write_json(self.path(key_fields), {"format": FORMAT, "key": dict(key_fields), "value": value})

    def fetch(self, key_fields: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """The stored answer, else that of `compute()`, which is then stored.

        A computed answer is returned as JSON would give it back (lists for tuples, texts for keys), so that a run
        on a cold cache sees what a run on a warm one sees.
        """
        value = self.get(key_fields, _MISSING)
        if value is _MISSING:
            value = json.loads(_json(compute(), "a cached answer"))
            self.put(key_fields, value)
        return value

    def _look_up(self, key_fields: Mapping[str, Any]) -> Any:
        path = self.path(key_fields)
        try:
            entry = json.loads(path.read_bytes())
        except FileNotFoundError:
            return _MISSING
        except (OSError, ValueError) as error:
            return _missed(path, f"cannot be read ({error})")
        if not isinstance(entry, dict) or not {"format", "key", "value"} <= entry.keys():
            return _missed(path, "is no entry of a call cache")
        if entry["format"] != FORMAT:
            return _missed(path, f"has format {entry['format']}, this version reads {FORMAT}")
        own = dict(key_fields)  # most often equal as it is; else as JSON has it, lists for tuples
        if entry["key"] != own and canonical_json(entry["key"]) != canonical_json(own):
            return _missed(path, "answers another question")
        return entry["value"]


def _missed(path: Path, reason: str) -> Any:
    warnings.warn(f"cache entry {path} {reason}; the call is made again", UserWarning, stacklevel=5)
    return _MISSING


def _json(value: Any, what: str) -> str:
    try:
        text = canonical_json(value)
        text.encode()  # refuses halves of characters, which no file could hold
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} is not JSON: {error}; use numbers, texts, lists and dicts, null for NaN") from error
    return text
