"""Greedy replies to 32 prompts of mixed length with SmolLM2-135M in float32: ours, one by one, one batch.

Ours is `LocalChat.replies` on the prompts in mixed order, without a cache. One by one is transformers' `generate` on
one prompt after another (timed on every fourth of them); the peer is its `generate` on all 32 as one batch, padded on
the left by its own tokenizer. All write 64 tokens a prompt (ends of text are switched off); they take turns in every
round. Figures are tokens a second; `ratio` is ours over one by one. Beside it: how many of the 32 replies are equal to
those written one by one.

Then bfloat16 and int8, which write other tokens: their ratio to our float32, and how far they agree with it.

Goal: at least 7 times one by one, with equal tokens.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from explicate.models import zoo
from explicate.models.chat import LocalChat
from explicate.models.chat.messages import conversation

ROUNDS = int(os.environ.get("ROUNDS", "3"))
GOAL = 7.0
PROMPTS, TOKENS = 32, 64
EVERY = 4
TEXT = (
    "The sea was calm when the boat left the harbour, and the captain told his crew that they would reach the island "
    "before night. Nobody believed him, for the wind had turned and the sky in the west was dark. Explain in a few "
    "sentences what a good captain should do in such a case, which dangers there are, how the crew can help, and why "
    "people went to sea at all in those days although so many ships were lost every year."
)


def prompts() -> list[str]:
    """32 prompts of 4 to 75 words, in mixed order."""
    words = TEXT.split()
    lengths = np.random.default_rng(0).permutation(np.linspace(4, len(words), PROMPTS).astype(int))
    return [f"{number}. " + " ".join(words[:length]) for number, length in enumerate(lengths)]


def one_by_one(model: Any, ids: list[list[int]]) -> list[list[int]]:
    """What transformers writes for one prompt after another."""
    found = []
    for row in ids:
        tokens = torch.tensor([row])
        with torch.no_grad():
            new = model.module.generate(
                tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=TOKENS, do_sample=False, pad_token_id=2
            )
        found.append(new[0, len(row) :].tolist())
    return found


def one_batch(model: Any, ids: list[list[int]]) -> list[list[int]]:
    """What transformers writes for all prompts as one batch."""
    batch = model.tokenizer.pad({"input_ids": ids}, padding_side="left", return_tensors="pt")
    with torch.no_grad():
        new = model.module.generate(**batch, max_new_tokens=TOKENS, do_sample=False, pad_token_id=2)
    return [row[batch["input_ids"].shape[1] :].tolist() for row in new]


def no_ends(model: Any) -> None:
    """Let all runs write as many tokens."""
    model.module.generation_config.eos_token_id = None
    model._end_tokens = list


def main() -> None:
    """Print three JSON lines."""
    model = zoo.load("smollm2-135m")
    exact = LocalChat(model, cache=False)
    coarse = {precision: LocalChat(model, precision=precision, cache=False) for precision in ("bfloat16", "int8")}
    for chat in (exact, *coarse.values()):
        no_ends(chat.model)
    asked = prompts()
    ids = [exact.template.ids(conversation(text))[0] for text in asked]
    runs: dict[str, Callable[[], Any]] = {
        "one by one": lambda: one_by_one(model, ids[::EVERY]),
        "ours": lambda: exact.replies(asked, max_new_tokens=TOKENS),
        "one batch": lambda: one_batch(model, ids),
        **{name: lambda chat=chat: chat.replies(asked, max_new_tokens=TOKENS) for name, chat in coarse.items()},
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    written = {name: PROMPTS * TOKENS // (EVERY if name == "one by one" else 1) for name in runs}
    last: dict[str, Any] = {}
    load = []
    exact.replies(asked[:2], max_new_tokens=2)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            last[name] = run()
            seconds[name].append(time.perf_counter() - start)
            print(f"{name}: {written[name] / seconds[name][-1]:.0f} tokens a second", file=sys.stderr, flush=True)
        load.append(os.getloadavg()[0])
    expected = [model.written_text(row) for row in one_by_one(model, ids)]
    equal = [one.text == two for one, two in zip(last["ours"], expected, strict=True)]
    rate = {name: written[name] / statistics.median(values) for name, values in seconds.items()}
    common = {"runs": ROUNDS, "threads": torch.get_num_threads(), "load": round(statistics.median(load), 2)}
    ratios = sorted(EVERY * b / a for a, b in zip(seconds["ours"], seconds["one by one"], strict=True))
    ratio = rate["ours"] / rate["one by one"]
    row = {
        "work": f"chat/{PROMPTS} prompts, {TOKENS} tokens each, tokens a second",
        "ours": round(rate["ours"], 1),
        "peer": round(rate["one batch"], 1),
        "reference": round(rate["one by one"], 1),
        "ratio": round(ratio, 2),
        "range": [round(ratios[0], 2), round(ratios[-1], 2)],
        "goal": GOAL,
        "met": ratio >= GOAL and all(equal),
        "equal_replies": f"{sum(equal)} of {len(equal)}",
    }
    print(json.dumps(row | common), flush=True)
    for name, chat in coarse.items():
        row = {
            "work": f"chat/{PROMPTS} prompts in {name}, tokens a second",
            "ours": round(rate[name], 1),
            "peer": None,
            "reference": round(rate["ours"], 1),
            "ratio": round(rate[name] / rate["ours"], 2),
            "goal": None,
            "met": None,
            "agreement": str(chat.agreement),
        }
        print(json.dumps(row | common), flush=True)


if __name__ == "__main__":
    main()
