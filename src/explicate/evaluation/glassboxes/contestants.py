"""Who takes part in a comparison of glass boxes. Nothing is listed here: readable models come from the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from explicate.core import registry
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.models.black_boxes import BLACK_BOXES
from explicate.runtime.seeds import derive_seed

Kind = Literal["readable", "black box", "control"]
CONTROL = "majority"  # knows nothing but which class is the larger


@dataclass(frozen=True)
class Contestant:
    """A kind of model: its name, and whether it is read, is held against, or is the control that knows nothing."""

    name: str
    kind: Kind

    def build(self, table: Table, seed: int) -> Any:
        """An unfitted estimator for the rows of `table`; all of its randomness comes from the seed."""
        short = derive_seed(seed) % 2**32
        if self.kind == "control":
            from sklearn.dummy import DummyClassifier

            return DummyClassifier(strategy="prior")
        if self.kind == "black box":
            return BLACK_BOXES[self.name](table.features, short)
        model = registry.find(self.name, "glassboxes").for_table(len(table), table.classes)
        if model is None:
            raise InputError(f"{self.name} is nothing for a table of {table.classes} classes")
        seeded = {"random_state", "seed"} & set(model.get_params())
        return model.set_params(**dict.fromkeys(seeded, short))


def contestants(rows: int, classes: int, names: Sequence[str] | None = None) -> list[Contestant]:
    """Readable models first, then black boxes, then the control.

    Parameters
    ----------
    names : of readable models and black boxes; by default every glass box in the registry that says it is for a table
        of so many rows and classes (`GlassBox.for_table`), and all black boxes.

    Raises
    ------
    UnknownNameError : lists the names. InputError : no black box among them, which leaves nothing to hold against.
    """
    readable = [name for name in registry.names("glassboxes") if _takes(name, rows, classes)]
    known = [*readable, *BLACK_BOXES]
    for name in names or ():
        if name not in known:
            raise registry.unknown(name, known, f"model for a table of {classes} classes")
    chosen = [name for name in known if names is None or name in names]
    if not any(name in BLACK_BOXES for name in chosen) or not any(name in readable for name in chosen):
        raise InputError(
            f"a comparison needs a readable model ({', '.join(readable)}) and a black box ({', '.join(BLACK_BOXES)})"
        )
    found = [Contestant(name, "black box" if name in BLACK_BOXES else "readable") for name in chosen]
    return [*found, Contestant(CONTROL, "control")]


def _takes(name: str, rows: int, classes: int) -> bool:
    return registry.find(name, "glassboxes").for_table(rows, classes) is not None
