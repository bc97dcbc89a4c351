import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.errors import FileFormatError, InputError
from explicate.glassbox.fold import Literal, Program, Rule
from explicate.glassbox.fold.clauses import Clause, clauses_of, rules_of
from explicate.glassbox.fold.columns import Cells

AB = Rule(None, (Literal("b", "<=", 2), Literal("c", "==", "x")))


def small():
    rules = (Rule("yes", (Literal("a", ">", 6),), (AB,)), Rule("yes", (Literal("c", "!=", "x"),), (AB,)))
    return Program(rules, ("no", "yes"), "no", {"a": "numeric", "b": "numeric", "c": "categorical"}, target="loan")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_first_rule_that_fires_decides(programs, by_the_book, data):
    program, frame = data.draw(programs)
    found = program.labels(program.predict(Cells(frame, program.kinds)))
    assert found.tolist() == [by_the_book(program, row) for row in frame.to_dict("records")]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_json_gives_the_program_back(programs, data):
    program, frame = data.draw(programs)
    codes = np.zeros(len(frame), dtype=int)
    cells = Cells(frame, program.kinds)
    for one in (program, program.counted_on(cells, codes)):
        again = Program.from_json(one.to_json())
        assert again.predict(cells).tolist() == one.predict(cells).tolist()
        assert (again.kinds, again.decided, again.comparison) == (one.kinds, one.decided, one.comparison)
        assert Program.from_json(again.to_json()) == again  # equal exceptions are written the same way
    assert Program.from_json(program.normal_form().to_json()).counts() == program.counts()


def test_equal_exceptions_are_one_clause():
    clauses = clauses_of(small().rules)
    assert [clause.name for clause in clauses] == ["rule1", "rule2", "ab1"]
    assert [clause.exceptions for clause in clauses] == [("ab1",), ("ab1",), ()]
    assert rules_of(clauses) == small().rules


def test_a_cycle_made_by_hand_is_shown():
    content = json.loads(small().to_json())
    content["rules"][2]["exceptions"] = ["ab2"]
    content["rules"].append({"name": "ab2", "head": None, "default": [], "exceptions": ["ab1"]})
    with pytest.raises(InputError, match="cycle: ab1 -> ab2 -> ab1") as caught:
        Program.from_json(json.dumps(content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        ([Clause("rule1", "v", (), ("ab1",))], "'rule1' has the exception 'ab1', which the rule base does not define"),
        ([Clause("ab1", None, ()), Clause("ab1", None, ())], "defines 'ab1' twice"),
        ([Clause("rule1", "v", (), ("rule2",)), Clause("rule2", "v", ())], "'rule2', which is a rule with the label"),
        ([Clause("ab1", None, (), ("ab1",))], "cycle: ab1 -> ab1"),
    ],
)
def test_what_is_no_stratified_program_is_refused(clauses, said):
    with pytest.raises(InputError, match=said):
        rules_of(clauses)


def test_an_edited_threshold_changes_the_predictions():
    text = small().to_json().replace('"value": 6.0', '"value": 9.0')
    row = {"a": 8, "b": 5, "c": "x"}
    assert small().predict(small().cells(row)).tolist() == [1]
    assert Program.from_json(text).predict(small().cells(row)).tolist() == [0]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other", "version": 1}', "{"])
def test_what_is_no_rule_base_is_refused(text):
    with pytest.raises(FileFormatError):
        Program.from_json(text)


def test_a_program_fits_together():
    with pytest.raises(InputError, match="a rule tests 'z', which is no column"):
        Program((Rule("yes", (Literal("z", "<=", 1),)),), ("no", "yes"), "no", {"a": "numeric"})
    with pytest.raises(InputError, match="a rule gives 'maybe'"):
        Program((Rule("maybe", ()),), ("no", "yes"), "no", {})
    with pytest.raises(InputError, match="otherwise 'maybe'"):
        Program((), ("no", "yes"), "maybe", {})


def test_english():
    assert str(small()).split("\n") == [
        "rule 1: loan is 'yes' if a is above 6, unless exception ab1 applies",
        "rule 2: loan is 'yes' if c is not 'x', unless exception ab1 applies",
        "  exception ab1 applies if b is at most 2 and c is 'x'",
        "otherwise: loan is 'no'",
    ]
    assert "3 rules, 4 literals" in small()._repr_html_()
    evil = Program((Rule("<b>", ()),), ("<b>",), None, {})
    assert "<b>" not in evil._repr_html_()


def test_probabilities_are_shares_of_the_training_rows_and_agree_with_the_predictions():
    import pandas as pd

    frame = pd.DataFrame({"a": [7, 7, 7, 7, 1, 1, 1], "b": 5, "c": "x"})
    cells = Cells(frame, small().kinds)
    counted = small().counted_on(cells, np.array([1, 1, 1, 0, 1, 1, 0]))
    found = counted.probabilities(cells)
    assert found[0] == pytest.approx([2 / 6, 4 / 6])
    assert found[-1] == pytest.approx([0.5, 0.5])  # two of three are positive, but no rule says so
    assert (found.argmax(axis=1) == counted.predict(cells)).all()
    assert (counted.covered, counted.correct) == ((4, 0, 0), (3, 0, -1))
    with pytest.raises(InputError, match="training counts"):
        small().probabilities(cells)
