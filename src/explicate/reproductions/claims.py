"""A reproduction prints claimed against measured: one `Claim` per figure, with chance level, baseline and bar."""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from explicate.core.provenance import installed_versions
from explicate.errors import InputError, UnknownNameError

Scale = Literal["smoke", "full"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """One figure of a paper or page, and ours.

    Attributes
    ----------
    claim : what is claimed, in words.
    metric : what is measured, with its unit.
    claimed : the paper's figure, or None where it gives none.
    measured : ours; a number, or None where it could not be measured (then `note` says why).
    interval : 95 % interval of `measured`, or None for exact figures.
    baseline : the strongest cheap alternative's figure. chance : what guessing gives.
    bar : what the page demands, in words, for example ">= 0.80".
    met : whether the bar holds; None where the claim is informative and has no bar.
    note : a caveat, a control's figure, or the reason for a miss.
    """

    claim: str
    metric: str
    claimed: float | str | None = None
    measured: float | None = None
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    chance: float | None = None
    bar: str = ""
    met: bool | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; numpy numbers become Python's."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True)
class Context:
    """What a reproduction is run with.

    Attributes
    ----------
    scale : "smoke" proves in a minute that it runs; "full" measures the page's bars.
    seeds : fixed beforehand; at least three at full scale.
    folder : where units are logged, so that a killed run resumes (see `explicate.runtime.runner.run`).
    workers, backend : as in `explicate.runtime.parallel`.
    earlier : seconds of the units that an earlier, interrupted run had done; `units.measured` adds to it.
    """

    scale: Scale = "full"
    seeds: tuple[int, ...] = (0, 1, 2)
    folder: Path = Path("explicate-out")
    workers: int = 1
    backend: str = "processes"
    earlier: list[float] = dataclasses.field(default_factory=list, compare=False, repr=False)

    @property
    def smoke(self) -> bool:
        """Whether this is the small scale."""
        return self.scale == "smoke"


def reproduce(system: str, context: Context) -> dict[str, Any]:
    """Run the reproduction of `system`; the JSON-able result has `system, scale, seconds, seeds, claims, met`.

    The seconds count those of an interrupted run that this one goes on from.

    A reproduction is a module `explicate.reproductions.<system, with underscores>` with a function
    `reproduce(context) -> Sequence[Claim]`.
    """
    if context.scale not in ("smoke", "full"):
        raise InputError(f"scale {context.scale!r} is unknown; use smoke or full")
    place = f"explicate.reproductions.{system.replace('-', '_')}"
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        raise UnknownNameError(f"the system {system!r} has no reproduction yet; see `explicate systems`") from error
    context = dataclasses.replace(context, earlier=[])  # a context that is used again does not count them twice
    start = time.perf_counter()
    claims: Sequence[Claim] = module.reproduce(context)
    judged = [claim.met for claim in claims if claim.met is not None]
    return {
        "system": system,
        "scale": context.scale,
        "seconds": round(time.perf_counter() - start + sum(context.earlier), 1),
        "seeds": list(context.seeds),
        "command": f"explicate reproduce {system} --scale {context.scale}",
        "versions": installed_versions(),
        "claims": [claim.to_dict() for claim in claims],
        "met": bool(judged) and all(judged),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
