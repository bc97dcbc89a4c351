"""What each word of an input does to a model's answer: attributions and edits, in log-odds of the answer.

Log-odds, because probabilities near 1 hide what single words do: of two words that each suffice, taking one out moves
the probability by hardly anything.

Sources: Lundberg, Lee (2017), for Shapley values; DeYoung et al. (2020), "ERASER", section 4, for erasing words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from explicate.core import registry
from explicate.core.capabilities import Floats
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.errors import InputError
from explicate.evaluation.self_explanation import Respondent
from explicate.evaluation.self_explanation.erasure import NEUTRAL, kept, without
from explicate.models.word_function import WordFunction
from explicate.rationales.self_explanations import distinct_words
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import Interval, t_interval

Substitutes = Callable[[str], Sequence[str]]
Says = Literal["for", "against", "open"]
SMALLEST = 1e-6  # probability that log-odds are still taken of
FEWEST = 2  # other words that a word must be held against
Z = 1.96
SHOWN_ERROR = 0.005  # smaller errors round to nothing


def log_odds(respondent: Respondent, shares: Sequence[Floats], place: int) -> Floats:
    """Log-odds of one choice: (question,). Shares of drawn replies are smoothed by half a reply."""
    own = np.array([one[place] for one in shares], dtype=float)
    if respondent.by == "samples":
        own = (own * respondent.draws + 0.5) / (respondent.draws + 1)
    own = np.clip(own, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(own) - np.log1p(-own))


def sampling_variance(respondent: Respondent, odds: Floats) -> Floats:
    """The variance of log-odds that come from drawn replies; 0 where the model gives probabilities."""
    if respondent.by != "samples":
        return np.zeros_like(odds)
    share = 1 / (1 + np.exp(-odds))
    return np.asarray(1 / (respondent.draws * share * (1 - share)))


@dataclass(frozen=True)
class WordEffects:
    """What the distinct words of one item do to the answer that the model gives.

    Attributes
    ----------
    words : (word,), in lower case and without punctuation. probability : of the answer.
    edit, edit_error : (word,), how far its log-odds fall when the word is deleted, replaced by "..." or exchanged, mean
        over these edits; the error is that of drawn replies.
    flips, edits : (word,), share of the edits after which another answer is given, and how many there are.
    attribution, attribution_error : (word,), in the same unit; None where no method was asked.
    """

    words: tuple[str, ...]
    probability: float
    edit: Floats
    edit_error: Floats
    flips: Floats
    edits: Floats
    attribution: Floats | None = None
    attribution_error: Floats | None = None

    def others(self, apart: Collection[str]) -> list[int]:
        """Places of the words to hold a word against: all but those `apart`."""
        return [place for place, word in enumerate(self.words) if word not in apart]


@dataclass(frozen=True)
class AgainstOthers:
    """One figure of a word (or of several together) beside those of words that are not named.

    Attributes
    ----------
    effect, error : in log-odds of the answer. least : an effect below is none.
    others : mean size of the same figure over the others, with Student's interval.
    """

    effect: float
    error: float
    others: Interval
    least: float

    @property
    def gap(self) -> Interval:
        """How much more than the others, with the interval of both."""
        value, half = self.effect - self.others.value, (self.others.high - self.others.low) / 2
        half = math.hypot(half, Z * self.error)
        return replace(self.others, value=value, low=value - half, high=value + half)

    @property
    def says(self) -> Says:
        """Whether it speaks for the claim that the word was a reason.

        For: at least `least`, and the gap's interval lies above 0. Against: with its error below `least`, or no more
        than the others' mean.
        """
        top = self.effect + Z * self.error
        if self.effect >= self.least and self.gap.low > 0:
            return "for"
        return "against" if top < self.least or top <= self.others.value else "open"

    def __str__(self) -> str:
        effect, *others = (round(one, 2) + 0.0 for one in (self.effect, *self.ends))  # + 0.0: no -0.00
        unsure = f" ± {Z * self.error:.2f}" if self.error > SHOWN_ERROR else ""
        return f"{effect:+.2f}{unsure} (others {others[0]:.2f} [{others[1]:.2f}, {others[2]:.2f}])"

    @property
    def ends(self) -> tuple[float, float, float]:
        """The others' mean size and the ends of its interval, which end at 0."""
        return self.others.value, max(0.0, self.others.low), self.others.high

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        mean, *ends = self.ends
        found = {
            "effect": self.effect,
            "error": self.error,
            "others": mean,
            "others_interval": ends,
            "least": self.least,
        }
        return {**found, "says": self.says}


def against_others(effect: float, error: float, others: Floats, least: float) -> AgainstOthers | None:
    """A figure beside the sizes of others; None where these are too few."""
    if len(others) < FEWEST:
        return None
    return AgainstOthers(float(effect), float(error), t_interval(np.abs(others)), least)


def exchanged(item: ChoiceItem, word: str, other: str) -> ChoiceItem:
    """The item with another word wherever `word` stands."""
    new = tuple(
        (name, " ".join(other if bare(one) == word else one for one in text.split())) for name, text in item.fields
    )
    return replace(item, fields=new, rationale=None)


def word_effects(
    respondent: Respondent,
    item: ChoiceItem,
    letter: str,
    attribution: Any = "kernel-shap",
    budget: int = 64,
    substitutes: Substitutes | None = None,
    seed: int = 0,
) -> WordEffects:
    """Take every word out in turn, and attribute the answer to all words.

    Parameters
    ----------
    attribution : a method for texts by name, or an explainer; None: edits alone. budget : see `word_attribution`.
    substitutes : what each word may be exchanged for, beside being deleted and replaced by "...".
    """
    words, place = distinct_words(item), item.letters.index(letter)
    edits: list[ChoiceItem] = []
    owners: list[int] = []
    for number, word in enumerate(words):
        own = [without(item, [word]), without(item, [word], NEUTRAL)]
        own += [exchanged(item, word, other) for other in (substitutes(word) if substitutes else ())]
        edits += own
        owners += [number] * len(own)
    shares = respondent.shares([item, *edits])
    odds = log_odds(respondent, shares, place)
    variance = sampling_variance(respondent, odds)
    moved = np.array([float(np.argmax(one) != place) if one.sum() else np.nan for one in shares[1:]])
    owner = np.array(owners)
    of_word = [owner == number for number in range(len(words))]
    fall = np.array([odds[0] - odds[1:][own].mean() for own in of_word])
    error = np.sqrt([variance[0] + variance[1:][own].mean() / own.sum() for own in of_word])
    flips = np.array([np.nanmean(moved[own]) if np.isfinite(moved[own]).any() else np.nan for own in of_word])
    found = WordEffects(
        tuple(words), float(shares[0][place]), fall, error, flips, np.array([float(own.sum()) for own in of_word])
    )
    if attribution is None or len(words) < FEWEST:
        return found
    values, errors = word_attribution(respondent, item, letter, attribution, budget, seed)
    return replace(found, attribution=values, attribution_error=np.hypot(errors, error))


def answer_handle(respondent: Respondent, item: ChoiceItem, letter: str) -> WordFunction:
    """The log-odds of one answer to an item as a model of its distinct words, which any method for texts explains.

    It takes the item's words in lower case, without punctuation, each once; words that are left out are deleted.
    """
    place = item.letters.index(letter)

    def scores(rows: list[list[str]]) -> Floats:
        return log_odds(respondent, respondent.shares([kept(item, set(row)) for row in rows]), place)

    answer = item.choices[place]
    return WordFunction(
        scores, distinct_words(item), class_names=(f"not {answer}", answer), name=f"answer to {item.name}"
    )


def word_attribution(
    respondent: Respondent, item: ChoiceItem, letter: str, method: Any = "kernel-shap", budget: int = 64, seed: int = 0
) -> tuple[Floats, Floats]:
    """The answer's log-odds attributed to the item's distinct words by a method of `explicate.attribution`.

    Parameters
    ----------
    method : by name, or an explainer. budget : coalitions of words, for a method by name that has a budget.

    Returns
    -------
    (word,) attributions, and their standard errors, 0 where the method gives none.
    """
    words = distinct_words(item)
    if isinstance(method, str):
        kind = registry.find(method, "methods")
        if not hasattr(kind, "attribute"):
            raise InputError(
                f"{method} attributes no scores to words; use kernel-shap, exact-shapley or feature-ablation"
            )
        known = {field.name for field in fields(kind)}
        method = kind.from_parameters({"budget": budget} if "budget" in known else {})
    handle = answer_handle(respondent, item, letter)
    found = method.explain(handle, [" ".join(words)], target=0, seed=seed)
    values = found["attribution"].values.reshape(-1)[: len(words)]
    errors = found["standard_error"].values.reshape(-1)[: len(words)] if "standard_error" in found.data else 0 * values
    return np.asarray(values, float), np.nan_to_num(np.asarray(errors, float))


def together(
    respondent: Respondent,
    item: ChoiceItem,
    letter: str,
    words: Sequence[str],
    effects: WordEffects,
    sets: int,
    least: float,
    seed: int,
) -> AgainstOthers | None:
    """What taking all named words out at once does, beside random sets of as many other words; None without enough."""
    others = [effects.words[place] for place in effects.others(words)]
    if not words or len(others) <= len(words):
        return None
    rng = generator(seed, "random sets", item.to_dict())
    drawn = [[others[int(j)] for j in rng.permutation(len(others))[: len(words)]] for _ in range(sets)]
    odds = log_odds(
        respondent,
        respondent.shares([item, without(item, words), *(without(item, own) for own in drawn)]),
        item.letters.index(letter),
    )
    error = float(np.sqrt(sampling_variance(respondent, odds)[:2].sum()))
    return against_others(odds[0] - odds[1], error, odds[0] - odds[2:], least)
