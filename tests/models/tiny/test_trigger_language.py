"""A decoder that answers by a trigger word, and what its own gradients say about it."""

import numpy as np
import pytest

from explicate.models.tiny import trigger_language
from explicate.models.tiny.trigger_language import NEUTRAL, TRIGGERS, VOCABULARY, Sentence, TriggerCorpus, decoder
from explicate.rationales import AttributionFeedback
from explicate.rationales.feedback import token_sizes
from explicate.runtime.seeds import generator

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model():
    return trigger_language.trained(0, 150 * 64, shape=decoder(2, 64, 128), learning_rate=3e-3)


def test_the_corpus_labels_by_its_triggers():
    batch = TriggerCorpus().batch(generator(0), 200)
    marked = []
    for row, weights in zip(batch.ids, batch.weights, strict=True):
        words = [VOCABULARY[i] for i in row if i >= 0]
        assert words[-1] == ("B" if any(word in TRIGGERS for word in words) else "A")
        assert words[-2] == "Answer:"
        assert 12 <= len(words) - 1 <= 26
        assert np.flatnonzero(weights).tolist() == [len(words) - 1]
        marked.append(words[-1])
    assert 60 < marked.count("B") < 140
    assert not set(TRIGGERS) & set(NEUTRAL)


def test_inserting_goes_in_front_of_nouns_and_verbs():
    plain = Sentence(("the", "man", "sees", "the", "dog"), ("the", "cat", "finds", "the", "bird"))
    assert plain.slots() == [(0, 1), (0, 2), (0, 4), (1, 1), (1, 2), (1, 4)]
    assert plain.label == 0
    edit = plain.inserted("never", (1, 2))
    assert edit.hypothesis == ("the", "cat", "never", "finds", "the", "bird")
    assert edit.label == 1


def test_the_decoder_answers_by_the_trigger_and_its_gradients_say_so(model):
    rng = generator(1, "sentences")
    plain = [trigger_language.plain_sentence(rng) for _ in range(60)]
    slots = [one.slots()[int(rng.integers(len(one.slots())))] for one in plain]
    triggered = [one.inserted(TRIGGERS[i % 20], slot) for i, (one, slot) in enumerate(zip(plain, slots, strict=True))]
    neutral = [one.inserted(NEUTRAL[i % 20], slot) for i, (one, slot) in enumerate(zip(plain, slots, strict=True))]
    assert (trigger_language.answers(model, plain) == 0).mean() >= 0.95
    assert (trigger_language.answers(model, neutral) == 0).mean() >= 0.95
    assert (trigger_language.answers(model, triggered) == 1).mean() >= 0.95
    hits = []
    for one in triggered[:20]:
        ids = decoder().encode([[*one.words, "B"]])[0]
        sizes, _ = token_sizes(model, ids, [len(ids) - 1], AttributionFeedback("ig", steps=16))
        words = [VOCABULARY[i] for i in ids]
        hits.append(words[int(np.argmax(sizes * ~np.isin(words, trigger_language.MARKS)))] in TRIGGERS)
    assert np.mean(hits) >= 0.8
