"""A method is a frozen dataclass: its fields are its parameters, and everything else follows from them."""

from __future__ import annotations

import dataclasses
import json
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

import numpy as np

from explicate.core import registry
from explicate.errors import InputError
from explicate.runtime.fingerprint import canonical_json, digest

LARGEST_STORED = 100_000  # numbers of an array parameter kept in provenance; larger ones are kept by their hash only


@dataclasses.dataclass(frozen=True)
class Parameterised:
    """Base of methods, of metrics, and of the parts they are put together from.

    `parameters()` is JSON-able and `from_parameters` undoes it, so the cache key, the provenance, the command line and
    a rerun all come from the dataclass's fields.
    """

    name: ClassVar[str] = ""

    def parameters(self) -> dict[str, Any]:
        """The fields as JSON-able values; a part becomes {"name": ..., its own fields}."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def key(self) -> str:
        """A hash of name and parameters."""
        return digest(self.name, canonical_json(self.parameters()))

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> Self:
        """Build from `parameters()`, or from what a user typed: parts by name, numbers as text."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for given in parameters:
            if given not in fields:
                raise registry.unknown(given, sorted(fields), f"parameter of {cls.name or cls.__name__}")
        hints = _hints(cls)
        built = {name: _built(value, fields[name], hints[name]) for name, value in parameters.items()}
        for name, value in built.items():
            _check(name, value, hints[name])
        return cls(**built)

    def check_fields(self) -> None:
        """Refuse numbers and parts that are none; a dataclass takes whatever it is given."""
        for name, hint in _hints(type(self)).items():
            if name in self.__dataclass_fields__:
                _check(name, getattr(self, name), hint)


def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _plain(value: Any) -> Any:
    if isinstance(value, Parameterised):
        return {"name": value.name, **value.parameters()}
    if isinstance(value, np.ndarray):
        if value.size > LARGEST_STORED:
            return {"array_hash": digest(value)}
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if callable(value):
        return {"callable": f"{getattr(value, '__module__', '?')}:{getattr(value, '__qualname__', repr(value))}"}
    raise InputError(f"a parameter of type {type(value).__name__} cannot be written down; use numbers, text or arrays")


def _built(value: Any, field: dataclasses.Field[Any], hint: Any) -> Any:
    if isinstance(value, str) and not _takes_text(hint):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            if _takes_part(hint):
                value = {"name": value}
    if isinstance(value, dict):
        if "array" in value:
            return np.array(value["array"], dtype=value.get("dtype"))
        if "array_hash" in value:
            raise InputError(f"{field.name}: the array was too large to be stored; give it again")
        if "callable" in value:
            raise InputError(f"{field.name}: the function {value['callable']} is not stored; give it again")
        if "name" in value:
            family: registry.Family = "parts"
            if value["name"] not in registry.names("parts") and value["name"] in registry.names("methods"):
                family = "methods"  # a method that another one asks
            part = registry.find(value["name"], family)
            return part.from_parameters({key: item for key, item in value.items() if key != "name"})
    if isinstance(value, list):
        return tuple(_built(item, field, hint) if isinstance(item, dict) else item for item in value)
    return value


def _takes_text(hint: Any) -> bool:
    """Whether a field may hold text as it is: str, or one of some words."""
    if get_origin(hint) is Literal:
        return any(isinstance(word, str) for word in get_args(hint))
    return hint is str or any(_takes_text(part) for part in get_args(hint) if get_origin(hint) in (Union, UnionType))


def _check(name: str, value: Any, hint: Any) -> None:
    """Compare a value with its field's type, as far as that is made of numbers, truth values, parts and None."""
    kinds = _alternatives(hint)
    if not all(kind in _WANTED or kind is NoneType or _is_part(kind) for kind in kinds):
        return
    if not any(_fits(value, kind) for kind in kinds):
        kind = next(kind for kind in kinds if kind is not NoneType)
        wanted = _WANTED.get(kind) or f"{kind.__name__.lower()}; give one, or a part's name"
        raise InputError(f"{name}: {value!r} is no {wanted}")


_WANTED = {int: "whole number", float: "number", bool: "truth value; write true or false"}


def _fits(value: Any, kind: Any) -> bool:
    if kind is bool or isinstance(value, bool | np.bool_):
        return kind is bool and isinstance(value, bool | np.bool_)
    return isinstance(value, {int: Integral, float: Real}.get(kind, kind))


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Parameterised)


def _takes_part(hint: Any) -> bool:
    return any(kind is Any or _is_part(kind) for kind in _alternatives(hint))
