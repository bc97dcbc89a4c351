"""The succession data set: what a tokenizer keeps, who follows whom, and what is left out of tests."""

import numpy as np
import pytest

from explicate.data.language.succession import LISTS, ROMAN, Item, SuccessionDataset, SuccessionTask, WordList
from explicate.errors import FileFormatError, InputError


@pytest.fixture(scope="module")
def words():
    """A tokenizer that knows every word of the lists, but "august", as a token of its own."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    known = dict.fromkeys(word for each in LISTS.values() for word in each.words if word != "august")
    vocabulary = {word: number for number, word in enumerate(["?", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?")


def test_words_are_followed_by_the_next_in_their_task(words):
    data = SuccessionDataset.build(words)
    assert [task.label for task in data.tasks] == [f"{name} (plain)" for name in LISTS]  # spaces make no difference
    following = data.next_to()
    named = {data.texts[i]: data.texts[j] for i, j in enumerate(following) if j >= 0 and not data.ambiguous[i]}
    assert (named["19"], named["sunday"], named["december"], named["nine"]) == ("20", "monday", "january", "ten")
    assert not {"200", "twenty", "tenth", "z"} & set(named)
    assert "july" not in named  # "august" is no token
    assert data.dropped["months (plain)"] == ("august",)
    before = data.next_to(-1)
    assert all(before[j] == i for i, j in enumerate(following) if j >= 0)
    assert (data.task_of[following[following >= 0]] == data.task_of[following >= 0]).all()
    assert {data.texts[i] for i in np.flatnonzero(data.ambiguous)} == {"may"}
    assert data.indices[data.rows("days")].tolist() == list(range(1, 8))
    assert data.summary()["months (plain)"] == {"kept": 11, "dropped": ["august"]}


def test_real_tokens_of_smollm2(smollm2):
    data = SuccessionDataset.build(smollm2)
    tokenizer = smollm2.tokenizer
    for text, token in zip(data.texts, data.ids, strict=True):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == [token]
    assert [item.token for item in data.tasks[0].items] == list("123456789")
    assert "numbers (space)" in data.skipped  # a space before a digit is a token of its own
    assert data.summary()["days (plain)"]["kept"] == 0
    assert {task.form for task in data.tasks if task.name == "letters"} == {
        "plain",
        "space",
        "capital",
        "space capital",
    }
    assert {data.texts[i].strip() for i in np.flatnonzero(data.ambiguous)} == {"May"}


def test_lists_of_ones_own(words):
    data = SuccessionDataset.build(words, ["days", WordList("countdown", ("3", "2", "1"), first=0)], forms=("plain",))
    assert [data.texts[i] for i in data.rows("countdown")] == ["3", "2", "1"]
    assert data.indices[data.rows("countdown")].tolist() == [0, 1, 2]
    assert data.only("days").texts == LISTS["days"].words
    with pytest.raises(InputError, match="no task 'weeks'"):
        data.rows("weeks")


def test_no_task_left_says_how_words_are_split(words):
    with pytest.raises(InputError, match=r"splits 'I' into \['\?'\]"):
        SuccessionDataset.build(words, [ROMAN])
    with pytest.raises(InputError, match="no list named 'weeks'"):
        SuccessionDataset.build(words, ["weeks"])


def test_a_token_at_two_places_of_a_task_is_kept_with_a_warning():
    items = (Item(1, "a", 7), Item(2, "b", 8), Item(3, "a", 7))
    with pytest.warns(UserWarning, match="two places of one task"):
        data = SuccessionDataset((SuccessionTask("song", items),), {})
    assert data.ambiguous.tolist() == [True, False, True]
    assert data.next_to().tolist() == [1, 2, -1]


def test_a_gap_breaks_the_row_but_not_the_circle():
    items = (Item(1, "monday", 1), Item(2, "tuesday", 2), Item(7, "sunday", 7))
    assert SuccessionTask("days", items, cyclic=True, length=7).next_to() == [1, -1, 0]
    assert SuccessionTask("days", items, cyclic=False, length=7).next_to() == [1, -1, -1]


def test_words_are_held_out_in_all_their_forms(smollm2):
    data = SuccessionDataset.build(smollm2)
    test = data.held_out(0.2, seed=3)
    keys = [(data.tasks[t].name, i) for t, i in zip(data.task_of, data.indices, strict=True)]
    assert not {key for key, out in zip(keys, test, strict=True) if out} & {
        key for key, out in zip(keys, test, strict=True) if not out
    }
    assert 0.1 < test.mean() < 0.3
    assert (test == data.held_out(0.2, seed=3)).all()
    assert (test != data.held_out(0.2, seed=4)).any()


def test_files(tmp_path, words):
    data = SuccessionDataset.build(words)
    again = SuccessionDataset.load(data.save(tmp_path / "data.json"))
    assert again == data
    short = tmp_path / "short.json"
    short.write_text('[{"task": [{"index": 0, "token": "x", "id": 1}, {"index": 1, "token": "y", "id": 2}, '
                     '{"index": 2, "token": "z", "id": 3}], "cyclic": true}]')  # fmt: skip
    assert SuccessionDataset.load(short).next_to().tolist() == [1, 2, 0]
    (tmp_path / "bad.json").write_text('{"tasks": [{}]}')
    with pytest.raises(FileFormatError, match=r"bad\.json holds no succession tasks"):
        SuccessionDataset.load(tmp_path / "bad.json")
