"""What an explanation in words claims, in parts that can be tested one by one: words, clauses, an edit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.rationales.self_explanations import invented_words, listed_words, named_words

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTED = "supported", "contradicted", "undecided", "not tested"
VERDICTS = (SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTED)
Kind = Literal["word", "clause", "edit"]
SHORTEST = 3  # words of a clause that is a part of its own
_CLAUSE_END = re.compile(
    r"(?<=[.!?;:,])\s+|\n+|(?<!\bnot)\s+(?=(?:because|but|although|though|while|whereas|so that|which)\b)",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not because|nothing to do with|regardless of|irrespective of|irrelevant|(?:does|did|do)(?: not|n't) matter"
    r"|no (?:influence|bearing|effect))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Claim:
    """One part of an explanation.

    Attributes
    ----------
    kind : "word" (the explanation names it as a reason), "clause" (it names no word of the input), "edit" (of the
        input, which is to change the answer).
    denied : whether the clause says that the word did *not* matter.
    invented : whether a listed word is not in the input.
    """

    kind: Kind
    text: str
    denied: bool = False
    invented: bool = False


def clauses(text: str) -> list[str]:
    """A text cut at its marks and before "because", "but", "although" and the like."""
    return [part.strip() for part in _CLAUSE_END.split(text) if part and part.strip()]


def claims(explanation: Narrative, sample: int, item: ChoiceItem) -> tuple[Claim, ...]:
    """The parts of one explanation, in the order of the text; none where it could not be read.

    A word of the input, stop words aside, that the text names is a claim that it was a reason. A word in a clause that
    denies that it mattered is the opposite claim. A clause that names no word cannot be tested by editing words.
    """
    if str(explanation["status"].values[sample]) != "ok":
        return ()
    form = str(explanation.data.attrs["form"])
    if form in ("narrative", "chain-of-thought"):
        return _of_text(str(explanation["text"].values[sample]), item)
    invented = set(invented_words(explanation, item, sample))
    found = [Claim("word", word, invented=word in invented) for word, _ in listed_words(explanation, sample)]
    if form == "counterfactual":
        found.insert(0, Claim("edit", " / ".join(map(str, explanation["new_text"].values[sample])).strip(" /")))
    return tuple(found)


def _of_text(text: str, item: ChoiceItem) -> tuple[Claim, ...]:
    found: list[Claim] = []
    for clause in clauses(text):
        denied = _DENIES.search(clause) is not None
        words = named_words(item, clause)
        if not words and len(clause.split()) >= SHORTEST:
            found.append(Claim("clause", clause.rstrip(",;:")))
        found += [Claim("word", word, denied) for word in words if word not in named(found)]
    return tuple(found)


def named(parts: Sequence[Claim]) -> list[str]:
    """The words that parts are about."""
    return [one.text for one in parts if one.kind == "word" and not one.invented]
