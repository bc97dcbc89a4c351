"""Making answers follow the context: a sentence pointed out, heads scaled, or what the context adds made larger.

Source: Basu et al. (2025), arXiv 2502.08059, section 5; the contrast of logits with and without the context is Shi et
al. (2024), "Trusting Your Evidence: Hallucinate Less with Context-aware Decoding".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.data.language.questions import ContextQuestion
from explicate.errors import InputError
from explicate.mechanisms.qa_circuit.probe_sets import first_token
from explicate.mechanisms.steering import scale_heads
from explicate.models.language import LanguageModel


def first_tokens(model: LanguageModel, prompts: Sequence[str]) -> Array:
    """The likeliest next token of each prompt."""
    return np.asarray(model.predict(model.encode(list(prompts))).argmax(axis=1))


def follows(model: LanguageModel, questions: Sequence[ContextQuestion], tokens: Array) -> Floats:
    """1 where a token begins the answer that the context gives, else 0."""
    wanted = [first_token(model, question.answer) for question in questions]
    return np.asarray(np.asarray(tokens) == wanted, dtype=float)


def with_signal(model: LanguageModel, questions: Sequence[ContextQuestion], sentences: Sequence[int]) -> Floats:
    """Whether answers follow the context once a sentence of each is repeated as the place to look."""
    if len(sentences) != len(questions):
        raise InputError(f"{len(sentences)} sentences for {len(questions)} questions; point out one of each")
    prompts = [question.prompt(signal=int(s)) for question, s in zip(questions, sentences, strict=True)]
    return follows(model, questions, first_tokens(model, prompts))


def with_scaled_heads(
    model: LanguageModel, questions: Sequence[ContextQuestion], heads: Sequence[Site], factor: float
) -> Floats:
    """Whether answers follow the context when the outputs of some heads are multiplied where the answer is written."""
    scaled = scale_heads({f"L{site.layer}.z.H{site.head}": factor for site in heads}, tokens="last")
    with model.intervene(scaled):
        return follows(model, questions, first_tokens(model, [question.prompt() for question in questions]))


def with_contrast(model: LanguageModel, questions: Sequence[ContextQuestion], weight: float) -> Floats:
    """Whether answers follow the context by the logits (1 + w) with - w without it."""
    full = model.predict(model.encode([question.prompt() for question in questions]))
    bare = model.predict(
        model.encode([f"Question: {question.question}\nAnswer: {question.lead}".rstrip() for question in questions])
    )
    return follows(model, questions, ((1 + weight) * full - weight * bare).argmax(axis=1))
