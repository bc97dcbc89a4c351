"""Successor heads (arXiv 2312.09230): where they are, what they read, how they are steered, and where there are none.

Three kinds of model: one whose successor head is planted; decoders trained from scratch to count, with and without
statements about last digits; and language models as they are, in which no head passes the cut-off.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from explicate.concepts import SparseAutoencoder
from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.data.language.enumerations import NUMBERS, TASKS, Enumerations
from explicate.data.language.succession import ROMAN, SuccessionDataset
from explicate.mechanisms.succession import (
    AutoencoderResidues,
    FeatureSwaps,
    IndexDomainMap,
    NeuronResidues,
    ProbeResidues,
    SuccessorHead,
    affine_lens,
    agreement,
    average_split,
    class_means,
    counts_in_new_list,
    decoding_accuracy,
    direct_losses,
    lens_successors,
    random_directions,
    recurrence,
    shuffled_agreement,
    successor_scores,
    winning_cases,
    winning_heads,
)
from explicate.mechanisms.weights import TokenState
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Trained
from explicate.models.tiny.succession import planted_counter, trained_counter
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.successor_heads_claims import claims_of
from explicate.reproductions.successor_heads_real import MODELS, real_model
from explicate.reproductions.units import measured
from explicate.runtime.seeds import generator

STATES: tuple[TokenState, ...] = ("mlp0", "embed+mlp0", "embed+attn0+mlp0", "in_context")
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "steps": 1000,
        "batch": 16,
        "checkpoints": (0, 100, 200, 400, 700),
        "restarts": 25,
        "penalties": (0.03, 0.1, 0.3, 1.0),
        "autoencoder": 400,
        "texts": 128,
        "states": STATES,
        "prefixes": 4,
    },
    "smoke": {
        "steps": 12,
        "batch": 8,
        "checkpoints": (0,),
        "restarts": 1,
        "penalties": (0.3,),
        "autoencoder": 60,
        "texts": 8,
        "states": ("mlp0",),
        "prefixes": 0,
    },
}
LEARNING_RATE, WEIGHT_DECAY = 5e-3, 1.0
LAST_DIGITS = 0.4  # share of texts that are statements about them; the contrast has none
CHOICE = 0.3  # the share of words that heads, states and scales are not chosen on
LISTS = 64  # numbered lists
LARGE = {"width": 128, "mlp_width": (2304, 0, 0)}  # 1.04 million parameters; the others have 0.17 million
OTHER_LISTS = tuple(each.name for each in TASKS if each.name != "numbers")


def reproduce(context: Context) -> Sequence[Claim]:
    """All parts of the system's page."""
    units: list[dict[str, Any]] = [
        {"part": part, "seed": seed} for seed in context.seeds for part in ("planted", "counter", "without statements")
    ]
    units += [{"part": "large", "seed": context.seeds[0]}]
    units += [{"part": "real", "model": name} for name in MODELS if not (context.smoke and name == "gemma")]
    found: dict[str, list[Any]] = {}
    for one in measured(context, "successor-heads", _work, units, SIZES[context.scale], version=2):
        found.setdefault(one.get("model", one["part"]), []).append(one)
    return claims_of(found)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="some tokens stand at two places")
        warnings.filterwarnings("ignore", message=".* features are learned")  # the page's 512, halved for few inputs
        if unit["part"] == "real":
            return real_model(unit["model"], SIZES[unit["scale"]])
        parts = {"planted": _planted, "counter": _counter, "without statements": _contrast, "large": _large}
        return parts[unit["part"]](unit)


# -- the planted model ---------------------------------------------------------------------------------------------


def _planted(unit: dict[str, Any]) -> dict[str, Any]:
    planted = planted_counter(unit["seed"])
    words = SuccessionDataset.build(planted.model, forms=("plain",))
    report = successor_scores(planted.model, words)
    own = report["index"].values
    easy = report.isel(sample=np.flatnonzero((own % 10 != 9) & (words.indices[report["successor"].values] == own + 1)))
    others = report.score.values.copy()
    others[planted.successor] = 0.0
    best = Site("head_out", *planted.successor)
    head = SuccessorHead.of(planted.model, words, best)
    sizes = SIZES[unit["scale"]]
    banks = _banks(head, {**unit, "restarts": min(5, sizes["restarts"]), "steps": 2 * sizes["autoencoder"]})
    return {
        "score": float(easy.of(best).mean()),
        "with carry": float(report.of(best).mean()),
        "others": float(others.max()),
        "chance": report.chance,
        "rivals": {
            name: report.rivals(Site("head_out", *place))
            for name, place in (("copying", planted.copying), ("predecessor", planted.predecessor))
        },
        "cosine": {name: _mean(agreement(banks[name], planted.units)) for name in ("autoencoder", "probe", "neurons")},
        "coverage": banks["coverage"],
        "neurons": banks["neurons of a residue"],
        "swaps": _best_swaps(head, banks, unit["seed"]),
    }


# -- decoders trained from scratch ---------------------------------------------------------------------------------


@cache
def _trained(scale: str, seed: int, last_digits: float, large: bool = False) -> Trained:
    sizes = SIZES[scale]
    recipe = DecoderRecipe(
        steps=sizes["steps"],
        batch=sizes["batch"],
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        seed=seed,
        checkpoints=sizes["checkpoints"],
    )
    shape = LARGE if large else {}
    return trained_counter(Enumerations(last_digits=last_digits), recipe, f"counter {seed}", **shape)


def _words_of(model: Any, *lists: Any) -> SuccessionDataset:
    return SuccessionDataset.build(model, lists or TASKS, forms=("plain",))


def _counter(unit: dict[str, Any]) -> dict[str, Any]:
    seed, sizes = unit["seed"], SIZES[unit["scale"]]
    trained = _trained(unit["scale"], seed, LAST_DIGITS)
    head, record = _found(trained, seed)
    banks = _banks(head, unit)
    steps = {f"step {step}": trained.at(step) for step in sizes["checkpoints"]}
    table = recurrence(steps, dict.fromkeys(steps, head.data), states=(head.state,))
    record |= {
        "recurrence": [[row.model, round(row.score, 3), row.head] for row in table.itertuples()],
        "probe": _transfer(banks["probe correct"], head.data),
        "cosine": {
            f"{one} and {two}": [
                _mean(agreement(banks[one], banks[two])),
                _mean(agreement(banks[one], banks[two], centred=False)),
                shuffled_agreement(banks[one], banks[two]),
            ]
            for one, two in (("autoencoder", "probe"), ("autoencoder", "neurons"), ("probe", "neurons"))
        },
        "coverage": banks["coverage"],
        "neurons": banks["neurons of a residue"],
        "swaps": _best_swaps(head, banks, seed),
        "index and list": _split(head, seed),
        "text": _on_text(trained, head, seed, sizes["texts"]),
    }
    return record


def _contrast(unit: dict[str, Any]) -> dict[str, Any]:
    """The same without statements about last digits: nothing gives a reason for their features."""
    head, record = _found(_trained(unit["scale"], unit["seed"], 0.0), unit["seed"])
    probe = ProbeResidues().fit(head, seed=unit["seed"])
    return record | {"probe": _transfer(probe["correct"].values, head.data)}


def _large(unit: dict[str, Any]) -> dict[str, Any]:
    """A larger decoder, which can remember more and so needs fewer features that words share."""
    trained = _trained(unit["scale"], unit["seed"], LAST_DIGITS, large=True)
    head, record = _found(trained, unit["seed"])
    banks = _banks(head, {**unit, "restarts": 1})
    weights = sum(weight.numel() for weight in trained.model.module.parameters())
    swaps = _best_swaps(head, banks, unit["seed"])
    return record | {"weights": weights, "probe": _transfer(banks["probe correct"], head.data), "swaps": swaps}


def _found(trained: Trained, seed: int) -> tuple[SuccessorHead, dict[str, Any]]:
    """The best head in the best of the four states, both chosen on some words and scored on the others."""
    model = trained.model
    words = _words_of(model)
    test = words.held_out(CHOICE, seed)
    reports = {state: successor_scores(model, words, state=state) for state in STATES}
    samples = reports["mlp0"]["item"].values
    chosen = {state: report.isel(sample=np.flatnonzero(~test[samples])) for state, report in reports.items()}
    state = max(chosen, key=lambda each: float(chosen[each].score.max()))
    best = chosen[state].best
    held_out = reports[state].isel(sample=np.flatnonzero(test[samples]))
    interval = held_out.interval(best, seed=seed)
    medians = held_out.score.median("head").values
    record = {
        "loss": float(trained.losses[-20:].mean()),
        "state": state,
        "head": str(best),
        "score": [interval.value, interval.low, interval.high],
        "on all words": {each: [str(r.best), float(r.score.max())] for each, r in reports.items()},
        "rivals": held_out.rivals(best),
        "runner up": held_out.runner_up()[1] if held_out.best == best else float(held_out.score.max()),
        "median of another layer": float(max(m for layer, m in enumerate(medians) if layer != best.layer)),
        "chance": held_out.chance,
        "per task": {row.task: row.score for row in reports[state].per_task(best).itertuples()},
    }
    return SuccessorHead.of(model, words, best, state=state), record


def _banks(head: SuccessorHead, unit: dict[str, Any]) -> dict[str, Any]:
    """The three estimates of the residues' directions, and the baselines."""
    sizes, seed = SIZES[unit["scale"]], unit["seed"]
    restarts = unit.get("restarts", sizes["restarts"])
    test = head.data.held_out(0.1, seed)
    autoencoder = SparseAutoencoder(penalties=sizes["penalties"], steps=unit.get("steps", sizes["autoencoder"]))
    direction, features, trained = AutoencoderResidues(autoencoder, restarts).fit(head, test, seed)
    probe = ProbeResidues().fit(head, seed=seed)
    neurons = NeuronResidues().fit(head, train=~test)
    spare = np.setdiff1d(np.flatnonzero(trained.encode(head.inputs, features.restart).any(axis=0)), features.features)
    drawn = generator(seed, "other features").permutation(spare)[:10]
    other = np.zeros_like(features.vectors)
    other[: len(drawn)] = trained.decoder[features.restart][drawn]
    return {
        "autoencoder": direction["direction"].values,
        "probe": probe["direction"].values,
        "neurons": neurons["direction"].values,
        "class means": class_means(head, np.flatnonzero(~test)),
        "other features": other,
        "probe correct": probe["correct"].values,
        "neurons of a residue": np.bincount(neurons["owner"].values + 1, minlength=11)[1:].tolist(),
        "coverage": {
            "coverage": features.coverage,
            "one to one": features.exclusive,
            "held out": features.held_out,
            "shuffled": features.shuffled,
            "distinct": features.distinct,
            "restarts": len(trained),
            "penalty": float(trained.penalties[features.restart]),
            **trained.quality(head.inputs[test], features.restart),
        },
    }


def _transfer(correct: Floats, words: SuccessionDataset) -> dict[str, float]:
    """Share of residues that a probe of the numbers reads right, per task, and over all other tasks."""
    found = {task.name: float(correct[words.rows(task.name)].mean()) for task in words.tasks}
    return found | {"others": float(correct[words.rows(*OTHER_LISTS)].mean()), "words": len(words.rows(*OTHER_LISTS))}


def _best_swaps(head: SuccessorHead, banks: dict[str, Any], seed: int) -> dict[str, Any]:
    """Swaps by the estimate and scale that do best on some words, measured on the others, beside the controls."""
    test = head.data.held_out(CHOICE, seed)
    grids: dict[str, Any] = {}
    for name in ("autoencoder", "probe", "neurons", "class means", "other features"):
        if np.count_nonzero(np.abs(banks[name]).sum(axis=1) > 0) >= 2:
            grids[name] = FeatureSwaps().run(head, banks[name])
    grids["random"] = FeatureSwaps().run(head, random_directions(np.ones((10, head.inputs.shape[1])), seed))
    scales = {name: _chosen_scale(grid, test) for name, grid in grids.items()}
    candidates = [name for name in ("autoencoder", "probe", "neurons") if name in grids]
    best = max(candidates, key=lambda name: _success(grids[name], scales[name], ~test))
    grid, scale = grids[best], scales[best]
    failed = (grid["success"].values[scale] == 0) & test[grid["item"].values]
    twenties = (grid["task"].values == "numbers") & (grid["index"].values // 10 == 2)
    return {
        "estimate": best,
        "scale": float(grid["scale"].values[scale]),
        "success": {name: _success(grids[name], scales[name], test) for name in grids},
        "by task": {
            task.name: _share(grid["success"].values[scale][grid["task"].values == task.name])
            for task in head.data.tasks
        },
        "20 to 29": _share(grid["success"].values[scale][twenties]),
        "by scale": dict(
            zip(map(str, grid["scale"].values), grid["success"].values.mean(axis=1).tolist(), strict=True)
        ),
        "greater": _share(grid["greater"].values[scale][failed]),
        "failures": int(failed.sum()),
        "swaps": int(test[grid["item"].values].sum()),
    }


def _chosen_scale(grid: Any, test: Array) -> int:
    """Place of the scale with the most successes on numbers that are not for the test."""
    rows = (~test[grid["item"].values]) & (grid["task"].values == "numbers")
    return int(grid["success"].values[:, rows].mean(axis=1).argmax()) if rows.any() else 0


def _success(grid: Any, scale: int, wanted: Array) -> float:
    """Share of swaps in numbers that succeed, among the wanted words."""
    rows = wanted[grid["item"].values] & (grid["task"].values == "numbers")
    return _share(grid["success"].values[scale][rows])


def _split(head: SuccessorHead, seed: int) -> dict[str, Any]:
    """Step 5 of the page: index and list, on held-out words and on Roman numerals."""
    known = head.on(head.data.only(*[task.name for task in TASKS]))
    test = known.data.held_out(0.1, seed)
    split, average = IndexDomainMap().fit(known, test, seed), average_split(head.inputs.shape[1])
    roman = head.on(_words_of(head.model, ROMAN))
    tied = head.on(head.data.only("numbers", "number words"))  # the two lists that share anything in this world
    few = tied.data.held_out(0.2, seed)
    own = IndexDomainMap().fit(tied, few, seed)
    return {
        "tied words": _or_none(decoding_accuracy(own, tied, few)),
        "tied indices": _or_none(decoding_accuracy(own, tied, few, of="index")),
        "indices": _or_none(decoding_accuracy(split, known, test, of="index")),
        "nearest": _or_none(decoding_accuracy(split, known, test, "nearest")),
        "unembedding": _or_none(decoding_accuracy(split, known, test, "unembedding")),
        "average": _or_none(decoding_accuracy(average, known, test, "nearest")),
        "roman": counts_in_new_list(split, known, roman),
        "roman average": counts_in_new_list(average, known, roman)["successor"],
        "chance": 1 / len(known.data),
    }


def _on_text(trained: Trained, head: SuccessorHead, seed: int, count: int) -> dict[str, Any]:
    """Steps 10 to 12: direct effects at every prefix, numbered lists, the lens."""
    rng = generator(seed, "texts")
    decoder, model, world = trained.decoder, trained.model, Enumerations()
    written = [world.text(rng) for _ in range(count)]
    texts = decoder.encode([words for words, _ in written])
    decided = np.array([known for _, known in written])
    effects = direct_losses(model, texts)
    learned = decided[effects["text"].values, effects["position"].values + 1]  # other words were never predicted
    effects = effects.isel(sample=np.flatnonzero(learned))
    cases = winning_cases(model, texts, effects, head.site, seed=seed)
    return {
        "prefixes": cases.prefixes,
        "won": len(cases.samples),
        "shares": cases.shares if cases.labels else {},
        "shuffled": cases.shuffled if cases.labels else {},
        "lists": _lists_won(decoder, model, head.site, rng, texts),
        "lens": lens_successors(affine_lens(model, texts), head),
    }


def _lists_won(decoder: Decoder, model: Any, head: Site, rng: np.random.Generator, texts: Array) -> dict[str, Any]:
    """In how many numbered lists each head of the model has the largest direct effect on the next label."""
    prompts = []
    for _ in range(LISTS):
        first = int(rng.integers(len(NUMBERS.words) - 8))
        prompts.append([*Enumerations().enumeration(rng, NUMBERS, first, 5), NUMBERS.words[first + 5]])
    layers, heads = winning_heads(direct_losses(model, decoder.encode(prompts), positions=(-2,), reference=texts))
    own = int(((layers == head.layer) & (heads == head.head)).sum())
    counts = np.unique(np.stack([layers, heads]), axis=1, return_counts=True)[1]
    return {"won": own, "of": LISTS, "most": int(counts.max()), "chance": LISTS / model.layer_count / model.head_count}


def _share(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
