"""Finding a circuit from the output back, by path patching in stages.

Each stage asks which heads, at one position, change the answer along their direct path to what earlier stages found:
first to the logits, then to queries, keys or values of the heads of a group. Source: Prakash et al. (2024),
"Fine-Tuning Enhances Existing Mechanisms: A Case Study on Entity Tracking", section 4.1 and appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.kinds import Effects
from explicate.errors import InputError
from explicate.mechanisms.circuits.groups import Head, HeadCircuit, HeadGroup, Places, check_places
from explicate.mechanisms.path_patching import patch_paths
from explicate.models.language import LanguageModel, tokens


@dataclass(frozen=True)
class Stage:
    """One step back from the output.

    Parameters
    ----------
    name : of the group that it finds. position : the name of the position of its heads.
    size : how many heads the group gets. receivers : how many of them, the strongest first, later stages ask about.
    asks : what receives: groups of earlier stages with "q", "k" or "v" each, all replaced together; none: the logits.
    """

    name: str
    position: str
    size: int
    receivers: int
    asks: tuple[tuple[str, Literal["q", "k", "v"]], ...] = ()


@dataclass(frozen=True, eq=False)
class Discovery:
    """A circuit and what it was chosen by.

    Attributes
    ----------
    scores : for each stage the mean relative change of the probability of the right answer (layer, head).
    dropped : for each stage how many prompts were left out, since the model gives their answers no probability.
    """

    circuit: HeadCircuit
    scores: dict[str, xr.DataArray]
    dropped: dict[str, int]


def relative_change(effects: Effects) -> tuple[xr.DataArray, int]:
    """Mean of (patched - clean) / clean over the prompts, and how many were dropped as their clean figure is 0."""
    clean = effects["base_score"]
    kept = np.flatnonzero(clean.values != 0)
    if not len(kept):
        raise InputError("the clean figure is 0 for all prompts, so no change is relative to it; choose other prompts")
    change = (effects["effect"][kept] / clean[kept]).mean("sample")
    return change, len(clean) - len(kept)


def discover_circuit(
    model: LanguageModel,
    ids: Array,
    source: Array,
    answers: Array,
    stages: Sequence[Stage],
    places: Places,
    source_places: Places,
) -> Discovery:
    """Find the groups of a circuit, stage by stage.

    A head that an earlier and a later stage find at the same position belongs to the later group. Only heads whose
    patch lowers the probability of the right answer are taken.

    Parameters
    ----------
    ids, source : encoded prompts and counterfactuals (prompt, token); prompts that the model answers rightly, since a
        change is a large share of next to no probability. answers : (prompt,), right next tokens.
    places, source_places : the columns of the stages' positions in prompts and counterfactuals.
    """
    check_places(places, tokens.lengths_of(ids))
    check_places(source_places, tokens.lengths_of(source))
    groups: list[HeadGroup] = []
    scores: dict[str, xr.DataArray] = {}
    dropped: dict[str, int] = {}
    found: dict[str, tuple[Head, ...]] = {}
    for stage in stages:
        asked = [(head, kind) for group, kind in stage.asks for head in _earlier(found, group, stage.name)]
        if stage.asks and all(layer == 0 for (layer, _), _ in asked):  # no head comes before them
            found[stage.name] = ()
            groups.append(HeadGroup(stage.name, stage.position, ()))
            continue
        result = patch_paths(
            model,
            ids,
            source,
            receivers=[f"L{layer}.{kind}.H{head}" for (layer, head), kind in asked] or "logits",
            position=[int(column) for column in places[stage.position]],
            source_position=[int(column) for column in source_places[stage.position]],
            target=[int(answer) for answer in answers],
            metric="probability",
        )
        change, dropped[stage.name] = relative_change(result)
        scores[stage.name] = change
        order = np.argsort(change.values, axis=None, kind="stable")
        heads = [(int(i) // model.head_count, int(i) % model.head_count) for i in order if change.values.ravel()[i] < 0]
        chosen = tuple(heads[: stage.size])
        groups = [group.without(chosen) if group.position == stage.position else group for group in groups]
        groups.append(HeadGroup(stage.name, stage.position, chosen))
        found[stage.name] = chosen[: stage.receivers]
    return Discovery(HeadCircuit(tuple(groups)), scores, dropped)


def _earlier(found: dict[str, tuple[Head, ...]], group: str, stage: str) -> tuple[Head, ...]:
    if group not in found:
        raise InputError(
            f"the stage {stage!r} asks about {group!r}, which is none of the stages before it: "
            f"{', '.join(found) or 'there are none'}"
        )
    return found[group]
