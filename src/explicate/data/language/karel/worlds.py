"""Karel's worlds: a grid with walls and markers, and a hero that stands on a cell and looks in a direction.

Source: Jin, Rinard (2023), "Evidence of Meaning in Language Models Trained on Programs", arXiv 2305.11169, section 3.
Many worlds of one size are held together, so that a program runs in all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError

DIRECTIONS = ("up", "right", "down", "left")  # clockwise: a turn to the right adds 1
HEROES = "^>v<"
WALL, EMPTY, MARKER = "#", ".", "o"
MOST_MARKERS = 9  # on a cell that can be drawn


@dataclass(frozen=True, eq=False, repr=False)
class Worlds:
    """States of worlds of one size, border of walls included.

    Attributes
    ----------
    walls : (world, row, column) bool; the border is all walls.
    markers : (world, row, column) int8, how many lie on each cell.
    positions : (world,) int64, the hero's cell, counted row by row.
    directions : (world,) int64, where it looks: 0 up, 1 right, 2 down, 3 left.
    """

    walls: np.ndarray
    markers: np.ndarray
    positions: np.ndarray
    directions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        rows, columns = self.size
        return f"Worlds({len(self):,} of {rows} x {columns} cells)"

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns, border included."""
        return int(self.walls.shape[1]), int(self.walls.shape[2])

    @property
    def rows(self) -> np.ndarray:
        """(world,) the hero's row; the border is row 0."""
        return np.asarray(self.positions // self.size[1])

    @property
    def columns(self) -> np.ndarray:
        """(world,) the hero's column; the border is column 0."""
        return np.asarray(self.positions % self.size[1])

    def take(self, worlds: np.ndarray | slice) -> Worlds:
        """Some of the worlds: indices, a boolean mask or a slice."""
        return Worlds(self.walls[worlds], self.markers[worlds], self.positions[worlds], self.directions[worlds])

    def ahead(self, turn: int = 0) -> np.ndarray:
        """(world,) the cell before the hero, were it turned by so many quarters to the right."""
        return self.beside((self.directions + turn) % len(DIRECTIONS))

    def beside(self, directions: np.ndarray | int) -> np.ndarray:
        """(world,) the cell beside the hero's in a direction, or in one of its own for each world."""
        steps = np.array([-self.size[1], 1, self.size[1], -1])
        return np.asarray(self.positions + steps[directions])

    def wall_at(self, cells: np.ndarray) -> np.ndarray:
        """(world,) bool: whether there is a wall on a cell of each world."""
        return np.asarray(self.walls.reshape(len(self), -1)[np.arange(len(self)), cells])

    def markers_at(self, cells: np.ndarray) -> np.ndarray:
        """(world,) markers on a cell of each world."""
        return np.asarray(self.markers.reshape(len(self), -1)[np.arange(len(self)), cells])

    def same_as(self, other: Worlds) -> np.ndarray:
        """(world,) bool: whether each world equals the other's, walls included."""
        cells = (self.walls == other.walls) & (self.markers == other.markers)
        hero = (self.positions == other.positions) & (self.directions == other.directions)
        return np.asarray(cells.all(axis=(1, 2)) & hero)

    def draw(self, world: int = 0) -> str:
        """One world as text: `#` walls, `.` empty cells, digits for markers, the hero as one of `^ > v <`."""
        grid = np.where(self.walls[world], WALL, EMPTY)
        for row, column in np.argwhere(self.markers[world] > 0):
            grid[row, column] = str(min(int(self.markers[world, row, column]), MOST_MARKERS))
        grid[self.rows[world], self.columns[world]] = HEROES[self.directions[world]]
        return "\n".join("".join(row) for row in grid)


def together(parts: Sequence[Worlds]) -> Worlds:
    """Worlds of one size one after another."""
    if len({part.size for part in parts}) != 1:
        raise InputError(
            "only worlds of one size can be put together; give at least one, all of equal rows and columns"
        )
    return Worlds(
        np.concatenate([part.walls for part in parts]),
        np.concatenate([part.markers for part in parts]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.directions for part in parts]),
    )


def read_worlds(texts: Sequence[str]) -> Worlds:
    """Worlds from their drawings, border included; the inverse of `Worlds.draw` but for markers under the hero.

    Raises
    ------
    InputError : a drawing without exactly one hero, with another character, of uneven lines, or without a border.
    """
    if not texts:
        raise InputError("there are no worlds to read; give at least one drawing")
    found = []
    for number, text in enumerate(texts):
        lines = text.strip().splitlines()
        if len({len(line) for line in lines}) != 1:
            raise InputError(f"world {number}: its lines differ in length, or there is none")
        grid = np.array([list(line) for line in lines])
        known = np.isin(grid, [*HEROES, WALL, EMPTY, MARKER, *map(str, range(1, MOST_MARKERS + 1))])
        if not known.all():
            raise InputError(
                f"world {number}: the character {grid[~known][0]!r} means nothing; use # . o 1-9 and ^ > v <"
            )
        heroes = np.argwhere(np.isin(grid, list(HEROES)))
        if len(heroes) != 1:
            raise InputError(f"world {number}: it has {len(heroes)} heroes, not one")
        walls = grid == WALL
        if not (walls[[0, -1]].all() and walls[:, [0, -1]].all()):
            raise InputError(f"world {number}: the border has gaps; surround the world with walls")
        markers = np.zeros(grid.shape, dtype=np.int8)
        markers[grid == MARKER] = 1
        digits = np.char.isdigit(grid)
        markers[digits] = grid[digits].astype(np.int8)
        (row, column), hero = heroes[0], grid[tuple(heroes[0])]
        one = Worlds(
            walls[None], markers[None], np.array([row * grid.shape[1] + column]), np.array([HEROES.index(hero)])
        )
        found.append(one)
    return together(found)


@dataclass(frozen=True)
class Setting:
    """How random worlds are drawn; the defaults are the papers'.

    Parameters
    ----------
    rows, columns : cells inside the border.
    walls : probability of a wall on a cell. The hero's cell is always free.
    markers : probability of a marker on a free cell that is not the hero's.
    marked : where not None, exactly so many free cells (the hero's may be one) have one marker, whatever `markers` is.
    """

    rows: int = 6
    columns: int = 6
    walls: float = 0.1
    markers: float = 0.1
    marked: int | None = None

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise InputError(f"a world of {self.rows} x {self.columns} cells has no room; use 1 or more of each")
        if not (0 <= self.walls < 1 and 0 <= self.markers <= 1):
            raise InputError("walls is a probability below 1, markers one up to 1")
        if self.marked is not None and (self.walls > 0 or not 0 <= self.marked <= self.rows * self.columns):
            raise InputError("marked needs a world without walls inside, and at most as many cells as there are")

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns, border included."""
        return self.rows + 2, self.columns + 2

    def draw(self, rng: np.random.Generator, count: int) -> Worlds:
        """So many random worlds."""
        row, column = rng.integers(self.rows, size=count), rng.integers(self.columns, size=count)
        directions = rng.integers(4, size=count)
        hero = row * self.columns + column
        inside = rng.random((count, self.rows * self.columns)) < self.walls
        inside[np.arange(count), hero] = False
        chance = rng.random(inside.shape)
        if self.marked is None:
            marked = (chance < self.markers) & ~inside
            marked[np.arange(count), hero] = False
        else:
            marked = np.zeros(inside.shape, dtype=bool)
            chosen = np.argpartition(chance, max(self.marked - 1, 0), axis=1)[:, : self.marked]
            np.put_along_axis(marked, chosen, True, axis=1)
        walls = np.ones((count, *self.size), dtype=bool)
        walls[:, 1:-1, 1:-1] = inside.reshape(count, self.rows, self.columns)
        markers = np.zeros((count, *self.size), dtype=np.int8)
        markers[:, 1:-1, 1:-1] = marked.reshape(count, self.rows, self.columns)
        return Worlds(walls, markers, (row + 1) * self.size[1] + column + 1, directions)
