from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.glassbox.fold import Literal, Program, Rule
from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.proofs import prove

KINDS = {"age": "numeric", "job": "categorical", "lab": "mixed"}


def program():
    inner = Rule(None, (Literal("lab", "<=", 2),))
    exception = Rule(None, (Literal("age", ">", 60), Literal("job", "==", "pilot")), (inner,))
    rules = (
        Rule("safe", (Literal("age", "<=", 70), Literal("job", "!=", "")), (exception,)),
        Rule("safe", (Literal("lab", ">", 5),)),
    )
    return Program(rules, ("risky", "safe"), "risky", KINDS, target="risk")


def proof(**row):
    return prove(program(), program().cells(row))


def test_the_proof_of_a_rule_that_fires():
    found = proof(age=65, job="pilot", lab=1)
    assert (found.label, found.rule) == ("safe", "rule1")
    assert str(found) == "\n".join(
        [
            "risk is 'safe', because rule 1 applies:",
            "  true: age is at most 70 (it is 65)",
            "  true: job is not missing (it is 'pilot')",
            "  exception ab1 does not apply:",
            "    true: age is above 60 (it is 65)",
            "    true: job is 'pilot' (it is 'pilot')",
            "    exception ab2 applies:",
            "      true: lab is at most 2 (it is 1)",
        ]
    )


def test_what_was_never_reached_is_said_to_be_not_evaluated():
    found = proof(age=50, job="pilot", lab="?")
    (first, second) = found.attempts
    assert [check.holds for check in first.exceptions[0].checks] == [False, None]
    assert first.exceptions[0].exceptions[0].fires is None
    assert second.fires is None
    assert "not evaluated: job is 'pilot'" in str(found)
    assert "exception ab2 is not evaluated" in str(found)
    assert "rule 2" not in str(found)


def test_a_row_that_no_rule_covers_has_the_failing_literal_of_every_rule():
    found = proof(age=80, job="cook", lab=3)
    assert (found.label, found.rule) == ("risky", None)
    assert found.failures() == {
        "rule1": "age is at most 70 is false (it is 80)",
        "rule2": "lab is above 5 or no number is false (it is 3)",
    }
    assert str(found).startswith(
        "risk is 'risky', because no rule applies.\n  rule 1 does not apply: age is at most 70"
    )


def test_an_exception_that_holds_is_the_reason():
    found = proof(age=65, job="pilot", lab=3)
    said = "exception ab1 applies: age is above 60 (it is 65) and job is 'pilot' (it is 'pilot')"
    assert found.failures()["rule1"] == said
    assert found._repr_html_().startswith("<pre>risk is &#x27;risky&#x27;")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_proofs_and_predictions_agree_and_every_reason_is_true(programs, literal_by_the_book, data):
    program, frame = data.draw(programs)
    cells = Cells(frame, program.kinds)
    predicted = program.labels(program.predict(cells)).tolist()
    for row, record in enumerate(frame.to_dict("records")):
        found = prove(program, cells, row)
        assert found.label == predicted[row]
        for attempt in (each for top in found.attempts for each in top.nested()):
            for check in attempt.checks:
                truth = literal_by_the_book(check.literal, record[check.literal.column], program.comparison)
                assert check.holds in (None, truth)
            if attempt.fires:
                assert all(check.holds for check in attempt.checks)
                assert not any(exception.fires for exception in attempt.exceptions)
        assert set(found.failures()) == {one.name for one in found.attempts if one.fires is False}
