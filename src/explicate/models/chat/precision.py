"""Weights in fewer bits, as a stated option: what it does to the replies is measured and printed, never assumed."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from explicate.errors import CapabilityError, InputError
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    from explicate.models.language import LanguageModel

Precision = Literal["float32", "bfloat16", "int8"]

PROBES = (
    "What is the capital of France?",
    "Name three fruits.",
    "Write one sentence about the sea.",
    "Is the sun a star? Answer yes or no.",
    "What is 12 plus 30?",
    "Why do people sleep?",
    "Translate 'good morning' into French.",
    "Give a short definition of honesty.",
)
PROBED_TOKENS = 24


@dataclass(frozen=True)
class Agreement:
    """How near a model in fewer bits comes to its float32 original, on greedy replies to fixed questions.

    Attributes
    ----------
    next_token : share of the places of the original's replies at which both would write the same token.
    replies : share of the tokens of whole replies that are equal, place by place; one difference changes what follows.
    log_probability : mean absolute difference of the log-probabilities of the original's tokens.
    """

    precision: Precision
    tokens: int
    next_token: float
    replies: float
    log_probability: float

    def __str__(self) -> str:
        return (
            f"{self.precision} against float32 on {self.tokens} tokens of greedy replies: {self.next_token:.1%} of the "
            f"next tokens are the same, {self.replies:.1%} of whole replies; log-probabilities differ by "
            f"{self.log_probability:.3f} on average"
        )


def converted(model: LanguageModel, precision: Precision) -> LanguageModel:
    """The same model in another precision, as a handle of its own; float32 gives `model` itself.

    int8 means torch's dynamic quantisation of the linear layers with one scale for each output row; embeddings and the
    unembedding stay in float32. It runs on the CPU.

    Raises
    ------
    CapabilityError : interventions are in force (they would be lost), or the model is not in float32.
    """
    import torch

    if precision not in get_args(Precision):
        raise InputError(f"there is no precision {precision!r}: choose one of {', '.join(get_args(Precision))}")
    if precision == "float32":
        return model
    if next(model.module.parameters()).dtype != torch.float32:
        raise CapabilityError(f"{model.name!r} is not in float32; load it in float32 to have it as {precision}")
    if model.intervened:
        raise CapabilityError(f"interventions on {model.name!r} are in force; leave their block first")
    module = copy.deepcopy(model.module)
    module = module.to(torch.bfloat16) if precision == "bfloat16" else _quantised(module)
    options = {"name": model.name, "source": model.source, "chunk": model.chunk, "score": model.score}
    return type(model)(module, model.tokenizer, fingerprint=digest(model.fingerprint(), precision), **options)


def agreement(model: LanguageModel, other: LanguageModel, precision: Precision, prompts: list[list[int]]) -> Agreement:
    """Compare `other` with `model` on `prompts`, lists of token ids."""
    import torch

    ours = model.write(prompts, max_new_tokens=PROBED_TOKENS, alternatives=1)
    theirs = other.generate_tokens(prompts, max_new_tokens=PROBED_TOKENS)
    same_next: list[bool] = []
    equal: list[bool] = []
    differences: list[float] = []
    for prompt, one, two in zip(prompts, ours, theirs, strict=True):
        written = torch.tensor(one.ids)
        logits = torch.as_tensor(other.logits([[*prompt, *one.ids]])[len(prompt) - 1 : -1])
        own = logits.log_softmax(-1).gather(1, written[:, None])[:, 0]
        same_next += (logits.argmax(-1) == written).tolist()
        differences += (own - torch.tensor(one.log_probabilities)).abs().tolist()
        equal += [place < len(two) and token == two[place] for place, token in enumerate(one.ids)]
    means = [float(np.mean(values)) for values in (same_next, equal, differences)]
    return Agreement(precision, len(equal), *means)


def _quantised(module: Any) -> Any:
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    unembedding = module.get_output_embeddings()
    linear = {
        name: per_channel_dynamic_qconfig
        for name, part in module.named_modules()
        if type(part) is torch.nn.Linear and part is not unembedding
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(deprecated|torchao).*")  # torch advertises a package of its own
        return quantize_dynamic(module, linear, inplace=True)
