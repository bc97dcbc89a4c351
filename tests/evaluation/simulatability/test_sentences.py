"""Studies of sentences: batches that cannot be guessed, the layouts, readers on a lexicon whose answers are known."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from explicate.data.language.review_sentences import in_parts, made_reviews, sentiments
from explicate.errors import InputError
from explicate.evaluation.simulatability import (
    METHODS,
    BatchSizes,
    load_study,
    save_study,
    shuffled_explanations,
    simulate,
)
from explicate.evaluation.simulatability.layout import read_anchor, read_case, read_edits, read_lime, read_prototype
from explicate.evaluation.simulatability.planted import lexicon_sentences
from explicate.evaluation.simulatability.readers import AnchorReader, EditCountReader, LimeReader
from explicate.evaluation.simulatability.sentences import SentenceExplainer, sentence_study, train_sentence_models
from explicate.evaluation.simulatability.study import Shown, balance
from explicate.evaluation.simulatability.trained_reader import TrainedReader
from explicate.models.tiny.sentences import SentenceRecipe

SIZES = BatchSizes(8, 16, 80, edits=5)


@pytest.fixture(scope="module")
def planted():
    """Sentences, and the lexicon that answers."""
    return lexicon_sentences(600, choices=12)


@pytest.fixture(scope="module")
def study(planted):
    """Its sentences, explained by weights."""
    explainer = SentenceExplainer(planted.model, planted.choices)
    return sentence_study(explainer, planted.development, planted.test, ("lime",), sizes=SIZES, planted=True)


def right(study, answers, test="counterfactual", phase="post"):
    truth = study.truth(test)
    return np.mean([one.answer == truth[one.item] for one in answers if one.test == test and one.phase == phase])


def test_edits_of_words_give_the_stated_answers_and_cannot_be_guessed(study):
    weights, numbers = sentiments(), Counter()
    for item in study.counterfactual:
        case, edits = read_case(item.context), read_edits(item.perturbation)
        assert case.sentence
        assert all(case.values[edit.feature] == edit.old != edit.new for edit in edits)
        for shown, answer in ((case, item.model), (case.changed(edits), item.perturbation_model)):
            total = sum(weights.get(word, 0.0) for word in shown.values.values())
            assert answer == ("positive" if total > 0 else "negative")
        numbers[len(edits), item.flips] += 1
    assert all(numbers[count, True] == numbers[count, False] == 8 for count in range(1, 6))
    assert set(balance(study.counterfactual).values()) == {20}
    for most in range(1, 5):
        assert right(study, simulate(study, "lime", EditCountReader(most=most))) == 0.5


def test_weights_of_words_tell_what_a_lexicon_will_answer(study):
    answers = simulate(study, "lime")
    assert right(study, answers, phase="pre") == 0.5
    assert right(study, answers) >= 0.6
    dealt = [right(study, simulate(shuffled_explanations(study, seed), "lime")) for seed in range(3)]
    assert np.mean(dealt) == pytest.approx(0.5, abs=0.07)


def test_words_that_were_learned_count_wherever_they_stand():
    def told(lines):
        return f"{lines}\nBaseline : +0.50\nSum of weights : +0.00\nTotal evidence : 0.50"

    classes = ("negative", "positive")
    learned = [
        Shown("1", "forward", "explain", "Sentence : a fine film .", "positive", "positive",
              explanation=told("Word 2 = fine | +0.30")),
        Shown("2", "forward", "explain", "Sentence : dull it was .", "negative", "negative",
              explanation=told("Word 1 = dull | -0.20")),
    ]  # fmt: skip
    pages = [Shown(text, "forward", "post", f"Sentence : {text}") for text in ("it was dull", "dull , but fine", "a b")]
    assert LimeReader().forward(learned, pages, classes) == ["negative", "positive", "negative"]
    conditions = ("1. Word 2 = fine", "1. Word 1 = dull")
    anchors = [replace(page, explanation=line) for page, line in zip(learned, conditions, strict=True)]
    assert AnchorReader().forward(anchors, pages[:2], classes) == ["negative", "positive"]


def test_a_trained_reader_reads_weights_without_knowing_their_layout(planted, study):
    explainer = SentenceExplainer(planted.model, planted.choices)
    other = sentence_study(explainer, planted.test, planted.development, ("lime",), sizes=SIZES)
    with_them, without = (right(study, simulate(study, "lime", TrainedReader(other, "lime", told)))
                          for told in (True, False))  # fmt: skip
    assert with_them >= without - 0.03
    assert with_them >= 0.6
    one = replace(other, counterfactual=other.counterfactual[:1])
    with pytest.raises(InputError, match="give more items"):
        TrainedReader(one, "lime")


def test_trained_networks_are_explained_by_all_five_methods(tmp_path):
    parts = in_parts(made_reviews(900, clauses=1), (0.6, 0.2))
    recipe = SentenceRecipe(epochs=12, dimensions=12, hidden=12, learning_rate=0.2, dropout=0.0)
    models = train_sentence_models(
        parts, recipe=recipe, choices=8, prototypes=6, epochs=10, warm_epochs=3, batch=100, learning_rate=1e-2
    )
    assert min(models.accuracy.values()) > 0.6  # the lexicon itself is right in 75 %
    study = sentence_study(models.explainer(), parts[1], parts[2], sizes=BatchSizes(4, 4, 8, edits=3))
    assert load_study(save_study(study, tmp_path)) == study
    assert study.thing == "sentence"
    for item in study.counterfactual:
        case = read_case(item.context)
        texts = item.explanations
        assert set(read_lime(texts["lime"]).weights) <= set(case.values.items())
        assert read_anchor(texts["anchor"]).items() <= case.values.items()
        told = read_prototype(texts["prototype"])
        assert " ".join(told.known.values.values()) in parts[0].texts
        assert set(told.important) <= set(case.values.items())
        assert told.label == item.model  # both models agree on all cases
    for method in METHODS:
        assert len(simulate(study, method)) == 24
