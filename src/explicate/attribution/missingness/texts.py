"""What "absent" means for texts: a mask in the token's place, no token at all, or a token without content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.missingness.base import Fill, Missingness, replace
from explicate.core.capabilities import Array, Masks
from explicate.core.registry import register
from explicate.errors import CapabilityError

ABSENT = -1
EMPTY = -2


@dataclass(frozen=True)
class TextMissingness(Missingness):
    """Base of meanings of "absent" for texts: special tokens (beginning, separators) and padding always stay."""

    kinds: ClassVar[tuple[str, ...]] = ("text",)

    def substitute(self, model: Any) -> int:
        """The token id that takes the place of an absent token."""
        raise NotImplementedError

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        nothing = np.full_like(sample, self.substitute(model))
        fixed = (sample < 0) | stays(model, sample)
        return lambda keep: replace(sample, _with(keep, fixed), nothing)


@register("mask-token", "parts")
@dataclass(frozen=True)
class MaskToken(TextMissingness):
    """An absent token is replaced by a mask token; the text keeps its length.

    Parameters
    ----------
    token : the mask's text, one token. Default: the model's `blank_token`, which is the tokenizer's mask token, or,
        where it has none (causal models), its padding token, else its end-of-text token, else a single space.
    """

    token: str = ""

    def substitute(self, model: Any) -> int:
        if self.token:
            return int(_offered(model, "token_index", self.name)(self.token))
        return int(_offered(model, "blank_token", self.name))


@register("deletion", "parts")
@dataclass(frozen=True)
class Deletion(TextMissingness):
    """An absent token is taken out, and the text closes up.

    Of a text of which nothing is left, the model sees its begin-of-text token alone (where it has none, its blank one).
    """

    def substitute(self, model: Any) -> int:
        return ABSENT


@register("empty-token", "parts")
@dataclass(frozen=True)
class EmptyToken(TextMissingness):
    """An absent token keeps its place with the zero vector as its embedding: the zero baseline of path methods."""

    def substitute(self, model: Any) -> int:
        _offered(model, "continuous", self.name)
        return EMPTY


def stays(model: Any, sample: Array) -> Masks:
    """Which tokens are never absent: the model's special tokens."""
    special = getattr(model, "special_tokens", None)
    return np.zeros(sample.shape, dtype=bool) if special is None else np.asarray(special(sample))


def _with(keep: Masks, fixed: Masks) -> Masks:
    return np.asarray(keep | fixed[None])


def _offered(model: Any, attribute: str, asking: str) -> Any:
    found = getattr(model, attribute, None)
    if found is None:
        raise CapabilityError(
            f"missingness {asking!r} needs {attribute!r}, which the model {model.name!r} does not have"
        )
    return found
