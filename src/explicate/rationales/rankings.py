"""Rankings of lettered features, read from the text of a reply."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from string import ascii_uppercase
from typing import Literal

from explicate.errors import InputError

Where = Literal["last", "first"]

_LEAD_IN = re.compile(r"^.*(?::|\bare\b|\bis\b)")
_NUMBERING = re.compile(r"^(?:\d+\s*[.)]|[-*•])\s*")
_ITEM = re.compile(r"^\s*(?:\d+\s*[.)]|[-*•])\s+\S")
_DECORATION = " \t`*_\"'“”‘’()[]{}.;"


def letters(count: int, two: bool = False) -> list[str]:
    """Names that hide what features mean: A, B, C, ...; with `two`, AA, AB, ... where one letter is not enough.

    Raises
    ------
    InputError : more features than names.
    """
    if count <= len(ascii_uppercase):
        return list(ascii_uppercase[:count])
    names = ["".join(pair) for pair in product(ascii_uppercase, repeat=2)]
    if not two:
        raise InputError(f"{count} features have no single letters; switch on two_letters=True (AA, AB, ...)")
    if count > len(names):
        raise InputError(f"{count} features have no names of two letters; there are {len(names)}")
    return names[:count]


def parse_ranking(text: str, names: Sequence[str], k: int, where: Where = "last") -> tuple[tuple[int, ...] | None, str]:
    """The k features that a reply ranks first, or None and what is wrong with it.

    Read is the last (or first) line that is not empty, or, if it has fewer, the list of which it is an item. Between
    the letters may stand commas, ">" or "="; lead-ins, "Feature", numbers of list items and marks of emphasis are left
    out. More than k are cut to k; fewer, repeated or unknown ones are no ranking. Nothing is guessed.
    """
    lines = [line for line in text.splitlines() if line.strip(" \t`")]
    if not lines:
        return None, "the answer is empty"
    if where == "first":
        lines.reverse()
    block = [lines[-1]]
    if _ITEM.match(block[0]) and len(_items(block)) < k:
        for line in reversed(lines[:-1]):
            if not _ITEM.match(line):
                break
            block.append(line)
        if where == "last":
            block.reverse()
    found: list[int] = []
    known = {name: place for place, name in enumerate(names)}
    for item in _items(block)[:k]:
        if item not in known:
            return None, f"{item[:40]!r} is none of {', '.join(names)}"
        if known[item] in found:
            return None, f"{item} occurs more than once"
        found.append(known[item])
    if len(found) < k:
        return None, f"it ranks {len(found)} features, not {k}"
    return tuple(found), ""


def parse_words(text: str, words: Sequence[str], k: int) -> tuple[tuple[str, ...] | None, str]:
    """The k words of a sentence that the last line of a reply that is not empty ranks first, or None and what is wrong.

    Case and punctuation around a word do not count. More than k are cut to k; fewer, repeated ones or words that the
    sentence does not hold are no ranking.
    """
    lines = [line for line in text.splitlines() if line.strip(" \t`")]
    if not lines:
        return None, "the answer is empty"
    known = {bare_word(word) for word in words}
    found: list[str] = []
    parts = [bare_word(_NUMBERING.sub("", part.strip(_DECORATION))) for part in lines[-1].split(":")[-1].split(",")]
    for word in [part for part in parts if part][:k]:
        if word not in known:
            return None, f"{word[:40]!r} is no word of the sentence"
        if word in found:
            return None, f"{word!r} occurs more than once"
        found.append(word)
    if len(found) < k:
        return None, f"it ranks {len(found)} words, not {k}"
    return tuple(found), ""


def bare_word(word: str) -> str:
    """A word in lower case, without what stands around it."""
    return word.strip().strip(".,;:!?*_`\"'“”‘’()[]{}").lower()


def parse_integer(text: str, allowed: Sequence[int]) -> int | None:
    """The one integer on the first line that is not empty; None where there is none, several, or another."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    numbers = re.findall(r"-?\d+(?:\.\d+)?", first)
    if len(numbers) != 1 or "." in numbers[0] or int(numbers[0]) not in allowed:
        return None
    return int(numbers[0])


def _items(lines: Sequence[str]) -> list[str]:
    found = []
    for line in lines:
        rest = _LEAD_IN.sub("", line) if len(lines) == 1 else line
        for part in re.split(r"[,>=]", rest):
            bare = _NUMBERING.sub("", part.strip(_DECORATION)).strip(_DECORATION)
            bare = re.sub(r"^(?:and\s+)?(?:[Ff]eature\s+)?", "", bare).strip(_DECORATION)
            if bare:
                found.append(bare)
    return found
