"""Is a circuit faithful, minimal, complete? Measured by accuracy, with all other heads at their mean.

Source: Prakash et al. (2024), "Fine-Tuning Enhances Existing Mechanisms: A Case Study on Entity Tracking", section 4;
criteria after Wang et al. (2023), "Interpretability in the Wild", section 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.mechanisms.circuits.ablation import KeptHeads, MeanAblation
from explicate.mechanisms.circuits.groups import Head, HeadCircuit, HeadGroup, Places, Slot, random_circuit
from explicate.mechanisms.head_patching import HeadPatch, patched_answers
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import Interval, proportion_interval


@dataclass(frozen=True, eq=False)
class CircuitTask:
    """What circuits are measured on: a model, prompts with their answers, and what ablated heads write.

    Parameters
    ----------
    ids : encoded prompts (prompt, token), all of one length. answers : (prompt,), the right next tokens.
    places : columns of the named positions; one of them is the last token.
    reference : encoded prompts of the same length, other than `ids`, for the means.
    """

    model: LanguageModel
    ids: Array
    answers: Array
    places: Places
    reference: Array

    def __post_init__(self) -> None:
        if len(self.answers) != len(self.ids):
            raise InputError(f"{len(self.answers)} answers for {len(self.ids)} prompts; give one for each")
        ablation = MeanAblation.of(self.model, self.reference)
        object.__setattr__(self, "ablation", ablation)
        object.__setattr__(self, "kept", KeptHeads(self.model, self.ids, self.places, ablation))

    ablation: MeanAblation = None  # type: ignore[assignment]
    kept: KeptHeads = None  # type: ignore[assignment]

    def whole(self) -> Floats:
        """Whether the model, untouched, is right (prompt,)."""
        return np.asarray(self.model.predict(self.ids).argmax(axis=1) == self.answers, dtype=float)

    def right(self, circuits: Sequence[HeadCircuit | frozenset[Slot]]) -> Floats:
        """Whether each circuit alone is right (circuit, prompt)."""
        slots = [circuit.slots if isinstance(circuit, HeadCircuit) else circuit for circuit in circuits]
        return np.asarray(self.kept.answers(slots) == self.answers[None], dtype=float)

    def right_without(self, taken: Sequence[frozenset[Slot]]) -> Floats:
        """Whether the model is right when only these heads get their means (set, prompt)."""
        return np.asarray(
            patched_answers(self.model, self.ids, [self._means(slots) for slots in taken]) == self.answers[None],
            dtype=float,
        )

    def _means(self, slots: frozenset[Slot]) -> list[HeadPatch]:
        found = []
        for layer, head, position in sorted(slots):
            columns = np.asarray(self.places[position])
            found.append(HeadPatch(layer, head, columns, self.ablation.values[layer][head, columns]))
        return found


# -- faithfulness ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FaithfulnessReport:
    """How much of a model's accuracy a circuit keeps by itself.

    Attributes
    ----------
    circuit, model : accuracies with their intervals. faithfulness : the first over the second; NaN where the model is
        never right. May exceed 1, which is no error.
    random : accuracies of random circuits with as many heads at each position.
    share : heads of the circuit over all heads at the named positions.
    """

    circuit: Interval
    model: Interval
    faithfulness: float
    random: tuple[float, ...]
    share: float


def faithfulness(task: CircuitTask, circuit: HeadCircuit, controls: int = 10, seed: int = 0) -> FaithfulnessReport:
    """Accuracy of a circuit alone over that of the model, beside random circuits of the same sizes."""
    circuit.check(task.model, task.places)
    for group in circuit:
        if not group.heads:
            warnings.warn(f"the group {group.name!r} has no heads; the circuit is measured without it", stacklevel=2)
    others = [random_circuit(circuit, task.model, seed * 1000 + i) for i in range(controls)]
    right = task.right([circuit, *others])
    alone, whole = proportion_interval(right[0], seed=seed), proportion_interval(task.whole(), seed=seed)
    slots = task.model.layer_count * task.model.head_count * len(task.places)
    return FaithfulnessReport(
        alone,
        whole,
        alone.value / whole.value if whole.value else float("nan"),
        tuple(float(x) for x in right[1:].mean(axis=1)),
        len(circuit) / slots,
    )


# -- minimality --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Need:
    """How much one head of a group adds.

    Attributes
    ----------
    before : accuracy of the circuit without the heads `without`; after : without the head too.
    """

    group: str
    head: Head
    without: tuple[Head, ...]
    before: float
    after: float

    @property
    def gain(self) -> float:
        """before / after - 1; infinite where nothing is left without the head."""
        if self.after == 0:
            return float("inf") if self.before > 0 else 0.0
        return self.before / self.after - 1


@dataclass(frozen=True)
class MinimalityReport:
    """What each head adds, and the circuit of those that add enough."""

    needs: tuple[Need, ...]
    full: HeadCircuit
    circuit: HeadCircuit
    threshold: float

    def at(self, threshold: float) -> HeadCircuit:
        """The circuit for another threshold."""
        groups = []
        for group in self.full:
            weak = [need.head for need in self.needs if need.group == group.name and need.gain < threshold]
            groups.append(group.without(weak))
        return HeadCircuit(tuple(groups))

    def sizes(self, thresholds: Sequence[float]) -> list[int]:
        """The number of heads left for each threshold: a published circuit is one point on this curve."""
        return [len(self.at(threshold)) for threshold in thresholds]


def minimality(
    task: CircuitTask, circuit: HeadCircuit, threshold: float = 0.01, others: float = 0.3, decimals: int = 2
) -> MinimalityReport:
    """Keep the heads of each group that add something once those that do the same are gone.

    Heads of one group stand in for each other. So for each head v, the others k of its group are ordered by how much v
    adds without k, acc(C \\ k) - acc(C \\ {v, k}); with K the best of them, as many as `others` of the group's size
    and only those with a positive figure, v stays where acc(C \\ K) / acc(C \\ (K + v)) - 1 >= threshold.

    Parameters
    ----------
    decimals : to which accuracies are rounded before they are compared.
    """
    circuit.check(task.model, task.places)
    needs: list[Need] = []
    for group in circuit:
        if group.heads:
            needs += _needs(task, circuit, group, others, decimals)
    report = MinimalityReport(tuple(needs), circuit, circuit, threshold)
    return MinimalityReport(tuple(needs), circuit, report.at(threshold), threshold)


def _needs(task: CircuitTask, circuit: HeadCircuit, group: HeadGroup, others: float, decimals: int) -> list[Need]:
    heads = group.heads
    whole = circuit.slots
    taken = [*((head,) for head in heads), *combinations(heads, 2)]
    accuracy = dict(zip(map(frozenset, taken), _accuracy(task, whole, group, taken, decimals), strict=True))
    chosen = []
    for head in heads:
        drops = {k: accuracy[frozenset({k})] - accuracy[frozenset({head, k})] for k in heads if k != head}
        order = sorted((k for k in drops if drops[k] > 0), key=lambda k: -drops[k])
        chosen.append(tuple(order[: int(others * len(heads))]))
    tests = [*chosen, *((*k, head) for k, head in zip(chosen, heads, strict=True))]
    found = _accuracy(task, whole, group, tests, decimals)
    before, after = found[: len(heads)], found[len(heads) :]
    return [
        Need(group.name, head, k, float(b), float(a))
        for head, k, b, a in zip(heads, chosen, before, after, strict=True)
    ]


def _accuracy(
    task: CircuitTask, whole: frozenset[Slot], group: HeadGroup, taken: Sequence[Sequence[Head]], decimals: int
) -> Floats:
    circuits = [whole - {(layer, head, group.position) for layer, head in heads} for heads in taken]
    return np.round(task.right(circuits).mean(axis=1), decimals)


# -- completeness ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CompletenessReport:
    """Whether taking heads away does the same to the circuit as to the model.

    Attributes
    ----------
    random : |acc(C \\ K) - acc(M \\ K)| for random sets K of the circuit's heads. groups : the same for whole groups.
    """

    random: tuple[float, ...]
    groups: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean over the random sets."""
        return float(np.mean(self.random))

    @property
    def deviation(self) -> float:
        """Standard deviation over the random sets."""
        return float(np.std(self.random, ddof=1))


def completeness(task: CircuitTask, circuit: HeadCircuit, subsets: int = 20, seed: int = 0) -> CompletenessReport:
    """Take the same heads from the circuit and from the model, and compare the accuracies.

    In the circuit all heads outside it stay at their mean; in the model the taken heads alone get it.

    Parameters
    ----------
    subsets : random sets, each head in with probability 1/2; 2 or more.
    """
    circuit.check(task.model, task.places)
    if subsets < 2:
        raise InputError(f"{subsets} random sets have no spread; ask for 2 or more")
    rng = generator(seed, "completeness")
    slots = sorted(circuit.slots)
    taken = [frozenset(slot for slot in slots if rng.random() < 0.5) for _ in range(subsets)]
    named = {group.name: frozenset(group.slots) for group in circuit if group.heads}
    every = [*taken, *named.values()]
    alone = task.right([circuit.slots - k for k in every]).mean(axis=1)
    whole = task.right_without(every).mean(axis=1)
    apart = np.abs(alone - whole)
    return CompletenessReport(
        tuple(float(x) for x in apart[:subsets]),
        {name: float(x) for name, x in zip(named, apart[subsets:], strict=True)},
    )
