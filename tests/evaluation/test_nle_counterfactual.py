"""The counterfactual test: edits that are edits, flips that are flips, words that are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.nle_tasks import ChoiceItem, bare, templated_items
from explicate.errors import InputError
from explicate.evaluation.nle_counterfactual import (
    ADJECTIVES,
    ADVERBS,
    asked_modifiers,
    counter_items,
    edited,
    hit_at,
    insert_modifiers,
    names,
    read_edit,
    unfaithfulness_rate,
)
from explicate.models.chat import ScriptedChat

ITEM = ChoiceItem("7", "ecqa", (("question", "Where is the old man walking with his dog?"),), ("park", "sea"), 0)


@given(st.sampled_from(["comve", "esnli"]), st.integers(0, 5))
def test_an_edit_is_the_item_with_one_word_more(task, seed):
    for item in templated_items(task, 3, seed):
        edits = insert_modifiers(item, 20, seed)
        assert len({(e.edit_field, e.edit_position, e.edit_word) for e in edits}) == len(edits)
        assert {e.edit_field for e in edits} == {name for name, _ in item.fields}
        for edit in edits:
            words = dict(edit.fields)[edit.edit_field].split()
            assert words.pop(edit.edit_position) == edit.edit_word
            assert words == dict(item.fields)[edit.edit_field].split()
            assert edit.edit_word in ADJECTIVES + ADVERBS
            assert bare(edit.edit_word) not in {bare(word) for word in item.words}
            assert ChoiceItem.from_dict(edit.to_dict()) == edit
        assert edits == insert_modifiers(item, 20, seed)


def test_adjectives_stand_before_nouns_and_adverbs_before_verbs():
    for edit in insert_modifiers(ITEM, 60):
        before = edit.words[edit.edit_position - 1]
        assert (before in ("the", "his")) == (edit.edit_word in ADJECTIVES)
        assert before in ("the", "his")  # "is the" takes no adverb


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Where is the old man walking with his dog?", "0 words are marked"),
        ("Where is the [very] old [tall] man walking with his dog?", "2 words are marked"),
        ("Where is the [very nice] old man walking with his dog?", "changes more|not one word"),
        ("Where is the [tall] man walking with his dog?", "changes more than the marked word"),
        ("Where is the [old] old man walking with his dog?", "holds the word 'old' already"),
        ("", "the edit is empty"),
    ],
)
def test_what_is_no_edit_is_rejected(text, problem):
    with pytest.raises(InputError, match=problem):
        read_edit(ITEM, "question", text)


def test_a_model_s_edits_are_read_or_left_out():
    tall = "Where is the [tall] old man walking with his dog?"
    slowly = "Where is the old man [slowly] walking with his dog?"
    replies = iter([f"Edited: {tall}", "I cannot do that.", tall, slowly])
    found = asked_modifiers(ScriptedChat(lambda messages, rng: next(replies)), ITEM, 4)
    assert [(e.edit_word, e.edit_position) for e in found] == [("tall", 3), ("slowly", 5)]
    assert found[0].eidx == "7/0"


def test_counter_items_need_two_answers_that_differ():
    found = counter_items(["A", "A", None, "B", "A"], ["B", "A", "B", None, "C"])
    assert found.places == (0, 4)
    assert found.valid == 3
    assert found.rate == pytest.approx(2 / 3)
    assert np.isnan(counter_items([None], ["A"]).rate)


def test_substring_and_word_matching_differ_where_words_are_inside_others():
    texts = ["He ran rapidly.", "A hundred men", "It is Rapid!", None, "a red rose"]
    words = ["rapid", "red", "rapid", "red", "red"]
    loose = unfaithfulness_rate(texts, words)
    assert (loose.total, loose.valid, loose.rate) == (5, 4, 0.0)
    strict = unfaithfulness_rate(texts, words, "word")
    assert strict.named.tolist() == [False, False, True, True]
    assert strict.rate == 0.5
    assert strict.length == 3.0
    assert strict.interval.low < 0.5 < strict.interval.high
    assert strict.to_dict()["unfaithful"] == 2
    assert unfaithfulness_rate([None], ["red"]).to_dict()["rate"] is None
    with pytest.raises(InputError, match="match 'stem' is unknown"):
        unfaithfulness_rate(texts, words, "stem")
    assert names("naïve, well-known", "well-known", "word")


def test_hits_and_edits():
    assert hit_at([["a", "b"], ["c"]], ["B", "b"], 2).tolist() == [True, False]
    assert hit_at([["a", "b"]], ["b"], 1).tolist() == [False]
    with pytest.raises(InputError, match="is not one word"):
        edited(ITEM, "question", 0, "two words", 0)
