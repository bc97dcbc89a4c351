"""Talking Heads (arXiv 2406.09519): channels between heads, planted, trained, and in SmolLM2-135M.

The paper works on GPT-2 and Pythia, which no package holds. Here: a random model with one planted channel; two layers
of attention trained on repeated tokens; and SmolLM2-135M-Instruct on indirect object identification and laundry lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from explicate.core.targets import Contrast
from explicate.data.language.ioi import IOI, ioi_prompts
from explicate.data.language.laundry_lists import LaundryLists, laundry_lists
from explicate.data.language.prose import installed_prose
from explicate.mechanisms.channels import (
    GAMMAS,
    ChannelSearch,
    ChannelSubspace,
    agreement,
    best_subspace,
    channel_edit,
    channels,
    grid,
    keep_only,
    measured_lists,
    most_written,
    name_heads,
    share_repeated,
    steer_by_index,
    total_scores,
    traverse,
    try_steering,
)
from explicate.mechanisms.channels.induction import induction_heads
from explicate.mechanisms.path_patching import patch_paths
from explicate.mechanisms.weights import HeadWeights, Reading, component_scores, composition_scores
from explicate.models import zoo
from explicate.models.tiny.planted_channel import planted_channel
from explicate.models.tiny.repeated_tokens import INDUCTION, losses_of_halves, trained_to_copy
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.talking_heads_claims import all_claims
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "steps": 1000, "sequences": 64, "naming": 10, "scored": 24, "movers": 3, "total": 8,
        "lengths": (2, 3, 5, 8, 12), "test": 200, "walk": 40, "steps of grid": 10, "coarse": 4, "training": 15,
        "validation": 100, "keep": 24, "length": 5, "crowding": (3, 8), "edit": 30, "tokens": 2000, "repeated": 8,
    },
    "smoke": {
        "steps": 20, "sequences": 4, "naming": 2, "scored": 4, "movers": 1, "total": 2, "lengths": (2,), "test": 3,
        "walk": 3, "steps of grid": 2, "coarse": 2, "training": 3, "validation": 3, "keep": 1, "length": 3,
        "crowding": (), "edit": 2, "tokens": 60, "repeated": 2,
    },
}  # fmt: skip
INHIBITORS, DIMENSIONS = 2, 3
INDUCTION_HEAD = 0.4  # the attention to the token after the earlier copy that makes a head one of induction
REMOVED, MORE = 5, (10, 20, 32)  # components taken out of the trained pair, of 32


def reproduce(context: Context) -> Sequence[Claim]:
    """Bars (a), (b) and (c) of the system's page; the heads that the first run names are given to the second."""
    seeds = list(context.seeds[:1] if context.smoke else context.seeds)
    first = [{"part": "planted", "seed": seed, "kind": kind} for seed in seeds for kind in ("q", "k", "v")]
    first += [{"part": part, "seed": seed} for part in ("trained", "named") for seed in seeds]
    found = _run(context, "heads", first)
    named = {one["seed"]: one for one in found if one["part"] == "named"}
    heads = {key: named[seeds[0]][key] for key in ("movers", "inhibitors", "chosen")}
    second = [{"part": part, "seed": seed, **heads} for part in ("steering", "edit") for seed in seeds]
    second += [{"part": part, "seed": seeds[0], **heads}
               for part in ("compositions", "lists", "random subspace", "text")]  # fmt: skip
    found += _run(context, "lists", second)
    return all_claims(by_part(found), SIZES[context.scale])


def _run(context: Context, name: str, units: list[dict[str, Any]]) -> list[Any]:
    sizes = {key: list(size) if isinstance(size, tuple) else size for key, size in SIZES[context.scale].items()}
    return measured(context, "talking-heads", _work, units, sizes, stage=name)


# -- units -------------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "planted": _planted, "trained": _trained, "named": _named, "compositions": _compositions, "lists": _lists,
        "steering": _steering, "random subspace": _random_subspace, "edit": _edit, "text": _text,
    }  # fmt: skip
    return parts[unit["part"]](unit)


def _planted(unit: dict[str, Any]) -> dict[str, Any]:
    """Where the planted component ranks, and where it does when the wrong matrix is read."""
    world = planted_channel(unit["seed"], unit["kind"])
    weights = HeadWeights.of(world.model)
    scores = component_scores(weights, world.destination, unit["kind"])
    best = scores.strongest(1)[0]
    wrong = component_scores(weights, world.destination, {"q": "k", "k": "q", "v": "k"}[unit["kind"]])  # type: ignore[arg-type]
    overlap = abs(float(weights.svd_components(*best[:2]).write[best[2]] @ world.direction))
    return {
        "found": best[:2] == world.source and overlap > 0.9,
        "rank": float(np.nanmin(scores.rank[world.source])),
        "z": float(np.nanmax(scores.z[world.source])),
        "wrong rank": float(np.nanmin(wrong.rank[world.source])),
        "overlap": overlap,
    }


def _trained(unit: dict[str, Any]) -> dict[str, Any]:
    """Previous-token and induction heads of two trained layers, their composition, and what removal costs."""
    sizes = SIZES[unit["scale"]]
    model = trained_to_copy(sizes["steps"], unit["seed"]).model
    ids = INDUCTION.batch(generator(unit["seed"], "held-out sequences"), sizes["sequences"]).ids
    looked = induction_heads(model, ids)
    source, destination = int(looked.previous[0].argmax()), int(looked.induction[1].argmax())
    weights = HeadWeights.of(model)
    every = composition_scores(weights)
    best = {kind: np.nanmax(every.component[kind][0, :, 1], axis=-1) for kind in ("q", "k")}
    guess = component_scores(weights, (1, destination), "k").component[0, source]
    order = np.argsort(-guess)
    first, second = losses_of_halves(model, ids)
    parts = channels(weights, (0, source))

    def cost(chosen: Any) -> float:
        with model.intervene(*[parts[int(number)].removed() for number in chosen]):
            return (losses_of_halves(model, ids)[1] - second) / (first - second)

    draws = [generator(unit["seed"], "random components", i).permutation(order[REMOVED:])[:REMOVED] for i in range(10)]
    pair = (source, destination)
    true = sorted({destination, *np.flatnonzero(looked.induction[1] >= INDUCTION_HEAD).tolist()})
    return {
        "losses": [first, second],
        "previous": looked.previous[0].tolist(),
        "induction": looked.induction[1].tolist(),
        "pair": list(pair),
        "true": true,
        "rank of a true pair": int((best["k"] > best["k"][source, true].max()).sum()) + 1,
        "rank by components": int((best["k"] > best["k"][pair]).sum()) + 1,
        "rank by whole matrices": int((every.full["k"][0, :, 1] > every.full["k"][0, source, 1, destination]).sum())
        + 1,
        "rank with q for k": int((best["q"] > best["q"][pair]).sum()) + 1,
        "k": best["k"].round(4).tolist(),
        "cost": cost(order[:REMOVED]),
        "cost of more": {str(count): cost(order[:count]) for count in MORE},
        "random cost": [cost(chosen) for chosen in draws],
    }


@cache
def _model() -> Any:
    return zoo.load("smollm2-135m")


@cache
def _weights() -> HeadWeights:
    return HeadWeights.of(_model())


def _task(seed: int, count: int) -> IOI:
    return ioi_prompts(_model(), count, seed=seed)


def _named(unit: dict[str, Any]) -> dict[str, Any]:
    """Movers and inhibitors by path patching; then every component of every earlier head, by weight and by effect."""
    sizes, model, weights = SIZES[unit["scale"]], _model(), _weights()
    heads = name_heads(model, _task(unit["seed"], sizes["naming"]), movers=sizes["movers"], inhibitors=INHIBITORS)
    task = _task(1000 + unit["seed"], sizes["scored"])  # other prompts than those that named the heads
    ids = model.encode(task.texts)
    logits = model.predict(ids)
    right = [model.token_index(each.io) for each in task.prompts]
    effects, per_mover = [], []
    first_lost, first_chosen = np.empty(0), [0]
    for mover in heads.movers:
        found = ChannelSearch().run(model, task, mover, weights)
        chosen = [layer * weights.heads + head for layer, head in heads.inhibitors if layer < mover[0]]
        guess = found["weight_score"].values.reshape(-1, weights.head_width)
        for removal in ("zero", "mean"):
            lost = -found[f"effect_{removal}"].values.mean(axis=1).reshape(guess.shape)
            own = {"mover": list(mover), "removal": removal, "untouched": float(found["base_score"].mean())}
            per_mover.append({**own, **_rank_agreement(guess, lost, chosen), **_best(found, lost, weights)})
            if removal == "zero":
                effects.append(lost[chosen])
            if removal == "zero" and mover == heads.movers[0]:
                first_lost, first_chosen = lost, chosen
    mover = heads.movers[0]
    ends = tuple(sorted({int(end - place) for who in ("io", "s1") for end, place in
                         zip(task.places("end"), task.places(who), strict=True)}))  # fmt: skip
    readings = {"offset 0": Reading("q"), "mean over offsets": Reading("q", ends),
                "largest over offsets": Reading("q", ends, "max"),
                "rotation-free": Reading("q", read="rotation-free")}  # fmt: skip
    by_reading = {}
    for name, reading in readings.items():
        scores = component_scores(weights, mover, reading).component[: mover[0]].reshape(-1, weights.head_width)
        by_reading[name] = _rank_agreement(scores, first_lost, first_chosen)["spearman"]
    average = np.mean(effects, axis=0)
    places = [np.unravel_index(place, average.shape) for place in np.argsort(-average, axis=None)[:DIMENSIONS]]
    chosen_parts = [[*heads.inhibitors[int(head)], int(number)] for head, number in places]
    few = _task(1000 + unit["seed"], sizes["total"])
    numbers = list(range(2 if unit["scale"] == "smoke" else 8))
    total = total_scores(model, weights, model.encode(few.texts), mover, few.places("io"), few.places("s1"),
                         heads=heads.inhibitors, components=numbers)  # fmt: skip
    agreed = agreement(component_scores(weights, mover, "q"), total)
    return {
        "top1": float((logits.argmax(axis=1) == right).mean()),
        "movers": [list(place) for place in heads.movers],
        "inhibitors": [list(place) for place in heads.inhibitors],
        "attention": {f"{layer}.{head}": heads.attention[layer, head].round(3).tolist()
                      for layer, head in (*heads.movers, *heads.inhibitors)},
        "chosen": chosen_parts,
        "direct": per_mover,
        "readings": by_reading,
        "total": {"spearman": agreed.spearman, "p": agreed.p_value, "count": agreed.count,
                  "largest": float(total.mean().max()), "largest with the mean left": float(total.mean("mean").max()),
                  "untouched": float(total.untouched.mean())},
    }  # fmt: skip


def _rank_agreement(guess: Any, lost: Any, chosen: list[int]) -> dict[str, Any]:
    from scipy.stats import spearmanr

    inside, everywhere = (spearmanr(guess[rows].ravel(), lost[rows].ravel()) for rows in (chosen, slice(None)))
    most = 10
    top = set(np.argsort(-guess[chosen].ravel())[:most]) & set(np.argsort(-lost[chosen].ravel())[:most])
    return {"spearman": float(inside.statistic), "p": float(inside.pvalue), "overlap": len(top) / most,
            "count": int(guess[chosen].size), "spearman of all heads": float(everywhere.statistic)}  # fmt: skip


def _best(found: Any, lost: Any, weights: HeadWeights) -> dict[str, Any]:
    """The component whose loss is largest, and where its weight score ranks; the whole matrix's rank beside it."""
    place = int(lost.argmax())
    site = found.sites[place]
    full = found["full"].values[:: weights.head_width]
    own = full[place // weights.head_width]
    return {"best": [site.layer, site.head, place % weights.head_width], "lost": float(lost.max()),
            "weight rank": float(found["rank"].values[place]), "z": float(found["z"].values[place]),
            "whole rank": int((full > own).sum()) + 1, "heads": len(full)}  # fmt: skip


def _compositions(unit: dict[str, Any]) -> dict[str, Any]:
    """The paper's three compositions, and how the scores of all pairs lie."""
    sizes, model, weights = SIZES[unit["scale"]], _model(), _weights()
    inhibitor, mover = (tuple(unit[key][0]) for key in ("inhibitors", "movers"))
    ids = generator(0, "repeated tokens").integers(1000, 20_000, (sizes["repeated"], 20))
    looked = induction_heads(model, np.concatenate([ids, ids], axis=1))
    induction = _place(looked.induction)
    previous = _place(np.where(np.arange(model.layer_count)[:, None] < induction[0], looked.previous, 0.0))
    task = _task(2000, sizes["naming"])
    same = [each for each in task.prompts if each.template == "ABBA"]
    told = patch_paths(model, [each.prompt for each in same], [each.renamed for each in same],
                       receivers=f"L{inhibitor[0]}.v.H{inhibitor[1]}", position=int(same[0].positions["s2"]),
                       target=[Contrast(each.io, each.s) for each in same])  # fmt: skip
    duplicate = _place(-told.values.mean(axis=0))
    pairs = {"previous token to induction, K": (previous, induction, "k"),
             "duplicate token to inhibition, V": (duplicate, inhibitor, "v"),
             "inhibition to mover, Q": (inhibitor, mover, "q")}  # fmt: skip
    record: dict[str, Any] = {"pairs": {}}
    for name, (source, destination, kind) in pairs.items():
        scores = component_scores(weights, destination, kind)  # type: ignore[arg-type]
        whole = scores.full[: destination[0]]
        record["pairs"][name] = {
            "source": list(source), "destination": list(destination), "rank": float(np.nanmin(scores.rank[source])),
            "of": int(np.isfinite(scores.component).sum()), "z": float(np.nanmax(scores.z[source])),
            "whole rank": int((whole > whole[source]).sum()) + 1, "heads": int(whole.size),
        }  # fmt: skip
    later = [mover[0]] if unit["scale"] == "smoke" else None
    full = composition_scores(weights, ["q"], components=False, later=later).full["q"]
    known = full[np.isfinite(full)]
    record["whole"] = {"mean": float(known.mean()), "sd": float(known.std()), "null": weights.width**-0.5}
    return record


def _place(values: Any) -> tuple[int, int]:
    layer, head = np.unravel_index(int(np.argmax(values)), values.shape)
    return int(layer), int(head)


def _lists(unit: dict[str, Any]) -> dict[str, Any]:
    """Accuracy by the number of items and by the answer's place."""
    sizes, model = SIZES[unit["scale"]], _model()
    record = {}
    for length in sizes["lengths"]:
        result = measured_lists(model, _test_lists(unit, length), {"unedited": None})
        among, over = result.accuracy(), result.accuracy(among="top1")
        record[str(length)] = {"restricted": [among.value, among.low, among.high], "top1": over.value,
                               "by target": list(result.by_target().values())}  # fmt: skip
    return record


def _test_lists(unit: dict[str, Any], length: int) -> LaundryLists:
    return laundry_lists(_model(), length, SIZES[unit["scale"]]["test"], part="test", seed=unit["seed"])


def _candidates(unit: dict[str, Any]) -> dict[str, ChannelSubspace]:
    """Three ways to take the top components across the inhibition heads."""
    weights = _weights()
    heads = [tuple(place) for place in unit["inhibitors"]]
    parts = {place: channels(weights, place) for place in heads}
    by_effect = [parts[layer, head][number] for layer, head, number in unit["chosen"]]
    by_size = sorted((part for each in parts.values() for part in each), key=lambda part: -part.sigma)[:DIMENSIONS]
    scores = component_scores(weights, tuple(unit["movers"][0]), "q").component
    by_weight = sorted((part for each in parts.values() for part in each),
                       key=lambda part: -scores[(*part.head, part.component)])[:DIMENSIONS]  # fmt: skip
    named = {"effect": by_effect, "size": by_size, "weight score": by_weight}
    return {name: ChannelSubspace.of(chosen, heads) for name, chosen in named.items()}


def _training(unit: dict[str, Any]) -> tuple[LaundryLists, LaundryLists, LaundryLists]:
    """Lists to walk through the subspace on, to choose it on, and to choose coordinates on again."""
    sizes, model, length = SIZES[unit["scale"]], _model(), SIZES[unit["scale"]]["length"]
    counts = (sizes["walk"], sizes["training"], sizes["validation"])
    first, second, third = (
        laundry_lists(model, length, count, part="train", seed=10 * unit["seed"] + number)
        for number, count in enumerate(counts)
    )
    return first, second, third


def _steering(unit: dict[str, Any]) -> dict[str, Any]:
    """The subspace and the coordinates of each index chosen on training lists, tried on test lists."""
    sizes, model = SIZES[unit["scale"]], _model()
    walk, training, validation = _training(unit)
    candidates = _candidates(unit)
    name, shares = best_subspace(
        model, candidates, training, validation, steps=sizes["coarse"], keep=max(1, sizes["keep"] // 4)
    )
    subspace = candidates[name]
    movers = [tuple(place) for place in unit["movers"]]
    walked = traverse(model, walk, subspace, movers=movers, steps=sizes["steps of grid"])
    steering = steer_by_index(model, walk, subspace, validation=validation, keep=sizes["keep"], walked=walked)
    result = try_steering(model, _test_lists(unit, sizes["length"]), steering, generator(unit["seed"], "controls"))
    record: dict[str, Any] = {"subspace": name, "shares": shares, "training": steering.training,
                              "uses_oracle": result.uses_oracle,
                              "regions": {"5": [walked.regions("picked"), walked.regions("attended")]}}  # fmt: skip
    for condition in result.restricted:
        record[condition] = {"restricted": result.restricted[condition].astype(int).tolist(),
                             "top1": float(result.top1[condition].mean())}  # fmt: skip
    if unit["seed"] == 0:
        for length in sizes["crowding"]:
            lists = laundry_lists(model, length, length, part="train", seed=5)
            other = traverse(model, lists, subspace, movers=movers, steps=sizes["coarse"])
            record["regions"][str(length)] = [other.regions("picked"), other.regions("attended")]
    return record


def _random_subspace(unit: dict[str, Any]) -> dict[str, Any]:
    """The harder control: coordinates along random directions, chosen in the same way."""
    sizes, model = SIZES[unit["scale"]], _model()
    walk, _, validation = _training(unit)
    drawn = ChannelSubspace.random(_candidates(unit)["effect"], generator(unit["seed"], "random subspace"))
    natural = _candidates(unit)["effect"].coordinates(model, model.encode(walk.texts))
    points = grid(natural, sizes["steps of grid"])  # as wide as the true subspace's
    walked = traverse(model, walk, drawn, points)
    steering = steer_by_index(model, walk, drawn, validation=validation, keep=sizes["keep"], walked=walked)
    result = try_steering(model, _test_lists(unit, sizes["length"]), steering, generator(unit["seed"], "controls"))
    return {name: result.restricted[name].astype(int).tolist() for name in ("unedited", "steered")}


def _edit(unit: dict[str, Any]) -> dict[str, Any]:
    """The strongest channel made weaker and stronger in the weights: chosen on training lists, tried on test lists."""
    sizes, model, weights = SIZES[unit["scale"]], _model(), _weights()
    layer, head, number = unit["chosen"][0]
    channel = channels(weights, (layer, head))[number]
    training = laundry_lists(model, sizes["length"], sizes["edit"], part="train", seed=100 + unit["seed"])
    edits = {str(gamma): channel_edit(model, channel, gamma) for gamma in GAMMAS}
    edits["keep only"] = keep_only(model, _candidates(unit)["effect"], (layer, head))
    found = measured_lists(model, training, {"unedited": None, **{name: [edit] for name, edit in edits.items()}})
    shares = {name: float(hits.mean()) for name, hits in found.restricted.items()}
    chosen = max(edits, key=lambda name: shares[name])
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    result = measured_lists(model, _test_lists(unit, sizes["length"]), {"unedited": None, "edited": [edits[chosen]]})
    after = model.module.state_dict()
    prose = _prose(sizes["tokens"])
    plain = _surprise(prose)
    with model.intervene(edits[chosen]):
        edited = _surprise(prose)
    return {"training": shares, "chosen": chosen, "perplexity": [float(np.exp(plain)), float(np.exp(edited))],
            "undone": all(bool((value == after[name]).all()) for name, value in before.items()),
            **{name: hits.astype(int).tolist() for name, hits in result.restricted.items()}}  # fmt: skip


def _prose(tokens: int) -> list[str]:
    """Paragraphs of that many tokens together."""
    found: list[str] = []
    count = 0
    for paragraph in installed_prose():
        if count >= tokens:
            break
        found.append(paragraph)
        count += int((_model().encode([paragraph]) >= 0).sum())
    return found


def _surprise(texts: list[str]) -> float:
    """Mean surprise at each token but the first of each text, nats."""
    ids = [[int(i) for i in row if i >= 0] for row in _model().encode(texts)]
    found = _model().log_probabilities([row[:1] for row in ids], [row[1:] for row in ids])
    return -float(np.concatenate(found).mean())


def _text(unit: dict[str, Any]) -> dict[str, Any]:
    """Where the strongest channel is written to in prose."""
    sizes, model = SIZES[unit["scale"]], _model()
    layer, head, number = unit["chosen"][0]
    texts = _prose(sizes["tokens"])
    found = most_written(model, channels(_weights(), (layer, head))[number], texts, most=50)
    return {"repeated": [each.repeated for each in found], "chance": share_repeated(model, texts),
            "examples": [f"{each.before}[{each.token}]" for each in found[:10]]}  # fmt: skip
