"""The models that ship as packages, by name. `explicate.models.zoo.load("efficientnet-lite0")`."""

from __future__ import annotations

from typing import Any

from explicate.core import registry


def load(name: str, /, **options: Any) -> Any:
    """A handle on the zoo's model `name`; an `UnknownNameError` lists the names."""
    return registry.find(name, "models")(**options)


def names() -> list[str]:
    """All names of the zoo."""
    return registry.names("models")
