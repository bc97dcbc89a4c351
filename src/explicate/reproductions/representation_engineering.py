"""Reasoning control vectors (arXiv 2504.19483): directions read from solved tasks, and what adding them does.

Four parts. States with a planted difference, which each estimator should find or is known to miss. Small decoders that
solve or guess as a mode word says, steered without that word. SmolLM2-135M on deductions in the manner of bAbI's task
15, where layer, estimator and strength are chosen on validation stories and tested once on others. The same model on
long prompts with an indirect object. The paper's models (Pythia, Mistral) and GSM8K are not part of the package; its
figures on them are kept as what was claimed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from explicate.core.kinds import Direction, DoseResponse
from explicate.data.language.babi15 import ANSWERS, Deduction, apart, babi15, majority_rate
from explicate.data.language.ioi import ioi_prompts
from explicate.evaluation.dose_response import GRID, against_plain, chosen_strength, dose_response
from explicate.evaluation.exact_match import exact_match
from explicate.mechanisms.steering import (
    ReadDirections,
    estimate,
    random_direction,
    read_directions,
    steer,
    top_tokens,
    tossed_pairs,
)
from explicate.models import zoo
from explicate.models.language import LanguageModel
from explicate.models.tiny import moded_deduction as planted
from explicate.models.tiny.language import DecoderRecipe, Trained, train_decoder
from explicate.reproductions import representation_engineering_claims as claims
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import measured
from explicate.runtime.seeds import generator

MODEL = "smollm2-135m"
LAYERS = (10, 15, 20)
HOWS = ("mean", "paired-difference", "pca-of-differences")
"""The paper's R, R-C and PCA-C; the last is read with the mean difference's length."""
RANDOM = 20  # random directions that each steered accuracy is compared with
PLANTED_LAYERS = (1, 2)  # of four
SOLVED, GUESSED = 0.90, 0.40  # the page's bars
WIDE = tuple(round(0.1 * step, 1) for step in range(-20, 21))  # strengths for the planted mode
NEUTRAL = (
    "The river rises in the mountains and flows through three countries before it reaches the sea near the old port.",
    "Bread is made from flour, water, salt and yeast, which are mixed, left to rise and then baked in a hot oven.",
)
SIZES: dict[str, dict[str, int]] = {
    "full": {
        "steps": 400,
        "modes": 200,
        "stories": 100,
        "read": 300,
        "screen": 20,
        "candidates": 4,
        "validation": 300,
        "test": 600,
        "controls": 20,
        "written": 12,
        "ioi": 16,
        "ioi test": 100,
    },
    "smoke": {
        "steps": 12,
        "modes": 20,
        "stories": 20,
        "read": 3,
        "screen": 1,
        "candidates": 1,
        "validation": 1,
        "test": 2,
        "controls": 1,
        "written": 1,
        "ioi": 2,
        "ioi test": 4,
    },
}


def reproduce(context: Context) -> Sequence[Claim]:
    """All parts; the SmolLM2 parts use the first seed alone."""
    seeds, scale = list(context.seeds), context.scale
    seed, sizes = seeds[0], SIZES[scale]
    layers = LAYERS if scale == "full" else LAYERS[1:2]
    cells = [{"part": "table", "seed": seed, "layer": layer, "how": how} for layer in layers for how in HOWS]
    table = _stage(context, "table", cells, ("read", "screen", "validation", "test"))
    candidates = claims.best_cells(table, sizes["candidates"])
    choose = {"part": "choice", "seed": seed, "candidates": candidates}
    (choice,) = _stage(context, "choice", [choose], ("read", "validation"))
    picked = {
        "layer": choice["layer"],
        "how": choice["how"],
        "strength": choice["strength"] or candidates[0]["strength"],
    }
    parts = ("test", "controls", "analysis", "names")
    tests = [{"part": part, "seed": seed, **picked} for part in parts]
    found = _stage(context, "test", tests, ("read", "test", "controls", "written", "ioi", "ioi test"))
    worlds = [{"part": part, "seed": each} for part in ("states", "modes") for each in seeds]
    records = _stage(context, "worlds", worlds, ("steps", "modes", "stories"))
    modes = records[len(seeds) :]
    again = [
        {"part": "shorter", "seed": each, "site": mode["site"], "norm kept": mode["norm kept"]}
        for each, mode in zip(seeds, modes, strict=True)
    ]
    shorter = _stage(context, "shorter", again, ("steps", "modes", "stories"))
    return [
        *claims.of_states(records[: len(seeds)]),
        *claims.of_modes(modes, shorter),
        *claims.of_deductions(table, choice, dict(zip(parts, found, strict=True)), sizes, len(layers)),
        *claims.of_names(found[-1]),
    ]


def _stage(context: Context, name: str, units: list[dict[str, Any]], sizes: Sequence[str]) -> list[dict[str, Any]]:
    """Records of units, logged in a folder of the stage's own; `sizes` are those that its records depend on."""
    own = {each: SIZES[context.scale][each] for each in sizes}
    return measured(context, "representation-engineering", _work, units, own, stage=name)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "states": _states,
        "modes": _modes,
        "shorter": _shorter,
        "table": _table,
        "choice": _choice,
        "test": _test,
        "controls": _controls,
        "analysis": _analysis,
        "names": _names,
    }
    return parts[unit["part"]](unit)


# -- planted states ----------------------------------------------------------------------------------------------------


def _states(unit: dict[str, Any]) -> dict[str, Any]:
    """Pairs that differ by mu and by noise that is strongest at a right angle to it."""
    rng = generator(unit["seed"], "planted states")
    mu, other = rng.standard_normal((2, 256))
    other -= mu * (other @ mu) / (mu @ mu)
    other /= np.linalg.norm(other)
    negative = 3 * rng.standard_normal((300, 256))
    noise = rng.standard_normal(negative.shape) + 24 * np.outer(rng.standard_normal(len(negative)), other)
    positive = negative + mu + noise
    record = {}
    for how in ("mean", "paired-difference", "pca-of-differences", "pca"):
        found = estimate(positive, None if how == "pca" else negative, how)  # type: ignore[arg-type]
        record[how] = float(found.direction @ mu / np.linalg.norm(found.direction) / np.linalg.norm(mu))
    return record


# -- decoders with a planted mode --------------------------------------------------------------------------------------


def _modes(unit: dict[str, Any]) -> dict[str, Any]:
    """Train, read the mode's direction at the middle layers, choose on validation stories, test on others.

    Layer, strength and whether the norm is kept are those whose worse margin is best: of the strength over 0.90, and of
    its opposite under 0.40.
    """
    trained, reading, validation, test = _moded(unit)
    model = trained.model
    marked = {mode: [story.prompt(mode) for story in reading] for mode in (planted.SOLVE, planted.GUESS)}
    read = read_directions(model, marked[planted.SOLVE], marked[planted.GUESS], layers=PLANTED_LAYERS)
    best = (-np.inf, "", False, 0.0)
    for site, kept in product(map(str, read.sites), (False, True)):
        mass = _answered(model, validation, read.at(site), WIDE, keep_norm=kept).masses()[0].mean(axis=1)
        margins = np.minimum(mass - SOLVED, GUESSED - mass[::-1])
        best = max(best, (float(margins.max()), site, kept, WIDE[int(margins.argmax())]))
    _, site, kept, strength = best
    direction = read.at(site)
    response = _answered(model, test, direction, WIDE, keep_norm=kept)
    mass = response.masses()[0].mean(axis=1)
    controls = [
        _answered(model, test, random_direction(direction, number), (strength,), keep_norm=kept).masses()[0].mean()
        for number in range(RANDOM)
    ]
    told = {
        mode: float(_answered(model, test, direction, (0.0,), mode=mode).masses()[0].mean())
        for mode in (planted.SOLVE, planted.GUESS)
    }
    at = [response.place(each) for each in GRID]
    unmarked = read_directions(
        model, marked[planted.SOLVE], [story.prompt() for story in reading], layers=PLANTED_LAYERS
    )
    apart = unmarked.at(site).cosine(direction - unmarked.at(site))
    return {
        "weights": sum(parameter.numel() for parameter in model.module.parameters()),
        "loss": float(trained.losses[-50:].mean()),
        "site": site,
        "norm kept": kept,
        "strength": strength,
        "plain": float(mass[response.place(0.0)]),
        "steered": float(mass[response.place(strength)]),
        "opposite": float(mass[response.place(-strength)]),
        "highest": float(mass.max()),
        "words": told,
        "random": [float(value) for value in controls],
        "divergence": response["divergence"].values.mean(axis=1)[at].tolist(),
        "largest at 0": float(response["divergence"].sel(strength=0.0).max()),
        "halves": float(apart.values[0]),
        "relative size": float(response["relative_size"].sel(strength=strength).max()),
    }


def _shorter(unit: dict[str, Any]) -> dict[str, Any]:
    """The same site at strength 1, the mean difference itself, and random directions of that length."""
    trained, reading, _, test = _moded(unit)
    marked = ([story.prompt(mode) for story in reading] for mode in (planted.SOLVE, planted.GUESS))
    direction = read_directions(trained.model, *marked, sites=[unit["site"]])
    kept = unit["norm kept"]
    response = _answered(trained.model, test, direction, (-1.0, 0.0, 1.0), keep_norm=kept)
    opposite, plain, steered = response.masses()[0].mean(axis=1).tolist()
    random = [
        float(_answered(trained.model, test, random_direction(direction, n), (1.0,), keep_norm=kept).masses()[0].mean())
        for n in range(RANDOM)
    ]
    size = float(response["relative_size"].sel(strength=1.0).max())
    return {"opposite": opposite, "plain": plain, "steered": steered, "random": random, "relative size": size}


def _moded(
    unit: dict[str, Any],
) -> tuple[Trained, list[planted.Deduction], list[planted.Deduction], list[planted.Deduction]]:
    """A trained decoder, and stories to read from, to choose on and to test on."""
    sizes, seed = SIZES[unit["scale"]], unit["seed"]
    recipe = DecoderRecipe(steps=sizes["steps"], batch=64, learning_rate=2e-3, seed=seed, save_every=100)
    trained = train_decoder(planted.DECODER, planted.ModedDeductions(), recipe, name="moded-deduction")
    rng = generator(seed, "stories with a mode")
    reading, validation, test = (planted.deductions(rng, sizes[name]) for name in ("modes", "stories", "stories"))
    return trained, reading, validation, test


def _answered(
    model: LanguageModel,
    stories: Sequence[planted.Deduction],
    direction: Direction,
    strengths: Sequence[float] = GRID,
    *,
    keep_norm: bool = False,
    mode: planted.Mode | None = None,
) -> DoseResponse:
    prompts, correct = [story.prompt(mode) for story in stories], [story.answer for story in stories]
    options: dict[str, Any] = {"answers": planted.ANIMALS, "correct": correct, "keep_norm": keep_norm}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="strength .* adds")  # the size is in the record
        return dose_response(model, prompts, direction, strengths, **options)


# -- SmolLM2 on deductions ---------------------------------------------------------------------------------------------


@cache
def _model() -> LanguageModel:
    return zoo.load(MODEL)


@cache
def _splits(scale: str, seed: int) -> dict[str, list[Deduction]]:
    """Stories to read from, to screen, to choose on and to test on; no story is in two."""
    sizes = SIZES[scale]
    found = {}
    for number, name in enumerate(("read", "screen", "validation", "test")):
        found[name] = babi15(sizes[name], seed=4 * seed + number)
    apart(*found.values())
    return found


@cache
def _directions(scale: str, seed: int) -> Mapping[str, Direction]:
    """Directions of all layers by each estimator, and the mean of the random texts as a control."""
    reading = _splits(scale, seed)["read"]
    positive, negative = [each.solved for each in reading], [each.random for each in reading]
    method = ReadDirections(standardize=True)
    found: dict[str, Direction] = dict(method.fit_each(_model(), positive, negative, HOWS))  # type: ignore[arg-type]
    found["unrelated"] = found["mean"] - found["paired-difference"]  # the mean of the random texts
    return found


def _direction(unit: Mapping[str, Any]) -> Direction:
    return _directions(unit["scale"], unit["seed"])[unit["how"]].at(f"L{unit['layer']}.resid_post")


def _asked(
    stories: Sequence[Deduction], direction: Direction, strengths: Sequence[float], **options: Any
) -> DoseResponse:
    prompts, correct = [each.question for each in stories], [each.answer for each in stories]
    return dose_response(_model(), prompts, direction, strengths, answers=ANSWERS, correct=correct, **options)


def _table(unit: dict[str, Any]) -> dict[str, Any]:
    """One layer and estimator at all strengths, on the screening stories."""
    direction = _direction(unit)
    response = _asked(_splits(unit["scale"], unit["seed"])["screen"], direction, GRID)
    frame = response.to_frame()
    return {
        "layer": unit["layer"],
        "how": unit["how"],
        "agreement": _number(direction, "agreement"),
        "cosine": _number(direction, "cosine"),
        **{str(name): frame[name].tolist() for name in frame},
    }


def _choice(unit: dict[str, Any]) -> dict[str, Any]:
    """The most accurate of the candidates on the validation stories; strength 0 is one of them."""
    stories = _splits(unit["scale"], unit["seed"])["validation"]
    responses = {}
    for number, cell in enumerate(unit["candidates"]):
        strengths = sorted({0.0, float(cell["strength"])})
        responses[number] = _asked(stories, _direction({**unit, **cell}), strengths)
    choice = chosen_strength(responses)
    cell = unit["candidates"][choice.name]
    accuracies = [
        float(r.right[r.place(c["strength"])].mean())
        for r, c in zip(responses.values(), unit["candidates"], strict=True)
    ]
    return {
        "layer": cell["layer"],
        "how": cell["how"],
        "strength": choice.strength,
        "accuracy": choice.accuracy,
        "plain": choice.plain,
        "candidates": accuracies,
    }


def _test(unit: dict[str, Any]) -> dict[str, Any]:
    """The choice, once, on the test stories."""
    stories = _splits(unit["scale"], unit["seed"])["test"]
    direction, strength = _direction(unit), unit["strength"]
    response = _asked(stories, direction, sorted({0.0, strength}), neutral=NEUTRAL)
    found = against_plain(response, strength)
    at, plain = response.place(strength), response.place(0.0)
    model = _model()
    ids = model.encode([each.question for each in stories[:8]])
    before = model.predict(ids)
    with model.intervene(steer(direction, 0.0)):
        same = bool((model.predict(ids) == before).all())
    few = stories[: SIZES[unit["scale"]]["written"]]
    prompts, gold = [each.question for each in few], [each.answer for each in few]
    written = exact_match(model, prompts, gold)
    with model.intervene(steer(direction, strength)):
        steered = exact_match(model, prompts, gold)
    frame = response.to_frame()
    return {
        "accuracy": [found.accuracy.value, found.accuracy.low, found.accuracy.high],
        "plain": [found.plain.value, found.plain.low, found.plain.high],
        "difference": [found.difference.value, found.difference.low, found.difference.high],
        "p": found.p,
        "gained": found.gained,
        "lost": found.lost,
        "stories": len(stories),
        "majority": majority_rate(stories),
        "divergence": float(frame["divergence (nats)"][at]),
        "median divergence": float(frame["divergence median"][at]),
        "entropy": [float(frame["entropy (bits)"][i]) for i in (plain, at)],
        "perplexity": [float(frame["neutral perplexity"][i]) for i in (plain, at)],
        "relative size": float(frame["relative size"][at]),
        "bit for bit": same,
        "written": [float(written.mean()), float(steered.mean()), len(few)],
    }


def _controls(unit: dict[str, Any]) -> dict[str, Any]:
    """Accuracies at the chosen strength, on the same test stories, of directions that should do nothing special."""
    count = SIZES[unit["scale"]]["controls"]
    splits = _splits(unit["scale"], unit["seed"])
    stories, strength, direction = splits["test"][:count], unit["strength"], _direction(unit)
    seeds = RANDOM if unit["scale"] == "full" else 1
    reading = splits["read"]
    sides = tossed_pairs([each.solved for each in reading], [each.random for each in reading], unit["seed"])
    layer = unit["layer"]
    tossed = read_directions(_model(), *sides, layers=layer).unit() * float(direction.lengths.values[0])
    unrelated = _directions(unit["scale"], unit["seed"])["unrelated"].at(*direction.sites)
    unrelated = unrelated.unit() * float(direction.lengths.values[0])
    both = _asked(stories, direction, sorted({0.0, strength}))

    def accuracy(other: Direction) -> float:
        return float(_asked(stories, other, (strength,)).right.mean())

    return {
        "steered": float(both.right[both.place(strength)].mean()),
        "plain": float(both.right[both.place(0.0)].mean()),
        "norm kept": float(_asked(stories, direction, (strength,), keep_norm=True).right.mean()),
        "random": [accuracy(random_direction(direction, number)) for number in range(seeds)],
        "tossed": accuracy(tossed),
        "unrelated": accuracy(unrelated),
        "stories": count,
    }


def _analysis(unit: dict[str, Any]) -> dict[str, Any]:
    """Lengths over the layers, cosines between estimators and layers, and the tokens that the directions speak for."""
    found = _directions(unit["scale"], unit["seed"])
    sites = [f"L{layer}.resid_post" for layer in LAYERS]
    lengths = {how: found[how].lengths.values.tolist() for how in HOWS}
    contrast = found["paired-difference"]
    vectors = contrast.at(*sites).unit().values
    return {
        "lengths": lengths,
        "typical": contrast["typical_length"].values.tolist(),
        "cosine of R-C": {how: contrast.cosine(found[how]).values.tolist() for how in HOWS},
        "between layers": (vectors @ vectors.T).tolist(),
        "tokens": {how: top_tokens(_model(), found[how].at(*sites[1:2]), 6)[0] for how in HOWS},
    }


# -- SmolLM2 on names --------------------------------------------------------------------------------------------------


def _names(unit: dict[str, Any]) -> dict[str, Any]:
    """Long prompts with an indirect object; R-C of the middle layer against names that say nothing, and bAbI's."""
    sizes, seed, model = SIZES[unit["scale"]], unit["seed"], _model()
    task = ioi_prompts(model, 2 * sizes["ioi"] + sizes["ioi test"], form="long", seed=seed)
    reading, validation = task.prompts[: sizes["ioi"]], task.prompts[sizes["ioi"] : 2 * sizes["ioi"]]
    test = task.prompts[2 * sizes["ioi"] :]
    own = read_directions(
        model,
        [f"{each.prompt} {each.io}" for each in reading],
        [f"{each.renamed} {each.io}" for each in reading],
        layers=15,
    )
    other = _directions(unit["scale"], seed)["paired-difference"].at("L15.resid_post")

    def asked(prompts: Any, direction: Direction, strengths: Sequence[float]) -> DoseResponse:
        answers = [[each.io, each.s] for each in prompts]
        texts = [each.prompt for each in prompts]
        return dose_response(model, texts, direction, strengths, answers=answers, correct=[0] * len(texts))

    curve = asked(validation, own, GRID)
    strength = chosen_strength({"own": curve}).strength
    found = asked(test, own, sorted({0.0, strength}))
    tested = against_plain(found, strength)
    transferred = asked(validation[: sizes["controls"]], other, (-1.0, -0.5, 0.0, 0.5, 1.0))
    return {
        "strength": strength,
        "curve": curve.right.mean(axis=1).tolist(),
        "top": float((found["top"].values[found.place(0.0)] == found["answer_token"].values[:, 0]).mean()),
        "divergence": curve["divergence"].values.mean(axis=1).tolist(),
        "accuracy": [tested.accuracy.value, tested.accuracy.low, tested.accuracy.high],
        "plain": [tested.plain.value, tested.plain.low, tested.plain.high],
        "p": tested.p,
        "flips": [tested.gained, tested.lost],
        "prompts": len(test),
        "transferred": transferred.right.mean(axis=1).tolist(),
        "cosine": float(own.cosine(other).values[0]),
    }


def _number(direction: Direction, name: str) -> float:
    return float(direction.data[name].values[0])
