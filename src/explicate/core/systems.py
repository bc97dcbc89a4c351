"""The systems that explicate contains, read from `systems.toml`: what each is, where it comes from and lives.

The front page, `explicate systems` and the web catalogue are all drawn from this one list.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from explicate.errors import UnknownNameError

Topic = Literal[
    "attribution",
    "concepts",
    "mechanisms",
    "counterfactuals",
    "rationales",
    "glassbox",
    "training",
    "benchmarks",
]
State = Literal["built", "not yet"]

TOPICS: tuple[Topic, ...] = get_args(Topic)
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class System:
    """One published system.

    Attributes
    ----------
    name : what commands and reproductions call it, for example "smooth-gradcampp".
    title : its short name, a dash, and what it does in one line.
    year : when it was first published.
    family : the paper's family, one of `TOPICS`; the parts may live in other families' modules.
    module : dotted name of the module where its main part lives, or will live.
    source : the paper's title, the venue where there is one, and its arXiv number.
    state : "built" or "not yet".
    """

    name: str
    title: str
    year: int
    family: Topic
    module: str
    source: str
    state: State = "not yet"

    @property
    def short_name(self) -> str:
        """The title's part before the dash, for example "LFA"."""
        return self.title.split(" — ")[0]

    @property
    def summary(self) -> str:
        """The title's part after the dash: what the system does."""
        return self.title.split(" — ", 1)[-1]


@cache
def systems() -> tuple[System, ...]:
    """All systems, in the order of the catalogue."""
    content = tomllib.loads(files("explicate").joinpath("systems.toml").read_text(encoding="utf-8"))
    return tuple(System(**entry) for entry in content["system"])


def system(name: str) -> System:
    """The system called `name`, or by its short name in whatever case; an `UnknownNameError` names the nearest."""
    known = {key.lower(): each for each in systems() for key in (each.short_name, each.name)}
    if name.lower() not in known:
        near = sorted({known[key].name for key in get_close_matches(name.lower(), known, n=3)})
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise UnknownNameError(f"no system named {name!r}; {hint}`explicate systems` lists all {len(systems())}")
    return known[name.lower()]
