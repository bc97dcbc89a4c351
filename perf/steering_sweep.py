"""Twenty strengths of a direction on SmolLM2-135M: seconds a strength over those of one plain pass of the same prompts.

The direction is added at all tokens after layer 10, 15 or 20, or at the last token alone, on 8 prompts of 58 tokens (as
long as a story of bAbI's task 15 with its question). Figures are divergence, entropy and the mass of four answers, so
all logits are needed. The reference is one plain batched pass of the model with its last logits. The peer is the
plainest way without this package: a hook that adds the vector, one pass a strength. `largest_difference` is that of the
divergences, in nats.

    python perf/steering_sweep.py
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

from explicate.core.kinds import Direction
from explicate.evaluation.dose_response import StrengthSweep
from explicate.mechanisms.steering import directions_of
from explicate.models import zoo

ROUNDS = 3
PROMPTS, TOKENS = 8, 58
STRENGTHS = tuple(s for s in np.round(np.linspace(-1, 1, 21), 1).tolist() if s != 0)
ANSWERS = (100, 200, 300, 400)
GOALS = {"layer 10, all tokens": 0.75, "layer 15, all tokens": 0.6, "layer 20, all tokens": 0.4}
GOALS["layer 15, last token"] = 0.1


def seconds(call: Callable[[], Any]) -> float:
    """What one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def by_hook(model: Any, ids: torch.Tensor, layer: int, vector: torch.Tensor, last: bool) -> np.ndarray:
    """Divergences (strength, sample), one pass a strength."""
    found = []
    plain = model.module(ids, use_cache=False, logits_to_keep=1).logits[:, -1].log_softmax(-1)
    for strength in STRENGTHS:

        def hook(block: Any, args: Any, output: torch.Tensor, strength: float = strength) -> torch.Tensor:
            if not last:
                return output + strength * vector
            moved = output.clone()
            moved[:, -1] += strength * vector
            return moved

        handle = model.module.model.layers[layer].register_forward_hook(hook)
        try:
            after = model.module(ids, use_cache=False, logits_to_keep=1).logits[:, -1].log_softmax(-1)
        finally:
            handle.remove()
        found.append((plain.exp() * (plain - after)).sum(-1).numpy())
    return np.stack(found)


@torch.no_grad()
def main() -> None:
    """Print one JSON line a measurement."""
    model = zoo.load("smollm2-135m")
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, 40000, (PROMPTS, TOKENS))
    tensor = torch.as_tensor(ids)

    def plain() -> None:
        model.module(tensor, use_cache=False, logits_to_keep=1)

    plain()
    for work, goal in GOALS.items():
        layer, last = int(work.split()[1].strip(",")), "last" in work
        vector = rng.normal(size=model.width)
        direction: Direction = directions_of({f"L{layer}.resid_post": 20 * vector / np.linalg.norm(vector)})
        direction = Direction(direction.data.assign(typical_length=(("site",), [100.0])), direction.provenance)
        sweep = StrengthSweep(STRENGTHS, "last" if last else "all")
        moved = torch.as_tensor(direction.values[0], dtype=torch.float32)
        ours, peer, reference, load = [], [], [], []
        difference = 0.0
        for _ in range(ROUNDS):
            reference.append(seconds(plain))
            start = time.perf_counter()
            found = sweep.run(model, ids, direction, answers=ANSWERS)
            ours.append((time.perf_counter() - start) / len(STRENGTHS))
            reference.append(seconds(plain))
            start = time.perf_counter()
            expected = by_hook(model, tensor, layer, moved, last)
            peer.append((time.perf_counter() - start) / len(STRENGTHS))
            difference = max(difference, float(np.abs(found["divergence"].values - expected).max()))
            load.append(os.getloadavg()[0])
        ratio = statistics.median(ours) / statistics.median(reference)
        row = {
            "work": f"steering/{work}",
            "ours": round(statistics.median(ours), 4),
            "peer": round(statistics.median(peer), 4),
            "reference": round(statistics.median(reference), 4),
            "ratio": round(ratio, 3),
            "peer_ratio": round(statistics.median(peer) / statistics.median(reference), 3),
            "goal": goal,
            "met": ratio <= goal,
            "runs": ROUNDS,
            "largest_difference": difference,
            "threads": torch.get_num_threads(),
            "load": round(statistics.median(load), 2),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
