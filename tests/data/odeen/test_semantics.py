"""The truth of rules, against a reading of the page that shares nothing with it: cells one by one, no masks."""

import numpy as np
import pytest

from explicate.data.odeen import all_structures, language, parse, structure_ids, structure_texts, truth
from explicate.data.odeen.grammar import Connected
from explicate.data.odeen.world import encode_structures
from explicate.errors import InputError

RNG = np.random.default_rng(0)
COLOUR = {**dict.fromkeys("avb", "blue"), **dict.fromkeys("AVB", "red")}
SHAPE = {**dict.fromkeys("aA", "pointing_up"), **dict.fromkeys("vV", "pointing_down"), **dict.fromkeys("bB", "block")}


def is_one(symbol, thing):
    for word in thing.split():
        if word in ("red", "blue"):
            fits = COLOUR.get(symbol) == word
        elif word == "pyramid":
            fits = symbol in "aAvV"
        else:
            fits = SHAPE.get(symbol) == word
        if not fits:
            return False
    return symbol != "."


def stands(structure, cell, relation, other):
    left = [is_one(symbol, other) for symbol in structure[:cell]]
    right = [is_one(symbol, other) for symbol in structure[cell + 1 :]]
    if relation == "at_the_right_of":
        return any(left)
    if relation == "at_the_left_of":
        return any(right)
    near = [left[-1] if left else False, right[0] if right else False]
    return all(near) if relation == "surrounded_by" else any(near)


def slowly(rule, structure):
    if isinstance(rule, Connected):
        join = all if rule.connective == "and" else any
        return join([slowly(rule.first, structure), slowly(rule.second, structure)])
    cells = [cell for cell in range(6) if is_one(structure[cell], rule.object)]
    if rule.relation:
        cells = [cell for cell in cells if stands(structure, cell, rule.relation, rule.other)]
    if rule.quantity == "zero":
        return not cells
    word, number = rule.quantity.split()
    number = int(number)
    return {
        "at_least": len(cells) >= number,
        "exactly": len(cells) == number,
        "at_most": len(cells) <= number,
    }[word]


def test_truth_is_what_reading_cell_by_cell_gives():
    rules = language("whole")
    for row in RNG.choice(len(rules), 60, replace=False):
        ids = RNG.integers(len(all_structures()), size=50)
        expected = [slowly(rules.rules[row], text) for text in structure_texts(all_structures()[ids])]
        assert rules.tags(np.array(row), ids).tolist() == expected, rules.texts[row]
        assert truth(rules.texts[row])[ids].tolist() == expected


@pytest.mark.parametrize(
    ("rule", "structure", "holds"),
    [
        ("at_least 1 red block at_the_right_of blue", "b....B", True),
        ("at_least 1 red block at_the_right_of blue", "B....b", False),  # easily inverted
        ("at_least 1 red block at_the_left_of blue", "B....b", True),
        ("exactly 1 blue surrounded_by red", ".AbV..", True),
        ("exactly 1 blue surrounded_by red", "bV....", False),  # the edge is nothing
        ("at_least 1 block touching block", "b.B...", False),
        ("at_least 2 block touching block", "bB....", True),
        ("at_most 2 pyramid pointing_down", "vVv...", False),
        ("zero red and at_least 1 blue", "a.....", True),
        ("zero red or zero blue", "aA....", False),
    ],
)
def test_worked_examples(rule, structure, holds):
    assert truth(rule)[structure_ids(encode_structures([structure]))[0]] == holds


def test_the_small_language():
    rules = language("small")
    assert len(rules) == 5_586
    assert len(rules.meanings) == 4_634
    assert rules.sizes.max() == 106
    assert rules.constant.sum() == 120
    same = [
        rules.places[text] for text in ("at_least 1 red at_the_left_of block", "at_least 1 block at_the_right_of red")
    ]
    assert len(set(rules.meaning[same])) == 1
    assert np.array_equal(rules.truth(same[0]), rules.truth(same[1]))
    ids = RNG.integers(117_649, size=20)
    assert np.array_equal(rules.matrix(ids)[7], rules.truth(7)[ids])
    assert rules.share[7] == pytest.approx(rules.truth(7).mean())


def test_the_whole_language_has_the_counted_meanings():
    rules = language("whole")
    assert len(rules) == 24_794
    assert len(rules.meanings) == 11_618
    assert rules.sizes.max() == 654
    connected = rules.rules.index(parse("zero red and zero blue"))
    first, second = truth("zero red"), truth("zero blue")
    assert np.array_equal(rules.truth(connected), first & second)


def test_an_unknown_language_is_refused():
    with pytest.raises(InputError, match="'large' is unknown"):
        language("large")
