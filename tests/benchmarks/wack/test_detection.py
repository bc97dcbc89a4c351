"""Probes on states with known directions: what is there is found, what is not is at chance, and nothing leaks."""

import numpy as np
import pytest

from explicate.benchmarks.wack import (
    PROBED,
    Examples,
    Place,
    ProbePlan,
    StateProbe,
    States,
    before_the_answer,
    chosen,
    detect,
    held_out,
    hidden_states,
    specific_against_generic,
    summed_up,
    three_way,
    transfer,
)
from explicate.benchmarks.wack.states import joined
from explicate.errors import InputError, SiteError

RNG = np.random.default_rng(0)
WIDTH = 24


def examples(count=120, signal=(0.0, 1.0), labels=PROBED, folds=3, name="specific", noise=0.5):
    """States of layers 0, 1, ...: noise, plus a direction for each label with the layer's signal."""
    given = np.array(list(labels) * count)
    directions = {label: np.eye(WIDTH)[place] for place, label in enumerate(labels)}
    arrays = {}
    for layer, strength in enumerate(signal):
        values = noise * RNG.normal(size=(len(given), WIDTH))
        values += strength * np.stack([directions[label] for label in given])
        arrays["resid_post", layer] = values.astype(np.float32)
    questions = np.array([f"{name} {number}" for number in range(len(given))])
    return Examples(States(arrays), given, questions, np.arange(len(given)) // len(labels) % folds, name)


def test_a_signal_is_found_where_it_is_and_noise_is_at_chance():
    table = detect(examples())
    scores = table.groupby("layer")["accuracy"].mean()
    assert scores[1] > 0.8
    assert abs(scores[0] - 1 / 3) < 0.1
    assert table["control"].mean() == pytest.approx(1 / 3, abs=0.08)
    assert set(table["chance"]) == {1 / 3}
    assert set(table["majority"].round(6)) == {round(1 / 3, 6)}


def test_the_place_is_chosen_on_training_texts():
    best = chosen(detect(examples(signal=(0.0, 0.3, 1.0, 0.2))))
    assert list(best["layer"]) == [2, 2, 2]
    assert len(best) == 3


def test_pairs_are_read_off_the_confusions():
    """The published figure forgives a third answer, so its chance is 2/3 and not 1/2."""
    table = detect(examples(count=300, signal=(0.0,)), plan=ProbePlan(seeds=tuple(range(6))))
    assert table["pair correct HK+"].mean() == pytest.approx(2 / 3, abs=0.05)
    assert table["strict correct HK+"].mean() == pytest.approx(1 / 3, abs=0.05)
    assert (table["pair correct HK+"] >= table["strict correct HK+"]).all()


def test_labels_are_balanced_and_as_many_as_asked():
    given = examples(count=60)
    few = given.rows(np.flatnonzero((given.labels != "HK+") | (np.arange(len(given.labels)) < 90)))
    train, test = held_out(few, PROBED, ProbePlan(), 0)
    for rows in (train, test):
        assert len({int((few.labels[rows] == label).sum()) for label in PROBED}) == 1
    table = detect(examples(count=60), plan=ProbePlan(per_label=40))
    assert table["n_train"].max() <= 3 * 28
    assert table["n_test"].max() <= 3 * 12


def test_no_question_and_no_shown_example_is_on_both_sides():
    given = examples(count=60)
    twice = Examples(joined(given.states, given.states), np.tile(given.labels, 2), np.tile(given.questions, 2),
                     np.tile(given.folds, 2), "both settings")  # fmt: skip
    for split in ("questions", "folds"):
        for seed in range(3):
            train, test = held_out(twice, PROBED, ProbePlan(split=split), seed)
            assert not set(twice.questions[train]) & set(twice.questions[test])
            if split == "folds":
                assert set(twice.folds[test]) == {seed}
                assert seed not in set(twice.folds[train])


def test_a_probe_transfers_as_far_as_the_directions_are_shared():
    """The second setting has the same direction in layer 1, and the opposite one in layer 0."""
    first = examples(signal=(1.0, 1.0), labels=("correct", "HK+"), name="first")
    second = examples(signal=(-1.0, 1.0), labels=("correct", "HK+"), name="second")
    mean = transfer(first, second).groupby(["train", "layer"])["accuracy"].mean()
    assert mean["other setting", 1] > 0.8
    assert mean["other setting", 0] < 0.2
    assert mean["same setting", 0] > 0.8


def test_the_experiments_test_on_the_models_own_errors():
    """Own errors lie along another direction than generic ones, and are seen before the answer too."""
    specific, pre = (examples(signal=(1.0,), labels=("correct", "HK+"), name=name) for name in ("own", "own"))
    generic = examples(signal=(-1.0,), labels=("correct", "HK+"), name="generic")
    own = specific_against_generic(specific, generic).groupby("train")["accuracy"].mean()
    assert own["specific"] > 0.8 > 0.2 > own["generic"]
    early = before_the_answer(pre, specific, generic).groupby("train")["accuracy"].mean()
    assert early["pre-answer specific"] > 0.8
    assert early["post-answer specific"] > 0.8
    assert early["post-answer generic"] < 0.2
    assert {"pair correct HK+", "pair HK+ HK-"} <= set(three_way(examples()).columns)


def test_questions_of_the_test_are_not_learned_from_another_source():
    """A source with the tested questions, and labels that only they give away, is no help."""
    test = examples(count=200, signal=(0.0,), labels=("correct", "HK+"), name="shared")
    source = Examples(test.states, test.labels, test.questions, test.folds, "copy")
    table = detect(test, {"copy": source}, labels=("correct", "HK+"), plan=ProbePlan(seeds=tuple(range(8))))
    assert table["accuracy"].mean() == pytest.approx(0.5, abs=0.06)


def test_too_few_texts_are_refused_with_the_counts():
    given = examples(count=30)
    few = given.rows(np.flatnonzero((given.labels != "HK+") | (np.arange(len(given.labels)) < 30)))
    with pytest.raises(InputError, match="30 correct, 10 HK\\+, 30 HK-; it needs 20"):
        detect(few)
    with pytest.raises(InputError, match="10 HK"):
        StateProbe.fit(few, Place("resid_post", 0))


@pytest.mark.parametrize(
    "wrong", [{"split": "rows"}, {"test_share": 1.0}, {"seeds": ()}, {"controls": 0}, {"parts": 1}]
)
def test_plans_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        ProbePlan(**wrong)


def test_all_sources_are_tested_on_the_same_texts():
    """The scores of a source that is the test itself do not depend on which others stand beside it."""
    test, other = (examples(signal=(0.5,), labels=("correct", "HK+"), name=name) for name in ("own", "another"))
    copy = Examples(test.states, test.labels, np.array([f"new {q}" for q in test.questions]), test.folds, "copy")
    for split in ("questions", "folds"):
        plan = ProbePlan(split=split)
        alone = detect(test, labels=("correct", "HK+"), plan=plan)
        beside = detect(test, {"own": test, "another": other, "copy": copy}, labels=("correct", "HK+"), plan=plan)
        own = beside[beside["train"] == "own"]
        assert own["accuracy"].tolist() == alone["accuracy"].tolist()
        assert set(beside["n_test"]) == set(alone["n_test"])


def test_a_fitted_probe_predicts_labels():
    given = examples(noise=0.1)
    probe = StateProbe.fit(given, Place("resid_post", 1))
    assert np.mean(probe.predict(given.states) == given.labels) > 0.99


def test_one_set_of_shown_examples_cannot_be_split_by_folds():
    with pytest.raises(InputError, match="Shots\\(folds=3\\)"):
        detect(examples(folds=1), plan=ProbePlan(split="folds"))


def test_a_summary_has_means_and_deviations():
    table = detect(examples())
    row = summed_up(table).set_index("layer").loc[1]
    own = table[table["layer"] == 1]["accuracy"]
    assert row["accuracy mean"] == pytest.approx(own.mean())
    assert row["accuracy std"] == pytest.approx(own.std())


def test_states_are_those_of_the_last_token_scaled_to_length_one(smollm2):
    texts = ["question: What is the capital of Norway?\nanswer:", "question: Why?\nanswer:"]
    found = hidden_states(smollm2, texts, ("resid_post", "mlp_out", "attn_out", "z"), layers=(0, 7))
    for row, text in enumerate(texts):
        alone = smollm2.capture(text, ["L7.resid_post@-1", "L7.mlp_out@-1", "L7.attn_out@-1", "L7.z.H4@-1"])
        for site, place in (
            ("L7.resid_post@-1", Place("resid_post", 7)),
            ("L7.mlp_out@-1", Place("mlp_out", 7)),
            ("L7.attn_out@-1", Place("attn_out", 7)),
            ("L7.z.H4@-1", Place("z", 7, 4)),
        ):
            values = alone[site].reshape(-1)
            np.testing.assert_allclose(found[place][row], values / np.linalg.norm(values), atol=2e-4)
    assert len(found) == 2 * (3 + 9)
    assert found[Place("z", 7)].shape == (2, 576)
    with pytest.raises(SiteError, match="no states were taken"):
        found[Place("resid_post", 3)]
