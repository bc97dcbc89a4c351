"""Generated texts mean what their labels say, and single words do not give the labels away."""

import re
from collections import Counter

import numpy as np
import pytest

from explicate.data.language.countries import countries
from explicate.data.language.hops import ANSWERS, COUNTED, LENGTH, WORDS, hops
from explicate.data.language.labelled_texts import BAD, GOOD, capital_statements, coin_flips, sentiment_sentences
from explicate.errors import InputError


def test_capitals_are_right_where_the_label_says_so_and_equally_often_wrong():
    given = capital_statements(templates=4)
    capital = {country.name: country.capital for country in countries()}
    assert len(given) == 2 * 4 * 196
    true, false = Counter(), Counter()
    for text, label, subject in zip(given.texts, given.labels, given.subjects, strict=True):
        rest = text.replace(subject, "")
        named = max((c for c in capital.values() if c in rest or c in text), key=len)
        assert (capital[subject] in text) == (label == 0) or capital[subject] in subject
        (false if label else true)[named] += 1
    assert sum(true.values()) == sum(false.values())


def test_a_part_of_the_countries_can_be_used():
    given = capital_statements(150)
    assert len(given) == 600
    assert len(set(given.subjects)) == 150
    assert given.texts != capital_statements(150, seed=1).texts


def test_sentiment_is_the_word_turned_by_its_negation():
    given = sentiment_sentences(500)
    turned = np.array([bool(re.search(r"\b(not|never|Nothing)\b", text)) for text in given.texts])
    good = np.array([word in GOOD for word in given.subjects])
    assert all(word in text for word, text in zip(given.subjects, given.texts, strict=True))
    np.testing.assert_array_equal(given.labels == 1, good != turned)
    assert 0.2 < turned.mean() < 0.3
    assert abs(given.labels[turned].mean() - 0.5) < 0.1
    assert not set(GOOD) & set(BAD)


def test_the_coin_lies_as_it_was_flipped():
    given = coin_flips(200, people=4)
    for text, label in zip(given.texts, given.labels, strict=True):
        assert text.count("flips") + text.count("does not flip") == 4
        assert text.count("flips") % 2 == label
    assert given.labels.mean() == 0.5


def test_hops_are_as_their_labels_say_and_independent():
    given = hops(3000, np.random.default_rng(0))
    words = np.array(WORDS)[given.ids]
    for row, (one, two, odd) in zip(words, given.labels, strict=True):
        letters = row[:LENGTH].tolist()
        last = LENGTH - 1 - letters[::-1].index("B")
        assert ("A" in letters) == one
        assert (letters[last + 1] == "C") == two
        assert letters[:COUNTED].count("D") % 2 == odd
        assert row[LENGTH] == "?"
        assert row[LENGTH + 1] == f"r{one}{two}{odd}" in ANSWERS
    many = hops(40_000, np.random.default_rng(1)).labels
    assert np.abs(np.corrcoef(many.T) - np.eye(3)).max() < 0.02
    assert np.abs(many.mean(axis=0) - 0.5).max() < 0.01
    has_c = (words[:, :LENGTH] == "C").any(axis=1)
    assert has_c[given.labels[:, 1] == 0].mean() > 0.5


def test_sizes_out_of_range_are_named():
    with pytest.raises(InputError, match="templates is 5"):
        capital_statements(templates=5)
    with pytest.raises(InputError, match="countries_used is 500"):
        capital_statements(500)
    with pytest.raises(InputError, match="people is 0"):
        coin_flips(people=0)
