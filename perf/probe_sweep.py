"""A probe sweep on SmolLM2-135M: 10,000 texts through the model, 30 layers to disk, and a probe a layer with controls.

`probing/capture`: examples a second while the last token's residual stream of all layers is written to shards, over
those of the plain module (without its unembedding) on the same batches; both take turns, shard by shard.
`probing/peak memory`: the largest resident memory of the whole process, model, libraries and fits included, in GiB.
`probing/fits`: seconds for 5 splits and their control labels at each of 30 layers, over those of scikit-learn's
LogisticRegression at one layer times 30 (same splits, standardised, same tolerance).

    python perf/probe_sweep.py [EXAMPLES]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from explicate.core.capabilities import Array
from explicate.data.language.countries import countries
from explicate.mechanisms.probing import Shards, capture_shards, group_numbers, layer_profile, training_rows
from explicate.models import zoo
from explicate.models.language import tokens

EXAMPLES, REPEATS = 10_000, 5
CAPTURE_GOAL, MEMORY_GOAL = 0.9, 2.0
BEGINNINGS = ("", "It is said that ", "Everybody knows: ", "In my book I read that ", "He wrote once more that ")


def statements(rng: np.random.Generator, count: int) -> tuple[list[str], Array, Array]:
    """True and false statements about capitals, whether they are false, and their countries."""
    known = countries()
    texts, labels, subjects = [], [], []
    for _ in range(count):
        country, other = (known[int(i)] for i in rng.choice(len(known), 2, replace=False))
        wrong = int(rng.integers(2))
        capital = other.capital if wrong else country.capital
        texts.append(f"{BEGINNINGS[int(rng.integers(5))]}the capital of {country.name} is {capital}.")
        labels.append(wrong)
        subjects.append(country.name)
    return texts, np.array(labels), np.array(subjects, dtype=object)


class Turns:
    """Sends each shard's texts through the plain module before they are captured, and takes both times."""

    def __init__(self, model: Any) -> None:
        self.model, self.passes = model, model.passes
        self.plain: list[float] = []
        self.sizes: list[int] = []

    def __call__(self, ids: Array, watch: Callable[[Array], Any]) -> Iterator[Array]:
        start = time.perf_counter()
        for rows in tokens.by_length(tokens.lengths_of(ids), self.model.tokens_at_once):
            batch = self.model.batch(ids[rows])
            with torch.no_grad():
                self.model.module.base_model(batch.ids, attention_mask=batch.mask, use_cache=False)
        self.plain.append(time.perf_counter() - start)
        self.sizes.append(len(ids))
        yield from self.passes(ids, watch)


def captured(model: Any, texts: list[str], folder: str) -> tuple[Shards, dict[str, Any]]:
    """All layers of all texts, shard by shard, and how fast."""
    turns = Turns(model)
    model.passes = turns
    ids = model.encode(texts)
    model.fingerprint()  # of the weights, once a model
    sites = [f"L{layer}.resid_post" for layer in range(model.layer_count)]
    start = time.perf_counter()
    shards = capture_shards(model, ids, sites, folder)
    both = time.perf_counter() - start
    plain = sum(turns.plain)
    ratio = plain / (both - plain)
    speeds = len(texts) / (both - plain), len(texts) / plain
    row = report("probing/capture, 30 layers, examples a second", *speeds, ratio, CAPTURE_GOAL, ratio >= CAPTURE_GOAL)
    return shards, row | {"tokens": int(tokens.lengths_of(ids).sum()), "shards": len(turns.plain)}


def fitted(shards: Shards, labels: Array, subjects: Array) -> dict[str, Any]:
    """The sweep's seconds, and scikit-learn's for the same fits at one layer."""
    from sklearn.linear_model import LogisticRegression

    start = time.perf_counter()
    profile = layer_profile(shards, labels, groups=subjects, repeats=REPEATS)
    ours = time.perf_counter() - start
    features = shards.read("L15.resid_post")[:, 0].astype(np.float64)
    splits = training_rows(labels, group_numbers(subjects, len(labels)), REPEATS, 0.4, 2)
    start = time.perf_counter()
    for rows in splits:
        for answers in (labels, np.random.default_rng(0).permutation(labels)):
            own = features[rows]
            scaled = (own - own.mean(axis=0)) / own.std(axis=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                LogisticRegression(max_iter=2000).fit(scaled, answers[rows])
    peer = (time.perf_counter() - start) * len(shards.sites)
    row = report("probing/fits, 30 layers x 5 splits x control, seconds", ours, peer, ours / peer, None, None)
    return row | {"best": round(float(profile.curve().max()), 3), "chance": round(profile.chance, 3)}


def report(work: str, ours: float, peer: float | None, ratio: float, goal: float | None, met: bool | None) -> Any:
    """One measurement."""
    return {"work": work, "ours": round(ours, 3), "peer": None if peer is None else round(peer, 3), "reference": None,
            "ratio": round(ratio, 3), "goal": goal, "met": met, "runs": 1, "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 2)}  # fmt: skip


def main() -> None:
    """Print three JSON lines."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    model = zoo.load("smollm2-135m")
    texts, labels, subjects = statements(np.random.default_rng(0), examples)
    warm_up(model, texts[:32])
    with tempfile.TemporaryDirectory() as folder:
        shards, row = captured(model, texts, folder)
        print(json.dumps(row), flush=True)
        print(json.dumps(fitted(shards, labels, subjects)), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    row = report(
        f"probing/peak memory of {examples:,} examples, GiB", peak, None, peak, MEMORY_GOAL, peak < MEMORY_GOAL
    )
    print(json.dumps(row), flush=True)


def warm_up(model: Any, texts: list[str]) -> None:
    """First passes are slower: libraries are loaded, memory is taken."""
    with tempfile.TemporaryDirectory() as folder:
        capture_shards(model, texts, ["L0.resid_post"], folder)


if __name__ == "__main__":
    main()
