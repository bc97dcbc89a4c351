"""The exported text means what the program means: clingo, which shares no code with us, derives the same labels."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.data import table
from explicate.errors import InputError, ModelError
from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier, Literal, Program, Rule
from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.logic_text import Unit, facts_code, predicate_names, program_code

KINDS = {"sc": "numeric", "al": "mixed", "b": "categorical"}


def kidney(comparison="complementary"):
    exception = Rule(None, (Literal("al", "==", "?"), Literal("sc", "<=", 9)))
    rule = Rule("ckd", (Literal("sc", ">", 1.2), Literal("al", ">", 0), Literal("b", "!=", "x")), (exception,))
    return Program((rule,), ("ckd", "healthy"), "healthy", KINDS, comparison)


def test_the_text_in_the_paper_s_style():
    assert program_code(kidney()).split("\n")[:3] == [
        "label(X,'ckd') :- sc(X,N1), N1>1.2, al(X,N2), N2 @> 0, not b(X,'x'), not ab1(X).",
        "ab1(X) :- al(X,'?'), sc(X,N1), N1=<9.",
        "label(X,'healthy') :- row(X), not label(X,'ckd').",
    ]


def test_several_labels_are_guarded_so_that_the_order_counts():
    rules = tuple(Rule(head, (Literal("b", "==", head),)) for head in "pqr")
    text = program_code(Program(rules, tuple("pqr"), None, KINDS))
    assert "label(X,'r') :- rule3(X), not rule1(X), not rule2(X)." in text
    assert "row(X)" not in text


def test_what_only_denies_is_told_the_rows():
    text = program_code(Program((Rule("p", (Literal("b", "!=", "x"),)),), ("p", "q"), "q", KINDS))
    assert "label(X,'p') :- row(X), not b(X,'x')." in text


def test_the_text_for_clingo_says_how_numbers_are_written():
    text = program_code(kidney(), "clingo")
    assert "% sc: in units of 1e-1, rounded up" in text
    assert "N1 > 12" in text
    facts = facts_code(kidney(), Cells(pd.DataFrame({"sc": [1.21], "al": ["?"], "b": ["x"]}), KINDS), "clingo")
    assert facts == 'row(0). al(0,"?"). b(0,"x"). sc(0,13).\n'


def test_a_missing_number_is_above_every_threshold_in_prolog_too():
    program = Program((Rule("p", (Literal("sc", ">", 1.2),)),), ("p", "q"), "q", KINDS)
    cells = Cells(pd.DataFrame({"sc": [np.nan], "al": [0], "b": ["x"]}), KINDS)
    (number,) = re.findall(r"sc\(0,(\d+)\)", facts_code(program, cells))
    assert float(number) > 1e300


doubles = st.floats(-1e300, 1e300)


@settings(max_examples=60, deadline=None)
@given(thresholds=st.lists(doubles | st.integers(-50, 50).map(lambda n: n / 10), min_size=1, max_size=4), cell=doubles)
def test_units_keep_every_comparison(thresholds, cell):
    unit = Unit.of(thresholds)
    for threshold in thresholds:
        for number in (cell, threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)):
            assert (unit.code(float(number)) <= unit.code(threshold)) == (number <= threshold)
        assert abs(unit.code(threshold)) < 2**31


def test_predicates_are_legal_and_distinct():
    columns = ["Hours-per-week", "hours per week", "2nd", "label", "ab1", "Ä", "not", ""]
    names = predicate_names(Program((), ("p",), None, dict.fromkeys(columns, "numeric")))
    assert len(set(names.values())) == len(columns)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names.values())
    assert not {"label", "ab1", "not"} & set(names.values())


def test_an_unknown_dialect_is_refused():
    with pytest.raises(InputError, match="no dialect 'lisp'"):
        program_code(kidney(), "lisp")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_clingo_agrees_on_random_programs(programs, data):
    from explicate.glassbox.fold.logic_engine import clingo_codes

    program, frame = data.draw(programs)
    cells = Cells(frame, program.kinds)
    assert clingo_codes(program, cells).tolist() == program.predict(cells).tolist()


@pytest.mark.parametrize("name", ["adult", "wine", "german-credit"])
def test_clingo_agrees_on_learned_programs(name):
    from explicate.glassbox.fold.logic_engine import clingo_codes

    data = table(name)
    labels = np.array(data.class_names)[data.labels]
    several = data.classes > 2
    model = (FoldSEMulticlassClassifier(tail=5) if several else FoldSEClassifier(tail=5)).fit(data.frame, labels)
    frame = data.frame.head(400).copy()
    frame.loc[:5, frame.columns[0]] = None  # and gaps that were not there in training
    cells = model.program_.cells(frame)
    codes = clingo_codes(model.program_, cells)
    assert model.program_.labels(codes, model.classes_).tolist() == model.predict(frame).tolist()
    assert len(set(codes.tolist())) > 1


def test_what_is_not_stratified_has_no_single_answer(monkeypatch):
    from explicate.glassbox.fold import logic_engine

    monkeypatch.setattr(logic_engine, "program_code", lambda program, dialect: "p :- not q. q :- not p.\n")
    cells = Cells(pd.DataFrame({"sc": [1.0], "al": ["?"], "b": ["x"]}), KINDS)
    with pytest.raises(ModelError, match="2 answer sets"):
        logic_engine.clingo_codes(kidney(), cells)
