"""A trained model whose knowledge is known by construction: its labels are recovered, its errors mended."""

import numpy as np
import pytest

from explicate.benchmarks.wack import (
    PROBED,
    AskAgain,
    GoodShots,
    Place,
    ProbePlan,
    Router,
    StateProbe,
    SteerAnswer,
    detect,
    generic_examples,
    mitigate,
    output_states,
    recovered,
    towards_correct,
    treated,
    word_states,
    write_generic_set,
)
from explicate.benchmarks.wack.planted import FactLessons, items_of, truth_of
from explicate.data.language.fact_world import MARKS
from explicate.errors import InputError


def test_labels_of_a_model_are_what_it_was_trained_to_be(world, labelled):
    _, dataset, _ = labelled
    for label in PROBED:
        recall, precision = recovered(dataset, truth_of(world), label)
        assert recall >= 0.9
        assert precision >= 0.9
    assert set(dataset.histogram()) == {0, 1, 2, 3}


def test_answers_count_in_the_lessons_loss_and_nothing_else_does_much(world):
    batch = FactLessons(world).batch(np.random.default_rng(0), 200)
    words = np.array([*world.vocabulary, ""])[batch.ids]
    before = np.roll(words, 1, axis=1)
    heavy = batch.weights == 1.0
    assert heavy[(before == "answer:") & (batch.ids >= 0)].all()
    marks = np.isin(words, list(MARKS.values()))
    assert heavy[marks].all()
    assert set(np.unique(before[heavy & ~marks])) == {"answer:", "Answer:"}
    assert (batch.weights[batch.ids < 0] == 0).all()
    corrected = words[(before == "Answer:") & ~heavy]
    assert len(corrected)  # the right answer, which is only shown


def test_asking_again_mends_every_error_and_harms_nothing(planted, labelled):
    how, dataset, _ = labelled
    records = dataset.of(*PROBED)
    actions = ["intervene" if each.label == "HK+" else "abstain" if each.label == "HK-" else "keep" for each in records]
    rows = treated(planted, records, actions, AskAgain(GoodShots(how.setting.shots)), how, cache=False)
    found = {row["label"]: row for row in rows}
    assert (found["HK+"]["before"], found["HK+"]["after"]) == (0.0, 1.0)
    assert found["correct"]["after"] == found["correct"]["always"] == 1.0
    assert found["HK-"]["abstained"] == 1.0
    assert found["HK-"]["wrong"] == found["all"]["wrong"] == 0.0
    assert found["all"]["n"] == len(records)


def test_what_the_router_decides_is_what_its_probe_sees(planted, labelled):
    _, dataset, examples = labelled
    probe = StateProbe.fit(examples, Place("resid_post", 2), fewest=1)
    actions = Router(probe).route(examples.states)
    names = {"correct": "keep", "HK+": "intervene", "HK-": "abstain"}
    assert actions == [names[label] for label in probe.predict(examples.states)]
    assert len(actions) == len(dataset.of(*PROBED))


def test_steering_by_nothing_changes_nothing_and_the_direction_points_to_correct(planted, labelled):
    how, dataset, _ = labelled
    records = dataset.of("correct", "HK+")
    direction = towards_correct(planted, records, 1)
    same = SteerAnswer(direction, 0.0).answer(planted, records, how, cache=False)
    assert same == [record.answer for record in records]
    seen = planted.capture([record.prompt for record in records], ["L1.resid_post@-1"])["L1.resid_post@-1"][:, 0]
    right = np.array([record.label == "correct" for record in records])
    expected = seen[right].mean(axis=0) - seen[~right].mean(axis=0)
    np.testing.assert_allclose(direction.values[0], expected, atol=1e-4)
    assert not planted.intervened


def test_a_direction_needs_both_kinds(planted, labelled):
    _, dataset, _ = labelled
    with pytest.raises(InputError, match="labelled correct and HK\\+"):
        towards_correct(planted, dataset.of("correct"), 1)


def test_mitigation_is_learned_and_tested_on_different_questions(planted, labelled):
    how, dataset, examples = labelled
    table = mitigate(planted, dataset, examples, how=how, plan=ProbePlan(split="folds", fewest=1), cache=False,
                     strengths=(1.0,))  # fmt: skip
    assert set(table["remedy"]) == {"ask again", "steer"}
    again = table[(table["remedy"] == "ask again") & (table["label"] == "HK+")]
    assert (again["always"] == 1.0).all()
    assert (again["after"] <= again["intervened"] + again["kept"] + 1e-9).all()
    everyone = table[table["label"] == "all"]
    np.testing.assert_allclose(everyone[["kept", "intervened", "abstained"]].sum(axis=1), 1.0)
    with pytest.raises(InputError, match="not those of the data set"):
        mitigate(planted, dataset, examples.rows(np.arange(5)), how=how)


def test_the_generic_set_is_written_by_the_model_and_probed_like_its_own_errors(planted, world, labelled):
    how, _, _ = labelled
    generic = write_generic_set(planted, items_of(world), cache=False)
    assert len(generic.pairs) >= 30
    examples = generic_examples(planted, generic, how.setting, components=("resid_post",), layers=(2,))
    assert examples.counts() == {"HK+": len(generic.pairs), "correct": len(generic.pairs)}
    table = detect(examples, labels=("correct", "HK+"))
    assert set(table["n_test"]) == {2 * round(0.3 * len(generic.pairs))}


def test_baselines_see_words_and_outputs_only(planted, labelled):
    _, dataset, _ = labelled
    texts = [record.prompt for record in dataset][:5]
    words = word_states(["a b", "b a", "a a"])[Place("words", 0)]
    np.testing.assert_allclose(words[0], words[1])
    assert abs(np.linalg.norm(words[2]) - 1) < 1e-6
    output = output_states(planted, texts, 3)[Place("output", 0)]
    logits = planted.predict(planted.encode(texts))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(output, np.log(np.sort(shares, axis=1)[:, ::-1][:, :3]), atol=1e-4)
