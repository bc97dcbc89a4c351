"""Simulated readers against what they can be computed to get right, and the texts they read."""

import itertools

import numpy as np
import pytest

from explicate.errors import FileFormatError, InputError
from explicate.evaluation.simulatability import READERS, layout, shuffled_explanations, simulate
from explicate.evaluation.simulatability.readers import (
    AnchorReader,
    BoundaryReader,
    EditCountReader,
    LimeReader,
    NoExplanationReader,
    OmissionReader,
)
from explicate.evaluation.simulatability.study import Shown


def accuracy(study, answers, test="counterfactual", phase="post"):
    truth = study.truth(test)
    own = [one for one in answers if one.test == test and one.phase == phase]
    return float(np.mean([one.answer == truth[one.item] for one in own]))


def exact_anchor_accuracy(values=3, columns=8, most=3):
    """What the anchor reader gets right on the rule model, summed over all edits: half flip, half keep, as many of each
    number of edits, the cells (label, prediction) alike."""
    cells = {"yes": [(0, 0)], "no": [(a, b) for a in range(values) for b in range(values) if (a, b) != (0, 0)]}
    right = []
    for start in cells.values():
        for number in range(1, most + 1):
            found = {True: [0.0, 0.0], False: [0.0, 0.0]}
            for row in start:
                conditions = (0, 1) if row == (0, 0) else ((0,) if row[0] else (1,))
                both = row[0] and row[1]
                for listed in [(0,), (1,)] if both else [conditions]:  # either failing condition may be named
                    for chosen in itertools.combinations(range(columns), number):
                        new = [
                            [v for v in range(values) if v != row[j]] if j < 2 and j in chosen else [None]
                            for j in (0, 1)
                        ]
                        for a, b in itertools.product(*new):
                            after = (row[0] if a is None else a, row[1] if b is None else b)
                            flips = (after == (0, 0)) != (row == (0, 0))
                            weight = 1 / (len(new[0]) * len(new[1]) * (2 if both else 1))
                            said = any(j in chosen for j in listed)
                            found[flips][0] += weight * (said == flips)
                            found[flips][1] += weight
            right += [hit / total for hit, total in found.values()]
    return float(np.mean(right))


def test_the_anchor_reader_gets_right_what_enumeration_says(rule):
    expected = exact_anchor_accuracy()
    assert expected > 0.88
    found = accuracy(rule, simulate(rule, "anchor"))
    assert found >= 0.88
    assert found == pytest.approx(expected, abs=3 * np.sqrt(expected * (1 - expected) / 96))


def test_before_explanations_the_changed_cases_are_a_coin_toss(additive, rule):
    for study, method in ((additive, "lime"), (rule, "anchor")):
        assert accuracy(study, simulate(study, method), phase="pre") == 0.5
        for most in (1, 2):
            counted = simulate(study, method, EditCountReader(most=most))
            assert accuracy(study, counted) == pytest.approx(0.5, abs=1e-9)


def test_weights_help_on_an_additive_model_and_dealt_anew_they_do_not(additive):
    found = accuracy(additive, simulate(additive, "lime"))
    assert found >= 0.6
    dealt = [accuracy(additive, simulate(shuffled_explanations(additive, seed), "lime")) for seed in range(3)]
    assert np.mean(dealt) == pytest.approx(0.5, abs=0.06)


def page(explanation, edits, model="yes", context="A : x\nB : y"):
    return Shown("1", "counterfactual", "post", context, "yes", model, edits, explanation, ("answer",))


LIME = "A = x | +0.40\nB = y | -0.05\nBaseline : +0.30\nSum of weights : +0.35\nTotal evidence : 0.65"
ANCHOR = "Conditions for the model predicting yes:\n1. A = x\n2. B = y"
BOUNDARY = "Before: +1.00\nStep 1: B : y --> z | +0.40\nStep 2: A : x --> w | -0.10"


@pytest.mark.parametrize(
    ("reader", "text", "edits", "expected"),
    [
        (LimeReader(), LIME, "A : x --> w", "no"),  # 0.65 - 0.40 = 0.25
        (LimeReader(), LIME, "B : y --> z", "yes"),  # 0.70
        (LimeReader(), LIME, "C : u --> v", "yes"),  # untouched
        (AnchorReader(), ANCHOR, "B : y --> z", "no"),
        (AnchorReader(), ANCHOR, "C : u --> v", "yes"),
        (BoundaryReader(), BOUNDARY, "A : x --> w", "no"),  # the last step
        (BoundaryReader(), BOUNDARY, "B : y --> z", "yes"),  # not the last step
        (BoundaryReader(), BOUNDARY, "A : x --> v", "yes"),  # another value
        (BoundaryReader(), layout.NO_PATH, "A : x --> w", "yes"),
        (NoExplanationReader(), "", "A : x --> w", "yes"),
        (OmissionReader(), "Important features for yes:\nA = x (+0.40)\nB = y (-0.20)", "A : x --> w", "no"),
        (OmissionReader(), "Important features for yes:\nA = x (+0.40)\nB = y (-0.20)", "B : y --> w", "yes"),
    ],
)
def test_each_reader_obeys_its_rule(reader, text, edits, expected):
    assert reader.counterfactual([page(text, edits)], ("no", "yes")) == [expected]


def test_the_prototype_reader_takes_the_case_that_shares_more_of_what_matters():
    text = (
        "Most similar known case: {label} (evidence {evidence})\nFeature : known case | this case\nA : {a} | x\n"
        "B : {b} | y\nImportant features of this case:\nA = x (+0.50)"
    )
    pages = [
        page(text.format(label="yes", evidence="+9.00", a="x", b="q"), "A : x --> w"),
        page(text.format(label="no", evidence="-9.00", a="w", b="q"), "B : y --> z"),
    ]
    assert READERS["prototype"].counterfactual(pages, ("no", "yes")) == ["no", "yes"]


def test_naive_bayes_learns_from_the_sixteen_cases(rule):
    answers = simulate(rule, "anchor")
    assert accuracy(rule, answers, "forward", "pre") > 0.6
    assert accuracy(rule, answers, "forward", "post") >= accuracy(rule, answers, "forward", "pre")


def test_every_answer_says_that_its_reader_is_simulated(rule):
    answers = simulate(rule, "anchor", slips=0.1)
    assert {(one.kind, one.reader) for one in answers} == {("simulated", "anchor")}
    assert all(one.participant.startswith("simulated") for one in answers)
    exact = simulate(rule, "anchor")
    wrong = np.mean([a.answer != b.answer for a, b in zip(answers, exact, strict=True)])
    assert 0.05 < wrong < 0.16
    with pytest.raises(InputError, match="slips is 2"):
        simulate(rule, "anchor", slips=2)


def test_texts_in_another_layout_are_refused_by_what_is_missing():
    for read, text, words in [
        (layout.read_lime, ANCHOR, "no lines 'Baseline'"),
        (layout.read_prototype, LIME, "no line 'Most similar known case'"),
        (layout.read_edits, "A was x, is now y", "is not of the form"),
    ]:
        with pytest.raises(FileFormatError, match=words):
            read(text)


def test_only_the_last_four_of_many_steps_are_shown_by_their_numbers():
    import xarray as xr

    from explicate.core.kinds import Counterfactuals
    from explicate.core.provenance import Provenance

    steps, names = 6, [f"F{j}" for j in range(6)]
    data = xr.Dataset(
        {
            "counterfactual": (("sample", "candidate", "feature"), np.zeros((1, steps, 6))),
            "score": (("sample", "candidate"), np.zeros((1, steps))),
            "margin": (("sample", "candidate"), np.linspace(2, -0.5, steps)[None]),
            "edited": (("sample", "candidate"), np.arange(steps)[None]),
            "edited_text": (("sample", "candidate"), np.array([[f"new{j}" for j in range(6)]], dtype=object)),
            "steps": ("sample", [steps]),
            "start_margin": ("sample", [2.5]),
            "target": ("sample", [1]),
            "input_text": (("sample", "feature"), np.array([["old"] * 6], dtype=object)),
        },
        {"feature": names},
    )
    text = layout.boundary_text(Counterfactuals(data, Provenance("made up")), 0, ("no", "yes"))
    assert [edit.feature for edit in layout.read_boundary(text)] == ["F2", "F3", "F4", "F5"]
    assert "Step 6: F5 : old --> new5 | -0.50" in text
    assert "Step 1" not in text


def test_features_of_little_importance_are_hidden():
    assert layout.listed_features(np.array([0.5, 0.09, -0.3, 0.2, 0.15, 0.12])) == [0, 2, 3, 4]
    assert layout.listed_features(np.array([0.08, 0.03, -0.05])) == [
        0,
        2,
    ]  # half of the largest
    assert layout.listed_features(np.zeros(3)) == []
