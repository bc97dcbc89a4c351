"""What is known of the concepts of training cases: targets, with NaN for what is not, and the concepts' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError

STREAMS = ("global", "spatial", "unsupervised")
_DIMENSIONS = {"global": 2, "spatial": 3}


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets by stream, (case, concept) or (case, token, concept), and the names of each stream's concepts."""

    values: dict[str, Array]
    names: dict[str, list[str]]


def read_targets(
    given: Mapping[str, Any], counts: Mapping[str, int], names: Mapping[str, Sequence[str]] | None, cases: int
) -> Targets:
    """Targets and names that fit the numbers of concepts.

    Parameters
    ----------
    given : by stream; None where there are none. A data frame of global targets also names them.
    counts : concepts by stream; 0 takes the number from the targets or the names.

    Raises
    ------
    InputError : another width than the stream's concepts, another number of cases, negative targets, names that do not
        fit or that two concepts share.
    """
    values, called, names = {}, {}, dict(names or {})
    for stream in names:
        if stream not in STREAMS:
            raise InputError(f"names for the stream {stream!r}; there are {', '.join(STREAMS)}")
    for stream in STREAMS:
        target, count = given.get(stream), counts[stream]
        if target is not None:
            if hasattr(target, "columns"):
                names.setdefault(stream, [str(name) for name in target.columns])
            values[stream] = _checked(np.asarray(target, dtype=np.float32), stream, cases)
            width = values[stream].shape[-1]
            if count and count != width:
                raise InputError(f"{stream} targets have {width} concepts, the model {count}; give as many")
            count = width
        own = list(names.get(stream, [f"{stream} {n}" for n in range(count)]))
        if count and len(own) != count:
            raise InputError(f"{len(own)} names for {count} {stream} concepts; give one each")
        called[stream] = own
    every = [name for own in called.values() for name in own]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise InputError(f"two concepts are called {twice[0]!r}; give each a name of its own")
    return Targets(values, called)


def _checked(target: Array, stream: str, cases: int) -> Array:
    if target.ndim != _DIMENSIONS[stream] or len(target) != cases:
        shape = "(case, concept)" if stream == "global" else "(case, token, concept)"
        raise InputError(f"{stream} targets of shape {target.shape} for {cases} cases; give {shape}")
    if (target < 0).any():
        raise InputError(f"case {int(np.argwhere(target < 0)[0][0])} has a negative {stream} target; give 0, 1 or NaN")
    return target
