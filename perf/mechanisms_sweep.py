"""Activation patching and path patching on SmolLM2-135M: seconds a patch over those of one plain forward pass.

The sweeps are `resid_pre` of every layer at the last position, of every layer and position, and every head's output at
the last position, on prompts of 14, 64 and 128 tokens, with the logit difference as the metric (and, for the first,
with all logits). The reference is the plain module on the prompt; `ratio` is ours a patch over that, the runs that fill
the caches included and spread over the sweep's patches. The sweep over positions is measured on 16 of them, spread
evenly, and its cache-filling run is spread over all. The peer is the plainest fast way without this package: patches by
hooks, 30 to a batch, logits of the last position only, on a sample of the patches (no library tried beats it).

`bound` is what the ratio would be if nothing but the remaining multiply-adds took time, at the speed of a bare matrix
product of the same run; it tells a slow sweep from a machine on which small plain passes are fast.
`largest_difference` is that of all next-token logits from one `intervene` a patch, on a sample of the patches.

    python perf/mechanisms_sweep.py [14] [64] [128] [paths]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import explicate as ex
from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.mechanisms import logits_of, runs
from explicate.models import zoo

ROUNDS = 3
GOALS = {
    "last": {14: 0.09, 64: 0.07, 128: 0.07},
    "layer x position": {14: 0.075, 64: 0.12, 128: 0.17},
    "heads": {14: 0.022, 64: 0.014, 128: 0.011},
}
POSITIONS = 16
BATCH = {14: 30, 64: 30, 128: 15}
SAMPLE = 30
CONTRAST = ex.Contrast(5, 6)


def seconds(call: Callable[[], Any]) -> float:
    """What one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def by_hooks(module: Any, ids: Any, patches: Sequence[tuple[int, int, Any]], rows: int) -> None:
    """`resid_pre` patches (layer, position, value), as many to a batch as `rows`; each row has its own."""
    blocks = module.model.layers
    for first in range(0, len(patches), rows):
        part = patches[first : first + rows]
        hooks = []
        for layer in {layer for layer, _, _ in part}:

            def hook(block: Any, args: Any, layer: int = layer, part: Any = part) -> Any:
                stream = args[0].clone()
                for row, (own, position, value) in enumerate(part):
                    if own == layer:
                        stream[row, position] = value
                return (stream, *args[1:])

            hooks.append(blocks[layer].register_forward_pre_hook(hook))
        try:
            with torch.no_grad():
                module(ids.expand(len(part), -1), use_cache=False, logits_to_keep=1)
        finally:
            for handle in hooks:
                handle.remove()


def largest_difference(model: Any, ids: Any, source: Any, sites: Sequence[Site]) -> float:
    """All logits of some patches, run together, against one `intervene` each."""
    seen = model.capture(source, sites)
    patches = [Patch(site, torch.as_tensor(seen[site])) for site in sites]
    expected = []
    for patch in patches:
        with model.intervene(patch):
            expected.append(model.predict(ids))
    return float(np.abs(logits_of(model, ids, patches) - np.stack(expected)).max())


def product() -> None:
    """A matrix product of the size that the sweep makes."""
    torch.mm(torch.ones(1024, 576), torch.ones(576, 1536))


PRODUCT = 2 * 1024 * 576 * 1536


def measure(model: Any, tokens: int, rng: np.random.Generator) -> None:
    """Three sweeps on one prompt of so many tokens, in turns with the plain pass."""
    ids, source = rng.integers(1000, 40000, (2, 1, tokens))
    tensor = torch.as_tensor(ids)
    few = sorted({int(i) for i in np.linspace(0, tokens - 1, min(tokens, POSITIONS)).round()})
    layers, heads = model.layer_count, model.head_count
    sizes = {"last": layers, "layer x position": layers * tokens, "heads": layers * heads}
    measured = {**sizes, "layer x position": layers * len(few)}
    places: dict[str, dict[str, Any]] = {
        "last": {"sites": "resid_pre", "positions": -1},
        "layer x position": {"sites": "resid_pre", "positions": tuple(few)},
        "heads": {"sites": "head_out", "positions": -1},
    }
    seen = model.capture(source, [Site("resid_pre", layer) for layer in range(layers)])
    stream = [torch.as_tensor(seen[Site("resid_pre", layer)][0]) for layer in range(layers)]
    sample = [(int(rng.integers(layers)), int(rng.integers(tokens))) for _ in range(SAMPLE)]
    patches = [(layer, position, stream[layer][position]) for layer, position in sample]

    def plain() -> None:
        with torch.no_grad():
            model.module(tensor, use_cache=False)

    calls: dict[str, Callable[[], Any]] = {"reference": plain}
    calls["fill"] = lambda: runs.run(model, np.concatenate([ids, source]))
    calls["peer"] = lambda: by_hooks(model.module, tensor, patches, BATCH.get(tokens, SAMPLE))
    forwards: dict[str, float] = {}

    def swept(name: str, options: dict[str, Any]) -> None:
        found = ex.sweep(model, ids, source, target=CONTRAST, **options)
        forwards[name] = found.data.attrs["forwards"] - 2  # without the two that fill the caches

    for name, options in places.items():
        calls[name] = lambda name=name, options=options: swept(name, options)
    calls["product"] = product
    calls["last, all logits"] = lambda: ex.sweep(
        model, ids, source, target=CONTRAST, metric="log-probability", **places["last"]
    )
    taken: dict[str, list[float]] = {name: [] for name in calls}
    load = []
    plain()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            taken[name].append(seconds(call))
            taken["reference"].append(seconds(plain))  # in turns with every run: the machine may be shared
        load.append(os.getloadavg()[0])
    middle = {name: statistics.median(values) for name, values in taken.items()}
    block = sum(parameter.numel() for parameter in model.blocks[0].parameters())
    whole = 2 * block * layers * tokens / PRODUCT * middle["product"]  # a pass through the blocks, at full speed
    for name in (*sizes, "last, all logits"):
        sweep = name.removesuffix(", all logits")
        size, own = sizes[sweep], measured[sweep]
        each = (middle[name] - middle["fill"]) / own + middle["fill"] / size
        checked = [Site("resid_pre", layer, None, (position,)) for layer, position in sample[:6]]
        if name.startswith("last"):
            checked = [site.at(-1) for site in checked]
        if name == "heads":
            checked = [Site("head_out", site.layer, 4, (-1,)) for site in checked]
        goal = GOALS.get(name, {}).get(tokens)
        ratio = each / middle["reference"]
        row = {
            "work": f"patching/{name}, {tokens} tokens",
            "ours": round(each, 5),
            "peer": round(middle["peer"] / SAMPLE, 5),
            "reference": round(middle["reference"], 4),
            "ratio": round(ratio, 4),
            "peer_ratio": round(middle["peer"] / SAMPLE / middle["reference"], 3),
            "goal": goal,
            "bound": round(whole * (forwards[sweep] / own + 2 / size) / middle["reference"], 4),
            "met": None if goal is None else ratio <= goal,
            "runs": ROUNDS,
            "patches": size,
            "largest_difference": largest_difference(model, ids, source, checked),
            "threads": torch.get_num_threads(),
            "load": round(statistics.median(load), 2),
        }
        print(json.dumps(row), flush=True)


def paths(model: Any) -> None:
    """Path patching of all heads into one receiver on a prompt of 14 tokens, in whole forward passes and in seconds."""
    prompt = "When John and Mary went to the store, John gave a drink to"
    corrupted = "When John and Mary went to the store, Mary gave a drink to"
    ids = torch.as_tensor(model.encode(prompt))
    found, ours, plain = None, [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = ex.patch_paths(model, prompt, corrupted, receivers="L25.q.H3", target=ex.Contrast("Mary", "John"))
        ours.append(time.perf_counter() - start)
        with torch.no_grad():
            plain.append(seconds(lambda: model.module(ids, use_cache=False)))
    assert found is not None
    senders = found.values.size
    for work, value, goal in (
        ("paths/seconds, 270 senders", statistics.median(ours), 180),
        ("paths/forward passes over senders", found.data.attrs["forwards"] / senders, 0.1),
    ):
        row = {
            "work": work,
            "ours": round(value, 4),
            "peer": None,
            "reference": round(statistics.median(plain), 4),
            "ratio": round(value, 4),
            "goal": goal,
            "met": value <= goal,
            "runs": ROUNDS,
            "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 2),
        }
        print(json.dumps(row), flush=True)


def main() -> None:
    """Print one JSON line a measurement."""
    model = zoo.load("smollm2-135m")
    asked = sys.argv[1:] or ["14", "64", "128", "paths"]
    for number, word in enumerate(asked):
        if word == "paths":
            paths(model)
        else:
            measure(model, int(word), np.random.default_rng(number))


if __name__ == "__main__":
    main()
