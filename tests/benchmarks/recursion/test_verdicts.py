"""The classifier of errors labels every scripted error as what it was made to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.benchmarks.recursion import (
    ERRORS,
    SuccessorTask,
    TraversalTask,
    ask_by_examples,
    ask_for_reductions,
    check_trace,
    scripted_reducer,
    wrong_trace,
)
from explicate.benchmarks.recursion.prompts import answer_words
from explicate.benchmarks.recursion.verdicts import (
    EXTRA,
    MALFORMED,
    OTHER,
    RIGHT,
    SKIPPED,
    STOPPED,
    WRONG_CASE,
    WRONG_TRACE,
    lines_of,
)
from explicate.data.recursion import SUCCESSOR, TREE_WORDS, Call
from explicate.data.recursion.successor import numbers, term_of
from explicate.data.recursion.trees import TRAVERSALS, random_tree
from explicate.errors import InputError, LeakageError

SEVEN = Call("s", (term_of(7),))
STEPS = ["X0 (s (X1 01))", "X0 (X0 (s 01))", "X0 (X0 (X0 01))"]


@pytest.mark.parametrize(
    ("lines", "kind", "step"),
    [
        (STEPS, RIGHT, None),
        (["s (X1 (X1 01))", *STEPS], RIGHT, None),
        ([*STEPS[:1], "X0 (X0 01)"], SKIPPED, 1),
        ([*STEPS[:1], "X0 (X1 01)", "X0 (X1 01)"], WRONG_CASE, 1),
        (["X1 (X1 01)"], WRONG_CASE, 0),
        (STEPS[:2], STOPPED, None),
        ([], STOPPED, None),
        ([*STEPS, "X0 (X0 (X0 (X0 01)))"], EXTRA, 3),
        ([*STEPS, STEPS[-1]], EXTRA, 3),
        ([STEPS[0], "X0 (X0 (s 01)"], MALFORMED, 1),
        (["s (X1 (X1 01))", "X0 s"], MALFORMED, 1),
        ([STEPS[0], STEPS[2]], WRONG_TRACE, 1),
        (["X1 (X1 01)", *STEPS[1:]], WRONG_TRACE, 0),
        ([STEPS[1]], OTHER, 0),
        (["01"], OTHER, 0),
    ],
)
def test_reductions_made_by_hand(lines, kind, step):
    found = check_trace(SUCCESSOR, SEVEN, lines)
    assert (found.kind, found.step) == (kind, step)
    assert bool(found.reason) == (kind != RIGHT)


@pytest.mark.parametrize("error", [RIGHT, *ERRORS])
def test_every_scripted_error_on_every_number_is_labelled_right(error):
    made = 0
    for number, term in enumerate(numbers(5)):
        start = Call("s", (term,))
        lines = wrong_trace(SUCCESSOR, start, error, np.random.default_rng(number))
        if lines is not None:
            made += 1
            assert check_trace(SUCCESSOR, start, lines).kind == error, (str(term), lines)
    assert made >= 7  # all but those whose reduction leaves no room


@given(st.integers(0, 10**6), st.sampled_from([RIGHT, *ERRORS]), st.sampled_from(sorted(TRAVERSALS)))
def test_scripted_errors_in_traversals_are_labelled_right(seed, error, order):
    function = TRAVERSALS[order]
    rng = np.random.default_rng(seed)
    start = Call(function.name, (random_tree(rng, 2),))
    lines = wrong_trace(function, start, error, rng)
    assert lines is None or check_trace(function, start, lines).kind == error, lines


def test_lines_lose_their_numbers_and_end_at_the_first_gap():
    assert lines_of("1. s 01\n-> X0 01\n= `X0 01`\nStep 3: 01\n\nThe answer is X0 01") == [
        "s 01",
        "X0 01",
        "X0 01",
        "01",
    ]
    assert lines_of("") == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("X0 X1 01", ("X0", "X1", "01")),
        ("\nOutput: `X0 X1 01`\nInput: X1 01", ("X0", "X1", "01")),
        ("The output of X1 01 is X0 X0 01.", ("X0", "X0", "01")),
        ("From 01 comes 01, the output is **X1 01**", ("X1", "01")),
        ("I cannot tell.", ("I", "cannot", "tell.")),
        ("X2 X3", ("X2", "X3")),
        ("", ()),
    ],
)
def test_answers_are_read_out_of_what_a_chat_model_writes_around_them(reply, words):
    assert answer_words(reply, SuccessorTask().words) == words


def test_a_scripted_model_is_labelled_right_through_the_protocol(tmp_path):
    task = SuccessorTask()
    terms = [term_of(number) for number in (7, 11, 15, 23, 31, 47, 63)]
    classes = dict(zip((f"s ({term})" for term in terms), (*ERRORS, RIGHT), strict=True))
    found = ask_for_reductions(scripted_reducer(SUCCESSOR, classes), task, [term_of(3)], terms)
    assert [one.kind for one in found.verdicts] == [*ERRORS, RIGHT]
    assert found.counts() == dict.fromkeys((*ERRORS, RIGHT), 1)
    assert found.right == pytest.approx(1 / 7)


def test_bad_requests_are_refused():
    with pytest.raises(LeakageError, match="X1 01 is shown and asked"):
        ask_for_reductions(scripted_reducer(SUCCESSOR, RIGHT), SuccessorTask(), [term_of(3)], [term_of(3)])
    with pytest.raises(InputError, match="nothing is asked"):
        ask_for_reductions(scripted_reducer(SUCCESSOR, RIGHT), SuccessorTask(), [], [])
    with pytest.raises(InputError, match="the error 'lazy' is unknown"):
        wrong_trace(SUCCESSOR, SEVEN, "lazy", np.random.default_rng(0))


def test_the_protocol_runs_on_trees():
    task = TraversalTask("inorder")
    trees = [random_tree(np.random.default_rng(seed), 2) for seed in range(1, 8)]
    trees = [tree for tree in dict.fromkeys(trees) if len(TREE_WORDS.encode(tree)) > 5]
    found = ask_for_reductions(scripted_reducer(task.function, SKIPPED), task, [], trees)
    assert set(found.counts()) == {SKIPPED}


def test_a_small_language_model_is_asked_both_ways(smollm2):
    from explicate.models.chat import LocalChat

    chat = LocalChat(smollm2, template="plain", cache=False)
    task = SuccessorTask()
    shown, asked = task.items([term_of(number) for number in (1, 2, 3, 4)]), task.items([term_of(7), term_of(6)])
    scores = ask_by_examples(chat, shown, asked, max_new_tokens=12)
    again = ask_by_examples(chat, shown, asked, max_new_tokens=12)
    assert scores.answers == again.answers
    assert set(scores.outcomes) <= {"right", "wrong", "malformed"}
    assert all(word == word.strip() for answer in scores.answers for word in answer)
    found = ask_for_reductions(chat, task, [term_of(3)], [term_of(7)], max_new_tokens=24)
    # whatever is written, the verdict is that of the written lines
    start = Call("s", (term_of(7),))
    assert found.verdicts[0] == check_trace(SUCCESSOR, start, lines_of(found.replies[0]))
    assert found.verdicts[0].kind in (RIGHT, OTHER, *ERRORS)


def test_examples_are_not_asked_again():
    items = SuccessorTask().items([term_of(3)])
    with pytest.raises(LeakageError, match="is shown and asked"):
        ask_by_examples(scripted_reducer(SUCCESSOR, RIGHT), items, items)
