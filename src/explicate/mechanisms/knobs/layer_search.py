"""Layer search: the layers whose attention at the last token turns one prompt's answer into another's.

What all heads of a set of layers write at the last token is taken from a source prompt, and a patchscope reads after
every layer whether the state there says the source's answer or the target prompt's own. Two binary searches bound the
set, and layers that undo it later on are added one by one, so the work grows with the number of layers, not of sets.

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", section 5 and algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import Cost, measure
from explicate.core.interventions import Patch
from explicate.core.kinds import Circuit
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.knobs.patched_layers import PatchedLayers
from explicate.mechanisms.patchscope import Patchscope
from explicate.mechanisms.restart import Job, Measured, Variant, measured, require_causal
from explicate.mechanisms.results import circuit, prompts, provenance
from explicate.mechanisms.sweeps import paired
from explicate.models.language import LanguageModel

Layers: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Curves:
    """What a patchscope reads when a set of layers is patched: mean probabilities over the pairs, (layer,)."""

    source: Floats
    target: Floats


@dataclass(frozen=True)
class LayerSearch(Parameterised):
    """Find the layers whose attention at the last token decides for the source's answer.

    Parameters
    ----------
    threshold : the mean probability of the source's answer that a patched set must reach after some layer; a share of
        the ceiling, which is what the unpatched source prompts reach (large models: nearly 1, then shares and
        probabilities are the same).
    slack : by how much (as a share of the ceiling) the source's answer must be ahead of the target's after the last
        layer. fall : how far (likewise) it must fall from one layer to the next for that layer to be added.
    first, stop : bounds given by hand, instead of searched ones: the set begins as layers first to stop - 1.
    patchscope : how states are read.
    """

    name: ClassVar[str] = "layer-search"

    threshold: float = 0.88
    slack: float = 0.3
    fall: float = 0.05
    first: int | None = None
    stop: int | None = None
    patchscope: Patchscope = field(default_factory=Patchscope)

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1 or self.slack < 0 or self.fall < 0:
            raise InputError("threshold must lie in (0, 1], slack and fall must be 0 or more")

    def run(
        self,
        model: LanguageModel,
        inputs: Any,
        sources: Any,
        target_tokens: Sequence[int],
        source_tokens: Sequence[int],
    ) -> Circuit:
        """Search with pairs of prompts.

        Parameters
        ----------
        inputs : target prompts, which are run and patched. sources : one for each.
        target_tokens, source_tokens : first tokens of the answers that targets and sources give when left alone.

        Returns
        -------
        Circuit : of the layers found, "L3.z@-1" and so on; `effect` (site, sample), what taking a layer out of the set
            does to the probability of the source's answer. `source_probability` and `target_probability` (step,
            layer), read by the patchscope; `patched` (step, layer), the set at each step. Attributes: `ceiling`;
            `bounds`, the set's first layer and the one after its last before any were added; `reached`, whether
            patching just these layers does reach the threshold, which binary search takes for granted; `alone`,
            `without` and `untouched`, the mean probability of the source's answer with the set patched, with all other
            layers patched, and with none; `steps`, how many sets were tried; `settled`, whether the source's answer
            came out ahead.

        Raises
        ------
        InputError : equal tokens; prompts that end in padding; no pairs; bounds that are no layers.
        """
        require_causal(model, self.name)
        ids = prompts(model, inputs)
        given = paired(prompts(model, sources), len(ids))
        wanted = _tokens(target_tokens, source_tokens, len(ids))
        with measure() as cost:
            search = _Search(self, model, PatchedLayers(model, ids, given, wanted, self.patchscope))
            layers = search.found()
            return search.circuit(layers, ids, given, wanted, cost)


@dataclass(eq=False)
class _Search:
    """One search; every set of layers is tried once."""

    how: LayerSearch
    model: LanguageModel
    patched: PatchedLayers
    tried: dict[Layers, Curves] = field(default_factory=dict)
    bounds: tuple[int, int] = (0, 0)
    settled: bool = False

    @property
    def ceiling(self) -> float:
        """The largest mean probability that the patchscope reads of the unpatched sources' own answers."""
        return float(self.patched.own_source.max())

    def found(self) -> Layers:
        """Steps 1 to 3."""
        count = self.model.layer_count
        first, stop = self.how.first, self.how.stop
        if stop is None:
            stop = _smallest(1 if first is None else first + 1, count, lambda e: self.reaches(first or 0, e))
        if not 1 <= stop <= count or (first is not None and not 0 <= first < stop):
            raise InputError(f"bounds {first} and {stop} are no layers of {self.model.name!r}, which has {count}")
        if first is None:
            first = stop - _smallest(1, stop, lambda width: self.reaches(stop - width, stop))
        self.bounds = (first, stop)
        return self._refined(tuple(range(first, stop)))

    def reaches(self, first: int, stop: int) -> bool:
        """Whether patching these layers brings the source's answer up somewhere."""
        return bool(self.curves(tuple(range(first, stop))).source.max() > self.how.threshold * self.ceiling)

    def curves(self, layers: Layers) -> Curves:
        """What the patchscope reads after every layer when `layers` are patched."""
        if layers not in self.tried:
            source, target = self.patched.read(layers)
            self.tried[layers] = Curves(source, target)
        return self.tried[layers]

    def _refined(self, layers: Layers) -> Layers:
        """Add the layers that undo what the patch does."""
        while True:
            curves = self.curves(layers)
            self.settled = bool(curves.source[-1] > curves.target[-1] + self.how.slack * self.ceiling)
            if self.settled:
                return layers
            peak = int(curves.source.argmax())
            falls = -np.diff(curves.source)
            undoing = [
                layer
                for layer in range(peak + 1, len(curves.source))
                if layer not in layers and falls[layer - 1] > self.how.fall * self.ceiling
            ]
            if not undoing:
                return layers
            layers = tuple(sorted({*layers, undoing[0]}))

    # -- the result ------------------------------------------------------------------------------------------------

    def circuit(self, layers: Layers, ids: Array, given: Array, wanted: Array, cost: Cost) -> Circuit:
        """The set and what it does to the answer itself."""
        every = range(self.model.layer_count)
        sets = [layers, tuple(i for i in every if i not in layers), *(tuple(set(layers) - {i}) for i in layers)]
        found = self._probabilities(sets, ids, given, wanted)
        alone, without, *less = found.values
        sites = [str(Site("z", layer, None, (-1,))) for layer in layers]
        effect = Measured(
            np.array(less).reshape(len(layers), len(ids)),
            alone,
            found.source,
            found.metric,
            found.targets,
            found.way,
            found.drift,
            found.forwards + self.patched.forwards,
        )
        made = circuit(self.how, self.model, ids, effect, sites, cost, given)
        curves = list(self.tried.values())
        marks = np.array([[layer in tried for layer in every] for tried in self.tried])
        data = made.data.assign(
            source_probability=(("step", "layer"), np.stack([curve.source for curve in curves])),
            target_probability=(("step", "layer"), np.stack([curve.target for curve in curves])),
            patched=(("step", "layer"), marks),
        ).assign_coords(layer=list(every))
        data.attrs.update(
            ceiling=self.ceiling,
            bounds=list(self.bounds),
            reached=int(self.reaches(*self.bounds)),
            alone=float(alone.mean()),
            without=float(without.mean()),
            untouched=float(found.base.mean()),
            steps=len(self.tried),
            settled=int(self.settled),
        )
        return Circuit(data, provenance(self.how, self.model, ids, cost, source=given))

    def _probabilities(self, sets: Sequence[Layers], ids: Array, given: Array, wanted: Array) -> Measured:
        sites = tuple(Site("z", layer, None, (-1,)) for layer in range(self.model.layer_count))

        def variants(captured: Any, length: int) -> list[Variant]:
            return [tuple(Patch(sites[layer], captured[sites[layer]]) for layer in sorted(each)) for each in sets]

        return measured(Job(self.model, ids, variants, given, sites, "probability", wanted[:, 0]))


def _smallest(low: int, high: int, reaches: Callable[[int], bool]) -> int:
    """The smallest number for which `reaches` holds, if it holds from some number on; `high` where it never does.

    The two numbers on either side of the answer are both tried, so the answer is a boundary in any case.
    """
    below, above = low - 1, high
    while above - below > 1:
        middle = (below + above) // 2
        if reaches(middle):
            above = middle
        else:
            below = middle
    return above


def _tokens(target_tokens: Sequence[int], source_tokens: Sequence[int], count: int) -> Array:
    """Source's and target's tokens side by side, (pair, 2)."""
    found = np.stack([np.asarray(source_tokens), np.asarray(target_tokens)], axis=-1)
    if found.shape != (count, 2) or found.dtype.kind not in "iu":
        raise InputError(f"answers' tokens of shape {found.shape[:1]} for {count} pairs; give one token id each")
    same = np.flatnonzero(found[:, 0] == found[:, 1])
    if len(same):
        raise InputError(f"pair {same[0]}: source and target have the same answer token; leave such pairs out")
    return found.astype(np.int64)
