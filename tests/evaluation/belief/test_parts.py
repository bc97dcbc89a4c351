"""How a reason is cut into parts, and read from a file."""

import json

import pytest

from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import FileFormatError, InputError
from explicate.evaluation.belief import Claim, claims, read_reasons
from explicate.evaluation.belief.parts import clauses
from explicate.evaluation.belief.reasons import letter_of
from explicate.models.chat.scripted import constant
from explicate.rationales import SelfExplainer

ITEM = ChoiceItem(
    "1", "review", (("review", "We saw it on Monday, and the story was dull."),), ("negative", "positive")
)


def parts(text):
    return claims(SelfExplainer(chat=constant("")).given([ITEM], ["A"], [text]), 0, ITEM)


def test_clauses_end_at_marks_and_before_because_but_not_after_not():
    assert clauses("It is dull, but fun because it is short. Not so!") == [
        "It is dull,", "but fun", "because it is short.", "Not so!",
    ]  # fmt: skip
    assert clauses("It is not because of Monday") == ["It is not because of Monday"]


def test_words_of_the_input_are_claims_and_each_is_made_once():
    assert parts("The story is dull. A dull story was seen on Monday.") == (
        Claim("word", "story"), Claim("word", "dull"), Claim("word", "monday"),
    )  # fmt: skip


def test_a_clause_that_names_nothing_is_a_part_and_a_short_one_is_not():
    assert parts("The reviewer seems unhappy, well. It is dull.") == (
        Claim("clause", "The reviewer seems unhappy"), Claim("word", "dull"),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["regardless of Monday", "Monday does not matter", "not because it was Monday"])
def test_a_denial_is_a_claim_of_the_opposite(text):
    assert parts(text) == (Claim("word", "monday", denied=True),)


def test_a_reason_that_could_not_be_read_has_no_parts():
    assert parts(" ") == ()


def written(tmp_path, **more):
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(ITEM.to_dict() | more) + "\n")
    return path


@pytest.mark.parametrize("answer", ["A", "(a)", "negative"])
def test_reasons_of_a_file_go_with_a_letter_or_a_choice(tmp_path, answer):
    path = written(tmp_path, answer=answer, explanation="It is dull.")
    assert read_reasons(path, [ITEM]) == (["A"], ["It is dull."])


def test_a_file_without_reasons_has_none(tmp_path):
    assert read_reasons(written(tmp_path), [ITEM]) is None


def test_a_reason_without_an_answer_or_with_a_wrong_one_is_refused_with_its_line(tmp_path):
    with pytest.raises(FileFormatError, match='record 0 has an "explanation" and no "answer"'):
        read_reasons(written(tmp_path, explanation="It is dull."), [ITEM])
    with pytest.raises(FileFormatError, match="record 0: the answer 'C' is none of negative, positive"):
        read_reasons(written(tmp_path, answer="C", explanation="It is dull."), [ITEM])
    with pytest.raises(InputError, match="give a choice or its letter"):
        letter_of(ITEM, "AB")
