"""Semantic intervention: who does the interpreting, the model or the probe?

A probe that reads program states off a language model may have worked them out itself from the text that the model
passes on. So keep programs and model states, give the words other meanings, run the programs again, and train new
probes on those states. To a probe that interprets, both meanings are equally easy; if the model holds the states, the
original ones are easier. Source: Jin, Rinard (2023), "Evidence of Meaning in Language Models Trained on Programs",
arXiv 2305.11169, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised
from explicate.data.language.traces import Feature, ProgramLanguage, Traces, at_offset, traced
from explicate.errors import InputError
from explicate.evaluation.state_probes import Labels, Reading, easy_labels, held_out_groups, read_labels
from explicate.mechanisms.probing.linear import LinearProbe
from explicate.mechanisms.probing.perceptron import MLPProbe
from explicate.mechanisms.probing.probe import Probe

SCREEN = MLPProbe(hidden=(256,), epochs=20)
MOST_DROPPED = 0.2  # share of programs whose trace under an alternative has another length


@dataclass(frozen=True, eq=False)
class TraceLabels:
    """Labels of the states of many programs, under several semantics, one row for each action.

    Attributes
    ----------
    program, step : (row,), whose action it is, and its number from 0.
    labels : of each semantics, by feature and offset.
    dropped : of each alternative, programs left out because its trace has another length than the original's.
    """

    program: Array
    step: Array
    labels: dict[str, dict[tuple[str, int], Labels]]
    dropped: dict[str, int]

    @classmethod
    def of(
        cls,
        language: ProgramLanguage,
        programs: Any,
        starts: Any,
        semantics: Mapping[str, Any],
        features: Sequence[Feature],
        offsets: Sequence[int],
    ) -> TraceLabels:
        """Run every program on its start under every semantics; the first one is the original.

        Parameters
        ----------
        programs, starts : as `language` takes them; what is no program has no rows.
        semantics : by name.

        Raises
        ------
        InputError : no program has a trace, or an alternative changes the length of more than 20 % of the traces.
        """
        names = list(semantics)
        original = traced(language, programs, starts, semantics[names[0]])
        if not len(original):
            raise InputError("none of the programs has a trace; there is nothing to probe for")
        actions = original.step > 0
        found = cls(original.program[actions], original.step[actions] - 1, {}, {})
        found.labels[names[0]] = _labels(original, features, offsets)
        for name in names[1:]:
            other = traced(language, programs, starts, semantics[name])
            found._add(name, original, other, _labels(other, features, offsets))
        return found

    def _add(self, name: str, original: Traces, other: Traces, labels: dict[tuple[str, int], Labels]) -> None:
        before, after = original.lengths, other.lengths
        same = {number for number, length in before.items() if after.get(number) == length}
        self.dropped[name] = len(before) - len(same)
        if self.dropped[name] > MOST_DROPPED * len(before):
            raise InputError(
                f"under the semantics {name!r} {self.dropped[name]} of {len(before)} traces have another length; an "
                "alternative must keep it for at least 80 % of the programs"
            )
        here = np.isin(self.program, list(same))
        there = np.isin(other.program[other.step > 0], list(same))
        self.labels[name] = {}
        for key, one in labels.items():
            values = np.full((len(self.program), len(one.parts)), -1, dtype=one.values.dtype)
            values[here] = one.values[there]
            self.labels[name][key] = Labels(values, one.parts)


@dataclass(frozen=True)
class SemanticIntervention(Parameterised):
    """Probes for the original and for alternative semantics on the same vectors, and the gap between the two.

    Parameters
    ----------
    probes : of growing depth; the papers': linear, and one and two hidden layers.
    held_out : share of the programs that probes are tested on.
    too_easy : an alternative whose labels a probe reads that well from the original state alone is left out: a mirror
        image is as easy as the original for any probe.
    screen : the probe that decides that.
    """

    name: ClassVar[str] = "semantic-intervention"

    probes: tuple[Probe, ...] = (LinearProbe(), MLPProbe(hidden=(256,)), MLPProbe(hidden=(256, 1024)))
    held_out: float = 0.3
    too_easy: float = 0.95
    screen: Probe = SCREEN

    def run(
        self, vectors: Floats, traces: TraceLabels, context: TraceLabels | None = None, seed: int = 0
    ) -> xr.Dataset:
        """Train and test all probes.

        Parameters
        ----------
        vectors : (row, width), the model's states, one for each row of `traces`.
        context : labels at offset 0 of all that makes up a state; the screen reads from those of the original semantics
            (default: what `traces` has).

        Returns
        -------
        `accuracy`, `majority` (semantics, probe, feature, offset), where the first semantics is the original;
        `screen` (alternative, feature, offset); the attribute `left_out` names the alternatives that were too easy.
        """
        if len(vectors) != len(traces.program):
            raise InputError(f"{len(vectors)} vectors for {len(traces.program)} actions; give one for each")
        held = held_out_groups(traces.program, self.held_out, seed)
        original, *others = traces.labels
        screen = self.screened(traces, context or traces, held, seed)
        kept = [name for name in others if max(screen[name].values()) <= self.too_easy]
        flat = {(name, *key): one for name in (original, *kept) for key, one in traces.labels[name].items()}
        names = {"/".join(map(str, key)): key for key in flat}
        readings: dict[tuple[str, str, str, int], Reading] = {}
        for probe in self.probes:
            found = read_labels(
                vectors, {text: flat[key] for text, key in names.items()}, probe, traces.program, held, seed
            )
            for text, (semantics, feature, offset) in names.items():
                readings[semantics, probe_name(probe), feature, offset] = found[text]
        return self._dataset(readings, [original, *kept], screen, traces)

    def screened(
        self, traces: TraceLabels, context: TraceLabels, held: Array, seed: int
    ) -> dict[str, dict[Any, float]]:
        """Of each alternative, how well its labels are read from the original state: by feature and offset."""
        original, *others = traces.labels
        known = {f"{feature}": one for (feature, offset), one in context.labels[original].items() if offset == 0}
        found = {}
        for name in others:
            keys = {f"{feature}/{offset}": (feature, offset) for feature, offset in traces.labels[name] if offset == 0}
            labels = {text: traces.labels[name][key] for text, key in keys.items()}
            scores = easy_labels(known, labels, self.screen, traces.program, held, seed)
            found[name] = {keys[text]: score for text, score in scores.items()}
        return found

    def _dataset(
        self,
        readings: dict[tuple[str, str, str, int], Reading],
        semantics: list[str],
        screen: dict[str, dict[Any, float]],
        traces: TraceLabels,
    ) -> xr.Dataset:
        coords: dict[str, list[Any]] = {
            "semantics": semantics,
            "probe": [probe_name(probe) for probe in self.probes],
            "feature": list(dict.fromkeys(key[2] for key in readings)),
            "offset": list(dict.fromkeys(key[3] for key in readings)),
        }
        shape = tuple(len(values) for values in coords.values())
        accuracy, majority = np.zeros(shape), np.zeros(shape)
        for key, reading in readings.items():
            place = tuple(values.index(part) for values, part in zip(coords.values(), key, strict=True))
            accuracy[place], majority[place] = reading.accuracy, reading.majority
        scores = {name: max(values.values()) for name, values in screen.items()}
        return xr.Dataset(
            {
                "accuracy": (tuple(coords), accuracy),
                "majority": (tuple(coords), majority),
                "screen": (("alternative",), np.array(list(scores.values()))),
                "dropped": (("alternative",), np.array([traces.dropped[name] for name in scores])),
            },
            coords={**coords, "alternative": list(scores)},
            attrs={"left_out": [name for name in scores if name not in semantics]},
        )


def gaps(found: xr.Dataset) -> xr.DataArray:
    """Accuracy for the original semantics less that for each alternative (semantics, probe, feature, offset)."""
    if found.sizes["semantics"] < 2:
        raise InputError("no alternative is left to compare with; give one that is no simple function of the state")
    return found["accuracy"].isel(semantics=0, drop=True) - found["accuracy"].isel(semantics=slice(1, None))


def probe_name(probe: Probe) -> str:
    """How reports call a probe: "linear", "1 hidden layer", "2 hidden layers"."""
    depth = len(probe.hidden) if isinstance(probe, MLPProbe) else 0
    return "linear" if depth == 0 else f"{depth} hidden layer{'s' if depth > 1 else ''}"


def _labels(traces: Traces, features: Sequence[Feature], offsets: Sequence[int]) -> dict[tuple[str, int], Labels]:
    found = {}
    for feature in features:
        values = feature.labels(traces)
        for offset in offsets:
            found[feature.name, offset] = Labels(at_offset(traces, values, offset), feature.parts)
    return found
