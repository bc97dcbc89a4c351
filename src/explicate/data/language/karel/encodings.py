"""Tasks as texts for a language model: word by word, one token for each.

"Examples:", the grids of each example, "Code:", the program one word per action, "end". The `cells` encoding writes
each inner cell as a word, as the papers do; the `compact` one writes the hero's pose as one word, and one word for each
marker.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from explicate.data.language.karel.programs import ABSENT
from explicate.data.language.karel.semantics import ACTIONS
from explicate.data.language.karel.tasks import Tasks
from explicate.data.language.karel.worlds import DIRECTIONS, MOST_MARKERS, Worlds
from explicate.errors import InputError

EXAMPLES, CODE, END = "Examples:", "Code:", "end"
FRAME = (EXAMPLES, CODE, END)


@dataclass(frozen=True)
class Encoding(ABC):
    """A vocabulary, and how tasks and programs are written in it.

    Parameters
    ----------
    rows, columns : of the worlds, without their border.
    """

    rows: int = 6
    columns: int = 6

    @property
    @abstractmethod
    def grid_words(self) -> tuple[str, ...]:
        """The words for grids."""

    @abstractmethod
    def grids(self, worlds: Worlds, examples: int) -> list[np.ndarray]:
        """The tokens of inputs and outputs: one row for each group of worlds (group * 2 * example,)."""

    @abstractmethod
    def begins_grid(self, tokens: np.ndarray) -> np.ndarray:
        """Which tokens are the first word of a grid: bool, of the shape of `tokens`."""

    def of_inputs(self, texts: np.ndarray) -> np.ndarray:
        """Which tokens of texts (text, token) are words of input grids, which nothing before them tells."""
        before_code = np.cumsum(texts == FRAME.index(CODE), axis=1) == 0
        return np.asarray((np.cumsum(self.begins_grid(texts), axis=1) % 2 == 1) & before_code)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words; a word's place is its token."""
        return (*FRAME, *ACTIONS, *self.grid_words)

    @property
    def end(self) -> int:
        """The token after a program's last action."""
        return FRAME.index(END)

    @property
    def action_tokens(self) -> np.ndarray:
        """(action,) the token of each of `ACTIONS`."""
        return len(FRAME) + np.arange(len(ACTIONS))

    def prompts(self, tasks: Tasks) -> np.ndarray:
        """What a model reads before it writes a program: (task, token) int64, -1 on the right of shorter ones."""
        if tasks.inputs.size != (self.rows + 2, self.columns + 2):
            raise InputError(
                f"the encoding is for {self.rows} x {self.columns} cells, the worlds have "
                f"{tasks.inputs.size[0] - 2} x {tasks.inputs.size[1] - 2}"
            )
        rows = tasks.rows(np.arange(tasks.shown))
        shown = _interleaved(tasks.inputs.take(rows), tasks.outputs.take(rows))
        begin, code = np.array([FRAME.index(EXAMPLES)]), np.array([FRAME.index(CODE)])
        return _padded([np.concatenate([begin, grid, code]) for grid in self.grids(shown, tasks.shown)])

    def texts(self, tasks: Tasks, programs: np.ndarray | None = None) -> np.ndarray:
        """Prompts with their reference programs, or with others, and the end: (task, token) int64, -1 on the right."""
        prompts = self.prompts(tasks)
        written = tasks.programs if programs is None else programs
        return _padded([
            np.concatenate([prompt[prompt >= 0], self.action_tokens[program[program != ABSENT]], [self.end]])
            for prompt, program in zip(prompts, written, strict=True)
        ])  # fmt: skip

    def programs(self, written: np.ndarray) -> np.ndarray:
        """Programs (text, token - 1) from the tokens (text, token) that follow a prompt, -1 where there is none.

        What is no program (another word among the actions, no end, no action at all) becomes a row without actions.
        """
        first = len(FRAME)
        ended = np.asarray(written == self.end)
        stop: np.ndarray = np.where(ended.any(axis=1), ended.argmax(axis=1), 0)
        inside = np.arange(written.shape[1]) < stop[:, None]
        is_action = (written >= first) & (written < first + len(ACTIONS))
        whole = np.asarray((is_action | ~inside).all(axis=1))
        return np.where(inside & whole[:, None], written - first, ABSENT)[:, :-1].astype(np.int8)

    def allowed(self, written: int, longest: int) -> np.ndarray:
        """(token,) bool: what the grammar allows after so many actions of a program of at most `longest`."""
        found = np.zeros(len(self.vocabulary), dtype=bool)
        found[self.end] = written > 0
        found[self.action_tokens] = written < longest
        return found

    def check_context(self, prompts: np.ndarray, longest: int, context: int) -> None:
        """Refuse prompts that leave no room for a program and its end; examples are never cut.

        Raises
        ------
        InputError : with both numbers.
        """
        needed = int((prompts >= 0).sum(axis=1).max()) + longest + 1
        if needed > context:
            raise InputError(
                f"a specification and its program are up to {needed} tokens, the model takes {context}; show fewer "
                "examples, or use a model with a larger context"
            )


@dataclass(frozen=True)
class Compact(Encoding):
    """A grid in a few words: the hero's pose ("pose-2-3-left"), then each marker's cell ("cell-0-4"), row by row.

    Worlds with walls inside have no such words.

    Parameters
    ----------
    split_pose : write the pose as two words, the direction and then the hero's cell, which shares its words with the
        markers' cells. A model has less to learn of what the words have to do with each other.
    """

    rows: int = 5
    columns: int = 5
    split_pose: bool = False

    @property
    def grid_words(self) -> tuple[str, ...]:
        cells = [f"{row}-{column}" for row in range(self.rows) for column in range(self.columns)]
        poses = [f"pose-{cell}-{direction}" for cell in cells for direction in DIRECTIONS]
        return (*(DIRECTIONS if self.split_pose else poses), *(f"cell-{cell}" for cell in cells))

    def begins_grid(self, tokens: np.ndarray) -> np.ndarray:
        first = len(FRAME) + len(ACTIONS)
        return np.asarray((tokens >= first) & (tokens < self._first_cell))

    @property
    def _first_cell(self) -> int:
        """The token of the first cell."""
        poses = 1 if self.split_pose else self.rows * self.columns
        return len(FRAME) + len(ACTIONS) + poses * len(DIRECTIONS)

    def grids(self, worlds: Worlds, examples: int) -> list[np.ndarray]:
        if worlds.walls[:, 1:-1, 1:-1].any():
            raise InputError("the compact encoding has no word for a wall inside a world; use the cells encoding")
        cell = (worlds.rows - 1) * self.columns + worlds.columns - 1
        first, every = len(FRAME) + len(ACTIONS), np.arange(len(worlds))
        inside = worlds.markers[:, 1:-1, 1:-1].reshape(len(worlds), -1)
        world, marked = np.nonzero(inside)
        count = inside[world, marked]
        words = [np.repeat(self._first_cell + marked, count)]
        owners = [np.repeat(world, count)]
        if self.split_pose:
            words, owners = [first + worlds.directions, self._first_cell + cell, *words], [every, every, *owners]
        else:
            words, owners = [first + cell * len(DIRECTIONS) + worlds.directions, *words], [every, *owners]
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")  # the pose comes first, markers keep their order
        tokens = np.concatenate(words)[order]
        sizes = np.bincount(owner // (2 * examples), minlength=len(worlds) // (2 * examples))
        return np.split(tokens, np.cumsum(sizes)[:-1])


@dataclass(frozen=True)
class Cells(Encoding):
    """The papers' grids: "Input0", each inner cell as a word row by row, "Output0", and so on.

    A cell is a wall, empty, one of four heroes, or a number of markers; markers under the hero are not seen.

    Parameters
    ----------
    examples : most examples that have names.
    """

    examples: int = 10

    @property
    def grid_words(self) -> tuple[str, ...]:
        names = [f"{part}{number}" for number in range(self.examples) for part in ("Input", "Output")]
        heroes = [f"hero-{direction}" for direction in DIRECTIONS]
        return (*names, "wall", "empty", *heroes, *(f"markers-{count}" for count in range(1, MOST_MARKERS + 1)))

    def begins_grid(self, tokens: np.ndarray) -> np.ndarray:
        first = len(FRAME) + len(ACTIONS)
        return np.asarray((tokens >= first) & (tokens < first + 2 * self.examples))

    def grids(self, worlds: Worlds, examples: int) -> list[np.ndarray]:
        if examples > self.examples:
            raise InputError(f"the encoding has names for {self.examples} examples, {examples} are shown")
        names = len(FRAME) + len(ACTIONS)
        wall = names + 2 * self.examples
        cells = np.where(worlds.walls, wall, wall + 1)
        counts = np.minimum(worlds.markers, MOST_MARKERS)
        cells = np.where(counts > 0, wall + 1 + len(DIRECTIONS) + counts, cells)
        cells[np.arange(len(worlds)), worlds.rows, worlds.columns] = wall + 2 + worlds.directions
        inside = cells[:, 1:-1, 1:-1].reshape(len(worlds), -1)
        named = np.concatenate(
            [names + np.tile(np.arange(2 * examples), len(worlds) // (2 * examples))[:, None], inside], 1
        )
        return list(named.reshape(len(worlds) // (2 * examples), -1))


def _interleaved(inputs: Worlds, outputs: Worlds) -> Worlds:
    def both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.stack([first, second], axis=1).reshape(2 * len(first), *first.shape[1:])

    return Worlds(
        both(inputs.walls, outputs.walls),
        both(inputs.markers, outputs.markers),
        both(inputs.positions, outputs.positions),
        both(inputs.directions, outputs.directions),
    )


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    found = np.full((len(rows), max(map(len, rows), default=0)), ABSENT, dtype=np.int64)
    for row, tokens in zip(found, rows, strict=True):
        row[: len(tokens)] = tokens
    return found
