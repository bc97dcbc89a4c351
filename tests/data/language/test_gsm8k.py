"""Numbers in written solutions, and the data set's own format."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.gsm8k import Problem, equal_numbers, number_in, read_gsm8k, sorted_by_success
from explicate.errors import FileFormatError, InputError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3 + 4 = 7\n#### 7", 7.0),
        ("#### 1,234", 1234.0),
        ("#### $5.50 in all", 5.5),
        ("#### -3", -3.0),
        ("first #### 2 and then #### 9", 2.0),
        ("So 2+2=4. The answer is 5.", 5.0),
        ("The final answer is: **42**", 42.0),
        ("2+2 = 4, 4*3 = 12 apples for 3 people", 12.0),
        ("she has 3 apples and buys 10 more", 10.0),
        ("no idea", None),
        ("it costs $.75", 0.75),
    ],
)
def test_the_number_of_a_solution(text, number):
    assert number_in(text) == number


@given(st.integers(-(10**9), 10**9))
def test_every_whole_number_is_read_back(number):
    assert number_in(f"steps 1 2 3\n#### {number:,}") == number


def test_equality_has_a_tolerance():
    assert equal_numbers(0.1 + 0.2, 0.3)
    assert not equal_numbers(1.0, 1.00001)
    assert not equal_numbers(None, None)


def test_the_data_set_s_lines(tmp_path):
    path = tmp_path / "test.jsonl"
    lines = [
        {"question": "Two and two?", "answer": "2+2=<<2+2=4>>4\n#### 4"},
        {"question": "A lot? ", "answer": "#### 1,000"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    found = read_gsm8k(path)
    assert [(each.question, each.answer) for each in found] == [("Two and two?", 4.0), ("A lot?", 1000.0)]
    assert found[0].full_solution == lines[0]["answer"]
    assert "#### X" in found[0].prompt
    assert found[0].prompt.endswith("Two and two?")
    for bad in (
        "{",
        '{"question": "x"}',
        '{"question": "x", "answer": "four"}',
        '{"question": "x", "answer": "#### a"}',
    ):
        path.write_text(json.dumps(lines[0]) + "\n" + bad)
        with pytest.raises(FileFormatError, match="line 2"):
            read_gsm8k(path)
    with pytest.raises(InputError, match="no file"):
        read_gsm8k(tmp_path / "none.jsonl")


def test_own_solutions_are_sorted_by_success():
    problems = [Problem("1 + 1?", 2.0, ""), Problem("2 + 2?", 4.0, ""), Problem("3 + 3?", 6.0, "")]
    solutions = ["that is 2\n#### 2", "#### 5", "no idea"]
    right, wrong = sorted_by_success(problems, solutions)
    assert right == [f"{problems[0].prompt}\n{solutions[0]}"]
    assert [text.endswith(own) for text, own in zip(wrong, solutions[1:], strict=True)] == [True, True]
    with pytest.raises(InputError, match="2 solutions for 3 problems"):
        sorted_by_success(problems, solutions[:2])
    with pytest.raises(InputError, match="0 solutions are right and 1 wrong"):
        sorted_by_success(problems[1:2], solutions[1:2])
