"""Pairs of prompts that isolate one way to an answer: copying it from the context, or remembering it.

Source: Basu et al. (2025), "On Mechanistic Circuits for Extractive Question-Answering", arXiv 2502.08059, section 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.questions import ContextQuestion, Probe
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator

SMALLEST_GAP = 0.1  # of the logit differences of a pair: below it a score is undefined
FEWEST = 20


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Clean prompts, corrupted ones of the same length, and what is to be said after each.

    Attributes
    ----------
    clean, corrupted : prompts. answers : tokens (pair, 2), of the clean and of the corrupted answer.
    asked : pairs before the model's answers were looked at. dropped : why pairs were left out, and how often.
    places : (pair,), the token of the clean prompt at which the answer begins in its context; -1 where it is not there.
    """

    clean: list[str]
    corrupted: list[str]
    answers: Array
    asked: int
    dropped: dict[str, int]
    places: Array

    @property
    def retention(self) -> float:
        """Share of the pairs that the model answers as intended."""
        return len(self.clean) / max(1, self.asked)

    def __len__(self) -> int:
        return len(self.clean)

    def first(self, count: int) -> ProbeSet:
        """The first pairs alone."""
        return replace(
            self,
            clean=self.clean[:count],
            corrupted=self.corrupted[:count],
            answers=self.answers[:count],
            places=self.places[:count],
        )


def copy_probes(model: LanguageModel, probes: Sequence[Probe], seed: int = 0, fewest: int = FEWEST) -> ProbeSet:
    """Pairs in which only the value that the context states differs, and neither is the true one."""
    dropped: Counter[str] = Counter()
    pairs = []
    for number, probe in enumerate(probes):
        rng = generator(seed, "copy", number)
        values = [str(value) for value in rng.permutation([v for v in probe.values if v != probe.true])]
        pair = _alike(
            model, [probe.asked(value) for value in values], {first_token(model, probe.true)} if probe.true else set()
        )
        if pair is None:
            dropped["no two values of the same length"] += 1
        else:
            pairs.append(pair)
    return _kept(model, pairs, dropped, fewest)


def memory_probes(model: LanguageModel, probes: Sequence[Probe], seed: int = 0, fewest: int = FEWEST) -> ProbeSet:
    """Pairs of questions about two subjects whose contexts say nothing of the answer."""
    known = [probe for probe in probes if probe.true]
    dropped: Counter[str] = Counter()
    pairs = []
    for number, probe in enumerate(known):
        rng = generator(seed, "memory", number)
        others = [o for o in known if o.kind == probe.kind and o.subject != probe.subject]
        order = [others[int(i)] for i in rng.permutation(len(others))]
        pair = _alike(
            model, [probe.without_context(), *(other.without_context() for other in order)], set(), first=True
        )
        if pair is None:
            dropped["no other subject of the same length"] += 1
        else:
            pairs.append(pair)
    return _kept(model, pairs, dropped, fewest)


def subject_probes(model: LanguageModel, probes: Sequence[Probe], seed: int = 0, fewest: int = FEWEST) -> ProbeSet:
    """Pairs in which the context tells the same value of another subject than the one that is asked about.

    What is copied stays; what it is found by does not. The corrupted answer is what the model then says: pairs after
    which it still copies the value are left out.
    """
    dropped: Counter[str] = Counter()
    pairs = []
    for number, probe in enumerate(probes):
        rng = generator(seed, "subject", number)
        values = [v for v in probe.values if v != probe.true]
        clean = probe.asked(values[int(rng.integers(len(values)))])
        subjects = sorted({o.subject for o in probes if o.kind == probe.kind and o.subject != probe.subject})
        others = [probe.about(subjects[int(i)], clean.answer) for i in rng.permutation(len(subjects))]
        length = _length(model, clean)
        other = next((each for each in others if _length(model, each) == length), None)
        if other is None:
            dropped["no other subject of the same length"] += 1
        else:
            pairs.append((clean, other))
    return _kept(model, pairs, dropped, fewest, said=True)


def _alike(
    model: LanguageModel, questions: Sequence[ContextQuestion], barred: set[int], first: bool = False
) -> tuple[ContextQuestion, ContextQuestion] | None:
    """Two questions with prompts of equal length and answers that begin differently; the first is one if asked."""
    seen: dict[int, ContextQuestion] = {}
    for number, question in enumerate(questions):
        if first_token(model, question.answer) in barred:
            continue
        length = _length(model, question)
        other = seen.get(length)
        if other is not None and first_token(model, other.answer) != first_token(model, question.answer):
            return other, question
        if not first or number == 0:
            seen.setdefault(length, question)
    return None


def _length(model: LanguageModel, question: ContextQuestion) -> int:
    """Tokens of a question's prompt."""
    return int((model.encode([question.prompt()])[0] >= 0).sum())


def first_token(model: LanguageModel, answer: str) -> int:
    """The token that an answer begins with inside a sentence."""
    return int(model.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"][0])


def _kept(
    model: LanguageModel,
    pairs: Sequence[tuple[ContextQuestion, ContextQuestion]],
    dropped: Counter[str],
    fewest: int,
    said: bool = False,
) -> ProbeSet:
    """The pairs after both of whose prompts the model gives the answer that is meant.

    Parameters
    ----------
    said : whether any other answer than the clean one is meant after the corrupted prompt: what the model says there.
    """
    if not pairs:
        raise InputError(f"no pair of probes can be made for {model.name!r}: {dict(dropped)}")
    clean, corrupted = ([pair[side].prompt() for pair in pairs] for side in (0, 1))
    answers = np.array([[first_token(model, question.answer) for question in pair] for pair in pairs], dtype=np.int64)
    with model.scored_by("logit"):
        first, second = model.predict(model.encode(clean)), model.predict(model.encode(corrupted))
    if said:
        answers[:, 1] = second.argmax(axis=1)
    rows = np.arange(len(pairs))
    right = (first.argmax(axis=1) == answers[:, 0]) & (second.argmax(axis=1) == answers[:, 1])
    right &= answers[:, 0] != answers[:, 1]
    gap = (first[rows, answers[:, 0]] - first[rows, answers[:, 1]]) - (
        second[rows, answers[:, 0]] - second[rows, answers[:, 1]]
    )
    dropped["answered otherwise"] += int((~right).sum())
    dropped["no difference"] += int((right & (np.abs(gap) < SMALLEST_GAP)).sum())
    kept = np.flatnonzero(right & (np.abs(gap) >= SMALLEST_GAP))
    if len(kept) < fewest:
        raise InputError(
            f"{model.name!r} answers {len(kept)} of {len(pairs)} probes as intended; at least {fewest} are needed "
            f"(left out: {dict(dropped)})"
        )
    ids = model.encode([clean[i] for i in kept])
    others = model.encode([corrupted[i] for i in kept])
    places = np.array([_place(row, int(answers[i, 0])) for row, i in zip(ids, kept, strict=True)])
    if ids.shape != others.shape:
        raise InputError("the prompts of a pair have unequal lengths; this is a fault of the probes' generator")
    return ProbeSet(
        [clean[i] for i in kept], [corrupted[i] for i in kept], answers[kept], len(pairs), dict(dropped), places
    )


def _place(ids: Array, answer: int) -> int:
    found = np.flatnonzero(ids == answer)
    return int(found[0]) if len(found) else -1
