import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.glassbox.fold import Literal, Rule
from explicate.glassbox.fold.columns import Cells

KINDS = {"number": "numeric", "word": "categorical", "both": "mixed", "no gaps": "numeric"}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_of_a_literal_and_its_complement_exactly_one_holds(tables, literals, data):
    cells, literal = Cells(data.draw(tables), KINDS), data.draw(literals)
    assert (literal.holds(cells) != literal.complement().holds(cells)).all()
    assert literal.complement().complement() == literal


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_literal_means_what_the_page_says(tables, literals, literal_by_the_book, data):
    frame, literal = data.draw(tables), data.draw(literals)
    cells = Cells(frame, KINDS)
    for comparison in ("complementary", "strict"):
        expected = [literal_by_the_book(literal, cell, comparison) for cell in frame[literal.column]]
        assert literal.holds(cells, comparison).tolist() == expected
        column = cells[literal.column]
        assert [literal.holds_for(column.cell(row), comparison) for row in range(len(cells))] == expected


def test_texts_against_numbers():
    for comparison, above in (("complementary", True), ("strict", False)):
        assert Literal("a", ">", 3).holds_for("?", comparison) is above
        assert Literal("a", "<=", 3).holds_for("?", comparison) is False
        assert Literal("a", "==", "?").holds_for(3.0, comparison) is False
        assert Literal("a", "!=", "?").holds_for(3.0, comparison) is True


def test_a_rule_fires_unless_an_exception_does(by_the_book):
    exception = Rule(None, (Literal("a", "<=", 2),), (Rule(None, (Literal("b", "==", "x"),)),))
    rule = Rule("yes", (Literal("a", "<=", 5),), (exception,))
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 1, 4, 9], "b": ["x", "y", "y", "y"]})
    assert rule.fires(Cells(frame, {"a": "numeric", "b": "categorical"})).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("parts", "said"),
    [(("a", "<", 1), "no operator '<'"), (("a", "<=", "x"), "needs a number"), (("a", "==", 1), "needs a text"),
     (("a", ">", np.nan), "needs a number")],
)  # fmt: skip
def test_what_is_no_literal_is_refused(parts, said):
    with pytest.raises(InputError, match=said):
        Literal(*parts)


def test_an_exception_has_no_head():
    with pytest.raises(InputError, match="an exception has no head"):
        Rule("yes", (), (Rule("no", ()),))
