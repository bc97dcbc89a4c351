import numpy as np
import pytest

from explicate.data.odeen import (
    STRUCTURES,
    SYMBOLS,
    all_structures,
    encode_structures,
    structure_ids,
    structure_texts,
    symbol_features,
)
from explicate.errors import InputError


def test_there_are_seven_to_the_sixth_structures_and_each_has_its_place():
    codes = all_structures()
    assert len(codes) == STRUCTURES == 117_649
    some = np.array([0, 1, 7, 500, STRUCTURES - 1])
    assert np.array_equal(structure_ids(codes[some]), some)
    assert structure_texts(codes[some]) == ["......", ".....a", "....a.", "..avav", "BBBBBB"]
    assert np.array_equal(encode_structures(structure_texts(codes[some])), codes[some])


def test_what_each_symbol_has():
    names = ("pyramid", "block", "blue", "red", "up", "down")
    has = {
        s: {n for n, x in zip(names, row, strict=True) if x} for s, row in zip(SYMBOLS, symbol_features(), strict=True)
    }
    assert has["."] == set()
    assert has["a"] == {"pyramid", "blue", "up"}
    assert has["A"] == {"pyramid", "red", "up"}
    assert has["v"] == {"pyramid", "blue", "down"}
    assert has["V"] == {"pyramid", "red", "down"}
    assert has["b"] == {"block", "blue"}
    assert has["B"] == {"block", "red"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["......", "a...."], "structure 1, 'a....', has 5 cells"),
        (["..x..."], "'x' at position 2"),
        ([7], "structure 0 is 7"),
    ],
)
def test_a_structure_that_is_none_is_refused_with_its_position(texts, message):
    with pytest.raises(InputError, match=message):
        encode_structures(texts)
    with pytest.raises(ValueError):
        encode_structures(texts)
