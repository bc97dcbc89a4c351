"""Laundry lists and prose: structure, positions, parts that share no item, and that the task grows harder."""

import numpy as np
import pytest

from explicate.data.language.laundry_lists import laundry_lists, share_by_target
from explicate.data.language.prose import LEAST_WORDS, installed_prose
from explicate.errors import InputError
from explicate.models.tiny.decoder import Decoder

OTHERS = ("I", "have", "to", "wash", "the", ",", "and", ".", "already", "washed", "still", "a")
ITEMS = tuple(f"item{number}" for number in range(24))


@pytest.fixture(scope="module")
def words():
    """A tokenizer that splits at spaces; it knows all items but one."""
    decoder = Decoder((*OTHERS, *ITEMS[:-1]), layers=1, width=8, heads=2, mlp_width=8)
    return decoder.handle(decoder.build(0), "words")


def lists(model, length, count=12, **options):
    return laundry_lists(model, length, count, items=ITEMS, spaced=True, **options)


@pytest.mark.parametrize("length", [2, 3, 7, 20])
def test_all_are_named_and_all_but_the_answer_named_again(words, length):
    made = lists(words, length)
    for each in made.prompts:
        tokens = each.prompt.split()
        assert each.answer == each.items[each.target_index]
        assert [tokens[place] for place in each.positions] == list(each.items)
        assert [tokens.count(item) for item in each.items] == [1 + (item != each.answer) for item in each.items]
        assert sorted((*each.order_of_repeats, each.target_index)) == list(range(length))
        assert each.repeats[each.target_index] == -1
        again = [each.items[i] for i in each.order_of_repeats]
        assert [tokens[each.repeats[i]] for i in each.order_of_repeats] == again
        assert tokens[-1] == "the"
    assert made.targets.tolist() == [number % length for number in range(12)]
    first = made.prompts[0]
    np.testing.assert_array_equal(made.item_tokens(words)[0], [words.token_index(item) for item in first.items])


def test_training_and_test_share_no_item(words):
    train, test = (lists(words, 8, 40, part=part) for part in ("train", "test"))
    one, two = ({item for each in made.prompts for item in each.items} for made in (train, test))
    assert not one & two
    assert len(one | two) > 20


def test_items_of_several_tokens_are_dropped_and_counted(words):
    made = lists(words, 5, 40)
    assert made.dropped == 1
    assert ITEMS[-1] not in " ".join(made.texts)


def test_what_is_refused(words):
    with pytest.raises(InputError, match="a list of 21 items; give 2 to 20"):
        lists(words, 21)
    with pytest.raises(InputError, match=r"11 of \d+ items of the part 'train' as one token, and 12 are needed"):
        lists(words, 12, part="train")
    with pytest.raises(InputError, match="part is train, test or all"):
        lists(words, 3, part="dev")


def test_the_seed_decides(words):
    assert lists(words, 3, seed=1).texts == lists(words, 3, seed=1).texts
    assert lists(words, 3, seed=1).texts != lists(words, 3, seed=2).texts


def test_shares_by_target():
    hits, targets = np.array([True, False, True, True]), np.array([0, 0, 1, 1])
    assert share_by_target(hits, targets, 3) == {0: 0.5, 1: 1.0}


def test_prose_is_prose():
    found = installed_prose()
    assert len(found) > 60
    assert len(set(found)) == len(found)
    assert min(len(paragraph.split()) for paragraph in found) >= LEAST_WORDS
    assert not any("\n" in paragraph or ">>>" in paragraph for paragraph in found)
    assert installed_prose(5) == found[:5]
    with pytest.raises(InputError, match="not 100000"):
        installed_prose(100_000)


def test_smollm2_finds_longer_lists_harder(smollm2):
    shares = {}
    for length in (3, 7):
        made = laundry_lists(smollm2, length, 21, part="test")
        logits = smollm2.predict(smollm2.encode(made.texts))
        among = logits[np.arange(21)[:, None], made.item_tokens(smollm2)]
        shares[length] = float((among.argmax(axis=1) == made.targets).mean())
    assert shares[3] >= 0.7  # chance 0.33
    assert shares[7] < shares[3] - 0.2
