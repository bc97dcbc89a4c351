"""A sentence as a row: what stands in each place, and the inner model's scores of the sentences that rows stand for."""

import numpy as np
import pytest

from explicate.attribution.conditional_omission import ConditionalOmission
from explicate.evaluation.simulatability.planted import lexicon_sentences
from explicate.models.sentence_choices import SentenceChoices, WordChoices
from explicate.models.tiny.word_chain import WordChain


@pytest.fixture(scope="module")
def planted():
    """Sentences and a model that adds up weights of their words."""
    return lexicon_sentences(300)


def test_rows_are_scored_as_the_sentences_that_they_stand_for(planted):
    sentence = planted.test.texts[0]
    view = SentenceChoices(planted.model, sentence, planted.choices)
    assert view.sentence(view.row[0]) == sentence
    rows = view.background[:50]
    texts = [view.sentence(row) for row in rows]
    expected = [sum(planted.model.weights[planted.model.vocabulary.code.get(w, 1)] for w in t.split()) for t in texts]
    assert view.predict(rows)[:, 1] == pytest.approx(expected)
    assert view.latent(rows)[:, 0] == pytest.approx(expected)
    assert [one.name for one in view.features[:2]] == ["Word 1", "Word 2"]
    assert view.features[-1].categories == (".",)  # marks stay


def test_shares_are_those_of_the_language_model_among_the_choices(planted):
    words = planted.test.texts[0].split()
    found, shares = planted.choices.at(words, 1)
    raw = planted.choices.chain.between(words[0], words[2])
    own = np.array([raw[planted.choices.chain.code[word]] for word in found])
    assert shares == pytest.approx(own / own.sum())
    assert found[0] == words[1]
    assert len(found) == len(set(found)) == 21
    others = np.delete(raw, [planted.choices.chain.code[word] for word in found])
    assert own[1:].min() >= others[[w.isalpha() for w in np.delete(planted.choices.chain.words, [
        planted.choices.chain.code[word] for word in found])]].max()  # fmt: skip


def test_conditional_omission_is_the_expectation_over_the_choices(planted):
    view = SentenceChoices(planted.model, planted.test.texts[3], planted.choices)
    found = ConditionalOmission().explain(view, view.row, target=1).values[0]
    weight = dict(zip(planted.model.vocabulary.words, planted.model.weights, strict=True))
    for place, feature in enumerate(view.features):
        expected = sum(share * weight.get(word, 0.0) for word, share in zip(feature.categories, view.shares[place],
                                                                          strict=True))  # fmt: skip
        assert found[place] == pytest.approx(weight.get(feature.categories[0], 0.0) - expected, abs=1e-9)


def test_near_words_of_a_space_come_first():
    chain = WordChain([list("abcdef"), list("fedcba")])
    vectors = {"a": np.array([1.0, 0]), "b": np.array([0.9, 0.1]), "c": np.array([0, 1.0]), "d": np.array([0.1, 0.9])}
    found, shares = WordChoices(chain, vectors, count=4).at(list("abcdef"), 0)
    assert found[:3] == ("a", "b", "d")
    assert shares.sum() == pytest.approx(1)
    unknown, shares = WordChoices(chain, vectors, count=4).at(["zebra", "b"], 0)
    assert unknown[0] == "zebra"
    assert 0 < shares[0] <= shares[1:].min()
