"""What attributions of generated answers are worth: re-ranked passages, answers from the best, and games that agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from explicate.attribution.textgenshap.document_tree import ROOT, DocumentTree
from explicate.attribution.textgenshap.method import TextGenSHAP
from explicate.attribution.textgenshap.prompts import DocumentPrompt
from explicate.attribution.textgenshap.values import estimated
from explicate.core.capabilities import Floats, Masks
from explicate.errors import InputError
from explicate.evaluation.agreement import rank_correlation
from explicate.runtime.seeds import generator


def normalised(answer: str) -> str:
    """An answer as question answering compares it: lower case, without articles, punctuation and surplus space."""
    kept = "".join(letter if letter.isalnum() else " " for letter in answer.lower())
    return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))


def equal_answers(answers: Sequence[str], truths: Sequence[str]) -> Masks:
    """Whether answers are the true ones after `normalised`: (question,)."""
    if len(answers) != len(truths):
        raise InputError(f"{len(answers)} answers for {len(truths)} true ones; give one each")
    return np.array([normalised(a) == normalised(b) for a, b in zip(answers, truths, strict=True)], dtype=bool)


def recall_at(rankings: Sequence[Sequence[int]], holding: Sequence[set[int]], most: int) -> Floats:
    """The share of questions with a passage that holds an answer among the first k: (most,) for k = 1 ... most.

    Parameters
    ----------
    rankings : passages of each question, the best first. holding : passages of each that hold an answer.
    """
    if len(rankings) != len(holding) or not rankings or most < 1:
        raise InputError(f"{len(rankings)} rankings for {len(holding)} questions; give one each, and most at least 1")
    hits = [[bool(set(ranking[:k]) & own) for k in range(1, most + 1)]
            for ranking, own in zip(rankings, holding, strict=True)]  # fmt: skip
    return np.asarray(np.mean(hits, axis=0))


def area_under_recall(rankings: Sequence[Sequence[int]], holding: Sequence[set[int]], most: int = 10) -> float:
    """The mean of recall at 1 ... most, between 0 and 1."""
    return float(recall_at(rankings, holding, most).mean())


def distilled(
    prompts: Sequence[Any], rankings: Sequence[Sequence[int]], answer: Callable[[Any], str], top: int
) -> list[str]:
    """Answers from each question's best passages only, the best first.

    Parameters
    ----------
    prompts : questions with `documents` (such as `DocumentQuestion`). answer : reads one and answers.
    """
    found = []
    for prompt, ranking in zip(prompts, rankings, strict=True):
        kept = tuple(prompt.documents[place] for place in ranking[:top])
        found.append(answer(replace(prompt, documents=kept)))
    return found


@dataclass(frozen=True)
class GameAgreement:
    """How far two games on the same prompt agree.

    Attributes
    ----------
    equal_outputs : share of coalitions for which the same is written. largest_difference, mean_difference : of the
        log-probabilities of the answer, in nats. rank_correlation : Spearman's, of the documents' values.
    """

    answer: str
    coalitions: int
    equal_outputs: float
    mean_difference: float
    largest_difference: float
    rank_correlation: float


def block_agreement(
    model: Any, prompt: DocumentPrompt, coalitions: int = 32, seed: int = 0, **parameters: Any
) -> GameAgreement:
    """Whether a model answers alike when documents do not see each other: the price of attention="blocks".

    Parameters
    ----------
    coalitions : tried in both games; half of them are the complements of the other half, evenly over sizes.
    parameters : of `TextGenSHAP`, such as max_new_tokens and stop.
    """
    method = TextGenSHAP(**{"levels": 1, "masking": "pad", **parameters})
    tree = DocumentTree.of(prompt, 1)
    if coalitions < 4:
        raise InputError(f"{coalitions} coalitions are too few; take 4 or more")
    outputs, shares, values = [], [], []
    answer = ""
    for attention in ("full", "blocks"):
        one = replace(method, attention=attention, worth="output")
        reader = one.reader(model, tree)
        rng = generator(seed, "agreement")
        chances = rng.random((coalitions // 2, 1))
        half = rng.random((coalitions // 2, len(tree.atoms))) < chances
        masks = np.concatenate([np.ones((1, len(tree.atoms)), dtype=bool), half, ~half])
        texts = reader.write(masks)
        answer = answer or texts[0]
        outputs.append(texts)
        shares.append(reader.log_probabilities(masks, answer))
        game = replace(method, attention=attention, worth="log-probability").game(model, tree, answer)
        found = estimated(game, tree, {ROOT}, "pairs", coalitions // 2, 0.0, 0.5, generator(seed, "values"))
        values.append(found.value[:, 0])
    difference = np.abs(shares[0] - shares[1])
    return GameAgreement(
        answer,
        len(outputs[0]),
        float(np.mean([a == b for a, b in zip(*outputs, strict=True)])),
        float(difference.mean()),
        float(difference.max()),
        float(rank_correlation(values[0][None], values[1][None], absolute=False)[0]),
    )
