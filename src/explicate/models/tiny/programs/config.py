"""The shape of a Transformer Program, and how its discrete choices are sampled while it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from explicate.errors import InputError

Attention = Literal["categorical", "score"]
PositionBias = Literal["fixed", "none", "clipped"]
Sampling = Literal["gumbel-soft", "gumbel-hard", "softmax"]


@dataclass(frozen=True)
class TransformerProgramConfig:
    """How many variables, heads and MLPs a program has, and how it is relaxed for training.

    Source: Friedman, Wettig, Chen (2023), "Learning Transformer Programs", arXiv 2306.01128, section 3.

    Parameters
    ----------
    layers : each reads all earlier variables and appends its own.
    categorical_heads, numeric_heads, categorical_mlps, numeric_mlps : per layer; each writes one variable.
    width : values of a categorical variable; None: what the tokens and the positions need.
    hidden : width of the MLPs' hidden layer. mlp_inputs : variables that an MLP reads, 1 or 2.
    embeddings : None makes the token itself the one input variable (one-hot, frozen); a number learns so many
        categorical variables of each word.
    attention : "categorical" (each query value names one key value) or "score" (a real number for each pair).
    position_bias : "fixed" (the nearest match, left before right, self last), "none" (the first match) or "clipped"
        (a learned preference for each offset, within 10).
    counts_only : numeric heads read the constant 1, so they count matches; False lets them sum earlier counts too.
    causal : positions see themselves and what is left of them. pooled : one class for a whole sequence, at position 0.
    sampling : "gumbel-soft", "gumbel-hard" (one-hot forward, soft gradient) or "softmax" (no noise).
    start_temperature, end_temperature : the temperature falls from one to the other in equal ratios, step by step.
    dropout : of the classifier's inputs.
    mask_unknown : the tag "<unk>" is not learned from and never predicted, like no tag at all; False makes it a tag
        like the others (so in the published command for induction, where it says that a letter was not there before).

    Raises
    ------
    InputError : a number out of its range; neither heads nor MLPs; temperatures that do not fall to a positive number.
    """

    layers: int = 1
    categorical_heads: int = 2
    numeric_heads: int = 2
    categorical_mlps: int = 1
    numeric_mlps: int = 1
    width: int | None = None
    hidden: int = 64
    mlp_inputs: int = 2
    embeddings: int | None = None
    attention: Attention = "categorical"
    position_bias: PositionBias = "fixed"
    counts_only: bool = True
    causal: bool = False
    pooled: bool = False
    sampling: Sampling = "gumbel-soft"
    start_temperature: float = 3.0
    end_temperature: float = 0.01
    dropout: float = 0.0
    mask_unknown: bool = True

    def __post_init__(self) -> None:
        parts = ("categorical_heads", "numeric_heads", "categorical_mlps", "numeric_mlps")
        for name in parts:
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; give 0 or more")
        if not any(getattr(self, name) for name in parts):
            raise InputError("a program with zero heads and zero MLPs computes nothing; give at least one of them")
        if self.layers < 1 or self.hidden < 1:
            raise InputError(f"layers is {self.layers} and hidden {self.hidden}; both must be at least 1")
        if self.mlp_inputs not in (1, 2):
            raise InputError(f"mlp_inputs is {self.mlp_inputs}; an MLP that becomes a table reads 1 or 2 variables")
        if self.embeddings is not None and self.embeddings < 1:
            raise InputError(f"embeddings is {self.embeddings}; give at least 1, or None for the tokens themselves")
        for name, value, known in (
            ("attention", self.attention, get_args(Attention)),
            ("position_bias", self.position_bias, get_args(PositionBias)),
            ("sampling", self.sampling, get_args(Sampling)),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r} is unknown; use one of {', '.join(known)}")
        if not 0 < self.end_temperature <= self.start_temperature:
            raise InputError(
                f"the temperature cannot fall from {self.start_temperature} to {self.end_temperature}; "
                "the end must be above 0 and at most the start"
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def temperature(self, share: float) -> float:
        """The temperature when that share of the training is done."""
        return float(self.start_temperature * (self.end_temperature / self.start_temperature) ** share)

    def width_for(self, tokens: int, context: int) -> int:
        """Values of a variable for a vocabulary and a longest sequence.

        Raises
        ------
        InputError : a given width is smaller than either of the two.
        """
        width = self.width or max(tokens if self.embeddings is None else 0, context)
        if self.embeddings is None and tokens > width:
            raise InputError(f"a vocabulary of {tokens} tokens does not fit variables of {width} values; raise width")
        if context > width:
            raise InputError(f"sequences of {context} tokens do not fit variables of {width} values; raise width")
        return width
