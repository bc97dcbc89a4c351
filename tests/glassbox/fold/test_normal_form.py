from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.glassbox.fold import Counts, Literal, Rule
from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.normal_form import folded_counts, normal_form, raw_counts


def test_the_page_s_worked_example():
    """a>6, c!=x, except(b<=2): 2 rules and 3 literals raw; one rule a>6, c!=x, b>2 folded."""
    head = (Literal("a", ">", 6), Literal("c", "!=", "x"))
    rule = Rule("v", head, (Rule(None, (Literal("b", "<=", 2),)),))
    assert raw_counts([rule]) == Counts(2, 3, 3)
    assert folded_counts([rule]) == Counts(1, 3, 3)
    assert normal_form(rule) == Rule("v", (*head, Literal("b", ">", 2)))


def test_thresholds_become_the_tightest_interval():
    bounds = [("<=", 5), (">", 1), ("<=", 3), (">", 2), ("<=", 4)]
    rule = Rule("v", [Literal("a", *bound) for bound in bounds] + [Literal("b", "!=", "x"), Literal("b", "!=", "y")])
    expected = (Literal("a", "<=", 3), Literal("a", ">", 2), Literal("b", "!=", "x"), Literal("b", "!=", "y"))
    assert normal_form(rule).default == expected


def test_folding_works_inside_out():
    inner = Rule(None, (Literal("c", "==", "x"),))
    middle = Rule(None, (Literal("b", "<=", 2), Literal("b", "<=", 1)))
    assert normal_form(Rule("v", (Literal("a", ">", 0),), (middle,))).default[1] == Literal("b", ">", 1)
    kept = normal_form(Rule("v", (), (Rule(None, (Literal("b", "<=", 2),), (inner,)),)))
    assert kept.exceptions == (Rule(None, (Literal("b", "<=", 2), Literal("c", "!=", "x"))),)


def test_equal_exceptions_share_a_predicate():
    one = Rule(None, (Literal("a", ">", 1), Literal("b", "==", "x")))
    other = Rule(None, tuple(reversed(one.default)))
    rules = [Rule("v", (Literal("c", "==", "y"),), (one,)), Rule("v", (Literal("c", "==", "z"),), (other, one))]
    assert raw_counts(rules) == Counts(5, 8, 4)
    assert folded_counts(rules) == Counts(3, 4, 4)


def test_with_the_strict_comparison_a_threshold_is_not_folded():
    rule = Rule("v", (Literal("a", "==", "x"),), (Rule(None, (Literal("b", "<=", 2),)),))
    assert normal_form(rule, "strict") == rule
    named = Rule("v", (Literal("a", "==", "x"),), (Rule(None, (Literal("b", "==", "y"),)),))
    assert normal_form(named, "strict").exceptions == ()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_predictions_do_not_change(programs, data):
    program, frame = data.draw(programs)
    cells = Cells(frame, program.kinds)
    folded = program.normal_form()
    assert folded.predict(cells).tolist() == program.predict(cells).tolist()
    assert folded.normal_form() == folded
    assert folded.raw_counts().literals <= program.raw_counts().literals
    assert program.counts() == folded.counts()
