"""The black boxes that readable models are held against, as unfitted estimators for tables as they are.

They take data frames with numbers and categories, gaps among the numbers, and categories never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from explicate.core.features import Feature

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 254  # a histogram has 255 bins; rarer texts of a column share one


def gradient_boosting(features: Sequence[Feature], seed: int = 0) -> Any:
    """scikit-learn's histogram gradient boosting (100 trees), categories as categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    categorical = _categorical(features)
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=float("nan"), max_categories=MOST_CATEGORIES
    )
    return make_pipeline(
        make_column_transformer((encoder, categorical), ("passthrough", partial(_filled, categorical))),
        HistGradientBoostingClassifier(categorical_features=range(len(categorical)), random_state=seed),
    )


def perceptron(features: Sequence[Feature], seed: int = 0) -> Any:
    """scikit-learn's MLP of 100 hidden units with early stopping, on one-hot categories and standardised numbers."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES)
    numbers = make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
    return make_pipeline(
        make_column_transformer((encoder, _categorical(features)), remainder=numbers),
        MLPClassifier(early_stopping=True, random_state=seed),
    )


BLACK_BOXES: dict[str, Callable[[Sequence[Feature], int], Any]] = {
    "gradient-boosting": gradient_boosting,
    "multi-layer-perceptron": perceptron,
}
"""By name: the table's features and a seed -> an unfitted estimator."""


def _filled(categorical: Sequence[str], frame: pd.DataFrame) -> list[str]:
    """The other columns of a training table, but those without any value, of which there are no histograms."""
    return [name for name in frame.columns if name not in categorical and frame[name].notna().any()]


def _categorical(features: Sequence[Feature]) -> list[str]:
    return [feature.name for feature in features if feature.kind == "categorical"]
