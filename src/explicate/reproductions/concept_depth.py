"""Concept depth (arXiv 2404.07066): banks whose depth is exact, a network trained on three depths, and SmolLM2.

The paper's data sets and models are too large for here; its loaders are in `explicate.benchmarks.concept_depth`. Here
the tasks are generated: statements about capitals, sentences of praise and blame, coins that are flipped.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from explicate.benchmarks.concept_depth import (
    ConceptDepth,
    ProbingTask,
    anchor,
    capitals_task,
    coin_task,
    depth_points,
    layer_bank,
    sentiment_task,
)
from explicate.core.kinds import Profile
from explicate.core.provenance import Provenance
from explicate.data.language.hops import LABELS, WORDS, Hops, hops
from explicate.mechanisms.probing import Shards, capture_shards, layer_profile
from explicate.mechanisms.probing.estimators import EstimatorProbe
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Sequences, train_decoder
from explicate.report.profiles import depth_curves
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.concept_depth_claims import bank_claims, model_claims, network_claims
from explicate.reproductions.units import measured
from explicate.runtime.files import replacing
from explicate.runtime.seeds import generator

SIZES: dict[str, dict[str, Any]] = {
    "full": {"bank": 2000, "starts": (3, 9, 20), "steps": 2000, "sequences": 1500, "countries": 153, "sentiment": 400,
             "coins": 150, "anchored": 100, "repeats": 2,
             "conditions": ((False, 32), (True, 32), (False, 8), (False, 4))},
    "smoke": {"bank": 800, "starts": (3,), "steps": 10, "sequences": 100, "countries": 10, "sentiment": 40,
              "coins": 40, "anchored": 40, "repeats": 2, "conditions": ((False, 32),)},
}  # fmt: skip
PARTS = {
    "banks": ("bank", "starts"),
    "model": ("countries", "sentiment", "coins", "conditions", "anchored", "repeats"),
    "networks": ("steps", "sequences"),
}
BANK_LAYERS = 24
SHAPE = Decoder(WORDS, layers=6, width=128, heads=4, mlp_width=256, context=16)
TASKS = ("capitals", "sentiment", "coin-flips")


@dataclass(frozen=True)
class HopCorpus:
    """Sequences with three labels; only the answer is predicted."""

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """So many sequences."""
        drawn = hops(count, rng, even_counts=True)
        weights = np.zeros(drawn.ids.shape)
        weights[:, -1] = 1.0
        return Sequences(drawn.ids, weights)


@dataclass(frozen=True)
class Learned:
    """Training ends when the network answers new sequences, asked every so many steps."""

    every: int = 100
    accuracy: float = 0.99
    sequences: int = 512

    def reached(self, model: LanguageModel) -> bool:
        """Whether it does."""
        test = hops(self.sequences, generator(0, "stop"))
        answers = model.predict(test.prompts).argmax(axis=1)
        return bool((answers == test.ids[:, -1]).mean() >= self.accuracy)


def reproduce(context: Context) -> Sequence[Claim]:
    """Runs (a), (b) and (c) of the system's page."""
    sizes, seeds = SIZES[context.scale], list(context.seeds)
    banks = [{"part": "bank", "start": start, "seed": seed} for start in sizes["starts"] for seed in seeds]
    tasks = [
        {"part": "model", "task": task, "noise": noise, "bits": bits, "seeds": seeds}
        for noise, bits in sizes["conditions"]
        for task in TASKS
    ]
    tasks += [{"part": "anchor", "task": task} for task in TASKS]
    tasks += [{"part": "literal", "task": "sentiment"}]
    networks = [{"part": "network", "seed": seed} for seed in seeds]
    model, bank, network = (
        _done(context, name, units) for name, units in (("model", tasks), ("banks", banks), ("networks", networks))
    )
    found = [one for one in model if one["part"] == "model"]
    _draw(found, context.folder / f"concept-depth-{context.scale}.png")
    return [
        *bank_claims(bank, BANK_LAYERS),
        *network_claims(network, SHAPE.layers),
        *model_claims(found, [one for one in model if one["part"] == "anchor"], model[-1]),
    ]


def _done(context: Context, name: str, units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The units of one part with their records, logged in a folder of their own."""
    sizes = {key: SIZES[context.scale][key] for key in PARTS[name]}
    return measured(context, "concept-depth", _work, units, sizes, stage=name)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {"bank": _bank, "network": _network, "model": _model, "anchor": _anchor, "literal": _literal}
    start = time.process_time()
    record = parts[unit["part"]](unit)
    return {**record, "seconds": time.process_time() - start}


def _bank(unit: dict[str, Any]) -> dict[str, Any]:
    """One bank: its depth points and the range of its control."""
    labels = generator(unit["seed"], "labels").integers(0, 2, SIZES[unit["scale"]]["bank"])
    bank = layer_bank(labels, BANK_LAYERS, unit["start"], seed=unit["seed"])
    profile = layer_profile(bank, labels, seed=unit["seed"], intervals=False)
    control = profile.curve("control")
    paper = depth_points(profile, "paper").converge
    return {**asdict(depth_points(profile)), "paper": paper, "control": [float(control.min()), float(control.max())]}


def _network(unit: dict[str, Any]) -> dict[str, Any]:
    """Train on all three labels, and profile each on new sequences, beside an untrained network."""
    sizes, seed = SIZES[unit["scale"]], unit["seed"]
    recipe = DecoderRecipe(steps=sizes["steps"], batch=64, learning_rate=2e-3, warmup=100, seed=seed, save_every=200)
    trained = train_decoder(SHAPE, HopCorpus(), recipe, name="hops", stop=Learned())
    test = hops(sizes["sequences"], generator(seed, "test sequences"))
    answers = trained.model.predict(test.prompts).argmax(axis=1)
    record: dict[str, Any] = {"own_accuracy": float((answers == test.ids[:, -1]).mean()), "steps": trained.steps}
    for which, model in (("trained", trained.model), ("untrained", SHAPE.handle(SHAPE.build(seed + 1000)))):
        with tempfile.TemporaryDirectory() as folder:
            shards = _stream(model, test, folder)
            for column, name in enumerate(LABELS):
                profile = layer_profile(shards, test.labels[:, column], seed=seed, intervals=False)
                record[f"{which} {name}"] = {"curve": profile.curve().tolist(), **asdict(depth_points(profile))}
    return record


def _stream(model: LanguageModel, test: Hops, folder: str) -> Shards:
    return capture_shards(model, test.prompts, [f"L{layer}.resid_post" for layer in range(SHAPE.layers)], folder)


def _model(unit: dict[str, Any]) -> dict[str, Any]:
    """One task under one disturbance: activations once, then splits by rows, and by subjects, for each seed."""
    model, task = _smollm2(), _task(unit["task"], unit["scale"])
    record: dict[str, Any] = {"examples": len(task)}
    method = ConceptDepth(repeats=SIZES[unit["scale"]]["repeats"], noise=unit["noise"], bits=unit["bits"])
    with tempfile.TemporaryDirectory() as folder:
        for split in ("rows", "subjects") if unit["task"] == "capitals" else ("rows",):
            own = replace(method, split=split)  # type: ignore[arg-type]
            profiles = [own.run(model, task, folder=folder, seed=seed) for seed in unit["seeds"]]
            record[split] = _summed_up(profiles)
    return record


def _summed_up(profiles: list[Profile]) -> dict[str, Any]:
    return {
        "curves": [profile.curve().tolist() for profile in profiles],
        "controls": [profile.curve("control").tolist() for profile in profiles],
        "low": profiles[0].curve("low").tolist(),
        "high": profiles[0].curve("high").tolist(),
        "f1": [profile.curve(measure="f1").tolist() for profile in profiles],
        "auc": [profile.curve(measure="auc").tolist() for profile in profiles],
        "words": float(np.mean([profile.data.attrs["words"] for profile in profiles])),
        "chance": float(np.mean([profile.chance for profile in profiles])),
    }


def _anchor(unit: dict[str, Any]) -> dict[str, Any]:
    task = _task(unit["task"], unit["scale"])
    return asdict(anchor(_smollm2(), task.take(range(min(len(task), SIZES[unit["scale"]]["anchored"])))))


def _literal(unit: dict[str, Any]) -> dict[str, Any]:
    """The published protocol: norm after attention, scikit-learn as it comes, its split with seed 42."""
    method = ConceptDepth(site="post_attention_norm", probe=EstimatorProbe(), split="repo", control="none")
    profile = method.run(_smollm2(), _task(unit["task"], unit["scale"]))
    return {**asdict(depth_points(profile)), "paper": depth_points(profile, "paper").converge}


@cache
def _smollm2() -> LanguageModel:
    from explicate.models import zoo

    found: LanguageModel = zoo.load("smollm2-135m")
    return found


@cache
def _task(name: str, scale: str) -> ProbingTask:
    sizes = SIZES[scale]
    if name == "capitals":
        return capitals_task(sizes["countries"])
    return sentiment_task(sizes["sentiment"]) if name == "sentiment" else coin_task(sizes["coins"])


def _draw(found: list[Any], path: Path) -> None:
    """The curves of the undisturbed tasks, with the layers where they converge."""
    clean = {one["task"]: one for one in found if not one["noise"] and one["bits"] == 32}
    profiles = {name: _profile(one["subjects" if "subjects" in one else "rows"]) for name, one in clean.items()}
    marks = {name: depth_points(profile).converge or 1.0 for name, profile in profiles.items()}
    figure: Any = depth_curves(profiles, "accuracy", marks).figure
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight", format="png")


def _profile(record: dict[str, Any]) -> Profile:
    """The means over the seeds as a profile."""
    score, control = (np.mean(record[name], axis=0)[None] for name in ("curves", "controls"))
    layers = range(score.shape[1])
    grid = ("measure", "site")
    variables: dict[str, Any] = {
        "score": (grid, score),
        "standard_error": (grid, np.zeros_like(score)),
        "control": (grid, control),
    }
    variables |= {end: (("site",), np.array(record[end])) for end in ("low", "high")}
    coordinates = {
        "measure": ["accuracy"],
        "site": [f"L{layer}.resid_post@-1" for layer in layers],
        "layer": ("site", list(layers)),
        "part": ("site", ["resid_post"] * len(layers)),
        "position": ("site", ["-1"] * len(layers)),
    }
    data = xr.Dataset(variables, coords=coordinates, attrs={"chance": record["chance"]})
    return Profile(data, Provenance("concept-depth", model="smollm2-135m"))
