"""Chat models of the zoo that reproductions ask, each loaded once by a process."""

from __future__ import annotations

from functools import cache

from explicate.models import zoo
from explicate.models.chat import LocalChat
from explicate.models.language import LanguageModel


@cache
def zoo_chat(name: str = "smollm2-135m", template: str | None = None) -> LocalChat:
    """A language model of the zoo as a chat model; `template` as in `LocalChat`.

    Raises
    ------
    MissingDependencyError : its package is not installed.
    """
    return LocalChat(_loaded(name), template=template)


@cache
def _loaded(name: str) -> LanguageModel:
    return zoo.load(name)
