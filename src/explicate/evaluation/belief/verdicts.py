"""The rule that turns the figures of a word into a verdict on what the explanation says of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from explicate.errors import InputError
from explicate.evaluation.belief.evidence import AgainstOthers, WordEffects, against_others
from explicate.evaluation.belief.parts import CONTRADICTED, NOT_TESTED, SUPPORTED, UNDECIDED, Claim
from explicate.evaluation.belief.table import Part

RULE = (
    "A named word is supported if it is worth at least {least:g} log-odds of the answer, and more than the words that "
    "are not named (the 95 % interval of the gap lies above 0), by its attribution and by the edits of it; "
    "contradicted if by both it is worth less than that, or no more than those words on average; else undecided."
)
SWAPPED = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}


@dataclass(frozen=True)
class Rule:
    """When a part counts as supported or contradicted.

    Parameters
    ----------
    least : log-odds of the answer that a reason must be worth; 0.2 moves a probability of 0.50 to 0.45. Ours.
    random_sets : sets of other words that all named words together are held against.
    """

    least: float = 0.2
    random_sets: int = 20

    def __post_init__(self) -> None:
        if not self.least > 0:
            raise InputError(f"least is {self.least}; an effect counts from a number above 0 on, 0.2 by default")
        if self.random_sets < 2:
            raise InputError(f"{self.random_sets} random sets; take 2 or more")

    def __str__(self) -> str:
        return RULE.format(least=self.least)

    def on_word(self, effects: WordEffects, word: str, named: Collection[str], denied: bool = False) -> Part:
        """The verdict on one word, held against the words that are not `named`."""
        if word not in effects.words:
            return Part("word", word, CONTRADICTED, "it is not in the input")
        place, others = effects.words.index(word), effects.others({*named, word})
        edits = against_others(effects.edit[place], effects.edit_error[place], effects.edit[others], self.least)
        if edits is None:
            return Part("word", word, NOT_TESTED, "there are too few other words to hold it against")
        attributed = None
        if effects.attribution is not None and effects.attribution_error is not None:
            attributed = against_others(
                effects.attribution[place], effects.attribution_error[place], effects.attribution[others], self.least
            )
        figures = {name: one for name, one in (("attribution", attributed), ("edits", edits)) if one is not None}
        verdict, reason = _joined(figures, self.least)
        if denied:
            verdict, reason = SWAPPED.get(verdict, verdict), f"said not to matter: {reason}"
        return Part("word", word, verdict, reason, edits, attributed, float(effects.flips[place]))

    def on_claim(self, claim: Claim, effects: WordEffects, named: Collection[str], moved: bool | None) -> Part:
        """The verdict on any part.

        Parameters
        ----------
        moved : whether the model's own edit changed its answer; None without one.
        """
        if claim.kind == "clause":
            return Part("clause", claim.text, NOT_TESTED, "it names no word of the input")
        if claim.kind == "word":
            return self.on_word(effects, claim.text, named, claim.denied)
        if moved is None:
            return Part("edit", claim.text, NOT_TESTED, "the edit leaves a field empty")
        said = "asked afresh, the model changes its answer" if moved else "asked afresh, the model keeps its answer"
        return Part("edit", claim.text, SUPPORTED if moved else CONTRADICTED, said)


IN_WORDS = {"for": "a reason", "against": "none", "open": "not clear"}


def _joined(named: Mapping[str, AgainstOthers], least: float) -> tuple[str, str]:
    figures = list(named.values())
    said = [one.says for one in figures]
    if all(one == "for" for one in said):
        return SUPPORTED, "it moves the answer more than words that are not named"
    if all(one == "against" for one in said):
        if all(one.effect <= -least for one in figures):
            return CONTRADICTED, "it speaks against the answer"
        if all(abs(one.effect) < least for one in figures):
            return CONTRADICTED, "it does not move the answer"
        return CONTRADICTED, "it moves the answer no more than words that are not named"
    return UNDECIDED, "; ".join(f"by {name}: {IN_WORDS[one.says]}" for name, one in named.items())
