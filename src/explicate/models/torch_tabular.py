"""Torch modules over the rows of a table: scores and gradients, with named features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from explicate.core.capabilities import Array, ModelKind
from explicate.core.features import Feature
from explicate.models.table_model import TableModel
from explicate.models.torch_model import Score, TorchModel
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import pandas as pd
    import torch


class TorchTabularModel(TorchModel, TableModel):
    """A handle on a torch module of table rows; offers `Predictor` and `Differentiable`.

    Parameters
    ----------
    module : maps a float tensor (sample, feature) to (sample, output) or (sample,). Categories arrive as their codes.
    background : rows that stand for the data: a data frame, or an array (sample, feature); see `TabularModel`.
    features : names, or `Feature` objects, when the background does not say them.
    score : "logit" explains the module's outputs as they are; "probability" their softmax (sigmoid for one output).
    immutable : names of features that a person cannot change.
    class_names : names of the outputs. None means that the module predicts a value, not a class.

    Raises
    ------
    InputError : wrong or doubled names, no rows, NaN.

    Notes
    -----
    A binary classifier with one output column has one output: targets 0 and 1 both name it, and it is called by the
    second of two class names.
    """

    kind: ClassVar[ModelKind] = "table"
    feature_dims: ClassVar[tuple[str, ...]] = ("feature",)

    def __init__(
        self,
        module: torch.nn.Module,
        background: pd.DataFrame | Array,
        *,
        features: Sequence[str | Feature] | None = None,
        score: Score = "logit",
        immutable: Sequence[str] = (),
        class_names: Sequence[str] | None = None,
        name: str | None = None,
        source: str | None = None,
        chunk: int | None = 65_536,
    ) -> None:
        super().__init__(module, name, source, chunk, score)
        self._set_table(background, features, immutable, class_names)
        self.regression = class_names is None

    def fingerprint(self) -> str:
        """A hash of the module's structure and weights, of what is explained, of the features and of the background."""
        names = [[f.name, f.kind, list(f.categories)] for f in self.features]
        return digest(super().fingerprint(), names, self.background)
