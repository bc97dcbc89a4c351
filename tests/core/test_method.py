from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from explicate.attribution.missingness import Baseline, Marginal, Missingness, Zero
from explicate.core.method import Parameterised
from explicate.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Example(Parameterised):
    steps: int = 5
    rate: float = 0.5
    how: str = "fast"
    pace: Literal["slow", "fast"] | None = None
    missingness: Missingness = field(default_factory=Zero)
    weights: Any = None


def test_parameters_are_read_back():
    before = Example(7, 0.1, "slow", "fast", Marginal(rows=3), np.arange(3.0))
    after = Example.from_parameters(before.parameters())
    assert after.parameters() == before.parameters()
    assert after.missingness == Marginal(rows=3)
    assert (after.weights == [0, 1, 2]).all()


def test_what_a_user_types_is_understood():
    typed = Example.from_parameters(
        {"steps": "9", "how": "7", "pace": "slow", "missingness": "marginal", "weights": "[1, 2]"}
    )
    assert typed.steps == 9
    assert (typed.how, typed.pace) == ("7", "slow")
    assert typed.missingness == Marginal()


def test_the_key_follows_the_parameters():
    assert Example().key() == Example().key()
    assert Example().key() != Example(steps=6).key()
    assert Example().key() != Example(missingness=Baseline(1.0)).key()


def test_bad_parameters_are_named():
    with pytest.raises(UnknownNameError, match="did you mean 'steps'"):
        Example.from_parameters({"step": 3})
    with pytest.raises(UnknownNameError, match="no parts named 'nought'"):
        Example.from_parameters({"missingness": "nought"})
    with pytest.raises(InputError, match="cannot be written down"):
        Example(weights=object()).parameters()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", "foo", "steps: 'foo' is no whole number"),
        ("steps", "64.5", "steps: 64.5 is no whole number"),
        ("steps", 64.5, "steps: 64.5 is no whole number"),
        ("steps", True, "steps: True is no whole number"),
        ("rate", "fast", "rate: 'fast' is no number"),
        ("missingness", 3, "missingness: 3 is no missingness; give one, or a part's name"),
    ],
)
def test_a_value_of_another_type_is_named(field, value, message):
    with pytest.raises(InputError, match=message):
        Example.from_parameters({field: value})
    if not isinstance(value, str):
        with pytest.raises(InputError, match=message):
            Example(**{field: value}).check_fields()
    Example(steps=np.int64(3), rate=1).check_fields()
    Example(rate=np.float32(0.5)).check_fields()
