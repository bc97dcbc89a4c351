"""Variables read and set inside the network itself: each is what one head or MLP chose at each position.

The same can be done to the program (`Program.trace(..., given=...)`); both then say the same, which is how an edit of a
program is checked to be an edit of its model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import torch

    from explicate.glassbox.transformer_programs.program import Program

PARTS = {"heads": "head", "counters": "count", "mlps": "mlp", "number_mlps": "number_mlp"}
"""Parts of a block, and what their variables' names begin with."""
NUMBERS = "counters"

Given = Mapping[str, Any]


def checked(program: Program, given: Given | None, shape: tuple[int, ...]) -> dict[str, Array]:
    """The values to set, as arrays (sample, position).

    Parameters
    ----------
    given : variable of a step -> codes (numbers for one that counts), or one for all.

    Raises
    ------
    UnknownNameError : no step writes the variable. InputError : a value that it cannot have, or another shape.
    """
    found = {}
    steps = {step.name for step in program.steps}
    for name, values in (given or {}).items():
        if name not in steps:
            raise UnknownNameError(f"no step {name!r} to set; there are {', '.join(sorted(steps))}")
        own = program.variables[name]
        try:
            array = np.broadcast_to(np.asarray(values, dtype=np.int64), shape)
        except ValueError as error:
            raise InputError(f"the values for {name!r} do not have the shape {shape} (sample, position)") from error
        if array.size and not 0 <= array.min() <= array.max() < own.size:
            raise InputError(
                f"the values for {name!r} go from {array.min()} to {array.max()}; it has 0 to {own.size - 1}"
            )
        found[name] = array
    return found


@contextmanager
def network_set(module: Any, given: Mapping[str, Array]) -> Iterator[None]:
    """Within the block, the network's variables have these values; undone on exit."""
    handles = [
        part.register_forward_hook(_setter(kind, prefix, layer, given))
        for layer, kind, prefix, part in _parts(module)
        if any(name.startswith(f"{prefix}_{layer}_") for name in given)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def network_read(module: Any) -> Iterator[dict[str, Array]]:
    """Within the block, the variables of each forward pass are put into the dict: (sample, position) codes, numbers."""
    found: dict[str, Array] = {}

    def reader(kind: str, prefix: str, layer: int) -> Any:
        def read(_: Any, __: Any, output: torch.Tensor) -> None:
            for number, one in enumerate(output):
                values = one.round() if kind == NUMBERS else one.argmax(0)
                found[f"{prefix}_{layer}_{number}"] = values.t().long().numpy()

        return read

    handles = [part.register_forward_hook(reader(kind, prefix, layer)) for layer, kind, prefix, part in _parts(module)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _parts(module: Any) -> Iterator[tuple[int, str, str, Any]]:
    for layer, block in enumerate(module.blocks):
        for kind, prefix in PARTS.items():
            if getattr(block, kind) is not None:
                yield layer, kind, prefix, getattr(block, kind)


def _setter(kind: str, prefix: str, layer: int, given: Mapping[str, Array]) -> Any:
    def change(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        import torch

        output = output.clone()
        for number in range(len(output)):
            values = given.get(f"{prefix}_{layer}_{number}")
            if values is None:
                continue
            codes = torch.as_tensor(values.copy()).t()  # (position, sample)
            if kind == NUMBERS:
                output[number] = codes.to(output.dtype)
            else:
                output[number] = torch.nn.functional.one_hot(codes, output.shape[1]).permute(2, 0, 1).to(output.dtype)
        return output

    return change
