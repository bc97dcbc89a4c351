"""A chat model as a reader: what it is asked, what its replies mean, and what a small one makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from explicate.errors import CapabilityError
from explicate.evaluation.simulatability import simulate
from explicate.evaluation.simulatability.chat_reader import ChatReader, read_answer
from explicate.models.chat import LocalChat, Reply, ScriptedChat
from explicate.models.chat.scripted import constant

CLASSES = ("no", "yes")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("yes", "yes"), ("Yes.", "yes"), ("**no**", "no"), ("The system answers no.", "no"), ("yes or no", None),
     ("perhaps", None), ("", None), ("no\nbecause yes was wrong", "no")],
)  # fmt: skip
def test_replies_are_read_as_one_class_or_as_none(text, expected):
    assert read_answer(Reply(text, "stop", 1, 1), CLASSES)[0] == expected


def test_a_reader_that_obeys_the_anchor_rule_answers_as_the_anchor_reader_does(rule):
    """A program behind the chat interface is given no more than the page, and that is enough."""

    def respond(messages, rng):
        page = messages[-1].content
        system = page.split("The system answered: ")[1].split("\n")[0]
        conditions = {
            line.split(". ", 1)[1].split(" = ")[0] for line in page.splitlines() if line[:3] in ("1. ", "2. ")
        }
        edited = {line.split(" : ")[0] for line in page.split("is changed:\n")[1].splitlines() if " --> " in line}
        other = "no" if system == "yes" else "yes"
        return other if conditions & edited else system

    items = rule.counterfactual[:24]
    small = type(rule)(rule.classes, ("anchor",), counterfactual=tuple(items))
    chat = simulate(small, "anchor", ChatReader(ScriptedChat(respond)))
    own = simulate(small, "anchor")
    assert [one.answer for one in chat] == [one.answer for one in own]
    assert {(one.kind, one.reader) for one in chat} == {("simulated", "chat")}


def test_pages_hold_what_a_person_sees_and_no_more(rule):
    asked = []

    def respond(messages, rng):
        asked.append(messages[0].content)
        return "yes"

    reader = ChatReader(ScriptedChat(respond), thing="row")
    simulate(rule, "anchor", reader, before=reader)
    forward = [text for text in asked if "for this row" in text]
    changed = [text for text in asked if "for the changed row" in text]
    cases = len({item.context for item in rule.forward})  # equal questions are asked once
    assert len(forward) == 2 * cases
    assert len(changed) == 2 * 96
    truth = rule.forward[0]
    page = next(text for text in forward if text.split("\n\n")[-1].startswith(truth.context))
    assert "The system answered" not in page.split("\n\n")[-1]
    assert page.count("The system answered") == 16
    assert sum("Explanation of" in text for text in forward) == cases
    assert sum("Explanation of" in text for text in changed) == 96


def test_replies_that_cannot_be_read_are_asked_again_and_then_count_as_unread(rule):
    reader = ChatReader(constant("perhaps"))
    small = type(rule)(rule.classes, ("anchor",), counterfactual=rule.counterfactual[:4])
    answers = simulate(small, "anchor", reader)
    assert [one.answer for one in answers if one.phase == "post"] == [""] * 4
    assert reader.chat.ledger.calls == 4 + 4  # once more after being told; equal calls are made once


def test_a_small_model_reads_the_pages(rule, smollm2):
    chat = LocalChat(smollm2, cache=False)
    small = type(rule)(rule.classes, ("anchor",), counterfactual=rule.counterfactual[:4])
    answers = simulate(small, "anchor", ChatReader(chat, attempts=1))
    own = [one for one in answers if one.phase == "post"]
    assert {one.answer for one in own} <= {"no", "yes", ""}
    assert chat.ledger.calls == 4
    page, reader = small.test("counterfactual").shown("post", "anchor")[0], ChatReader(chat)
    odds = []
    for truth in CLASSES:  # a page that says the answer
        told = replace(page, explanation=f"The system answers {truth}. The system always answers {truth}.", model=truth)
        no, yes = chat.log_probabilities([reader.question(told, CLASSES)] * 2, CLASSES)
        odds.append(float(yes.sum() - no.sum()))
    assert odds[1] > odds[0] + 0.1


def test_the_likelier_class_is_that_of_the_larger_log_probability(rule):
    scored = ScriptedChat(lambda messages, rng: "", score=lambda asked, text: np.log([0.7 if text == "yes" else 0.3]))
    pages = rule.test("counterfactual").shown("pre", "anchor")[:3]
    assert ChatReader(scored, likelier=True).counterfactual(pages, CLASSES) == ["yes"] * 3
    with pytest.raises(CapabilityError, match="no log-probabilities"):
        ChatReader(constant("yes"), likelier=True).counterfactual(pages, CLASSES)
