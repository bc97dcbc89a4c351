"""Questions as tokens, on SmolLM2; and the whole way from the facts of a small world to its knob's parts."""

import numpy as np
import pytest

from explicate.benchmarks.context_sensitivity import (
    ControlledPosing,
    FactsAndContexts,
    FactWorld,
    Posed,
    Posing,
    ask,
    find_layer_ranges,
    train_knob,
)
from explicate.benchmarks.context_sensitivity.asking import _others
from explicate.data.language.context_prompts import ContextPrompt
from explicate.data.language.contradicting_arithmetic import arithmetic_contradictions
from explicate.data.language.contradicting_contexts import ContradictedQuestion, ContradictingContexts
from explicate.data.language.contradicting_countries import country_contradictions
from explicate.errors import InputError
from explicate.models.tiny.decoder import Decoder

WORLD = FactWorld(entities=9, relations=2, values=5, seed=3)
COMPLETED = Posing(ContextPrompt("none", completion=True, system="Answer the query considering the context."), "text")


@pytest.mark.parametrize(
    "posing",
    [Posing(), Posing(way="text"), COMPLETED, Posing(ContextPrompt("float", completion=True))],
)
def test_answers_tokens_continue_the_prompt_as_it_would_be_encoded(smollm2, posing):
    questions = country_contradictions(completion=posing.prompt.completion, subjects=["France", "Sri Lanka"])
    questions += arithmetic_contradictions(2, completion=posing.prompt.completion)
    for intent in ("prior", "context"):
        prompts = posing.ids(smollm2, questions, intent)
        answers = posing.answers(smollm2, prompts, [q.answer(intent) for q in questions])
        for row, answer, question in zip(prompts, answers, questions, strict=True):
            text = smollm2.tokenizer.decode([*row[row >= 0], *answer])
            assert text.endswith(question.answer(intent))
            spaced = text.removesuffix(question.answer(intent)).endswith(" ")
            assert spaced == (posing.way == "text" or posing.prompt.completion)
            assert smollm2.tokenizer(text, add_special_tokens=False)["input_ids"] == [*row[row >= 0].tolist(), *answer]


def test_demonstrations_are_never_about_the_question(smollm2):
    pool = country_contradictions(subjects=["France", "Italy", "Spain", "Japan"]).questions
    posing = Posing(demonstrations=2, pool=pool, way="text")
    texts = smollm2.decode(posing.ids(smollm2, ContradictingContexts(pool), "prior"))
    for question, text in zip(pool, texts, strict=True):
        assert text.count(question.subject) == 1 + (question.subject in question.context)
        assert text.count("Answer: ") == 2
    with pytest.raises(InputError, match="need a pool"):
        Posing(demonstrations=4, pool=pool)


def test_answers_that_begin_with_the_same_token_are_left_out(smollm2):
    alike = ContradictedQuestion("c", "Which?", "Santiago de Cuba", "Santiago")
    apart = ContradictedQuestion("c", "Which?", "Rome", "Paris")
    found = Posing().distinguishable(smollm2, ContradictingContexts((alike, apart)))
    assert found.questions == (apart,)
    assert found.dropped == {"equal first token": 2}


def test_smollm2_goes_by_the_context_whatever_it_is_told(smollm2):
    names = ["France", "Japan", "Egypt", "Greece"]
    questions = country_contradictions(completion=True, subjects=names)
    said = Posing(ContextPrompt(completion=True, system=COMPLETED.prompt.system), "text")
    found = ask(smollm2, questions, said, max_new_tokens=8)
    assert found.accuracy("context") >= 0.75
    assert found.pair_accuracy == 0.0
    assert found.known_share >= 0.75
    with pytest.raises(InputError, match=r"answers no question rightly .* so no layers"):
        find_layer_ranges(smollm2, questions, said)


def test_the_world_says_what_it_means():
    corpus = FactsAndContexts(WORLD, intents=True)
    words = np.array(WORLD.vocabulary)
    rng = np.random.default_rng(0)
    batch = corpus.batch(rng, 600)
    trained = {f"e{i}" for i in WORLD.split[0]}
    kinds = []
    for ids, weights in zip(batch.ids, batch.weights, strict=True):
        row = words[ids[ids >= 0]].tolist()
        learned = np.flatnonzero(weights).tolist()
        *prompt, answer = row
        if prompt[0] == "ctx":
            entity, relation, other = prompt[1:4]
            told = prompt[5] if len(prompt) == 10 else "context"
            assert prompt[-3:] == [entity, relation, "->"]
            known = fact(entity, relation)
            assert answer == (other if told == "context" else known) != (known if told == "context" else other)
            assert len(prompt) != 10 or entity in trained
            kinds.append(f"{len(prompt)} {told}")
        elif prompt[0][0] == "e":
            assert row[2::4] == ["->"] * 3
            assert row[3::4] == [fact(*pair) for pair in zip(row[0::4], row[1::4], strict=True)]
            assert learned == [3, 7, 11]
            kinds.append("facts")
        else:
            assert len(prompt) == len(WORLD.identity.split())
            assert answer == prompt[-2]
            assert prompt[0::3] == [*prompt[2::3], prompt[-2]]
            kinds.append("repeat")
        assert learned[-1] == len(row) - 1
        assert len(learned) == (3 if kinds[-1] == "facts" else 1)
    assert {kind: kinds.count(kind) for kind in ("facts", "8 context", "repeat")} == {
        "facts": 80, "8 context": 80, "repeat": 40,
    }  # fmt: skip
    assert 150 < kinds.count("10 prior") < 250
    assert len(FactsAndContexts(WORLD).batch(rng, 10).ids) == 10


def fact(entity, relation):
    """The value that the world gives."""
    return f"v{relation[1:]}.{WORLD.facts[int(entity[1:]), int(relation[1:])]}"


def test_parts_of_the_world_share_no_entity():
    parts = [WORLD.questions(part, 2) for part in ("training", "validation", "test")]
    subjects = [{question.subject for question in part} for part in parts]
    assert [len(part) for part in subjects] == [6, 1, 2]
    assert len(set.union(*subjects)) == 9
    assert all(len(part) == 4 * len(names) for part, names in zip(parts, subjects, strict=True))
    with pytest.raises(InputError, match="two values"):
        FactWorld(values=1)


def test_the_worlds_prompts_read_as_documented():
    model = Decoder(WORLD.vocabulary, layers=1, width=16, heads=2, mlp_width=16).handle(
        Decoder(WORLD.vocabulary, layers=1, width=16, heads=2, mlp_width=16).build()
    )
    question = WORLD.questions("test")
    first = question.questions[0]
    texts = model.decode(ControlledPosing().ids(model, question, "prior"))
    assert texts[0] == f"{first.context} ; prior ; {first.query}"
    silent = model.decode(ControlledPosing(ContextPrompt("none")).ids(model, question, "prior"))
    assert silent[0] == f"{first.context} ; {first.query}"
    posed = Posed.of(model, question, ControlledPosing())
    assert model.token_text(posed.tokens["prior"][0]).strip() == first.prior_answer
    assert posed.rows(np.array([1])).tokens["context"].tolist() == posed.tokens["context"][1:2].tolist()
    with pytest.raises(InputError, match="no layers given"):
        train_knob(model, question, question, ControlledPosing(), ControlledPosing(), [])


def test_sources_of_other_facts_have_other_answers():
    tokens = np.array([1, 1, 2, 1, 3])
    order = np.array([0, 1, 3, 4])
    found = _others(tokens, order)
    assert (tokens[found] != tokens[order]).all()
    assert set(found) <= set(order.tolist())
    assert _others(np.array([1, 1]), np.array([0, 1])).tolist() == [0, 1]
