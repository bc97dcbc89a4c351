"""Integrated gradients, SmoothGrad and occlusion on EfficientNet-Lite0: four photographs, bare passes, captum.

The reference is the same number of bare passes of the plain module in chunks of four; `ratio` is ours over that. The
peer is captum at its best chunk size. All take turns in every round; figures are medians. Beside the times: how far the
values are from captum's, or for SmoothGrad (whose noise differs) from the plain module's gradients at the same points.

Goal: at most 0.75 of the reference.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from explicate.attribution import gradient
from explicate.attribution.gradient import SmoothGrad
from explicate.attribution.integrated_gradients import IntegratedGradients
from explicate.attribution.occlusion import Occlusion
from explicate.data import picture
from explicate.models import zoo

ROUNDS = 3
GOAL = 0.75
STEPS, SAMPLES, WINDOW, STRIDE = 64, 50, 32, 16
CHUNK = 4


def bare(module: Any, batch: Any, targets: Any, passes: int, backward: bool) -> None:
    """`passes` times the batch through the plain module, four pictures at a time."""
    for _ in range(passes):
        for first in range(0, len(batch), CHUNK):
            x = batch[first : first + CHUNK].clone().requires_grad_(backward)
            with torch.set_grad_enabled(backward):
                chosen = module(x).gather(1, targets[first : first + CHUNK, None]).sum()
                if backward:
                    torch.autograd.grad(chosen, x)


def peers(module: Any, batch: Any, targets: Any) -> dict[str, Callable[[], Any]]:
    """captum's three methods at the chunk sizes that served it best; empty where captum is not installed."""
    try:
        from captum.attr import IntegratedGradients as TheirGradients
        from captum.attr import NoiseTunnel, Saliency
        from captum.attr import Occlusion as TheirOcclusion
    except ImportError:
        return {}
    sizes = (3, WINDOW, WINDOW), (3, STRIDE, STRIDE)
    spread = [0.15 * float(x.max() - x.min()) for x in batch]
    return {
        "integrated-gradients": lambda: TheirGradients(module).attribute(
            batch, 0 * batch, targets, n_steps=STEPS, method="riemann_middle", internal_batch_size=16
        ),
        "smooth-grad": lambda: NoiseTunnel(Saliency(module)).attribute(
            batch, nt_samples=SAMPLES, nt_samples_batch_size=1, stdevs=spread[0], target=targets, abs=False
        ),
        "occlusion": lambda: TheirOcclusion(module).attribute(
            batch, *sizes, target=targets, baselines=0, perturbations_per_eval=1
        ),
    }


def agreement(name: str, model: Any, batch: Any, ours: Any, theirs: Any, targets: Any) -> dict[str, float]:
    """Cosine and largest difference, relative to the largest value, to the values that ours should be."""
    found = np.asarray(ours.values, dtype=float)
    if name == "smooth-grad":  # the same noise through the plain module
        rng = np.random.Generator(np.random.PCG64(0))
        sigma = gradient.noise_level(model, batch, 0.15, "relative")
        expected = np.zeros(batch.shape)
        rows = np.repeat(np.arange(len(batch)), SAMPLES)
        for first in range(0, len(rows), 64):  # as the package draws them
            own = rows[first : first + 64]
            points = gradient.noisy_copies(batch[own], sigma[own], rng)
            for at in range(0, len(own), CHUNK):
                x = torch.as_tensor(points[at : at + CHUNK]).requires_grad_(True)
                picked = own[at : at + CHUNK]
                score = model.module(x).gather(1, torch.as_tensor(targets[picked])[:, None]).sum()
                np.add.at(expected, picked, torch.autograd.grad(score, x)[0].numpy() / SAMPLES)
    elif theirs is None:
        return {}
    else:
        expected = theirs.detach().numpy().astype(float)
        if found.ndim == 3:
            expected = expected[:, 0]
    cosine = float((found * expected).sum() / np.linalg.norm(found) / np.linalg.norm(expected))
    return {
        "cosine": round(cosine, 6),
        "largest_difference": float(np.abs(found - expected).max() / np.abs(expected).max()),
    }


def main() -> None:
    """Print three JSON lines."""
    model = zoo.load("efficientnet-lite0")
    batch = model.encode([picture(name) for name in ("cat", "coffee", "astronaut", "china")])
    targets = model.predict(batch).argmax(axis=1)
    x, classes = torch.as_tensor(batch), torch.as_tensor(targets)
    for parameter in model.module.parameters():
        parameter.requires_grad_(False)
    windows = len(Occlusion(window=(WINDOW, WINDOW), stride=(STRIDE, STRIDE))._windows((224, 224)))
    methods = {
        "integrated-gradients": (IntegratedGradients(steps=STEPS), STEPS, True),
        "smooth-grad": (SmoothGrad(samples=SAMPLES), SAMPLES, True),
        "occlusion": (Occlusion(window=(WINDOW, WINDOW), stride=(STRIDE, STRIDE)), windows, False),
    }
    theirs = peers(model.module, x, classes)
    for name, (method, passes, backward) in methods.items():
        runs: dict[str, Callable[[], Any]] = {
            "ours": lambda method=method: method.explain(model, batch, targets.tolist()),
            "reference": lambda passes=passes, backward=backward: bare(model.module, x, classes, passes, backward),
        }
        if name in theirs:
            runs["peer"] = theirs[name]
        seconds: dict[str, list[float]] = {run: [] for run in runs}
        last: dict[str, Any] = {}
        method.explain(model, batch[:1], int(targets[0]))  # loads, folds and measures the chunk
        model.gradients(np.repeat(batch, 8, axis=0), np.repeat(targets, 8))
        load = []
        for _ in range(ROUNDS):
            for run, call in runs.items():
                start = time.perf_counter()
                last[run] = call()
                seconds[run].append(time.perf_counter() - start)
            load.append(os.getloadavg()[0])
        middle = {run: statistics.median(values) for run, values in seconds.items()}
        ratios = sorted(a / b for a, b in zip(seconds["ours"], seconds["reference"], strict=True))
        ratio = middle["ours"] / middle["reference"]
        row = {
            "work": f"attribution/{name}, 4 pictures",
            "ours": round(middle["ours"], 3),
            "peer": round(middle["peer"], 3) if "peer" in middle else None,
            "reference": round(middle["reference"], 3),
            "ratio": round(ratio, 3),
            "peer_ratio": round(middle["peer"] / middle["reference"], 3) if "peer" in middle else None,
            "range": [round(ratios[0], 3), round(ratios[-1], 3)],
            "goal": GOAL,
            "met": ratio <= GOAL,
            "runs": ROUNDS,
            "threads": torch.get_num_threads(),
            "load": round(statistics.median(load), 2),
        }
        print(json.dumps(row | agreement(name, model, batch, last["ours"], last.get("peer"), targets)), flush=True)


if __name__ == "__main__":
    main()
