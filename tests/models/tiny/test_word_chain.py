"""The chain's masked distribution against Bayes' rule summed by hand."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.models.tiny.word_chain import END, WordChain

SENTENCES = [text.split() for text in ("a b c", "a c c", "b b c", "a b a")]


def test_a_word_between_two_others_follows_bayes_rule():
    prior = 2.0
    chain = WordChain(SENTENCES, prior=prior)
    pairs = Counter(pair for words in SENTENCES for pair in pairwise([END, *words, END]))
    single = {word: chain.shares[place] for place, word in enumerate(chain.words)}
    assert single == pytest.approx({END: 4 / 16, "a": 4 / 16, "b": 4 / 16, "c": 4 / 16})

    def follows(word, left):
        total = sum(count for (first, _), count in pairs.items() if first == left)
        return (pairs[left, word] + prior * single[word]) / (total + prior)

    for left in chain.words:
        for right in chain.words:
            raw = np.array([0.0, *(follows(word, left) * follows(right, word) for word in "abc")])
            assert chain.between(left, right) == pytest.approx(raw / raw.sum())


def test_unknown_neighbours_tell_nothing_and_rare_words_stand_nowhere():
    chain = WordChain([*SENTENCES, ["rare", "a"]], least=2)
    assert "rare" not in chain.words
    free = chain.shares.copy()
    free[0] = 0
    assert chain.between("rare", "never seen") == pytest.approx(free / free.sum())
    with pytest.raises(InputError, match="no word occurs 9 times"):
        WordChain(SENTENCES, least=9)
