"""Easy facts that are shown before a question, each with its right answer and with a wrong but similar one.

Items that are tested should not share their examples with items that a probe was trained on: the probe could read the
examples. So a pool can be cut into folds; an item is in one fold, and is shown examples of that fold only.
"""

from __future__ import annotations

from dataclasses import dataclass

from explicate.benchmarks.wack.items import PROMPT, Item
from explicate.errors import InputError
from explicate.runtime.seeds import derive_seed, generator


@dataclass(frozen=True)
class Shot:
    """An easy fact. `wrong` is of the same kind as `right`: another city, another number."""

    question: str
    right: str
    wrong: str

    def text(self, good: bool) -> str:
        """The question with one of the answers, and a new line."""
        return f"{PROMPT.format(question=self.question)} {self.right if good else self.wrong}\n"


EASY_FACTS: tuple[Shot, ...] = (
    Shot("Which city is the capital of France?", "Paris", "Lyon"),
    Shot("How many legs does a spider have?", "8", "6"),
    Shot("Who wrote the play Hamlet?", "William Shakespeare", "Charles Dickens"),
    Shot("What is ten times ten?", "100", "110"),
    Shot("Which planet is closest to the Sun?", "Mercury", "Venus"),
    Shot("What colour is the sky on a clear day?", "blue", "green"),
    Shot("Who painted the Mona Lisa?", "Leonardo da Vinci", "Vincent van Gogh"),
    Shot("How many days does a week have?", "7", "8"),
    Shot("What is the currency of Japan?", "yen", "won"),
    Shot("Which language do most people in Brazil speak?", "Portuguese", "Spanish"),
    Shot("Which animal is known as man's best friend?", "the dog", "the cat"),
    Shot("How many sides does a triangle have?", "3", "4"),
    Shot("On which continent is Egypt?", "Africa", "Asia"),
    Shot("Which gas do plants take in from the air?", "carbon dioxide", "nitrogen"),
    Shot("What do bees make?", "honey", "milk"),
    Shot("Which month comes after December?", "January", "November"),
    Shot("Who was the first person on the Moon?", "Neil Armstrong", "Yuri Gagarin"),
    Shot("What is the largest ocean?", "the Pacific", "the Atlantic"),
    Shot("At how many degrees Celsius does water freeze?", "0", "10"),
    Shot("Which metal has the chemical symbol Fe?", "iron", "copper"),
)
"""Twenty facts that a language model of any size is expected to know."""


@dataclass(frozen=True)
class Shots:
    """Which examples an item is shown. The draw depends on the seed and the item's question alone.

    Parameters
    ----------
    pool : the examples there are.
    count : how many an item is shown; their order is drawn too.
    folds : parts of the pool; 1 lets all items share all examples.
    draws : different draws of examples in a fold; None lets each item have its own. With few, a batch of prompts begins
        alike, and the examples are read once for all of it.
    """

    pool: tuple[Shot, ...] = EASY_FACTS
    count: int = 3
    folds: int = 1
    draws: int | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        if self.draws is not None and self.draws < 1:
            raise InputError(f"draws is {self.draws}; give 1 or more, or None for each item's own")
        if self.count < 1 or self.folds < 1 or len(self.pool) // self.folds < self.count:
            raise InputError(
                f"{len(self.pool)} examples in {self.folds} folds do not give {self.count} to each item; "
                "add examples or take fewer folds"
            )

    def fold(self, item: Item) -> int:
        """The fold that an item is in, 0 to `folds - 1`."""
        return derive_seed(self.seed, "fold", item.question) % self.folds

    def members(self, fold: int) -> tuple[Shot, ...]:
        """The examples of one fold."""
        order = generator(self.seed, "pool").permutation(len(self.pool))
        return tuple(self.pool[place] for place in order[fold :: self.folds])

    def of(self, item: Item) -> tuple[Shot, ...]:
        """The examples of an item, in the order shown; never the item's own question."""
        members = [shot for shot in self.members(self.fold(item)) if shot.question != item.question]
        if len(members) < self.count:
            raise InputError(f"{item.question!r} is itself an example, and too few others are left; add examples")
        own: str | int = item.question
        if self.draws is not None:
            own = derive_seed(self.seed, "draw", item.question) % self.draws
        drawn = generator(self.seed, "shots", own).permutation(len(members))[: self.count]
        return tuple(members[place] for place in drawn)
