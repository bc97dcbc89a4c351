"""Laundry lists: n things are named, all but one named again in another order, and the one that is left is asked for.

"I have to wash the shirt, the hat and the coat. I have already washed the coat and the shirt. I still have to wash
the": hat. The task and its growing difficulty are those of Merullo, Eickhoff, Pavlick (2024), "Talking Heads:
Understanding Inter-layer Communication in Transformer Language Models", section 6; the wording is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.single_tokens import Tokens, at_least, places_of, single_tokens
from explicate.errors import InputError
from explicate.runtime.seeds import generator

ITEMS = (
    "shirt", "hat", "coat", "dress", "belt", "towel", "blanket", "jacket", "apple", "book", "pen", "cup", "plate",
    "knife", "spoon", "lamp", "chair", "table", "phone", "clock", "ring", "key", "box", "bag", "ball", "doll", "drum",
    "guitar", "camera", "radio", "rope", "candle", "basket", "bottle", "brush", "comb", "mirror", "pillow", "carpet",
    "curtain", "ladder", "hammer", "nail", "bucket", "broom", "soap", "paper", "pencil", "wallet", "watch", "ticket",
    "map", "flag", "kite", "boat", "car", "truck", "bike",
)  # fmt: skip
SHORTEST, LONGEST = 2, 20
OPENING, AGAIN, CUE = "I have to wash", ". I have already washed", ". I still have to wash the"
Part = Literal["train", "test", "all"]


@dataclass(frozen=True)
class LaundryList:
    """One prompt.

    Attributes
    ----------
    prompt : what the model reads; it should go on with `answer`.
    items : the things, in the order in which they are named first.
    target_index : which of them is not named again. order_of_repeats : indices of the others, as they are named again.
    answer : `items[target_index]`.
    positions : of each item's first naming; repeats : of its second, -1 for the answer.
    """

    prompt: str
    items: tuple[str, ...]
    target_index: int
    order_of_repeats: tuple[int, ...]
    answer: str
    positions: tuple[int, ...]
    repeats: tuple[int, ...]


@dataclass(frozen=True)
class LaundryLists:
    """Prompts with as many items each, and how many words were left out because they are not one token."""

    prompts: tuple[LaundryList, ...]
    length: int
    dropped: int

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def texts(self) -> list[str]:
        """The prompts as texts."""
        return [each.prompt for each in self.prompts]

    @property
    def targets(self) -> Array:
        """The index of each prompt's answer, (sample,)."""
        return np.array([each.target_index for each in self.prompts], dtype=np.int64)

    def item_tokens(self, model: Tokens) -> Array:
        """The token of each item as it stands in its prompt, (sample, item)."""
        ids = model.encode(self.texts)
        where = np.array([each.positions for each in self.prompts])
        return np.asarray(np.take_along_axis(ids, where, axis=1))


def laundry_lists(
    model: Tokens,
    length: int,
    count: int = 200,
    *,
    part: Part = "all",
    items: Sequence[str] = ITEMS,
    spaced: bool = False,
    seed: int = 0,
) -> LaundryLists:
    """Draw prompts whose target index goes through all places in turn.

    Parameters
    ----------
    model : the handle whose tokenizer decides which items are one token.
    length : items in a list, 2 to 20.
    part : the items are dealt into two halves, always the same, of which "train" and "test" draw from one each, so that
        no two items of a test list were ever together in training; "all" draws from all.
    spaced : whether punctuation stands apart, as for tokenizers that split at spaces alone.

    Raises
    ------
    InputError : a length out of range, or fewer single-token items in the part than the list is long.
    """
    if not SHORTEST <= length <= LONGEST:
        raise InputError(f"a list of {length} items; give {SHORTEST} to {LONGEST}")
    if part not in ("train", "test", "all") or count < 1:
        raise InputError(f"part {part!r} with count {count}: part is train, test or all, and count 1 or more")
    kept, dropped = single_tokens(model, items)
    if part != "all":
        dealt = generator(0, "laundry lists", "parts").permutation(len(kept))
        half = dealt[: len(kept) // 2] if part == "train" else dealt[len(kept) // 2 :]
        kept = [kept[i] for i in sorted(half)]
    at_least(kept, dropped, length, f"items of the part {part!r}", model)
    rng = generator(seed, "laundry lists", part, length)
    drawn = []
    for number in range(count):
        things = tuple(kept[i] for i in rng.permutation(len(kept))[:length])
        target = number % length
        again = tuple(int(i) for i in rng.permutation(length) if i != target)
        drawn.append((things, target, again))
    parts = [_beginnings(things, again, spaced) for things, _, again in drawn]
    texts = [row[-1] for row in parts]
    where = places_of(model, texts, [row[:-1] for row in parts])
    prompts = []
    for (things, target, again), text, row in zip(drawn, texts, where.tolist(), strict=True):
        second = dict(zip(again, row[length:], strict=True))
        repeats = tuple(second.get(i, -1) for i in range(length))
        prompts.append(LaundryList(text, things, target, again, things[target], tuple(row[:length]), repeats))
    return LaundryLists(tuple(prompts), length, len(dropped))


def _beginnings(things: Sequence[str], again: Sequence[int], spaced: bool) -> list[str]:
    """A prompt up to each naming of an item, and whole."""
    found: list[str] = []
    text = OPENING
    for named in (list(range(len(things))), list(again)):
        for place, index in enumerate(named):
            joint = "" if place == 0 else " and" if place == len(named) - 1 else ","
            text = f"{text}{joint} the {things[index]}"
            found.append(text)
        text += AGAIN if len(found) == len(things) else CUE
    found.append(text)
    return [each.replace(",", " ,").replace(".", " .") for each in found] if spaced else found


def share_by_target(hits: Array, targets: Array, length: int) -> Mapping[int, float]:
    """The share of hits for each target index."""
    return {index: float(np.mean(hits[targets == index])) for index in range(length) if bool((targets == index).any())}
