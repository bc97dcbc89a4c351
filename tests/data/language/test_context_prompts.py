"""The words of prompts: only the intent's line differs between the two of a pair."""

import difflib

import pytest

from explicate.data.language.context_prompts import ContextPrompt, without_context
from explicate.data.language.contradicting_contexts import ContradictedQuestion
from explicate.errors import InputError

ASKED = ContradictedQuestion("The capital of France is Rome.", "What is the capital of France?", "Rome", "Paris")
OTHER = ContradictedQuestion("The capital of Peru is Oslo.", "What is the capital of Peru?", "Oslo", "Lima")


@pytest.mark.parametrize("intent", ["instruction", "float"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_only_the_line_of_the_intent_differs(intent, place):
    form = ContextPrompt(intent, place)
    prior, context = (form.question(ASKED, told).splitlines() for told in ("prior", "context"))
    assert [a == b for a, b in zip(prior, context, strict=True)].count(False) == 1
    assert prior[0] == "Context: The capital of France is Rome."
    assert prior.index("Query: What is the capital of France?") == (2 if place == "before" else 1)
    silent = ContextPrompt("none", place)
    assert silent.question(ASKED, "prior") == silent.question(ASKED, "context")
    left_out = [
        line[2:] for line in difflib.ndiff(prior, silent.question(ASKED, "prior").splitlines()) if line[0] == "-"
    ]
    assert len(left_out) == 1


def test_demonstrations_answer_both_intents_in_turn():
    messages = ContextPrompt("float").messages(ASKED, "prior", [OTHER, ASKED])
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 2, "user"]
    assert [messages[2]["content"], messages[4]["content"]] == ["Lima", "Rome"]
    assert "0.00" in messages[1]["content"]
    assert "1.00" in messages[3]["content"]
    text = ContextPrompt("float").text(ASKED, "prior", [OTHER])
    assert text.count("Answer: Lima\n") == 1
    assert text.endswith("\nAnswer:")


def test_queries_to_complete_come_last():
    asked = ContradictedQuestion("c", "The capital of France is", "Rome", "Paris")
    text = ContextPrompt("none", completion=True, system="Go on.").text(asked, "prior", [asked])
    assert text == (
        "Go on.\n\nContext: c\nQuery: The capital of France is Paris\n\nContext: c\nQuery: The capital of France is"
    )


def test_the_query_alone_and_the_answer_line():
    assert [m["content"] for m in without_context(ASKED, "S")] == ["S", "Query: What is the capital of France?"]
    assert ContextPrompt(answer_line=True).question(ASKED, "prior").splitlines()[-1].startswith("Answer format")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"intent": "shout"}, "intent format 'shout' is unknown"),
        ({"place": "inside"}, "place 'inside' is unknown"),
        ({"completion": True, "place": "after"}, "the query comes last"),
        ({"completion": True, "answer_line": True}, "the query comes last"),
    ],
)
def test_forms_that_cannot_be_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        ContextPrompt(**wrong)
