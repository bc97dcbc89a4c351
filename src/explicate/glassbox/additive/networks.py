"""Small networks of one column each, all of an ensemble at once, and their training.

Source: Agarwal, Melnick, Frosst, Zhang, Lengerich, Caruana, Hinton (2021), "Neural Additive Models: Interpretable
Machine Learning with Neural Nets", section 3 and appendix.

A column's network sees nothing but that column, so where a column has few distinct values it is run once for each of
them and not once for each row; rows of one value then share the units that are dropped out.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.models.tiny.training import descend
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

FEW = 0.5  # a column with at most this share of a step's rows as distinct values is run value by value
EXU_MEAN, EXU_DEVIATION, EXU_CENTRES = 4.0, 0.5, 0.5


@dataclass(frozen=True, eq=False)
class Coded:
    """The columns of a table as the networks take them.

    Attributes
    ----------
    numbers : (row, column) float32, numeric columns scaled to [-1, 1]; 0 where there is no number.
    codes : (row, column) int64: the category; in numeric columns -1, or 0 where the cell is missing.
    counts : categories of each column; 0 for a numeric column, 1 for one that has gaps.
    numeric : which columns are numeric.
    """

    numbers: Array
    codes: Array
    counts: tuple[int, ...]
    numeric: tuple[bool, ...]

    def rows(self, chosen: Array) -> Coded:
        """Some of the rows."""
        return Coded(self.numbers[chosen], self.codes[chosen], self.counts, self.numeric)


@dataclass(frozen=True)
class Training:
    """How an ensemble is trained; see `NeuralAdditive` for the meaning of each."""

    hidden: tuple[int, ...]
    exu: bool
    members: int
    learning_rate: float
    decay: float
    weight_decay: float
    output_penalty: float
    dropout: float
    feature_dropout: float
    batch: int
    epochs: int
    patience: int
    seed: int


@dataclass(frozen=True, eq=False)
class Term:
    """What one term of the sum depends on, with its trained networks as numpy arrays in float64, one set a member.

    Attributes
    ----------
    columns : one column, or the two of a pair.
    first : for each column (weight (member, unit), centre or bias (member, unit), category weights (member, category,
        unit)); the bias is added once.
    deeper : (weights (member, unit, next), biases (member, next)) of the layers above.
    last : (member, unit, output).
    exu : whether the first layer is one of ExU units.
    """

    columns: tuple[int, ...]
    first: tuple[tuple[Array, Array, Array], ...]
    deeper: tuple[tuple[Array, Array], ...]
    last: Array
    exu: bool


def trained(
    data: Coded,
    targets: Array,
    held_out: Array,
    pairs: tuple[tuple[int, int], ...],
    training: Training,
    outputs: int,
    classification: bool,
) -> tuple[list[Term], Array, Array]:
    """Train an ensemble; each member ends with its best epoch on the held-out rows.

    Parameters
    ----------
    targets : (row,) class codes (a single output: 0 and 1), or (row,) standardised values.
    held_out : (row,) bool; where there are none, the training rows take their place.

    Returns
    -------
    The terms (columns, then pairs), the intercepts (member, output), and each member's number of epochs (member,).
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(training.seed, "weights"))
        learning = np.flatnonzero(~held_out)
        checking = np.flatnonzero(held_out) if held_out.any() else learning
        model = _Sum(data, pairs, training, outputs, len(learning))
        start = model.batch(data.rows(learning))
        check = model.batch(data.rows(checking))
        objective = _objective(classification, outputs)
        y = torch.as_tensor(targets)
        y_start, y_check = y[learning], y[checking]
        adam = torch.optim.Adam(model.parameters(), training.learning_rate, weight_decay=training.weight_decay)
        best = [torch.full((training.members,), float("inf")), torch.zeros(training.members, dtype=torch.int64)]
        kept = [parameter.detach().clone() for parameter in model.parameters()]

        def loss(rows: torch.Tensor) -> torch.Tensor:
            terms = model.terms(start.rows(rows))
            penalty = training.output_penalty * terms.square().mean(dim=(1, 2, 3))
            return (objective(model.total(terms), y_start[rows]) + penalty).sum()

        def after_epoch(epoch: int) -> bool:
            for group in adam.param_groups:
                group["lr"] *= training.decay
            model.eval()
            with torch.no_grad():
                found = objective(model.total(model.terms(check)), y_check)
                better = found < best[0]
                best[0] = torch.where(better, found, best[0])
                best[1] = torch.where(better, epoch + 1, best[1])
                for keep, parameter in zip(kept, model.parameters(), strict=True):
                    keep[better] = parameter[better]
            model.train()
            return bool((epoch + 1 - best[1] >= training.patience).all())

        model.train()
        descend(
            adam,
            loss,
            len(learning),
            epochs=training.epochs,
            batch=training.batch,
            rng=generator(training.seed, "order"),
            name="a neural additive model",
            after_epoch=after_epoch,
        )
        with torch.no_grad():
            for keep, parameter in zip(kept, model.parameters(), strict=True):
                parameter.copy_(keep)
        return model.extracted(), model.intercept.detach().double().numpy(), best[1].numpy()


def _objective(classification: bool, outputs: int) -> Any:
    """(member, row, output) and (row,) -> the mean loss of each member (member,)."""
    import torch.nn.functional as F

    def each(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        members, rows = scores.shape[:2]
        if classification and outputs > 1:
            wide = F.cross_entropy(scores.reshape(-1, outputs), targets.long().repeat(members), reduction="none")
        else:
            compare = F.binary_cross_entropy_with_logits if classification else F.mse_loss
            wide = compare(scores[..., 0], targets.to(scores).expand(members, rows), reduction="none")
        return wide.reshape(members, rows).mean(dim=1)

    return each


@dataclass(frozen=True, eq=False)
class _Batch:
    """Rows in tensors: scaled numbers and categories (column, row), and the place of each cell among the values of its
    column (column, row) for those that are run value by value."""

    numbers: Any
    codes: Any
    places: Any

    def rows(self, chosen: Any) -> _Batch:
        return _Batch(self.numbers[:, chosen], self.codes[:, chosen], self.places[:, chosen])


class _Sum:
    """The sum of all terms: columns of few values, columns of many, pairs."""

    def __init__(
        self, data: Coded, pairs: tuple[tuple[int, int], ...], training: Training, outputs: int, rows: int
    ) -> None:
        import torch

        self.dropout, self.feature_dropout = training.dropout, training.feature_dropout
        self.training = True
        members = training.members
        self.intercept = torch.nn.Parameter(torch.zeros(members, outputs))
        self.values = [_distinct(data, column) for column in range(len(data.counts))]
        few = [j for j, values in enumerate(self.values) if len(values) <= min(rows, training.batch) * FEW]
        many = [j for j in range(len(data.counts)) if j not in set(few)]
        self.few, self.many, self.pairs = few, many, list(pairs)
        self.order = np.argsort([*few, *many])
        columns = [(j,) for j in few], [(j,) for j in many], list(pairs)
        self.stacks = [_Stack(each, data, training, outputs) if each else None for each in columns]
        self.table = _table(self.values, few)

    def parameters(self) -> list[Any]:
        """All parameters; the first dimension of each is the member's."""
        return [self.intercept, *(p for stack in self.stacks if stack is not None for p in stack.parameters())]

    def train(self) -> None:
        """Drop units and terms out."""
        self.training = True

    def eval(self) -> None:
        """Keep everything."""
        self.training = False

    def batch(self, data: Coded) -> _Batch:
        """Rows as tensors."""
        import torch

        places = np.zeros((len(self.few), len(data.numbers)), dtype=np.int64)
        for row, j in enumerate(self.few):
            cells = _cells(data.numbers[:, j], data.codes[:, j])
            places[row] = np.minimum(np.searchsorted(self.values[j], cells), len(self.values[j]) - 1)
        return _Batch(
            torch.from_numpy(np.ascontiguousarray(data.numbers.T)),
            torch.from_numpy(np.ascontiguousarray(data.codes.T)),
            torch.from_numpy(places),
        )

    def terms(self, batch: _Batch) -> Any:
        """(member, term, row, output): columns in their order, then pairs."""
        import torch

        found = []
        drop = self.dropout if self.training else 0.0
        few, many, pairs = self.stacks
        if few is not None:
            each = few([self.table], drop)
            places = batch.places[None, :, :, None].expand(len(each), -1, -1, each.shape[-1])
            found.append(each.gather(2, places))
        if many is not None:
            found.append(many([(batch.numbers[self.many], batch.codes[self.many])], drop))
        together: Any = torch.cat(found, dim=1)[:, self.order]
        if pairs is not None:
            sides = [[pair[side] for pair in self.pairs] for side in (0, 1)]
            cells = [(batch.numbers[side], batch.codes[side]) for side in sides]
            there = torch.stack([pairs.there(side, codes) for side, (_, codes) in enumerate(cells)]).all(dim=0)
            of_pairs = pairs(cells, drop) * there[None, :, :, None]
            together = torch.cat([together, of_pairs], dim=1)
        if self.training and self.feature_dropout:
            kept = torch.rand(together.shape[:3]) >= self.feature_dropout
            together = together * (kept / (1 - self.feature_dropout))[..., None]
        return together

    def total(self, terms: Any) -> Any:
        """(member, row, output)."""
        return terms.sum(dim=1) + self.intercept[:, None]

    def extracted(self) -> list[Term]:
        """The networks as arrays, columns in their order, then pairs."""
        parts = [stack.extracted() if stack is not None else [] for stack in self.stacks]
        columns = parts[0] + parts[1]
        return [columns[place] for place in self.order] + parts[2]


class _Stack:
    """Networks of equal shape, (member, term) of them, each for one column or the two of a pair."""

    def __init__(self, terms: list[Any], data: Coded, training: Training, outputs: int) -> None:
        import torch

        self.columns = terms
        self.exu = training.exu
        self.numeric = [torch.tensor([data.numeric[term[side]] for term in terms]) for side in range(len(terms[0]))]
        shape = (training.members, len(terms))
        widths = [*training.hidden]
        units = widths[0]
        self.weights, self.biases, self.categories = [], [], []
        for side in range(len(terms[0])):
            most = max(1, max(data.counts[term[side]] for term in terms))
            if self.exu:
                self.weights.append(_normal((*shape, 1, units), EXU_MEAN, EXU_DEVIATION))
                self.biases.append(_normal((*shape, 1, units), 0.0, EXU_CENTRES))
            else:
                self.weights.append(_uniform((*shape, 1, units), 1.0))
                self.biases.append(_uniform((*shape, 1, units), 1.0))
            self.categories.append(_uniform((*shape, most, units), 1.0))
        self.deeper = []
        for before, after in itertools.pairwise(widths):
            bound = before**-0.5
            self.deeper.append((_uniform((*shape, before, after), bound), _uniform((*shape, 1, after), bound)))
        self.last = _uniform((*shape, widths[-1], outputs), widths[-1] ** -0.5)

    def parameters(self) -> list[Any]:
        """All parameters."""
        wide = [each for layer in self.deeper for each in layer]
        return [*self.weights, *self.biases, *self.categories, *wide, self.last]

    def there(self, side: int, codes: Any) -> Any:
        """(term, row): whether a cell is no gap of a numeric column."""
        return ~(self.numeric[side][:, None] & (codes >= 0))

    def __call__(self, sides: list[Any], dropout: float) -> Any:
        """(member, term, cell, output) for the cells (numbers (term, cell), codes (term, cell)) of each side."""
        import torch
        import torch.nn.functional as F

        state: Any = 0.0
        for side, (numbers, codes) in enumerate(sides):
            wide = numbers[None, :, :, None]
            weight, bias = self.weights[side], self.biases[side]
            found = torch.exp(weight) * (wide - bias) if self.exu else wide * weight + bias
            given = codes >= 0
            if given.any():
                table = self.categories[side]
                places = codes.clamp(min=0)[None, :, :, None].expand(len(table), -1, -1, table.shape[-1])
                found = torch.where(given[None, :, :, None], table.gather(2, places), found)
            state = state + found
        state = state.clamp(0, 1) if self.exu else state.relu()
        members, terms, cells, units = state.shape
        state = F.dropout(state, dropout).reshape(-1, cells, units)
        for weights, biases in self.deeper:
            state = torch.baddbmm(biases.flatten(0, 1), state, weights.flatten(0, 1)).relu()
            state = F.dropout(state, dropout)
        return torch.bmm(state, self.last.flatten(0, 1)).reshape(members, terms, cells, -1)

    def extracted(self) -> list[Term]:
        """Each term's networks as float64 arrays."""
        found = []
        for place, term in enumerate(self.columns):
            first = tuple(
                (_array(w[:, place, 0]), _array(b[:, place, 0]), _array(c[:, place]))
                for w, b, c in zip(self.weights, self.biases, self.categories, strict=True)
            )
            deeper = tuple((_array(w[:, place]), _array(b[:, place, 0])) for w, b in self.deeper)
            found.append(Term(tuple(term), first, deeper, _array(self.last[:, place]), self.exu))
        return found


def _cells(numbers: Array, codes: Array) -> Array:
    """Numbers and categories of one column as one sortable number: categories lie above all scaled numbers."""
    return np.where(codes >= 0, codes.astype(np.float64) + 10.0, numbers.astype(np.float64))


def _distinct(data: Coded, column: int) -> Array:
    return np.unique(_cells(data.numbers[:, column], data.codes[:, column]))


def _table(values: list[Array], few: list[int]) -> tuple[Any, Any]:
    """The distinct values of some columns, filled up to the longest: numbers and codes (column, value)."""
    import torch

    longest = max((len(values[j]) for j in few), default=0)
    wide = np.zeros((len(few), longest))
    for row, j in enumerate(few):
        wide[row, : len(values[j])] = values[j]
    category = wide > 5.0
    numbers = np.where(category, 0.0, wide).astype(np.float32)
    return torch.from_numpy(numbers), torch.from_numpy(np.where(category, wide - 10.0, -1).astype(np.int64))


def _uniform(shape: tuple[int, ...], bound: float) -> Any:
    import torch

    return torch.nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def _normal(shape: tuple[int, ...], mean: float, deviation: float) -> Any:
    import torch

    return torch.nn.Parameter(torch.empty(shape).normal_(mean, deviation))


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().double().numpy())
