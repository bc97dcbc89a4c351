"""The folder of a run: its plan, its header, its log read back as a state, and the locks that keep processes apart.

A part of `runner`, which tells what lies in the folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from explicate.errors import FileFormatError, InputError, OutputError, RunError
from explicate.runtime import log
from explicate.runtime.files import make_folder, write_json
from explicate.runtime.fingerprint import canonical_json, digest

Unit = dict[str, Any]
Line = dict[str, Any]
Reduce = Callable[[list[Any]], Any]

FORMAT = 1
ANEW = "start anew with new_run=True (--fresh), which moves the old run aside"
HEADER, LOG, RESULTS = "header.json", "units.jsonl", "results.json"
PACKAGES = ("explicate", "numpy", "scipy", "pandas", "xarray", "scikit-learn", "joblib", "torch", "transformers")


@dataclass(frozen=True)
class Plan:
    """What is to be done, in the form that JSON gives back: the same for a fresh run and for a resumed one."""

    name: str
    spec: Any
    seed: int
    units: dict[str, Unit]  # by id, in order

    @classmethod
    def of(cls, name: str, spec: Any, units: Sequence[Mapping[str, Any]], seed: int) -> Plan:
        if not len(units):
            raise InputError(f"the run {name!r} has no units: give at least one")
        known: dict[str, Unit] = {}
        for index, unit in enumerate(units):
            if not isinstance(unit, Mapping):
                raise InputError(f"unit {index} of the run {name!r} is a {type(unit).__name__}: units are dicts")
            content = as_json(dict(unit), f"unit {index} of the run {name!r}")
            key = digest(canonical_json(content))
            if key in known:
                raise InputError(f"unit {index} of the run {name!r} occurs twice: {short(content)}; number repeats")
            known[key] = content
        return cls(name, as_json(spec, f"the spec of the run {name!r}"), int(seed), known)

    @property
    def ids(self) -> list[str]:
        return list(self.units)

    def hashes(self) -> dict[str, Any]:
        return {"spec_hash": digest(canonical_json(self.spec)), "units_hash": digest(*self.ids)}


@dataclass
class State:
    """How far a run has come."""

    plan: Plan
    records: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Line] = field(default_factory=dict)  # the last one of each unit, also of those that succeeded
    tries: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # that the records took

    def add(self, line: Line) -> None:
        key = line["id"]
        self.tries[key] = max(self.tries.get(key, 0), line["attempt"])
        if line["status"] == "ok":
            self.records[key] = line["record"]
            self.seconds[key] = float(line.get("seconds", 0.0))
        else:
            self.errors[key] = line

    @property
    def open(self) -> list[str]:
        return [key for key in self.plan.ids if key not in self.records]

    @property
    def failed(self) -> int:
        return sum(key in self.errors for key in self.open)

    @property
    def complete(self) -> bool:
        return all(key in self.errors for key in self.open)


def enter(folder: Path, plan: Plan, resume: bool, new_run: bool, reduce: Reduce | None) -> None:
    """Write the header, or check that the one there is this run's."""
    if new_run:
        _move_aside(folder)
    if not (folder / HEADER).exists():
        if (folder / LOG).exists():
            raise RunError(f"{folder} holds {LOG} without {HEADER}; {ANEW}")
        header = {
            "format": FORMAT,
            "name": plan.name,
            "spec": plan.spec,
            "seed": plan.seed,
            **plan.hashes(),
            "units": list(plan.units.items()),
            "reduce": getattr(reduce, "__qualname__", repr(reduce)) if reduce else None,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            "machine": {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        }
        write_json(folder / HEADER, header)
        return
    if not resume:
        raise RunError(f"{folder} already holds a run; pass resume=True to continue it, or {ANEW}")
    differing = _differences(read_header(folder), plan)
    if differing:
        raise RunError(
            f"{folder} holds another run, which differs in {'; '.join(differing)}; choose another folder "
            f"(--out), or {ANEW}"
        )


def _differences(header: dict[str, Any], plan: Plan) -> list[str]:
    differing = []
    hashes = plan.hashes()
    for key, new in (("name", plan.name), ("seed", plan.seed)):
        if header[key] != new:
            differing.append(f"{key} ({header[key]!r}, now {new!r})")
    if header["spec_hash"] != hashes["spec_hash"]:
        old, new = header["spec"], plan.spec
        if isinstance(old, dict) and isinstance(new, dict):
            keys = [key for key in sorted(old | new) if (key in old, old.get(key)) != (key in new, new.get(key))]
            detail = ", ".join(f"{key}: {short(old.get(key))}, now {short(new.get(key))}" for key in keys)
        else:
            detail = f"{short(old)}, now {short(new)}"
        differing.append(f"spec ({detail})")
    if header["units_hash"] != hashes["units_hash"]:
        old_ids = {key for key, _ in header["units"]}
        common = len(old_ids & set(plan.ids))
        differing.append(f"units ({len(old_ids)}, now {len(plan.ids)}, {common} in common)")
    return differing


def read_header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    try:
        header: Any = json.loads(path.read_bytes())
        version, fields = header["format"], {"name", "spec", "seed", "spec_hash", "units_hash", "units", "reduce"}
        whole = fields <= header.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{path} is no header of a run ({error}); choose another folder (--out), or {ANEW}"
        ) from error
    if version != FORMAT:
        raise FileFormatError(f"{path} has format {version}, this version reads {FORMAT}; update explicate")
    if not whole:
        raise FileFormatError(
            f"{path} is no header of a run: fields are missing; choose another folder (--out), or {ANEW}"
        )
    return dict(header)


def read_state(folder: Path, plan: Plan) -> State:
    state = State(plan)
    path = folder / LOG
    for number, line in enumerate(log.read(path) if path.exists() else [], start=1):
        if not isinstance(line, dict) or line.get("id") not in plan.units:
            raise FileFormatError(f"{path}, line {number}: names no unit of the header; remove that line to go on")
        state.add(line)
    return state


def _move_aside(folder: Path) -> None:
    present = [folder / name for name in (LOG, RESULTS, HEADER) if (folder / name).exists()]
    if not present:
        return
    number = 1
    while (folder / f"previous-{number}").exists():
        number += 1
    target = make_folder(folder / f"previous-{number}")
    for path in present:  # the header last: if this is interrupted, no log is ever left under another header
        try:
            path.rename(target / path.name)
        except OSError as error:
            raise OutputError(f"cannot move {path} to {target}: {error.strerror or error}") from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    with log.locked(folder / ".lock", waiting=f"{folder}: another process works on this run; waiting for it"):
        yield


def take_over(folder: Path) -> str:
    """Wait for units that workers of a killed run still compute, then forbid them to begin others."""
    session = uuid.uuid4().hex
    waiting = f"{folder}: workers of an earlier run still compute; waiting for them"
    with log.locked(session_file(folder), waiting=waiting) as file:
        os.ftruncate(file, 0)
        os.write(file, session.encode())
    return session


def session_file(folder: Path) -> Path:
    return folder / ".session"


def as_json(value: Any, what: str) -> Any:
    try:
        text = canonical_json(value)
        text.encode()  # refuses halves of characters, which no file could hold
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON: {error}; use numbers, texts, lists and dicts, null for NaN") from error
    return json.loads(text)


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def short(value: Any, size: int = 200) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    text = " ".join(text.split())
    return text if len(text) <= size else text[: size - 1] + "…"
