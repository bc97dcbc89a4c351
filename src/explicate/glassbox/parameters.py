"""Checks of the parameters that estimators have in common, and their plain form for provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from explicate.core.features import Feature
from explicate.errors import InputError


def check_whole(**values: Any) -> None:
    """Refuse what is no whole number of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"{name} is {value!r}; give a whole number of at least 1")


def check_share(**values: Any) -> None:
    """Refuse what is no number from 0 to below 1."""
    for name, value in values.items():
        if not _is_number(value) or not 0 <= value < 1:
            raise InputError(f"{name} is {value!r}; give a share from 0 to below 1")


def check_positive(**values: Any) -> None:
    """Refuse what is no number above 0."""
    for name, value in values.items():
        if not _is_number(value) or not 0 < value < np.inf:
            raise InputError(f"{name} is {value!r}; give a number above 0")


def check_weight(**values: Any) -> None:
    """Refuse what is no number of at least 0."""
    for name, value in values.items():
        if not _is_number(value) or not 0 <= value < np.inf:
            raise InputError(f"{name} is {value!r}; give a number of at least 0")


def check_choice(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuse what is none of the known words."""
    if value not in known:
        raise InputError(f"{name} is {value!r}; use {' or '.join(map(repr, known))}")


def check_numbers(**values: Any) -> None:
    """Refuse what is no list of whole numbers of at least 1."""
    for name, value in values.items():
        if isinstance(value, str) or not hasattr(value, "__len__") or not len(value):
            raise InputError(f"{name} is {value!r}; give at least one whole number, such as (64, 32) or (3,)")
        check_whole(**{f"{name}[{place}]": number for place, number in enumerate(value)})


def plain(value: Any) -> Any:
    """A parameter as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Feature):
        return {"name": value.name, "kind": value.kind}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
