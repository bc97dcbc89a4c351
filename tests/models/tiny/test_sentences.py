"""Sentence networks: padding and company change nothing, and a planted word is learned."""

import numpy as np
import pytest

from explicate.data.language.labelled_texts import LabelledTexts
from explicate.errors import InputError
from explicate.models.tiny.sentences import SentenceRecipe, Vocabulary, trained_sentences

RNG = np.random.Generator(np.random.PCG64(0))
QUICK = SentenceRecipe(epochs=8, dimensions=8, hidden=8, learning_rate=0.1, dropout=0.0)


def planted(count):
    """Sentences of filling words with one that decides, at any place."""
    words, labels = np.array(list("abcdefg")), np.arange(count) % 2
    texts = []
    for label in labels:
        own = list(RNG.choice(words, int(RNG.integers(3, 9))))
        own[int(RNG.integers(len(own)))] = ("bad", "good")[label]
        texts.append(" ".join(own))
    return LabelledTexts(tuple(texts), labels, "positive", tuple(map(str, range(count))))


def test_the_word_that_decides_is_learned_and_a_narrow_network_begins_with_it():
    training, development, test = planted(400), planted(60), planted(100)
    model = trained_sentences(training, development, recipe=QUICK)
    codes = model.encode(test.texts)
    assert (model.predict(codes).argmax(axis=1) == test.labels).mean() > 0.97
    narrow = trained_sentences(training, development, recipe=QUICK, bottleneck=16, start=model)
    assert narrow.latent(codes).shape == (100, 16)
    assert (narrow.predict(codes).argmax(axis=1) == test.labels).mean() > 0.9
    again = trained_sentences(training, development, recipe=QUICK)
    assert again.fingerprint() == model.fingerprint() != narrow.fingerprint()
    alone = np.concatenate([model.predict(model.encode([text])) for text in test.texts[:10]])
    assert model.predict(codes)[:10] == pytest.approx(alone, abs=1e-5)  # neither padding nor company matters
    first = np.zeros(10, dtype=int)
    odds = model.predict(codes)[:10]
    assert model.probabilities(codes[:10], first) == pytest.approx(1 / (1 + np.exp(odds[:, 1] - odds[:, 0])))


def test_words_have_codes_and_empty_sentences_none():
    vocabulary = Vocabulary(["a b b", "b a c"])
    assert vocabulary.encode(["a c b", "b"]).tolist() == [[2, 1, 3], [3, 0, 0]]
    with pytest.raises(InputError, match="sentence 1 has no words"):
        vocabulary.encode(["a", "  "])
    with pytest.raises(InputError, match="no sentences"):
        vocabulary.encode([])
