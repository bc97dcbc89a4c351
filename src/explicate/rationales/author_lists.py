"""Lists of authors as a model writes them: read as names, and how far two of them agree.

Names are compared by their first and last part, without accents, titles and what stands between, in any order. This
measure needs no model; it is ours. Source of what it stands in for: Agrawal, Suzgun, Mackey, Kalai (2024), arXiv
2305.18248, section 4, where the model itself says how many percent of the names agree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import combinations

Name = tuple[str, str]

MOST_PARTS = 6
_LABEL = re.compile(r"^\W*(?:the\s+)?authors?\s*(?:(?:is|are|were|was)\s*:?|:)\s*", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=\w\w\w)[.!?](?=\s|$)|\n\s*\n")
_NUMBER = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s*", re.MULTILINE)
_BETWEEN = re.compile(r",|\n|\s&\s|\sand\s", re.IGNORECASE)
_AT_FIRST = re.compile(r"^\s*and\s+", re.IGNORECASE)
_ASIDE = re.compile(r"\(.*?\)|\bet\.? al\b\.?", re.IGNORECASE)
_BEFORE_INITIALS = re.compile(r"\.(?=\S)")
_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "Ae", "đ": "d", "ı": "i"})
_PARTICLES = frozenset((
    "al", "af", "bin", "da", "das", "de", "del", "della", "den", "der", "des", "di", "dos", "du", "el", "la", "le",
    "ibn", "st", "ten", "ter", "van", "vel", "von", "zu", "zur",
))  # fmt: skip
_TITLES = frozenset(("dr", "prof", "professor", "mr", "mrs", "ms", "sir", "phd", "md", "jr", "sr", "ii", "iii", "iv"))
_NO_NAMES = frozenset((
    "a", "an", "and", "any", "anonymous", "as", "author", "authors", "but", "each", "he", "her", "i", "i'm", "im",
    "if", "in", "it", "its", "it's", "n/a", "na", "names", "no", "none", "not", "of", "on", "one", "please", "she",
    "sorry", "since", "several", "some", "that", "the", "there", "they", "this", "to", "unfortunately", "unknown",
    "various", "we", "what", "while", "who", "you", "your",
))  # fmt: skip


def author_names(text: str) -> set[Name]:
    """The authors in a reply as (first part, last part) of each name, in plain lower-case letters.

    Only the first sentence is read. A name is a run of up to six capitalised words; what follows it inside its part of
    the list ("in 1813") is left out. A reply that holds no name, such as a refusal, gives the empty set.
    """
    text = _SENTENCE.split(_LABEL.sub("", _ASIDE.sub("", text).strip()), maxsplit=1)[0]
    found = (_name(part) for part in _parts(_NUMBER.sub("", text)))
    return {name for name in found if name is not None}


def name_overlap(one: str, other: str) -> float:
    """Names that two replies share, out of all names in them (Jaccard); 0 where either holds none."""
    first, second = author_names(one), author_names(other)
    return len(first & second) / len(first | second) if first and second else 0.0


def pairs(count: int) -> list[tuple[int, int]]:
    """All pairs of `count` lists, the earlier one first."""
    return list(combinations(range(count), 2))


def mean_overlap(replies: Sequence[str]) -> float:
    """The mean of `name_overlap` over all pairs of replies to one question."""
    found = [name_overlap(replies[i], replies[j]) for i, j in pairs(len(replies))]
    return sum(found) / len(found)


def _parts(text: str) -> list[str]:
    """The list's parts; where semicolons separate them, "Last, First" is turned round."""
    if ";" not in text:
        return [_AT_FIRST.sub("", part) for part in _BETWEEN.split(text)]
    found = []
    for part in text.split(";"):
        part = _AT_FIRST.sub("", part)
        last, comma, first = part.partition(",")
        found.append(f"{first} {last}" if comma and "," not in first else part)
    return found


def _name(text: str) -> Name | None:
    words = [word.strip("()[]{}\"“”'*_:!?.") for word in _BEFORE_INITIALS.sub(". ", text).split()]
    words = [word for word in words if word]
    run: list[str] = []
    for word in words:
        if word.casefold() in _TITLES:
            continue
        if not (word[0].isupper() or (word.casefold() in _PARTICLES and (run or word is words[0]))):
            break
        run.append(word)
    whole = len(run) == sum(word.casefold() not in _TITLES for word in words)
    while run and run[-1].casefold() in _PARTICLES and not run[-1][0].isupper():
        run.pop()
    if not run or len(run) > MOST_PARTS or any(word.casefold() in _NO_NAMES for word in run):
        return None
    if not whole and len(run) < 2:
        return None
    plain = [_plain(word) for word in run]
    return (plain[0], plain[-1]) if plain[0] and plain[-1] else None


def _plain(word: str) -> str:
    """A word in lower-case letters without accents, hyphens and apostrophes."""
    parts = unicodedata.normalize("NFKD", word.translate(_LETTERS))
    return "".join(letter for letter in parts.casefold() if letter.isalnum())
