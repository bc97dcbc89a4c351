"""Scores of taggers, and the cheapest of their rivals: the most frequent tag, and each word's most frequent tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from explicate.data.language.tagged import UNKNOWN, Tagged
from explicate.errors import MissingDependencyError

Predicted = Iterable[Sequence[str | None]]


def token_accuracy(predicted: Predicted, rows: Sequence[Tagged]) -> float:
    """Share of the tags that are right, over all tokens that have one; "<unk>" is none, as nothing predicts it."""
    hits = [one == tag for found, row in zip(predicted, rows, strict=True) for one, tag in _tags(found, row)]
    return sum(hits) / len(hits)


def most_frequent_tag(training: Sequence[Tagged], rows: Sequence[Tagged]) -> float:
    """Token accuracy of always the training data's most frequent tag."""
    counts = Counter(tag for row in training for _, tag in _tags(row.tags, row))
    common = max(counts, key=lambda tag: (counts[tag], tag))
    return token_accuracy([[common] * len(row.tags) for row in rows], rows)


def unigram_table(training: Sequence[Tagged]) -> Mapping[str, str]:
    """Each word's most frequent tag; "<unk>" stands for words that are not in it."""
    counts: dict[str, Counter[str]] = {}
    for row in training:
        for word, tag in zip(row.tokens, row.tags, strict=True):
            if tag is not None:
                counts.setdefault(word, Counter())[tag] += 1
    rare = sum((own for own in counts.values() if own.total() == 1), Counter())
    everything = sum(counts.values(), Counter())
    table = {word: own.most_common(1)[0][0] for word, own in counts.items()}
    return {UNKNOWN: (rare or everything).most_common(1)[0][0]} | table


def looked_up(table: Mapping[str, str], rows: Sequence[Tagged]) -> list[list[str]]:
    """What a unigram table predicts."""
    return [[table.get(word, table[UNKNOWN]) for word in row.tokens] for row in rows]


def entity_f1(predicted: Predicted, rows: Sequence[Tagged]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities, strict IOB2; tokens without a tag count as O.

    Raises
    ------
    MissingDependencyError : seqeval is not installed.
    """
    try:
        from seqeval.metrics import f1_score, precision_score, recall_score
        from seqeval.scheme import IOB2
    except ImportError as error:
        raise MissingDependencyError(
            "entity scores need seqeval; install it: pip install 'explicate[benchmarks]'"
        ) from error
    truth = [[tag or "O" for tag in row.tags] for row in rows]
    found = [
        [one or "O" if tag is not None else "O" for one, tag in zip(own, row.tags, strict=True)]
        for own, row in zip(predicted, rows, strict=True)
    ]
    scores = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    return {
        name: float(score(truth, found, mode="strict", scheme=IOB2, zero_division=0)) for name, score in scores.items()
    }


def _tags(found: Sequence[str | None], row: Tagged) -> list[tuple[str | None, str]]:
    pairs = zip(found, row.tags, strict=True)
    return [(one, tag) for one, tag in pairs if tag is not None and tag != UNKNOWN]
