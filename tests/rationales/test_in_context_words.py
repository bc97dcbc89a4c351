"""Words behind the decision of a rule that looks at two of them."""

import re
from itertools import pairwise

import numpy as np
import pytest

import explicate as ex
from explicate.core.targets import Contrast
from explicate.errors import InputError, TargetError
from explicate.models.chat import ScriptedChat
from explicate.models.chat.scripted import constant
from explicate.models.word_function import WordFunction
from explicate.rationales import InContextWords, solved

TEXT = "the film was not very good but its end saved all of it ."
VOCABULARY = [*TEXT.split(), "great"]


def _rule(texts):
    """Class 1 where "good" is there and "not" is not; "good" counts more."""
    logits = np.array([3.0 * ("good" in words) - 2.0 * ("not" in words) - 0.5 for words in texts])
    positive = 1 / (1 + np.exp(-logits))
    return np.stack([1 - positive, positive], axis=1)


def _removal_rule(messages, rng):
    """Ranks words by the difference of how often they are removed from shots with the lower and the higher output."""
    prompt = messages[0].content
    shots = re.findall(r"Removed words: (.*)\nChange in Output: (-?\d)", prompt)
    outputs = np.array([int(output) for _, output in shots])
    words = re.search(r"Sentence: (.*)", prompt).group(1).split()
    removed = np.array([[word in shot.split(", ") for word in words] for shot, _ in shots])
    high = outputs > outputs.mean()
    moved = np.abs(removed[high].mean(axis=0) - removed[~high].mean(axis=0))
    k = int(re.search(r"Which (\d+) words", prompt).group(1))
    return "I thought about it.\n" + ", ".join(words[j] for j in np.argsort(-moved, kind="stable")[:k])


@pytest.fixture
def model():
    return WordFunction(_rule, VOCABULARY, class_names=("bad", "good"), name="rule")


def test_the_words_that_decide_come_first(model):
    chat = ScriptedChat(_removal_rule)
    found = InContextWords(chat=chat, k=2).explain(model, [TEXT])
    assert set(found["ranked_word"].values[0]) == {"good", "not"}
    words = [str(text).strip() for text in found["input_text"].values[0]]
    assert {words[j] for j in np.flatnonzero(found.values[0])} == {"good", "not"}
    assert found.values[0].sum() == 3
    prompt = found["step_prompt"].values[0, 0]
    outputs = re.findall(r"Change in Output: (-?\d)", prompt)
    assert len(outputs) == 16
    assert all(a != b for a, b in pairwise(outputs))  # classes alternate
    for removed in re.findall(r"Removed words: (.*)", prompt):
        assert 1 <= len(removed.split(", ")) <= len(TEXT.split()) - 1


def test_short_texts_and_texts_of_one_class_are_not_asked_about(model):
    chat = constant("good, not, the")
    texts = ["good .", "the film was of it .", TEXT]
    found = InContextWords(chat=chat).explain(model, texts)
    assert list(found["status"].values) == ["too_short", "unsolvable", "ok"]
    assert chat.ledger.calls == 1
    assert solved(found)["instance"].values.tolist() == [2]
    assert found["ranked_word"].values[2].tolist() == ["good", "not", "the"]


def test_texts_are_asked_about_together_and_each_is_read_by_its_own_words(model, batched):
    other = "its end was not good but the film saved it ."
    chat = batched(lambda messages, rng: "good, very" if "Sentence: the film" in messages[0].content else "good, saved")
    found = InContextWords(chat=chat, k=2).explain(model, [TEXT, "good .", other, f"{TEXT} it"])
    assert batched.sizes == [3]
    assert found["ranked_word"].values.tolist() == [["good", "very"], ["", ""], ["good", "saved"], ["good", "very"]]
    bad = InContextWords(chat=batched(lambda messages, rng: "good, very"), k=2).explain(model, [TEXT, other])
    assert list(bad["status"].values) == ["ok", "bad_reply"]  # "very" is a word of the first one only


@pytest.mark.parametrize("reply", ["", "good, not", "good, good, not", "good, not, excellent", "The words matter."])
def test_bad_replies_are_kept(model, reply):
    found = InContextWords(chat=constant(reply)).explain(model, [TEXT])
    assert found["status"].values[0] == "bad_reply"
    assert found["step_reply"].values[0, 0] == reply
    assert not found.values.any()


def test_case_numbers_and_marks_do_not_count(model):
    found = InContextWords(chat=constant('so: 1. "Good", 2. **not**, 3. End.')).explain(model, [TEXT])
    assert found["ranked_word"].values[0].tolist() == ["good", "not", "end"]


def test_a_language_model_needs_two_continuations(smollm2):
    text = "The film was not good. I thought it was"
    with pytest.raises(TargetError, match="choice between two classes"):
        InContextWords(chat=constant("good")).explain(smollm2, [text])
    chat = ScriptedChat(_removal_rule)
    method = InContextWords(chat=chat, k=2, n_samples=40, n_icl=8)
    found = method.explain(smollm2, [text], target=Contrast(" good", " bad"))
    assert found["status"].values[0] in ("ok", "unsolvable")
    assert found.provenance.evaluations >= 2 * 41  # both continuations, at the text and its neighbours
    assert {word for word in found["ranked_word"].values[0] if word} <= set(text.lower().replace(".", "").split())


def test_a_word_function_says_what_it_does_not_know(model):
    with pytest.raises(InputError, match="text 1 of 'rule': 'dog' is not in the vocabulary"):
        model.encode(["good", "the dog"])
    with pytest.raises(InputError, match="text 0 of 'rule': there is no word in it"):
        model.encode([" "])
    exact = ex.explain(model, [TEXT], "occlusion", target="good", missingness="deletion")
    words = [str(text).strip() for text in exact["input_text"].values[0]]
    drop = dict(zip(words, exact.values[0], strict=True))
    assert drop["good"] == pytest.approx(1 / (1 + np.exp(-0.5)) - 1 / (1 + np.exp(2.5)))
    assert drop["film"] == 0
    with pytest.raises(TargetError, match="has no output 'great'; it has bad, good"):
        ex.explain(model, [TEXT], "occlusion", target="great")
