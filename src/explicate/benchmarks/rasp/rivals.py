"""What Transformer Programs are held against: a standard Transformer, and counts of words for classes of texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from explicate.core.capabilities import Array
from explicate.data.language.tagged import Tagged
from explicate.glassbox.transformer_programs import RECIPE, TransformerProgram
from explicate.glassbox.transformer_programs.program import tag_codes, tagged
from explicate.models.tiny.encoder_tagger import encoder_tagger
from explicate.models.tiny.training import train

EPOCHS, LEARNING_RATE = 10, 2e-3


def standard_tags(model: TransformerProgram, training: Sequence[Tagged], test: Sequence[Tagged], batch: int) -> Array:
    """(sample,) tags of `test` by a standard Transformer with the words, tags and view of a program's model."""
    import torch

    codes, inputs = (model.program.encode([row.tokens for row in rows]) for rows in (training, test))
    labels = tag_codes([row.tags for row in training], model.tags, codes.shape[1])
    recipe = dataclasses.replace(RECIPE, epochs=EPOCHS, batch=batch, learning_rate=LEARNING_RATE)
    sizes = len(model.vocabulary), len(model.tags), model.context
    module = train(
        lambda: encoder_tagger(*sizes, causal=model.config.causal), codes, labels, recipe, name="a standard Transformer"
    )
    with torch.no_grad():
        predicted = module(torch.as_tensor(inputs)).argmax(-1).numpy()
    return tagged(predicted, inputs, model.tags, model.config.pooled)


def word_count_classes(training: Sequence[Tagged], test: Sequence[Tagged]) -> list[tuple[str | None, ...]]:
    """Classes of whole texts by logistic regression on how often each word is in them: blind to their order."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = CountVectorizer(analyzer=lambda tokens: tokens)
    counts = counter.fit_transform([row.tokens for row in training])
    rival = LogisticRegression(max_iter=1000).fit(counts, [row.tags[0] for row in training])
    found = rival.predict(counter.transform([row.tokens for row in test]))
    return [(str(label), *row.tags[1:]) for label, row in zip(found, test, strict=True)]
