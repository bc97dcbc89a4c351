"""Entity tracking under fine-tuning (arXiv 2402.14811): one circuit, enhanced rather than replaced.

SmolLM2-135M cannot do the task, so decoders are trained: a base model that is stopped halfway, A (all weights) and B
(low-rank adapters) tuned on binding without boxes, C on text in which nothing is bound. A fifth of what A and B read
are boxes, so controls read that fifth beside text in which nothing is bound. Circuits are found by path patching from
the output back and cut to what is needed; what groups carry is asked by masks, and what tuning changed by patches
between the models.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.core.sites import Site
from explicate.data.language.boxes import (
    DESIDERATA,
    FORMS,
    BoxesPairs,
    BoxesPrompt,
    EncodedBoxes,
    Form,
    boxes_prompts,
    corrupted,
    desideratum_pairs,
    encoded,
    position_pairs,
    swapped_pairs,
)
from explicate.mechanisms import patch_paths
from explicate.mechanisms.circuits import (
    CircuitTask,
    HeadCircuit,
    HeadGroup,
    Stage,
    circuit_overlap,
    completeness,
    discover_circuit,
    faithfulness,
    minimality,
    random_circuit,
)
from explicate.mechanisms.cross_model import PARTS, cross_model_patch
from explicate.mechanisms.desiderata import DesiderataMask, MaskedPairs, chosen_heads, patching_accuracy
from explicate.mechanisms.tracing import knock_out_attention
from explicate.models.language import LanguageModel
from explicate.models.tiny.adapters import LowRankAdapters, merged
from explicate.models.tiny.binding_corpora import (
    VOCABULARY,
    Assignments,
    BoxesAccuracy,
    BoxesText,
    Mixture,
    RandomText,
    Repeats,
)
from explicate.models.tiny.binding_start import BindingStart
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, train_decoder
from explicate.models.tiny.repeated_tokens import INDUCTION, trained_to_copy
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.entity_tracking_claims import claims_of
from explicate.reproductions.units import measured
from explicate.runtime.seeds import generator

BOXES = 7
MODELS = ("base", "A", "B", "C")
CONTROLS = ("A's control", "B's control", "C at a tenth of its rate")
BINDING, UNBOUND = (Mixture((text, BoxesText()), (0.8, 0.2)) for text in (Assignments(), RandomText()))
TUNED: dict[str, tuple[Any, float, bool]] = {
    "A": (BINDING, 5e-4, False), "A's control": (UNBOUND, 5e-4, False),
    "B": (BINDING, 2e-3, True), "B's control": (UNBOUND, 2e-3, True),
    "C": (RandomText(), 1e-5, False), "C at a tenth of its rate": (RandomText(), 1e-6, False),
}  # fmt: skip
"""Of each tuned model: what it reads, its learning rate, whether by low-rank adapters."""
POSITIONS = {"last": "last", "query label": "query_label", "first mention": "first_mention"}
AFTER = 8  # tokens of the second half that are said; the next is asked for
THRESHOLDS = (-1.0, 0.0, 0.005, 0.01, 0.02, 0.05)
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "decoder": {"layers": 6, "width": 192, "heads": 6, "mlp_width": 192},
        "steps": 400, "tuning": 200, "looks": 150, "prompts": 500, "paths": 150, "reference": 500, "pairs": 600,
        "tests": (5, 200), "controls": 10, "subsets": 20, "induction": 1000,
        "groups": {"fetchers": (12, 6), "transmitters": (8, 5), "detectors": (6, 4), "readers": (8, 4)},
    },
    "smoke": {
        "decoder": {"layers": 3, "width": 48, "heads": 4, "mlp_width": 48},
        "steps": 30, "tuning": 5, "looks": 40, "prompts": 24, "paths": 8, "reference": 24, "pairs": 64,
        "tests": (2, 24), "controls": 2, "subsets": 2, "induction": 30,
        "groups": {"fetchers": (3, 2), "transmitters": (2, 1), "detectors": (2, 1), "readers": (2, 1)},
    },
}  # fmt: skip


def reproduce(context: Context) -> Sequence[Claim]:
    """Train, find circuits, then ask what they carry, what tuning changed, and whether the instruments are right."""
    sizes = SIZES[context.scale]
    first: list[dict[str, Any]] = [
        {"part": "circuit", "model": m, "seed": s} for s in context.seeds for m in MODELS[:3]
    ]
    first += [{"part": "accuracy", "model": m, "seed": s} for s in context.seeds for m in MODELS]
    first += [{"part": "induction", "seed": s} for s in context.seeds]
    found = measured(context, "entity-tracking", _work, first, sizes, stage="circuits")
    circuits = {(one["model"], one["seed"]): one["circuit"] for one in found if one["part"] == "circuit"}
    second: list[dict[str, Any]] = []
    for s in context.seeds:
        base = circuits["base", s]
        second += [{"part": "transfer", "model": m, "seed": s, "circuit": base} for m in MODELS[1:]]
        second += [{"part": "masks", "model": "base", "seed": s, "circuit": base}]
        second += [{"part": "cross", "model": m, "seed": s, "circuit": base} for m in MODELS[1:]]
        second += [{"part": "swap", "model": "base", "seed": s, "circuit": base}]
        second += [{"part": "forms", "model": "base", "seed": s, "circuit": base}]
        second += [{"part": "knockout", "model": "base", "seed": s}]
        second += [
            {"part": "overlap", "model": m, "seed": s, "circuit": base, "other": circuits[m, s]} for m in ("A", "B")
        ]
    found += measured(context, "entity-tracking", _work, second, sizes, stage="questions")
    controls = [{"part": "accuracy", "model": m, "seed": s} for s in context.seeds for m in CONTROLS]
    found += measured(context, "entity-tracking", _work, controls, sizes, stage="controls")
    return claims_of(found, context)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "circuit": _circuit, "accuracy": _accuracy, "induction": _induction, "transfer": _transfer, "masks": _masks,
        "cross": _cross, "swap": _swap, "forms": _forms, "knockout": _knockout, "overlap": _overlap,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # groups without heads, which the figures show
        warnings.simplefilter("ignore", FutureWarning)  # of what the adapters' library calls
        return parts[unit["part"]](unit)


# -- models and prompts --------------------------------------------------------------------------------------------


def model_of(name: str, seed: int, scale: str) -> LanguageModel:
    """The base model, or a tuned one; trained once and then read from the cache."""
    size = SIZES[scale]
    decoder = Decoder(VOCABULARY, **size["decoder"], tied=True, context=160)
    usual: dict[str, Any] = {"batch": 16, "warmup": 20, "schedule": "constant", "seed": seed, "save_every": 50}
    mixed = Mixture((BoxesText(), Repeats(), RandomText()), (0.9, 0.05, 0.05))
    base = train_decoder(
        decoder,
        mixed,
        DecoderRecipe(steps=size["steps"], learning_rate=1e-3, **usual),
        name="the base model",
        adapt=BindingStart(seed),
        stop=BoxesAccuracy(0.62, BOXES, size["looks"], every=5),
    ).model
    if name == "base":
        return base
    corpus, rate, low_rank = TUNED[name]
    trained = train_decoder(
        decoder,
        corpus,
        DecoderRecipe(steps=size["tuning"], learning_rate=rate, **usual),
        name=f"model {name}",
        start=base,
        adapt=LowRankAdapters() if low_rank else None,
    )
    return merged(trained) if low_rank else trained.model


def _prompts(model: LanguageModel, count: int, seed: int, what: str) -> EncodedBoxes:
    return encoded(boxes_prompts(count, generator(seed, what), BOXES), model, spaced=True)


def _places(texts: EncodedBoxes) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(texts, field)) for name, field in POSITIONS.items()}


def _task(model: LanguageModel, unit: dict[str, Any], what: str = "evaluation") -> CircuitTask:
    """Prompts that circuits are measured on; those that heads are chosen on are others than those of the reports."""
    size = SIZES[unit["scale"]]
    texts = _prompts(model, size["prompts"], unit["seed"], what)
    others = corrupted(boxes_prompts(size["reference"], generator(unit["seed"], "reference"), BOXES),
                       generator(unit["seed"], "other letters"))  # fmt: skip
    return CircuitTask(model, texts.ids, texts.answers, _places(texts), encoded(others, model, spaced=True).ids)


def _right(model: LanguageModel, texts: EncodedBoxes) -> float:
    return float((model.predict(texts.ids).argmax(axis=1) == texts.answers).mean())


def _answered(model: LanguageModel, prompts: list[BoxesPrompt], count: int) -> list[BoxesPrompt]:
    """The first prompts that the model answers rightly, and others where they are too few.

    Where the right answer has next to no probability, any change is a large share of it, and the mean tells nothing.
    """
    texts = encoded(prompts, model, spaced=True)
    right = model.predict(texts.ids).argmax(axis=1) == texts.answers
    return [prompts[i] for i in np.argsort(~right, kind="stable")[:count]]


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _as_json(circuit: HeadCircuit) -> list[Any]:
    return [[group.name, group.position, [list(head) for head in group.heads]] for group in circuit]


def _from_json(groups: list[Any]) -> HeadCircuit:
    return HeadCircuit(
        tuple(HeadGroup(name, position, tuple((int(i), int(h)) for i, h in heads)) for name, position, heads in groups)
    )


# -- units: circuits -----------------------------------------------------------------------------------------------


def _accuracy(unit: dict[str, Any]) -> dict[str, Any]:
    model = model_of(unit["model"], unit["seed"], unit["scale"])
    texts = _prompts(model, SIZES[unit["scale"]]["prompts"], unit["seed"], "evaluation")
    logits = model.predict(texts.ids)
    there = np.take_along_axis(texts.ids, texts.object_places, axis=1)
    return {
        "accuracy": float((logits.argmax(axis=1) == texts.answers).mean()),
        "in context": float((logits.argmax(axis=1)[:, None] == there).any(axis=1).mean()),
    }


def _stages(sizes: dict[str, tuple[int, int]]) -> tuple[Stage, ...]:
    """The paper's four stages; readers are also asked for by what fetchers take from the first mention."""
    return (
        Stage("fetchers", "last", *sizes["fetchers"]),
        Stage("transmitters", "last", *sizes["transmitters"], (("fetchers", "q"),)),
        Stage("detectors", "query label", *sizes["detectors"], (("transmitters", "v"),)),
        Stage(
            "readers", "first mention", *sizes["readers"], (("detectors", "v"), ("fetchers", "k"), ("fetchers", "v"))
        ),
    )


def _circuit(unit: dict[str, Any]) -> dict[str, Any]:
    size = SIZES[unit["scale"]]
    model = model_of(unit["model"], unit["seed"], unit["scale"])
    rng = generator(unit["seed"], "paths")
    asked = _answered(model, boxes_prompts(4 * size["paths"], rng, BOXES), size["paths"])
    texts, others = encoded(asked, model, spaced=True), encoded(corrupted(asked, rng), model, spaced=True)
    drawn = others.label_places[np.arange(len(others)), rng.integers(BOXES, size=len(others))]
    source_places = {**_places(others), "first mention": drawn}
    found = discover_circuit(
        model, texts.ids, others.ids, texts.answers, _stages(size["groups"]), _places(texts), source_places
    )
    smaller = minimality(_task(model, unit, "choice"), found.circuit)
    task = _task(model, unit)
    report = faithfulness(task, smaller.circuit, size["controls"], unit["seed"])
    complete = completeness(task, smaller.circuit, size["subsets"], unit["seed"])
    return {
        "circuit": _as_json(smaller.circuit),
        "before": found.circuit.counts(),
        "after": smaller.circuit.counts(),
        "sizes": smaller.sizes(THRESHOLDS),
        "whole": _number(faithfulness(task, found.circuit, 0).faithfulness),
        "accuracy": report.circuit.value,
        "model accuracy": report.model.value,
        "faithfulness": _number(report.faithfulness),
        "random": list(report.random),
        "share": report.share,
        "completeness": [complete.mean, complete.deviation],
        "group completeness": complete.groups,
        "dropped": sum(found.dropped.values()),
    }


def _transfer(unit: dict[str, Any]) -> dict[str, Any]:
    """The base model's circuit in another model."""
    task = _task(model_of(unit["model"], unit["seed"], unit["scale"]), unit)
    report = faithfulness(task, _from_json(unit["circuit"]), SIZES[unit["scale"]]["controls"], unit["seed"])
    return {
        "accuracy": report.circuit.value,
        "model accuracy": report.model.value,
        "faithfulness": _number(report.faithfulness),
        "random": list(report.random),
    }


def _overlap(unit: dict[str, Any]) -> dict[str, Any]:
    found = circuit_overlap(_from_json(unit["circuit"]), _from_json(unit["other"]))
    return {"groups": {one.group: [one.shared, one.first, one.second] for one in found}}


# -- units: what groups carry --------------------------------------------------------------------------------------


def _masked(model: LanguageModel, pairs: BoxesPairs, position: str) -> MaskedPairs:
    """Pairs with the positions that count from their own ends and mentions."""
    base, source = encoded(pairs.base, model, spaced=True), encoded(pairs.source, model, spaced=True)
    return MaskedPairs(
        base.ids, source.ids, _places(base)[position], _places(source)[position], pairs.tokens(base, source)
    )


def _masks(unit: dict[str, Any]) -> dict[str, Any]:
    """For each group and desideratum: the heads of a learned mask, and what patching them does to new pairs."""
    size = SIZES[unit["scale"]]
    model = model_of(unit["model"], unit["seed"], unit["scale"])
    found: dict[str, Any] = {}
    repeats, count = size["tests"]
    groups = [group for group in _from_json(unit["circuit"]) if group.heads]
    half, three = size["pairs"] // 2, 3 * size["pairs"] // 4
    for desideratum in DESIDERATA:
        rng = generator(unit["seed"], f"masks {desideratum}")
        drawn = desideratum_pairs(desideratum, size["pairs"] + repeats * count, rng, BOXES)
        whole = {position: _masked(model, drawn, position) for position in {group.position for group in groups}}
        for group in groups:
            data = whole[group.position]
            mask = DesiderataMask().fit(model, group.heads, data.take(slice(half)), data.take(slice(half, three)))
            heads = chosen_heads(mask)
            tests = [data.take(slice(start, start + count)) for start in range(size["pairs"], len(data), count)]
            found[f"{group.name}: {desideratum}"] = {
                "heads": len(heads), "of": len(group.heads), "all": patching_accuracy(model, group.heads, tests[0]),
                "mean": float(np.mean([patching_accuracy(model, heads, pairs) for pairs in tests])),
                "none": patching_accuracy(model, [], tests[0]),
                "held out": patching_accuracy(model, heads, data.take(slice(three, size["pairs"]))),
            }  # fmt: skip
    return {"masks": found}


def _swap(unit: dict[str, Any]) -> dict[str, Any]:
    """Whole groups patched from the same prompt with two segments exchanged: does the answer go with the place?"""
    model = model_of(unit["model"], unit["seed"], unit["scale"])
    pairs = swapped_pairs(SIZES[unit["scale"]]["prompts"], generator(unit["seed"], "swap"), BOXES)
    found = {}
    for group in _from_json(unit["circuit"]):
        data = _masked(model, pairs, group.position)
        stays = MaskedPairs(
            data.ids, data.source, data.columns, data.source_columns, encoded(pairs.base, model, spaced=True).answers
        )
        found[group.name] = {
            "place": patching_accuracy(model, group.heads, data) if group.heads else 0.0,
            "stays": patching_accuracy(model, group.heads, stays) if group.heads else 0.0,
        }
    return {"swap": found}


def _forms(unit: dict[str, Any]) -> dict[str, Any]:
    """Transmitters patched from counterfactuals that are told in other ways."""
    model = model_of(unit["model"], unit["seed"], unit["scale"])
    group = _from_json(unit["circuit"])["transmitters"]
    count = SIZES[unit["scale"]]["prompts"]
    found = {}
    every: tuple[Form, ...] = ("plain", *FORMS)
    for form in every:
        pairs = position_pairs(form, count, generator(unit["seed"], f"form {form}"), BOXES)
        data = _masked(model, pairs, group.position)
        found[form] = patching_accuracy(model, group.heads, data) if group.heads else 0.0
    return {"forms": found}


# -- units: what tuning changed, knockout, the instrument ----------------------------------------------------------


def _cross(unit: dict[str, Any]) -> dict[str, Any]:
    """The base model with a tuned model's activations: its circuit's heads, and random heads of equal number."""
    size = SIZES[unit["scale"]]
    model = model_of("base", unit["seed"], unit["scale"])
    donor = model_of(unit["model"], unit["seed"], unit["scale"])
    texts = _prompts(model, size["prompts"], unit["seed"], "evaluation")
    circuit, places = _from_json(unit["circuit"]), _places(texts)
    groups = [group for group in circuit if group.heads]
    report = cross_model_patch(model, donor, texts.ids, texts.answers, groups, places, PARTS)
    random = []
    for number in range(size["controls"]):
        other = list(random_circuit(circuit, model, 100 + number))
        random.append(
            cross_model_patch(model, donor, texts.ids, texts.answers, other, places).accuracy["output"]["all"]
        )
    return {"own": report.model, "donor": report.donor, "patched": report.accuracy, "random": random}


def _knockout(unit: dict[str, Any]) -> dict[str, Any]:
    """Accuracy with attention cut from each layer to the end."""
    model = model_of("base", unit["seed"], unit["scale"])
    texts = _prompts(model, min(SIZES[unit["scale"]]["prompts"], 200), unit["seed"], "knockout")
    rng = generator(unit["seed"], "random keys")
    anywhere = rng.integers(0, texts.query_label, size=len(texts))
    cuts = {
        "last to object": (texts.last, texts.right_object),
        "last to first mention": (texts.last, texts.first_mention),
        "last to query label": (texts.last, texts.query_label),
        "last to random": (texts.last, anywhere),
        "query label to first mention": (texts.query_label, texts.first_mention),
        "query label to random": (texts.query_label, anywhere),
    }
    found = {}
    for name, (queries, keys) in cuts.items():
        cut = knock_out_attention(
            model,
            texts.ids,
            [[int(key)] for key in keys],
            query=queries.tolist(),
            target=texts.answers.tolist(),
            metric="rank",
        )
        ranks = cut.values + cut["base_score"].values[:, None]
        found[name] = [float(x) for x in (ranks == 0).mean(axis=0)]
    return {"knockout": found, "untouched": _right(model, texts)}


def _induction(unit: dict[str, Any]) -> dict[str, Any]:
    """The two attention-only layers of `talking_heads`: path patching must name the head before the one that copies."""
    steps = SIZES[unit["scale"]]["induction"]
    model = trained_to_copy(steps, unit["seed"]).model
    rng = generator(unit["seed"], "induction")
    ids, other = (INDUCTION.batch(rng, 64).ids[:, : INDUCTION.half + AFTER] for _ in range(2))
    answers = ids[:, AFTER].tolist()  # what followed the last token where it stood before
    direct = patch_paths(model, ids, other, target=answers, metric="probability")
    reader = next(site for site in direct.strongest(8, sign=-1) if site.layer == 1)
    found = patch_paths(
        model, ids, other, receivers=[f"L{reader.layer}.k.H{reader.head}"], position=AFTER, target=answers,
        metric="probability",
    )  # fmt: skip
    pattern = Site("pattern", 0)
    patterns = model.capture(ids, [pattern])[pattern]
    back = patterns[:, :, AFTER, AFTER - 1].mean(axis=0)
    effects = found.values.mean(axis=0)[0]
    return {
        "accuracy": float((model.predict(ids).argmax(axis=1) == answers).mean()),
        "copying head": str(reader),
        "named": int(effects.argmin()),
        "looks back": int(back.argmax()),
        "attention": float(back.max()),
        "effects": [float(x) for x in effects],
    }
