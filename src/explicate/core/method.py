"""A method is a frozen dataclass: its fields are its parameters, and everything else follows from them."""

from __future__ import annotations

import dataclasses
import json
from types import UnionType
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
        hints = get_type_hints(cls)
        return cls(**{name: _built(value, fields[name], hints[name]) for name, value in parameters.items()})


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
            value = {"name": value}
    if isinstance(value, dict):
        if "array" in value:
            return np.array(value["array"], dtype=value.get("dtype"))
        if "array_hash" in value:
            raise InputError(f"{field.name}: the array was too large to be stored; give it again")
        if "callable" in value:
            raise InputError(f"{field.name}: the function {value['callable']} is not stored; give it again")
        if "name" in value:
            part = registry.find(value["name"], "parts")
            return part.from_parameters({key: item for key, item in value.items() if key != "name"})
    if isinstance(value, list):
        return tuple(_built(item, field, hint) if isinstance(item, dict) else item for item in value)
    return value


def _takes_text(hint: Any) -> bool:
    """Whether a field may hold text as it is: str, or one of some words."""
    if get_origin(hint) is Literal:
        return any(isinstance(word, str) for word in get_args(hint))
    return hint is str or any(_takes_text(part) for part in get_args(hint) if get_origin(hint) in (Union, UnionType))
