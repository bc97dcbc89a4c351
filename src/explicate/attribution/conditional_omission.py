"""Conditional omission: how much the predicted class loses when one feature is replaced by what the others suggest.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 4 and appendix, after Robnik-Sikonja and Kononenko (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.registry import register
from explicate.errors import CapabilityError, InputError


@register("conditional-omission")
@dataclass(frozen=True)
class ConditionalOmission(Explainer):
    """Attribute to each category the score less its expectation under p(feature | the other features).

    The conditional distribution of each feature is what the model's handle says (`conditional(inputs, feature)`, as
    that of a sentence does, by a language model), else a multinomial logistic regression on the one-hot values of the
    others, fitted on the model's background. The expectation runs over all categories, so nothing is drawn. Unlike
    marginal omission it never asks about combinations that do not occur. A feature that the others determine gets 0.

    Parameters
    ----------
    inverse_penalty : scikit-learn's C of the regressions. iterations : at most.
    """

    inverse_penalty: float = 1000.0
    iterations: int = 200
    kinds: ClassVar[tuple[str, ...]] = ("table",)
    compared: ClassVar[bool] = False  # only for tables of categories

    def __post_init__(self) -> None:
        if not self.inverse_penalty > 0 or self.iterations < 1:
            raise InputError("conditional-omission: inverse_penalty must be above 0, iterations 1 or more")

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        features = getattr(model, "features", ())
        numeric = [feature.name for feature in features if not feature.categories]
        if not features or numeric:
            raise CapabilityError(
                f"conditional-omission is for tables of categories; {(numeric or ['every column'])[0]!r} is numeric: "
                "cut it into ranges, or use feature-ablation"
            )
        scores = np.asarray(model.scores(inputs, targets), dtype=float)
        found = np.empty(inputs.shape)
        counts = [len(feature.categories) for feature in features]
        for j, count in enumerate(counts):
            known = getattr(model, "conditional", None)
            shares = (
                self._shares(np.asarray(model.background), inputs, counts, j) if known is None else known(inputs, j)
            )
            points = np.repeat(inputs, count, axis=0)
            points[:, j] = np.tile(np.arange(count), len(inputs))
            replaced = np.asarray(model.scores(points, np.repeat(targets, count, axis=0)), dtype=float)
            found[:, j] = scores - (shares * replaced.reshape(len(inputs), count)).sum(axis=1)
        return Found(found)

    def _shares(self, background: Array, inputs: Array, counts: list[int], feature: int) -> Floats:
        """p(feature = category | the others) for each input: (sample, category)."""
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        shares = np.zeros((len(inputs), counts[feature]))
        codes = background[:, feature].astype(int)
        if len(np.unique(codes)) == 1:
            shares[:, codes[0]] = 1.0
            return shares
        fit = LogisticRegression(C=self.inverse_penalty, max_iter=self.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # nearly unpenalised: the shares settle long before
            fit.fit(one_hot(np.delete(background, feature, axis=1), np.delete(counts, feature)), codes)
        shares[:, fit.classes_] = fit.predict_proba(
            one_hot(np.delete(inputs, feature, axis=1), np.delete(counts, feature))
        )
        return shares


def one_hot(codes: Array, counts: Any) -> Floats:
    """Category codes (row, feature) as 0/1 columns (row, all categories)."""
    found = np.zeros((len(codes), int(np.sum(counts))))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    found[np.arange(len(codes))[:, None], starts + codes.astype(int)] = 1.0
    return found
