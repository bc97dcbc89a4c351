"""Fingerprints and seeds: equal for equal content, in every process, and for nothing else."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.runtime.fingerprint import canonical_json, digest
from explicate.runtime.seeds import derive_seed, generator

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab:1", max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@given(one=VALUES, two=VALUES)
def test_only_equal_values_share_a_digest(one: object, two: object) -> None:
    assert (digest(one) == digest(two)) == (repr(one) == repr(two))


def test_shape_type_and_place_of_arrays_count() -> None:
    array = np.arange(6.0)
    different = [array, array.reshape(2, 3), array.astype("float32"), array[::-1], array.tolist(), array.astype(str)]
    assert len({digest(value) for value in different}) == len(different)
    assert digest(np.arange(12)[::2]) == digest(np.arange(0, 12, 2))


def test_parts_are_kept_apart() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest(["ab", "c"]), digest(b"abc")}) == 5


def test_order_of_keys_does_not_count(tmp_path: Path) -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
    assert canonical_json({"b": [1.5, None], "a": "é"}) == '{"a":"é","b":[1.5,null]}'
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(math.nan)


def test_files_count_by_content(tmp_path: Path) -> None:
    for name, content in (("one", b"x"), ("two", b"x"), ("three", b"y")):
        (tmp_path / name).write_bytes(content)
    assert digest(tmp_path / "one") == digest(tmp_path / "two") != digest(tmp_path / "three")


def test_what_has_no_fixed_content_is_refused() -> None:
    with pytest.raises(TypeError, match="fingerprint of a object"):
        digest(object())


def test_another_process_gives_the_same() -> None:
    program = "from explicate.runtime.seeds import derive_seed; print(derive_seed(3, {'a': [1.5, 'x']}, None))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(answer.stdout) == derive_seed(3, {"a": [1.5, "x"]}, None)


@given(seed=st.integers(0, 2**63), part=VALUES)
def test_seeds_fit_63_bits_and_generators_repeat(seed: int, part: object) -> None:
    derived = derive_seed(seed, part)
    assert 0 <= derived < 2**63
    assert derived != derive_seed(seed + 1, part)
    assert generator(seed, part).random() == generator(seed, part).random() != generator(seed, part, 1).random()


@pytest.mark.parametrize("seed", [-1, 1.5, 1.0, None, "1"])
def test_a_seed_that_is_no_whole_number_from_0_on_is_refused(seed: object) -> None:
    for make in (generator, derive_seed, lambda seed: generator(seed, "part")):
        with pytest.raises(InputError, match=r"seed is .*; give a whole number, 0 or more"):
            make(seed)
    assert generator(np.int64(3)).random() == generator(3).random()
