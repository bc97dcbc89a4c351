"""What a head is good for on text: the prefixes where it helps more than any other head, sorted by rule.

A head that counts on may also spell acronyms or copy; it is never labelled by one role. Source: Gould, Ong, Ogden,
Conmy (2023), "Successor Heads", section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.kinds import Effects
from explicate.core.sites import Site
from explicate.data.language.succession import LISTS, ROMAN, WordList
from explicate.errors import InputError
from explicate.mechanisms.succession.direct_losses import winning_heads
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator

CASES = ("successorship", "greater-than", "copying", "acronym", "other")
ATTENDED = 3
WEIGHT = 0.1


@dataclass(frozen=True, eq=False)
class WinningCases:
    """The prefixes that a head wins, and why.

    Attributes
    ----------
    head : the head. prefixes : how many were looked at. samples : numbers of those that the head wins, (case,).
    labels : one of `CASES` for each. outputs : the next token's text. attended : the words that the head looks at.
    shuffled : share of each case if outputs and attended words of different prefixes are put together.
    """

    head: Site
    prefixes: int
    samples: Array
    labels: tuple[str, ...]
    outputs: tuple[str, ...]
    attended: tuple[tuple[str, ...], ...]
    shuffled: dict[str, float]

    @property
    def shares(self) -> dict[str, float]:
        """Share of each case among the prefixes won; NaN where none is."""
        return _shares(self.labels)


def winning_cases(
    model: LanguageModel,
    texts: Any,
    effects: Effects,
    head: Site | str,
    *,
    lists: Sequence[WordList] = (*LISTS.values(), ROMAN),
    seed: int = 0,
) -> WinningCases:
    """Sort the prefixes where a head has the largest direct effect of all, by what the next token is.

    Parameters
    ----------
    texts : those that `effects` (of `direct_losses`) were measured on.
    lists : ordered lists that count. seed : of the shuffled control.
    """
    head = Site.parse(head)
    if head.layer is None or head.head is None:
        raise InputError(f"{head} is no head; give one such as L1.head_out.H0")
    ids = model.encode(texts)
    layers, heads = winning_heads(effects)
    won = np.flatnonzero((layers == head.layer) & (heads == head.head))
    outputs = tuple(str(effects["target_name"].values[i]) for i in won)
    attended = _attended(model, ids, effects, won, Site("pattern", head.layer, head.head))
    labels = tuple(case_of(output, words, lists) for output, words in zip(outputs, attended, strict=True))
    order = generator(seed, "other outputs").permutation(len(won))
    mixed = tuple(case_of(outputs[place], words, lists) for place, words in zip(order, attended, strict=True))
    return WinningCases(head, len(effects), won, labels, outputs, attended, _shares(mixed))


def case_of(output: str, attended: Sequence[str], lists: Sequence[WordList] = (*LISTS.values(), ROMAN)) -> str:
    """Which case it is that `output` follows when the head looks at the words `attended`; the first rule that fits.

    "successorship": the next word of a list; "copying": a word itself; "greater-than": a later word of the list;
    "acronym": the output begins with the initial of a word.
    """
    new = output.strip()
    words = [word.strip() for word in attended]
    if not new:
        return "other"
    steps = [step for word in words for step in _steps(word, new, lists)]
    if 1 in steps:
        return "successorship"
    if new.lower() in (word.lower() for word in words):
        return "copying"
    if any(step > 1 for step in steps):
        return "greater-than"
    if any(word[:1].isalpha() and word[:1].lower() == new[:1].lower() for word in words):
        return "acronym"
    return "other"


def _steps(word: str, new: str, lists: Sequence[WordList]) -> list[int]:
    """How far `new` is behind `word` in each list that has both; the first of a cycle is one behind the last."""
    found = []
    for each in lists:
        upper = each.words[0].isupper()
        one, two = (text if upper else text.lower() for text in (word, new))
        if one in each.words and two in each.words:
            step = each.words.index(two) - each.words.index(one)
            found.append(1 if each.cyclic and step == 1 - len(each.words) else step)
    return found


def _attended(
    model: LanguageModel, ids: Array, effects: Effects, won: Array, pattern: Site
) -> tuple[tuple[str, ...], ...]:
    """The words that a head looks at most at each prefix won, the first token (a rest place of attention) left out."""
    texts, positions = effects["text"].values[won], effects["position"].values[won]
    found: dict[int, tuple[str, ...]] = {}
    for text in np.unique(texts):
        row = ids[text : text + 1]
        weights = model.capture(row, [pattern])[pattern][0]
        glued = _glued(model, row[0])
        for place in np.flatnonzero(texts == text):
            own = weights[positions[place], : positions[place] + 1].copy()
            own[0] = 0.0 if len(own) > 1 else own[0]
            top = [i for i in np.argsort(-own)[:ATTENDED] if own[i] >= WEIGHT]
            found[int(place)] = tuple(_word(model, row[0], glued, int(i)) for i in top)
    return tuple(found[place] for place in range(len(won)))


def _glued(model: LanguageModel, ids: Array) -> list[bool]:
    """Whether each token of a text goes on with the word of the token before it: no space, letters and digits."""
    pairs = model.decode(np.stack([ids[:-1], ids[1:]], axis=1))
    alone = [text.strip() for text in model.decode(ids[:, None])]
    return [
        False,
        *(
            pair.strip() == one + two and one[-1:].isalnum() and two[:1].isalnum()
            for pair, one, two in zip(pairs, alone, alone[1:], strict=False)
        ),
    ]


def _word(model: LanguageModel, ids: Array, glued: Sequence[bool], place: int) -> str:
    """The word that a token belongs to."""
    first, last = place, place + 1
    while glued[first]:
        first -= 1
    while last < len(glued) and glued[last]:
        last += 1
    return model.decode(ids[None, first:last])[0].strip()


def _shares(labels: Sequence[str]) -> dict[str, float]:
    return {case: labels.count(case) / len(labels) if labels else float("nan") for case in CASES}
