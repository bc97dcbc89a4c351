"""Networks of readable units, trained in three phases, many at once.

Source: Martius and Lampert (2016), "Extrapolation and learning equations", arXiv 1610.02995; the division is that of
Sahoo, Lampert, Martius (2018), "Learning Equations for Extrapolation and Control", arXiv 1806.07259.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.glassbox.equation.formula import EXP_GUARD, LOG_GUARD, Formula
from explicate.models.tiny.training import descend
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

KNOWN_UNITS = ("identity", "sin", "cos", "square", "exp", "log")
SMALLEST = 0.01  # weights below it are 0 for good after the second phase
FIRST, SECOND = 0.25, 0.95  # shares of the epochs at which the penalty begins and ends


@dataclass(frozen=True)
class Design:
    """Form and training of a network; see `EquationRegressor`."""

    layers: tuple[int, ...]
    each: int
    products: int
    units: tuple[str, ...]
    division: bool
    penalties: tuple[float, ...]
    restarts: int
    epochs: int
    learning_rate: float
    batch: int
    seed: int

    @property
    def width(self) -> int:
        """Units of a hidden layer."""
        return self.each * len(self.units) + self.products

    @property
    def candidates(self) -> int:
        """Networks that are trained at once: each penalty with each restart."""
        return len(self.penalties) * self.restarts


@dataclass(frozen=True, eq=False)
class Candidate:
    """One trained network.

    Attributes
    ----------
    restart, penalty : which. layers : (weights (input, output), biases (output,)) of each, float64.
    least : what a divisor must exceed. error : root mean square on the validation rows.
    """

    restart: int
    penalty: float
    layers: tuple[tuple[Array, Array], ...]
    least: float
    error: float

    def formula(self, design: Design, symbols: tuple[str, ...], factor: float = 1.0) -> Formula:
        """What it computes, without the units that nothing depends on, times a factor."""
        needed = self._needed(design)
        steps: list[str] = []
        names: list[str] = list(symbols)
        for layer, (weights, biases) in enumerate(self.layers[:-1]):
            before, names = names, []
            place = 0
            for number in range(design.width):
                sides = 1 if number < design.each * len(design.units) else 2
                inner = [_linear(weights[:, place + side], biases[place + side], before) for side in range(sides)]
                place += sides
                name = f"h{layer * design.width + number + 1}"
                names.append(name)
                if needed[layer][number]:
                    unit = "product" if sides == 2 else design.units[number // design.each]
                    steps.append(f"{name} = {_applied(unit, inner)}")
        weights, biases = self.layers[-1]
        last = [_linear(weights[:, each], biases[each], names) for each in range(weights.shape[1])]
        scaled = "" if factor == 1.0 else f"{factor!r} * "
        if design.division:
            steps.append(f"y = {scaled}divide({last[0]}, {last[1]}, {self.least!r})")
        else:
            steps.append(f"y = {scaled}({last[0]})")
        return Formula(tuple(steps), symbols)

    def active(self, design: Design) -> int:
        """Units that the output depends on, and that depend on an input."""
        return sum(int(each.sum()) for each in self._needed(design))

    def _needed(self, design: Design) -> list[Array]:
        """For each hidden layer, the units that the output depends on (unit,)."""
        found: list[Array] = []
        wanted = np.any(self.layers[-1][0] != 0, axis=1)
        for weights, _ in reversed(self.layers[:-1]):
            found.append(wanted)
            singles = design.each * len(design.units)
            columns = np.concatenate([wanted[:singles], np.repeat(wanted[singles:], 2)])
            wanted = np.any(weights[:, columns] != 0, axis=1)
        return found[::-1]


def trained(columns: Array, values: Array, validation: Array, design: Design, layers: int) -> list[Candidate]:
    """Train every penalty with every restart, with so many layers; each is measured on the validation rows.

    Parameters
    ----------
    columns : (row, column). values : (row,). validation : (row,) bool.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(design.seed, "weights", layers))
        net = _Stack(columns.shape[1], design, layers)
        x = torch.as_tensor(columns[~validation], dtype=torch.float32)
        y = torch.as_tensor(values[~validation], dtype=torch.float32)
        adam = torch.optim.Adam(net.parameters(), design.learning_rate, fused=True)
        penalties = torch.tensor(design.penalties).repeat_interleave(design.restarts)
        phase = {"epoch": 0}

        def loss(rows: torch.Tensor) -> torch.Tensor:
            least = (phase["epoch"] + 1) ** -0.5
            found, short = net(x[rows], least)
            total = (found - y[rows]).square().mean(dim=1) + short
            if FIRST * design.epochs <= phase["epoch"] < SECOND * design.epochs:
                total = total + penalties * net.sizes()
            return total.sum()

        def after_step() -> None:
            if net.masks is not None:
                net.clamp()

        def after_epoch(epoch: int) -> None:
            phase["epoch"] = epoch + 1
            if net.masks is None and phase["epoch"] >= SECOND * design.epochs:
                net.freeze_small()

        descend(
            adam,
            loss,
            len(x),
            epochs=design.epochs,
            batch=design.batch,
            rng=generator(design.seed, "order", layers),
            name="an equation learner",
            after_step=after_step,
            after_epoch=after_epoch,
        )
        least = float(design.epochs**-0.5)
        with torch.no_grad():
            checked, _ = net(torch.as_tensor(columns[validation], dtype=torch.float32), least)
            errors = (checked.double() - torch.as_tensor(values[validation])).square().mean(dim=1).sqrt()
        return [
            Candidate(
                place % design.restarts,
                float(penalties[place]),
                tuple((_array(w[place]), _array(b[place, 0])) for w, b in net.layers),
                least,
                float(errors[place]),
            )
            for place in range(design.candidates)
        ]


def outputs(candidate: Candidate, columns: Array, design: Design) -> Array:
    """(row,) what the network itself gives, in the precision that it was trained in."""
    import torch

    net = _Stack(columns.shape[1], design, len(candidate.layers), candidate)
    with torch.no_grad():
        found, _ = net(torch.as_tensor(columns, dtype=torch.float32), candidate.least)
    return np.asarray(found[0].double().numpy())


def chosen(candidates: list[Candidate], design: Design, choice: str = "ranks") -> Candidate:
    """The candidate of the best ranks in validation error and in number of active units together.

    Source: Martius and Lampert (2016), section 3: the sum of the squared ranks, here each from 0 to 1.

    Parameters
    ----------
    choice : "ranks", or "error" for the smallest validation error alone.
    """
    if choice == "error":
        return min(candidates, key=lambda each: each.error)
    errors = np.array([each.error for each in candidates])
    sizes = np.array([each.active(design) for each in candidates], dtype=float)
    levels = [np.unique(values, return_inverse=True) for values in (errors, sizes)]
    ranks = [places / max(1, len(distinct) - 1) for distinct, places in levels]
    return candidates[int(np.argmin(ranks[0] ** 2 + ranks[1] ** 2))]


class _Stack:
    """All networks at once: weights (network, input, output)."""

    def __init__(self, inputs: int, design: Design, layers: int, candidate: Candidate | None = None) -> None:
        import torch

        self.design = design
        self.masks: list[Any] | None = None
        before = inputs
        self.layers: list[tuple[Any, Any]] = []
        hidden = design.each * len(design.units) + 2 * design.products
        for layer in range(layers):
            after = hidden if layer < layers - 1 else 1 + design.division
            if candidate is None:
                weights = torch.randn(1, design.restarts, before, after) * before**-0.5
                wide = weights.expand(len(design.penalties), -1, -1, -1).reshape(-1, before, after)
                pair = (wide.clone(), torch.zeros(design.candidates, 1, after))
            else:
                numbers, biases = candidate.layers[layer]
                pair = (torch.as_tensor(numbers)[None].float(), torch.as_tensor(biases)[None, None].float())
            self.layers.append((torch.nn.Parameter(pair[0]), torch.nn.Parameter(pair[1])))
            before = design.width
        if candidate is None and design.division:
            with torch.no_grad():
                self.layers[-1][1][..., 1] = 1.0  # divisors begin above the guard

    def parameters(self) -> list[Any]:
        """Weights and biases."""
        return [each for layer in self.layers for each in layer]

    def __call__(self, x: Any, least: float) -> tuple[Any, Any]:
        """(network, row) outputs, and by how much the divisors fall short on average (network,)."""
        import torch

        state = x.expand(len(self.layers[0][0]), -1, -1)
        for weights, biases in self.layers[:-1]:
            state = self._units(torch.baddbmm(biases, state, weights))
        found = torch.baddbmm(self.layers[-1][1], state, self.layers[-1][0])
        if not self.design.division:
            return found[..., 0], torch.zeros(len(found))
        above, below = found[..., 0], found[..., 1]
        good = below > least
        ratio = torch.where(good, above / torch.where(good, below, torch.ones_like(below)), torch.zeros_like(above))
        return ratio, (least - below).relu().mean(dim=1)

    def _units(self, z: Any) -> Any:
        import torch

        each, found = self.design.each, []
        for place, unit in enumerate(self.design.units):
            part = z[..., place * each : (place + 1) * each]
            if unit == "sin":
                part = part.sin()
            elif unit == "cos":
                part = part.cos()
            elif unit == "square":
                part = part.square()
            elif unit == "exp":
                part = part.clamp(max=EXP_GUARD).exp()
            elif unit == "log":
                part = part.clamp(min=LOG_GUARD).log()
            found.append(part)
        pairs = z[..., each * len(self.design.units) :]
        return torch.cat([*found, pairs[..., 0::2] * pairs[..., 1::2]], dim=-1)

    def sizes(self) -> Any:
        """Sum of the absolute weights (network,)."""
        import torch

        return torch.stack([weights.abs().sum(dim=(1, 2)) for weights, _ in self.layers]).sum(dim=0)

    def freeze_small(self) -> None:
        """Set small weights to 0 and keep them there."""
        self.masks = [(weights.detach().abs() >= SMALLEST).float() for weights, _ in self.layers]
        self.clamp()

    def clamp(self) -> None:
        """Keep at 0 what was set to 0."""
        import torch

        with torch.no_grad():
            for (weights, _), mask in zip(self.layers, self.masks or [], strict=True):
                weights.mul_(mask)


def _linear(weights: Array, bias: float, names: list[str]) -> str:
    parts = [f"{float(weight)!r} * {name}" for weight, name in zip(weights, names, strict=True) if weight != 0]
    return " + ".join([*parts, repr(float(bias))] if bias != 0 or not parts else parts)


def _applied(unit: str, inner: list[str]) -> str:
    if unit == "product":
        return f"({inner[0]}) * ({inner[1]})"
    if unit == "identity":
        return inner[0]
    return f"({inner[0]}) ** 2" if unit == "square" else f"{unit}({inner[0]})"


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().double().numpy())
