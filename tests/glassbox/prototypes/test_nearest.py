"""Nearest prototypes against their definition, recomputed by hand, and on rules and sentences whose truth is known."""

import numpy as np
import pytest

from explicate.data.language.review_sentences import in_parts, made_reviews
from explicate.errors import InputError
from explicate.evaluation.simulatability.planted import rule_table
from explicate.glassbox import check_glass_box
from explicate.glassbox.prototypes.nearest import NearestPrototype, NearestSentence
from explicate.glassbox.prototypes.nearest_training import nearest_pairs
from explicate.models.tiny.categories import CategoryRecipe, trained_categories
from explicate.models.tiny.sentences import SentenceRecipe, trained_sentences

QUICK = {"prototypes": 6, "epochs": 12, "warm_epochs": 3, "batch": 100, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def rule():
    """Rows of a rule of two conditions, and a network with a narrow layer that has learned it."""
    return started(0.0)


def started(noise):
    planted = rule_table(columns=4, rows=900, noise=noise)
    training, development = planted.development.split(0.3, 0)
    recipe = CategoryRecipe(epochs=40, batch=50, learning_rate=5e-3)
    return trained_categories(training, development, recipe, 16), training, development, planted.test


@pytest.fixture(scope="module")
def fitted(rule):
    """Prototypes of that network."""
    start, training, development, _ = rule
    return NearestPrototype(**QUICK).fit(start, training, development)


def test_a_rule_is_learned_by_prototypes_that_are_training_rows_of_their_class(rule, fitted):
    _, training, development, test = rule
    assert (fitted.predict(test.values()).argmax(axis=1) == test.labels).mean() > 0.95
    assert (training.labels[fitted.source_] == fitted.owner_).all()
    assert len(set(fitted.source_)) == 12
    assert np.array_equal(fitted.rows_, training.values()[fitted.source_])
    assert np.array_equal(fitted.similarities(fitted.rows_).diagonal(), np.ones(12))
    own = (fitted.predict(development.values()).argmax(axis=1) == development.labels).mean()
    assert fitted.accuracy_ == pytest.approx(own)


def test_rows_with_a_wrong_label_attract_prototypes_unless_only_trusted_rows_count():
    start, training, development, test = started(0.01)
    for trusted in (False, True):
        model = NearestPrototype(**QUICK, trusted=trusted).fit(start, training, development)
        elsewhere = (start.predict(model.rows_).argmax(axis=1) != model.owner_).sum()
        right = (model.predict(test.values()).argmax(axis=1) == test.labels).mean()
        assert (elsewhere == 0) == trusted
        assert (right > 0.97) == trusted


def test_scores_are_the_largest_similarity_of_each_class(rule, fitted):
    rows = rule[3].values()[:20]
    places, cases = fitted.latent(fitted.rows_), fitted.latent(rows)
    for case, scores in zip(cases, fitted.predict(rows), strict=True):
        similar = [np.exp(-np.square(case - place).sum()) for place in places]
        assert scores == pytest.approx([max(similar[:6]), max(similar[6:])], abs=1e-6)


def test_the_explanation_replays_to_the_scores(rule, fitted):
    frame = rule[3].frame.head(15)
    check_glass_box(fitted, frame)
    found = fitted.explain(frame)
    assert found["source_text"].shape == (12, 4)
    assert found.contributions().max(axis=1) == pytest.approx(fitted.predict(frame))


def test_a_frozen_extractor_stays_as_it_was(rule):
    start, training, development, test = rule
    frozen = NearestPrototype(**QUICK, frozen=True).fit(start, training, development)
    rows = test.values()[:50]
    assert np.array_equal(frozen.latent(rows), start.latent(rows))
    moved = NearestPrototype(**QUICK).fit(start, training, development)
    assert not np.array_equal(moved.latent(rows), start.latent(rows))
    again = NearestPrototype(**QUICK).fit(start, training, development)
    assert again.fingerprint() == moved.fingerprint()
    assert frozen.fingerprint() != moved.fingerprint()


def test_pairs_are_taken_nearest_first_and_no_row_twice():
    distances = np.array([[1.0, 2.0, 9.0], [1.5, 1.2, 0.1], [3.0, 3.5, 4.0], [0.2, 5.0, 8.0]])
    found = nearest_pairs(distances, np.array([0, 0, 1, 0]), np.array([0, 0, 1]))
    assert found.tolist() == [3, 1, 2]  # row 1 would be nearest to the last one, which is of the other class


def test_what_cannot_be_trained_is_refused(rule):
    start, training, development, _ = rule
    with pytest.raises(InputError, match="no push in 3 epochs after the first 5"):
        NearestPrototype(**{**QUICK, "epochs": 3, "warm_epochs": 5}).fit(start, training, development)
    with pytest.raises(InputError, match="rows for 500 prototypes"):
        NearestPrototype(**{**QUICK, "prototypes": 500}).fit(start, training, development)
    with pytest.raises(InputError, match="batch"):
        NearestPrototype(**{**QUICK, "batch": 0}).fit(start, training, development)
    with pytest.raises(InputError, match="not trained yet"):
        NearestPrototype().explain()


def test_sentences_have_prototypes_that_are_training_sentences():
    training, development, test = in_parts(made_reviews(1200, clauses=1), (0.6, 0.2))
    recipe = SentenceRecipe(epochs=12, dimensions=12, hidden=12, learning_rate=0.2, dropout=0.0)
    start = trained_sentences(training, development, recipe=recipe)
    model = NearestSentence(**QUICK).fit(start, training, development)
    task = (start.predict(start.encode(test.texts)).argmax(axis=1) == test.labels).mean()
    assert task > 0.62  # the lexicon itself is right in 75 %
    assert (model.predict(test.texts).argmax(axis=1) == test.labels).mean() > task - 0.05
    found = model.explain(test.texts[:8])
    assert list(found["source_text"].values) == [training.texts[place] for place in model.source_]
    assert (training.labels[model.source_] == model.owner_).all()
    check_glass_box(model, test.texts[:8])
