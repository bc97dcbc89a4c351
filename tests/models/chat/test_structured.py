"""Replies in a form: found in any wrapping, never guessed, asked for again so often and no oftener."""

from typing import Literal

import pydantic
import pytest

from explicate.errors import EndpointError, InputError, ReplyError
from explicate.models.chat.reply import Reply
from explicate.models.chat.scripted import ScriptedChat, constant, turns
from explicate.models.chat.structured import ask_all, ask_outcomes, read


class Verdict(pydantic.BaseModel):
    answer: Literal["yes", "no"]
    grade: int = pydantic.Field(ge=1, le=5)


GOOD = '{"answer": "yes", "grade": 4}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here it is: {GOOD} I hope {{that}} helps.",
        f'The form was {{"answer": "maybe"}}; mine is {GOOD}',
        '{"grade": "4", "answer": "yes"}',
    ],
)
def test_a_fitting_object_is_found(text):
    value, problem = read(Reply(text), Verdict)
    assert value == Verdict(answer="yes", grade=4)
    assert problem == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("yes, a four", "no JSON object"),
        ("Oui, bien sûr : quatre.", "no JSON object"),
        ("是的，四分。", "no JSON object"),
        ('{"answer": "oui", "grade": 4}', "answer: Input should be 'yes' or 'no'"),
        ('{"réponse": "yes", "note": 4}', "answer: Field required"),
        ('{"answer": "yes", "grade": 9}', "grade: Input should be less than or equal to 5"),
        ('{"answer": "yes", "gra', "no JSON object"),
        ("{" * 5000, "no JSON object"),
        ("[1, 2]", "no JSON object"),
    ],
)
def test_what_does_not_fit_is_never_guessed(text, words):
    value, problem = read(Reply(text), Verdict)
    assert value is None
    assert words in problem


def test_it_is_asked_again_with_what_was_wrong():
    seen = []
    inner = turns("Oui.", '{"answer": "oui", "grade": 4}', GOOD)

    def respond(messages, rng):
        seen.append(messages)
        return inner.respond(messages, rng)

    found = ask_all(ScriptedChat(respond), ["Is it so?"], Verdict)[0]
    assert found.value == Verdict(answer="yes", grade=4)
    assert [reply.text for reply in found.replies] == ["Oui.", '{"answer": "oui", "grade": 4}', GOOD]
    assert "Is it so?" in seen[0][0].content
    assert '"grade"' in seen[0][0].content
    assert [message.role for message in seen[2]] == ["user", "assistant", "user", "assistant", "user"]
    assert "no JSON object" in seen[2][2].content
    assert "answer: Input should be 'yes' or 'no'" in seen[2][4].content


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_a_bounded_number_of_times_then_a_clear_error(attempts):
    chat = constant("I would rather not.")
    times = "once" if attempts == 1 else f"{attempts} times"
    with pytest.raises(
        ReplyError, match=f"'constant' gave no Verdict though asked {times}: there is no JSON"
    ) as caught:
        chat.ask("Is it so?", Verdict, attempts=attempts)
    assert "I would rather not." in str(caught.value)
    assert chat.ledger.calls == attempts


def test_a_reply_cut_off_says_so():
    with pytest.raises(ReplyError, match=r"cut off after 2 tokens.*raise max_new_tokens"):
        constant('{"answer": "yes", "grade": 4}').ask("Is it so?", Verdict, max_new_tokens=2)


def test_an_empty_reply_is_asked_again():
    assert turns("", GOOD).ask("Is it so?", Verdict).grade == 4


def test_only_those_that_do_not_fit_are_asked_again():
    def respond(messages, rng):
        if messages[0].content.startswith("down"):
            raise EndpointError("down")
        return GOOD if messages[0].content.startswith("easy") or len(messages) > 1 else "What?"

    chat = ScriptedChat(respond)
    found = ask_outcomes(chat, ["easy", "hard", "down"], Verdict)
    assert [len(found[0].replies), len(found[1].replies)] == [1, 2]
    assert isinstance(found[2], EndpointError)
    assert chat.ledger.calls == 3
    with pytest.raises(EndpointError):
        ask_all(chat, ["easy", "down"], Verdict)


def test_forms_that_are_none():
    for form in (dict, Verdict(answer="no", grade=1), "json"):
        with pytest.raises(InputError, match="pydantic model"):
            constant(GOOD).ask("Is it so?", form)
    with pytest.raises(InputError, match="at least once"):
        constant(GOOD).ask("Is it so?", Verdict, attempts=0)
