"""WACK (arXiv 2410.22071): does a model not know, or know and err? Labels checked on a model whose truth is known.

The paper's models do not fit here, nor are its questions on any package. A small model is trained to know some facts,
to waver on a part of them after bad examples and never to see others; SmolLM2-135M and Gemma-3-270M are asked everyday
questions. Seeds are fixed; a probe's place is chosen on training questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.benchmarks.wack import (
    ERRORS,
    PROBED,
    AliceBob,
    BadShots,
    Examples,
    Item,
    Labeller,
    ProbePlan,
    Shots,
    WackDataset,
    before_the_answer,
    chosen,
    detect,
    generic_examples,
    late_hits,
    mitigate,
    output_states,
    recovered,
    sheet,
    similarity,
    specific_against_generic,
    specific_examples,
    summed_up,
    three_way,
    transfer,
    word_states,
    write_generic_set,
)
from explicate.benchmarks.wack.detection import When
from explicate.benchmarks.wack.planted import items_of, shots_of, trained_on, truth_of
from explicate.data.language.everyday_questions import everyday_questions
from explicate.data.language.fact_world import FactWorld
from explicate.errors import InputError, MissingDependencyError
from explicate.models import zoo
from explicate.reproductions import wack_claims as judged
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import bootstrap_interval

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ERRORS = 60  # below it the page asks for counts and no probe
SMALL, OTHER = "smollm2-135m", "gemma-3-270m"
SIZES: dict[str, dict[str, Any]] = {
    "full": {"world": {}, "training": {}, "fewest": 20, "questions": 1_800,
             "shared": 200, "samples": 5},
    "smoke": {"world": {"known": 30, "unknown": 15, "wavering": 0.4, "examples": 9, "relations": 1, "answers": 6},
              "training": {"width": 64, "mlp_width": 128, "steps": 600, "every": 50, "learning_rate": 5e-3},
              "fewest": 1, "questions": 6, "shared": 0, "samples": 1},
}  # fmt: skip


def reproduce(context: Context) -> Sequence[Claim]:
    """The planted model on each seed, SmolLM2 in two settings, and how alike it is to Gemma."""
    scale = SIZES[context.scale]
    parts: list[dict[str, Any]] = [{"part": "planted", "seed": seed} for seed in context.seeds]
    parts += [{"part": "language", "setting": setting} for setting in ("bad-shots", "alice-bob")]
    if scale["shared"]:
        parts += [{"part": "similarity"}]
    found = by_part(measured(context, "wack", _work, parts, scale))
    return [
        *judged.planted(found["planted"]),
        *judged.language(found["language"]),
        *judged.alike(found.get("similarity", [{"missing": "not measured at this scale"}])[0]),
    ]


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {"planted": _planted, "language": _language, "similarity": _similarity}
    return parts[unit["part"]](unit)


# -- the model whose truth is known --------------------------------------------------------------------------------


def _planted(unit: dict[str, Any]) -> dict[str, Any]:
    """Train, label, and run the page's experiments, with facts and shown examples held out."""
    scale = SIZES[unit["scale"]]
    world = FactWorld(**scale["world"], seed=unit["seed"])
    trained = trained_on(world, seed=unit["seed"], **scale["training"])
    model, shots = trained.model, shots_of(world, folds=3)
    how = Labeller(BadShots(shots), new_tokens=1)  # answers are one word
    dataset = how.label(model, items_of(world), source="invented facts")
    truth = truth_of(world)
    plan = ProbePlan(split="folds", seeds=(0, 1, 2), fewest=scale["fewest"], controls=10)
    post, pre = (specific_examples(model, dataset, when, components=COMPONENTS) for when in ("post", "pre"))
    generic_set = write_generic_set(model, items_of(world), new_tokens=1)
    generic = generic_examples(model, generic_set, how.setting, components=COMPONENTS)
    found: dict[str, Any] = {
        "steps": trained.steps,
        "parameters": sum(weight.numel() for weight in model.module.parameters()),
        "counts": dataset.counts(),
        "recovered": {label: recovered(dataset, truth, label) for label in PROBED},
        "generic": {"pairs": len(generic_set.pairs), "dropped": generic_set.dropped},
        "three-way": _score(three_way(post, plan)),
        "three-way before": _score(three_way(pre, plan)),
        "by question": _score(detect(pre, labels=ERRORS, plan=ProbePlan(fewest=scale["fewest"]))),
        "before": _score(before_the_answer(pre, post, generic, plan)),
        "after": _score(specific_against_generic(post, generic, plan)),
        "heads": _score(detect(specific_examples(model, dataset, "pre", components=("z",)), labels=ERRORS, plan=plan)),
    }
    found["baselines"] = _baselines(world, model, trained.decoder.build(unit["seed"] + 1000), dataset, post, pre, plan)
    found["layers"] = _layers(post, plan)
    found["transfer"] = _transfer(model, world, how, shots, post, plan)
    table = mitigate(model, dataset, pre, how=how, plan=plan)
    numbers = ["n", "kept", "intervened", "abstained", "before", "after", "wrong", "always", "strength", "layer"]
    means = table.groupby(["remedy", "label"], sort=False)[numbers].mean()
    found["mitigation"] = [
        {"remedy": remedy, "label": label, **{name: float(row[name]) for name in numbers}}
        for (remedy, label), row in means.iterrows()
    ]
    return found


COMPONENTS = ("resid_post", "mlp_out", "attn_out")


def _score(scores: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """By training source: scores at the place that cross-validation chose, means of the splits."""
    table = chosen(scores)
    numbers = ["accuracy", "weighted_f1", "control", "chance", "majority", "n_train", "n_test"]
    numbers += [name for name in table.columns if name.startswith(("pair ", "strict "))]
    found = {}
    for name, own in table.groupby("train", sort=False):
        places = [f"L{row.layer}.{row.component}" for row in own.itertuples()]
        means = {number: float(own[number].mean()) for number in numbers}
        found[str(name)] = {**means, "each": own["accuracy"].tolist(), "places": places}
    return found


def _layers(examples: Examples, plan: ProbePlan) -> list[dict[str, Any]]:
    """Three-way accuracy at every place, mean and deviation of the splits."""
    table = summed_up(detect(examples, plan=plan))
    return [
        {"place": f"L{row['layer']}.{row['component']}", "mean": row["accuracy mean"], "std": row["accuracy std"]}
        for row in table.to_dict("records")
    ]


def _baselines(
    world: FactWorld, model: Any, untrained: Any, dataset: WackDataset, post: Examples, pre: Examples, plan: ProbePlan
) -> dict[str, Any]:
    """What the words alone, the next token's probabilities, and a model that learned nothing give."""
    records = dataset.of(*PROBED)
    questions = [record.item.question for record in records]
    answered = [f"{record.item.question} {record.answer}" for record in records]
    output = output_states(model, [record.prompt for record in records])
    after = output_states(model, [record.answered for record in records])
    nothing = type(model)(untrained, model.tokenizer, name="untrained")
    found: dict[str, Any] = {
        "words": _first(three_way(post.with_states(word_states(answered)), plan)),
        "words before": _first(detect(pre.with_states(word_states(questions)), labels=ERRORS, plan=plan)),
        "output": _first(three_way(pre.with_states(output), plan)),
        "output after": _first(three_way(post.with_states(after), plan)),
        "output before": _first(detect(pre.with_states(output), labels=ERRORS, plan=plan)),
    }
    whens: tuple[tuple[When, Any], ...] = (("post", PROBED), ("pre", ERRORS))
    for when, labels in whens:
        states = specific_examples(nothing, dataset, when, components=COMPONENTS)
        found[f"untrained {when}"] = _first(detect(states, labels=labels, plan=plan))
    return found


def _first(scores: pd.DataFrame) -> dict[str, Any]:
    return dict(next(iter(_score(scores).values())))


def _transfer(
    model: Any, world: FactWorld, how: Labeller, shots: Shots, post: Examples, plan: ProbePlan
) -> dict[str, Any]:
    """Another altered setting, in which two of three examples are wrong: labels, and probes from one to the other."""
    other = Labeller(BadShots(shots, wrong=2, name="two-bad-shots"), new_tokens=how.new_tokens)
    dataset = other.label(model, items_of(world))
    found: dict[str, Any] = {"counts": dataset.counts()}
    try:
        examples = specific_examples(model, dataset, "post", components=COMPONENTS)
        found["to two bad shots"] = _score(transfer(post, examples, plan))
        found["to bad shots"] = _score(transfer(examples, post, plan))
    except InputError as error:
        found["refused"] = str(error)
    return found


# -- language models -----------------------------------------------------------------------------------------------


def _asked(most: int) -> list[Item]:
    """Everyday questions in an order that is drawn once."""
    questions = everyday_questions()
    order = generator(42, "questions").permutation(len(questions))[:most]
    return [Item(questions[place].text, questions[place].answers, questions[place].topic) for place in order]


def _labeller(scale: dict[str, Any], setting: str) -> Labeller:
    """Answers end with the line. Short answers must stand alone: the symbol "He" is in "The"."""
    shots = Shots(folds=3, draws=4)
    altered = BadShots(shots) if setting == "bad-shots" else AliceBob(shots)
    return Labeller(altered, samples=scale["samples"], stop=("\n",), alone_below=4)


def _language(unit: dict[str, Any]) -> dict[str, Any]:
    """Label everyday questions for SmolLM2; with enough errors, probe it."""
    scale = SIZES[unit["scale"]]
    try:
        model = zoo.load(SMALL)
    except MissingDependencyError as error:
        return {"missing": str(error)}
    how = _labeller(scale, unit["setting"])
    dataset = how.label(model, _asked(scale["questions"]), source="everyday")
    errors = dataset.of("HK+")
    topics = Counter(record.item.topic for record in dataset if record.label in ERRORS)
    found: dict[str, Any] = {
        "asked": len(dataset),
        "dropped": dataset.dropped,
        "counts": dataset.counts(),
        "histogram": {str(hits): count for hits, count in dataset.histogram().items()},
        "topics": dict(topics.most_common()),
        "error topics": dict(Counter(record.item.topic for record in errors).most_common()),
        "errors": sheet(dataset),
        "late": len(late_hits(model, errors, stop=("\n",), alone_below=how.alone_below)) if errors else 0,
    }
    if len(errors) >= FEWEST_ERRORS:
        plan = ProbePlan(split="folds")
        for when in ("post", "pre"):
            examples = specific_examples(model, dataset, when)
            found[when] = {
                "three-way": _score(three_way(examples, plan)),
                "errors": _score(detect(examples, labels=ERRORS, plan=plan)),
            }
        records = dataset.of(*PROBED)
        words = word_states([f"{record.item.question} {record.answer}" for record in records])
        found["words"] = _first(three_way(examples.with_states(words), plan))
    return found


def _similarity(unit: dict[str, Any]) -> dict[str, Any]:
    """Both figures of two models on the same questions."""
    scale = SIZES[unit["scale"]]
    how, items = _labeller(scale, "bad-shots"), _asked(scale["shared"])
    try:
        first, second = (how.label(zoo.load(name), items) for name in (SMALL, OTHER))
    except MissingDependencyError as error:
        return {"missing": str(error)}
    found = similarity(first, second)
    known = [each.known() for each in (first, second)]
    rows = np.array([[question in own for own in known] for question in sorted(known[0] | known[1])], dtype=float)
    interval = bootstrap_interval(rows.all(axis=1).astype(float))
    values = {name: value for name, value in vars(found).items() if not (isinstance(value, float) and np.isnan(value))}
    return {"values": values, "known interval": [interval.low, interval.high],
            "counts": [first.counts(), second.counts()]}  # fmt: skip
