"""Asking a model for short texts: batched, kept in a cache, and drawn so that nothing depends on the batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explicate.core.capabilities import Generator, require
from explicate.errors import InputError, ModelError
from explicate.models.chat.chat_model import ChatModel
from explicate.models.language import LanguageModel
from explicate.runtime.cache import CallCache
from explicate.runtime.files import cache_folder
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed

FORMAT = 1
BLOCK = 64  # prompts that are asked together; what is finished is in the cache before the next block begins
SEEDS = 1 << 31

Cache = bool | str | Path | CallCache


def answers(
    model: Any,
    prompts: Sequence[str],
    *,
    new_tokens: int = 5,
    samples: int = 0,
    temperature: float = 0.5,
    stop: Sequence[str] = (),
    seed: int = 0,
    cache: Cache = True,
    label: str = "asking",
) -> list[list[str]]:
    """For each prompt the greedy continuation, and after it `samples` drawn ones.

    Parameters
    ----------
    model : any `Generator`; a chat model gets each prompt as a user's message, and keeps replies in its own cache.
    new_tokens : of each continuation. stop : texts before which one ends.
    temperature : of the drawn ones.
    seed : draws of a prompt depend on it, the prompt and the number of the draw.
    cache : True for the user's cache folder, False for none, a folder, or a `CallCache`.

    Raises
    ------
    InputError : samples at temperature 0, which would all be the greedy continuation.
    CapabilityError : the model writes no text.
    """
    require(model, Generator, "asking questions")
    if samples and not temperature > 0:
        raise InputError(f"{samples} samples at temperature {temperature} are one and the same; give more than 0")
    if samples < 0:
        raise InputError(f"samples is {samples}; give 0 or more")
    store = _store(model, cache)
    how = {"new_tokens": new_tokens, "samples": samples, "stop": list(stop), "seed": seed, "format": FORMAT}
    how["temperature"] = float(temperature) if samples else 0.0
    fingerprint = model.fingerprint() if store is not None else ""
    keys = {text: {"model": fingerprint, "prompt": text, **how} for text in dict.fromkeys(prompts)}
    found: dict[str, list[str]] = {}
    if store is not None:
        kept = {text: store.get(key) for text, key in keys.items()}
        found = {text: list(value) for text, value in kept.items() if value is not None}
    left = sorted(text for text in keys if text not in found)  # what begins alike is read together
    progress = bar(len(keys), label, done=len(found))
    try:
        for start in range(0, len(left), BLOCK):
            block = left[start : start + BLOCK]
            written = _written(model, block, new_tokens, samples, temperature, tuple(stop), seed)
            for text, value in zip(block, written, strict=True):
                found[text] = value
                if store is not None:
                    store.put(keys[text], value)
            progress.update(len(block))
    finally:
        progress.close()
    return [found[text] for text in prompts]


def _written(
    model: Any, prompts: list[str], new_tokens: int, samples: int, temperature: float, stop: tuple[str, ...], seed: int
) -> list[list[str]]:
    """Greedy and drawn continuations of each prompt."""
    found = [[text] for text in _checked(model, prompts, model.generate(prompts, max_new_tokens=new_tokens, stop=stop))]
    if not samples:
        return found
    how: dict[str, Any] = {"max_new_tokens": new_tokens, "temperature": temperature, "stop": stop}
    if isinstance(model, LanguageModel):  # all draws of a prompt side by side: the prompt is read once
        repeated = [text for text in prompts for _ in range(samples)]
        seeds = [derive_seed(seed, text, number) for text in prompts for number in range(samples)]
        drawn = model.generate(repeated, seed=seeds, **how)
        return [[*own, *drawn[at * samples : (at + 1) * samples]] for at, own in enumerate(found)]
    for number in range(samples):
        texts = model.generate(prompts, seed=derive_seed(seed, number) % SEEDS, **how)
        for own, text in zip(found, _checked(model, prompts, texts), strict=True):
            own.append(text)
    return found


def _checked(model: Any, prompts: list[str], texts: Any) -> list[str]:
    if len(texts) != len(prompts) or not all(isinstance(text, str) for text in texts):
        raise ModelError(f"the model {model.name!r} did not give one text for each of {len(prompts)} prompts")
    return list(texts)


def _store(model: Any, cache: Cache) -> CallCache | None:
    if isinstance(cache, CallCache):
        return cache
    if cache is False or (cache is True and (isinstance(model, ChatModel) or not hasattr(model, "fingerprint"))):
        return None
    return CallCache(cache_folder("generations") if cache is True else cache)
