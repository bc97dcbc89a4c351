"""From measured figures to explanations: dimensions named, provenance and cost written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Targets
from explicate.core.cost import Cost
from explicate.core.kinds import Circuit, Effects
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.targets import Target, resolve_targets, target_names
from explicate.errors import InputError
from explicate.mechanisms.places import Places
from explicate.mechanisms.restart import Measured
from explicate.models.language import LanguageModel


def prompts(model: LanguageModel, inputs: Any) -> Array:
    """Encoded prompts (sample, token); encoded ones stay as they are."""
    encoded: Array = model.encode(inputs)
    if len(encoded) == 0:
        raise InputError("no prompts given")
    return encoded


def resolved(model: LanguageModel, ids: Array, target: Target) -> Targets | None:
    """The targets' tokens, or None where the untouched prompts decide."""
    handle: Any = model
    return None if target is None else resolve_targets(handle, ids, target)


def effects(
    method: Parameterised,
    model: LanguageModel,
    ids: Array,
    found: Measured,
    places: Places,
    cost: Cost,
    seed: int = 0,
    source: Array | None = None,
) -> Effects:
    """A grid of places as `Effects`."""
    change = (found.values - found.base).reshape(*places.shape, len(ids))
    labels: dict[str, Any] = {"part": list(places.kinds), "layer": list(places.layers)}
    labels["head"] = None if places.heads is None else list(places.heads)
    labels["position"] = None if places.positions is None else list(places.positions)
    attributes: dict[str, Any] = {"part": places.kinds[0]}
    alone = len(places.positions or ()) == 1
    if alone and places.positions is not None:
        attributes["position"] = places.positions[0]
        labels["position"] = None
    if len(places.kinds) == 1:
        labels["part"] = None
    kept = [dim for dim in ("part", "layer", "head", "position") if labels[dim] is not None]
    shape = [len(labels[dim]) for dim in kept]
    array = np.moveaxis(change.reshape(*shape, len(ids)), -1, 0)
    data = xr.Dataset(
        {"effect": (("sample", *kept), array), **_variables(model, ids, found)},
        coords={dim: labels[dim] for dim in kept},
        attrs={**attributes, **_facts(found)},
    )
    labelled = data.assign_coords({"input_text": model.feature_labels(ids)["input_text"]})
    return Effects(labelled, provenance(method, model, ids, cost, seed, source))


def circuit(
    method: Parameterised,
    model: LanguageModel,
    ids: Array,
    found: Measured,
    names: Sequence[str],
    cost: Cost,
    source: Array | None = None,
) -> Circuit:
    """Named changes as a `Circuit`."""
    data = xr.Dataset(
        {"effect": (("site", "sample"), found.values - found.base), **_variables(model, ids, found)},
        coords={"site": list(names)},
        attrs=_facts(found),
    )
    return Circuit(data, provenance(method, model, ids, cost, source=source))


def provenance(
    method: Parameterised,
    model: LanguageModel,
    ids: Array,
    cost: Cost,
    seed: int = 0,
    source: Array | None = None,
) -> Provenance:
    """Where a result came from; the sources' ids are among the parameters."""
    parameters = method.parameters()
    if source is not None:
        parameters["source"] = [[int(i) for i in row if i != -1] for row in source]
    return Provenance.of(method, model, ids, cost, seed, parameters)


def _variables(model: LanguageModel, ids: Array, found: Measured) -> dict[str, Any]:
    handle: Any = model
    names = np.array(target_names(handle, found.targets), dtype=object)
    variables: dict[str, Any] = {
        "inputs": (("sample", "token"), ids),
        "base_score": (("sample",), found.base),
        "target": (("sample",) if found.targets.ndim == 1 else ("sample", "pair"), found.targets),
        "target_name": (("sample",), names),
    }
    if found.source is not None:
        variables["source_score"] = (("sample",), found.source)
    return variables


def _facts(found: Measured) -> dict[str, Any]:
    return {
        "model_kind": "text",
        "metric": found.metric,
        "way": found.way,
        "drift": found.drift,
        "changes": int(found.values.size),
        "forwards": round(found.forwards, 3),
    }
