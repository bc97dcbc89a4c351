"""What an exported program consists of besides its own tables; this text becomes part of the exported file.

Plain Python, no imports but the standard library's. The lines are short so that formatters leave them alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence

Value = str | int


def visible(query: int, length: int, causal: bool) -> range:
    """The positions that one position may attend to."""
    return range(query + 1 if causal else length)


def select_closest(
    keys: Sequence[Value],
    queries: Sequence[Value],
    predicate: Callable[[Value, Value], bool],
    causal: bool = False,
) -> list[int]:
    """Where each position looks: the nearest other match, left before
    right; itself if it is the only match; the first position if none is."""
    found = []
    for here, query in enumerate(queries):
        best, distance = 0, len(keys) + 1
        for there in visible(here, len(keys), causal):
            if predicate(query, keys[there]):
                away = abs(there - here) or len(keys)
                if away < distance:
                    best, distance = there, away
        found.append(best)
    return found


def select_first(
    keys: Sequence[Value],
    queries: Sequence[Value],
    predicate: Callable[[Value, Value], bool],
    causal: bool = False,
) -> list[int]:
    """Where each position looks: the first match, or the first position."""
    found = []
    for here, query in enumerate(queries):
        places = visible(here, len(keys), causal)
        matches = [there for there in places if predicate(query, keys[there])]
        found.append(matches[0] if matches else 0)
    return found


def select_preferred(
    keys: Sequence[Value],
    queries: Sequence[Value],
    predicate: Callable[[Value, Value], bool],
    preference: dict[int, float],
    causal: bool = False,
) -> list[int]:
    """Where each position looks: of all matches the one whose offset is
    preferred most; the first position if nothing matches."""
    found = []
    for here, query in enumerate(queries):
        best, liked = 0, float("-inf")
        for there in visible(here, len(keys), causal):
            likes = preference[there - here]
            if likes > liked and predicate(query, keys[there]):
                best, liked = there, likes
        found.append(best)
    return found


def select_highest(
    keys: Sequence[Value],
    queries: Sequence[Value],
    score: dict[Value, dict[Value, float]],
    preference: dict[int, float],
    causal: bool = False,
) -> list[int]:
    """Where each position looks: the highest score with its offset's."""
    found = []
    for here, query in enumerate(queries):
        best, highest = 0, float("-inf")
        for there in visible(here, len(keys), causal):
            total = score[query][keys[there]] + preference[there - here]
            if total > highest:
                best, highest = there, total
        found.append(best)
    return found


def aggregate(places: Sequence[int], values: Sequence[Value]) -> list[Value]:
    """The value at the place that each position looks at."""
    return [values[place] for place in places]


def select(
    keys: Sequence[Value],
    queries: Sequence[Value],
    predicate: Callable[[Value, Value], bool],
    causal: bool = False,
) -> list[list[int]]:
    """All matches of each position."""
    found = []
    for here, query in enumerate(queries):
        places = visible(here, len(keys), causal)
        found.append([there for there in places if predicate(query, keys[there])])
    return found


def aggregate_sum(matches: Sequence[Sequence[int]], values: Sequence[int]) -> list[int]:
    """The sum of the values at the matches of each position."""
    return [sum(values[place] for place in places) for places in matches]


def read_weights(lines: list[str]) -> dict[tuple[str, str], list[float]]:
    """(variable, value) -> the weight for each tag."""
    rows = list(csv.reader(lines))
    return {(row[0], row[1]): [float(x) for x in row[2:]] for row in rows[1:]}


def known_tokens(
    tokens: Sequence[str],
    vocabulary: Sequence[str],
    context: int,
) -> list[str]:
    """The tokens as the program reads them."""
    if not 0 < len(tokens) <= context:
        raise ValueError(f"{len(tokens)} tokens; the program takes 1 to {context}")
    known = set(vocabulary)
    found = []
    for token in tokens:
        if token not in known and "<unk>" not in known:
            raise KeyError(f"the token {token!r} is not in the vocabulary")
        found.append(token if token in known else "<unk>")
    return found
