"""Texts, one training and one test set: a program learned, held against its rivals, and checked to be its model.

For named entities (a tag for each word) and for classes of whole texts. Source: Friedman, Wettig, Chen (2023),
"Learning Transformer Programs", section 4.2.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from explicate.benchmarks.rasp.rivals import standard_tags, word_count_classes
from explicate.benchmarks.rasp.scoring import (
    Predicted,
    entity_f1,
    looked_up,
    most_frequent_tag,
    token_accuracy,
    unigram_table,
)
from explicate.benchmarks.rasp.study import standalone
from explicate.core.capabilities import Floats
from explicate.data.language.tagged import UNKNOWN, Tagged
from explicate.glassbox.transformer_programs import RECIPE, TransformerProgram, TransformerProgramConfig
from explicate.models.tiny.training import Recipe

ENTITY_RECIPE = dataclasses.replace(RECIPE, epochs=50, batch=32, learning_rate=0.01)
CLASS_RECIPE = dataclasses.replace(RECIPE, epochs=10, batch=128)
ENTITY_LENGTH, CLASS_LENGTH = 32, 64  # published: sequences are shorter than this


@dataclass(frozen=True)
class TextResult:
    """What came of one training set with one seed; scores are of the test set.

    Attributes
    ----------
    program, standard, words : of the program; of a standard Transformer; of counts of words (classes) or a table of
        each word's most frequent tag (entities). Each "f1", "precision" and "recall" of entities, or "accuracy".
    frequent : accuracy of always the most frequent tag or class.
    checked, equal : test inputs on which the exported file was compared with the model, and those on which they gave
        the same tags.
    unknown : share of the test tokens that are not in the vocabulary.
    """

    program: dict[str, float]
    standard: dict[str, float]
    words: dict[str, float]
    frequent: float
    checked: int
    equal: int
    unknown: float


def study_texts(
    training: Sequence[Tagged],
    test: Sequence[Tagged],
    config: TransformerProgramConfig,
    recipe: Recipe,
    *,
    context: int | None = None,
    vectors: dict[str, Floats] | None = None,
    rarest: int = 2,
) -> tuple[TextResult, TransformerProgram]:
    """Learn from one set, measure on the other.

    Parameters
    ----------
    config : with `pooled` the tags are classes of whole texts, which stand at the first token (`labelled`); otherwise
        they are entities in strict IOB2.
    context : longest sequence; by default that of both sets.
    vectors : word -> vector; learned embeddings begin from them (words without one from zeros).
    rarest : words that occur less often in the training set are read as "<unk>".
    """
    words = known_words(training, rarest)
    longest = context or max(len(row.tokens) for row in [*training, *test])
    model = TransformerProgram.train(
        training, config, recipe, vocabulary=words, context=longest, vectors=_table(words, vectors), name="texts"
    )
    inputs = [row.tokens for row in test]
    predicted = model.predict(inputs)
    run = standalone(model)
    known = set(words)
    result = TextResult(
        _scores(predicted, test, config.pooled),
        _scores(standard_tags(model, training, test, recipe.batch), test, config.pooled),
        _scores(
            word_count_classes(training, test) if config.pooled else looked_up(unigram_table(training), test),
            test,
            config.pooled,
        ),
        most_frequent_tag(training, test),
        len(inputs),
        sum(one == tuple(run(tokens)) for one, tokens in zip(predicted, inputs, strict=True)),
        sum(word not in known for row in test for word in row.tokens) / sum(len(row.tokens) for row in test),
    )
    return result, model


def known_words(rows: Sequence[Tagged], least: int = 2, most: int = 10_000) -> tuple[str, ...]:
    """The vocabulary of words that occur at least so often, the most frequent ones; rarer ones become "<unk>"."""
    counts = Counter(word for row in rows for word in row.tokens)
    return (UNKNOWN, *sorted(word for word, number in counts.most_common(most) if number >= least and word != UNKNOWN))


def _scores(predicted: Predicted, rows: Sequence[Tagged], pooled: bool) -> dict[str, float]:
    return {"accuracy": token_accuracy(predicted, rows)} if pooled else entity_f1(predicted, rows)


def _table(words: Sequence[str], vectors: dict[str, Floats] | None) -> Floats | None:
    """(word, number) vectors in the vocabulary's order."""
    import numpy as np

    if vectors is None:
        return None
    size = len(next(iter(vectors.values())))
    return np.stack([vectors.get(word, np.zeros(size)) for word in words])
