"""How far a change moves the distribution of the next token: divergence, entropy, mass on given answers.

All functions take log-probabilities (..., token) as torch tensors and are exact sums over the vocabulary, without a
small constant in the logarithm. Divergence is in nats, entropy in bits. A distribution with less entropy is more
certain, which is not the same as better.

Source: Højer, Jarvis, Heinrich (2025), "Improving Reasoning Performance in Large Language Models via Representation
Engineering", section 4.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def divergence(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence from one distribution to another: sum of p (ln p - ln q), in nats, (...)."""
    terms = (before.exp() * (before - after)).nan_to_num(nan=0.0)  # what has no probability before counts nothing
    return terms.sum(-1).clamp(min=0)


def entropy(distribution: torch.Tensor) -> torch.Tensor:
    """Shannon entropy: - sum of p log2 p, in bits, (...)."""
    terms = (distribution.exp() * distribution).nan_to_num(nan=0.0)
    return -terms.sum(-1) / log(2)


def mass(distribution: torch.Tensor, answers: torch.Tensor, within: bool = False) -> torch.Tensor:
    """Probability of each answer: (..., answer).

    Parameters
    ----------
    answers : tokens (..., answer).
    within : among the answers only, so that they add up to 1.
    """
    chosen = distribution.gather(-1, answers)
    return chosen.softmax(-1) if within else chosen.exp()
