"""What is shown and what is not, and that no batch can be guessed."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from explicate.errors import InputError, UnknownNameError
from explicate.evaluation.simulatability import BatchSizes, Item, SimulationStudy, draw_batches
from explicate.evaluation.simulatability.batches import TRIES
from explicate.evaluation.simulatability.layout import read_case, read_edits
from explicate.evaluation.simulatability.planted import rule_table
from explicate.evaluation.simulatability.study import balance


def test_batches_are_balanced_and_share_no_case(additive):
    for items, each in ((additive.learning, 4), (additive.forward, 8), (additive.counterfactual, 60)):
        assert balance(items) == {(a, b): each for a in additive.classes for b in additive.classes}
    cells = Counter((item.cell, item.flips) for item in additive.counterfactual)
    assert set(cells.values()) == {30}
    names = [item.id for item in (*additive.learning, *additive.forward, *additive.counterfactual)]
    assert len(set(names)) == len(names)


def test_neither_the_label_nor_the_number_of_edits_tells_the_answer(additive, rule):
    for study in (additive, rule):
        truth = study.truth("counterfactual")
        numbers = Counter()
        for item in study.counterfactual:
            numbers[len(read_edits(item.perturbation)), item.flips] += 1
            assert truth[item.id] == item.perturbation_model
        for count in (1, 2, 3):
            assert numbers[count, True] == numbers[count, False] == len(study.counterfactual) / 6
        right = sum(item.label == truth[item.id] for item in study.counterfactual)
        assert right == len(study.counterfactual) / 2


def test_edits_start_from_the_row_and_give_the_stated_prediction(rule):
    for item in rule.counterfactual:
        row = read_case(item.context).values
        edits = read_edits(item.perturbation)
        assert all(row[edit.feature] == edit.old != edit.new for edit in edits)
        changed = {**row} | {edit.feature: edit.new for edit in edits}
        expected = "yes" if changed["Part 1"] == changed["Part 2"] == "red" else "no"
        assert item.perturbation_model == expected
        assert item.model == ("yes" if row["Part 1"] == row["Part 2"] == "red" else "no")


def test_explanations_are_never_shown_of_the_case_that_is_asked_about(rule):
    forward, counterfactual = rule.tests
    for phase in ("pre", "post"):
        pages = forward.shown(phase, "anchor")
        assert all((page.explanation, page.label, page.model) == (None, None, None) for page in pages)
        assert all(page.asks == ("answer",) for page in pages)
    learned = {page.item for page in forward.shown("explain", "anchor")}
    assert learned.isdisjoint(page.item for page in forward.shown("post", "anchor"))
    assert all(page.explanation is None for page in forward.shown("learn", "anchor"))
    assert all(page.explanation is None for page in counterfactual.shown("pre", "anchor"))
    texts = {item.id: item.explanations["anchor"] for item in rule.counterfactual}
    assert all(page.explanation == texts[page.item] for page in counterfactual.shown("post", "anchor"))


def test_the_last_phases_show_the_same_cases_in_another_order(rule):
    for test in rule.tests:
        before, after = (test.shown(phase, "anchor", seed=3) for phase in ("pre", "post"))
        assert [page.item for page in before] != [page.item for page in after]
        assert sorted(page.item for page in before) == sorted(page.item for page in after)


def test_a_cell_with_too_few_cases_is_an_error_with_the_four_counts():
    planted = rule_table(rows=300)
    with pytest.raises(InputError, match=r"predicted 'no': \d+.*predicted 'yes': \d+.*predicted 'no': \d+.*'yes': \d+"):
        draw_batches(planted.model, planted.development, planted.test, sizes=BatchSizes(16, 320, 0))


def test_cases_whose_edits_never_change_the_prediction_are_an_error():
    planted = rule_table(rows=600)

    class Stubborn:
        """Answers "no" about all edited copies of a row, so that none of them changes that answer."""

        def __getattr__(self, name):
            return getattr(planted.model, name)

        def predict(self, rows):
            found = planted.model.predict(rows)
            return np.tile([1.0, 0.0], (len(rows), 1)) if len(rows) == TRIES else found

    with pytest.raises(InputError, match=r"no test row is left .* an edit of up to 3 features (changes|keeps)"):
        draw_batches(Stubborn(), planted.development, planted.test, sizes=BatchSizes(0, 0, 8))


def test_studies_that_do_not_fit_together_are_refused(rule):
    first = rule.counterfactual[0]
    for changes, words in [
        ({"methods": ()}, "at least one"),
        ({"methods": ("anchor", "lime")}, "no explanation by 'lime'"),
        ({"classes": ("yes", "yes")}, "two different classes"),
        ({"classes": ("yes", "maybe")}, "none of the classes"),
        ({"counterfactual": (first, first)}, "occurs twice"),
        ({"counterfactual": (replace(first, perturbation=""),)}, "no perturbation"),
        ({"learning": (), "forward": rule.forward}, "learning items before"),
    ]:
        with pytest.raises(InputError, match=words):
            replace(rule, **changes)
    with pytest.raises(UnknownNameError, match="method of this study"):
        rule.tests[0].shown("post", "shap")
    with pytest.raises(InputError, match="multiple of 8"):
        BatchSizes(counterfactual=12)
    alone = SimulationStudy(
        ("a", "b"), ("m",), counterfactual=(Item("1", "x", "a", "a", "x : 1 --> 2", "b", {"m": "-"}),)
    )
    assert [test.name for test in alone.tests] == ["counterfactual"]
    with pytest.raises(UnknownNameError, match="test of this study"):
        alone.truth("forward")
