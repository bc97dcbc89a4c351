"""Methods, metrics, models, data sets: found by name, open to other packages through entry points.

Another package adds to a family by declaring an entry point in the group `explicate.<family>`:

    [project.entry-points."explicate.methods"]
    my-method = "my_package.my_module:MyMethod"
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Literal, TypeVar

from explicate.errors import UnknownNameError

Family = Literal["methods", "parts", "metrics", "models", "data", "glassboxes", "kinds", "pictures", "fragments"]
Thing = TypeVar("Thing")

_BUILT_IN: dict[str, tuple[str, ...]] = {
    "methods": ("explicate.attribution", "explicate.counterfactuals", "explicate.rationales"),
    "parts": (
        "explicate.attribution",
        "explicate.rationales",
    ),  # what methods are put together from: missingness, neighbourhoods, losses
    "metrics": ("explicate.evaluation",),
    "models": ("explicate.models.zoo",),
    "data": ("explicate.data",),
    "glassboxes": ("explicate.glassbox",),  # models that are readable by design, by the name in their explanations
    "kinds": (
        "explicate.mechanisms.succession.scores",
        "explicate.attribution.textgenshap.result",
        "explicate.glassbox.kinds",
        "explicate.glassbox.explanatory.explanation",
    ),  # kinds of explanation that are not in the core
    "pictures": ("explicate.report",),  # by kind of explanation: explanation -> matplotlib axes
    "fragments": ("explicate.report",),  # by kind of explanation: explanation -> HTML
}
_found: dict[str, dict[str, Any]] = {family: {} for family in _BUILT_IN}
_complete: set[str] = set()


def register(name: str, family: Family = "methods") -> Callable[[Thing], Thing]:
    """Decorator: make a class or function known under `name`; the class learns it as its attribute `name`."""

    def known(thing: Thing) -> Thing:
        before = _found[family].get(name)
        if before is not None and _place(before) != _place(thing):
            raise ValueError(f"{family}: {name!r} is taken by {_place(before)}; choose another name")
        _found[family][name] = thing
        if isinstance(thing, type):
            thing.name = name  # type: ignore[attr-defined]
        return thing

    return known


def names(family: Family) -> list[str]:
    """All names of a family, sorted."""
    _complete_family(family)
    return sorted(_found[family])


def find(name: str, family: Family = "methods") -> Any:
    """What is known under `name`; an `UnknownNameError` lists what there is and the nearest name."""
    if name not in _found[family]:
        _complete_family(family)
    if name not in _found[family]:
        raise unknown(name, sorted(_found[family]), family)
    return _found[family][name]


def unknown(name: str, known: list[str], what: str) -> UnknownNameError:
    """The error for a name that is not among `known`."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownNameError(f"no {what} named {name!r}; {hint}there are: {', '.join(known) or 'none'}")


def _complete_family(family: str) -> None:
    if family in _complete:
        return
    for name in _BUILT_IN[family]:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}."):
            importlib.import_module(module.name)  # so a new method is one new file, with no list to add it to
    for entry in entry_points(group=f"explicate.{family}"):
        if entry.name not in _found[family]:
            register(entry.name, family)(entry.load())  # type: ignore[arg-type]
    _complete.add(family)


def _place(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', thing)}"
