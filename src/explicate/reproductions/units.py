"""The units of work of a reproduction: each done once and logged, so that a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explicate.reproductions.claims import Context
from explicate.runtime.runner import run


def measured(
    context: Context,
    system: str,
    work: Callable[[dict[str, Any], int], dict[str, Any]],
    units: Sequence[Mapping[str, Any]],
    sizes: Any = None,
    *,
    version: int = 1,
    stage: str = "",
) -> list[dict[str, Any]]:
    """Each unit together with its record, in the order of the units.

    Parameters
    ----------
    work : `work(unit, seed)` gives the record; the unit also says the context's `scale`.
    units : dicts that JSON can hold, no two alike; they should name their own seeds.
    sizes, version : what the records depend on besides; a run with others starts anew instead of going on.
    stage : the part of the reproduction, where one part's units follow from another's records.

    Raises
    ------
    RunError : a unit failed three times.
    """
    name = "-".join(filter(None, (system, context.scale, stage)))
    done = run(
        work,
        [{**unit, "scale": context.scale} for unit in units],
        context.folder / name,
        name=name,
        spec={"sizes": sizes, "version": version},
        workers=context.workers,
        backend=context.backend,  # type: ignore[arg-type]
        max_error_rate=0.0,
    )
    context.earlier.append(done.reused_seconds)
    return [{**unit, **record} for unit, record in zip(units, done.records, strict=True)]


def by_part(found: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What was measured, filed under each unit's `part`."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        parts.setdefault(one["part"], []).append(one)
    return parts
