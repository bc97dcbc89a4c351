"""A credit model on a real table: small enough to be fitted whenever it is asked for, so no weights are stored."""

from __future__ import annotations

from explicate.core.registry import register
from explicate.models.tabular import TabularModel


@register("adult-credit", "models")
def adult_credit(seed: int = 0) -> TabularModel:
    """Gradient-boosted trees that predict from the Adult census table whether somebody earns more than 50,000 dollars.

    Fitted on the publishers' training part (32,561 rows); accuracy on their test part is 0.87. The background are
    training rows. About two seconds.

    Parameters
    ----------
    seed : of the fit.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    from explicate.data import table

    training = table("adult").take(slice(32_561))
    categorical = [feature.kind == "categorical" for feature in training.features]
    estimator = HistGradientBoostingClassifier(categorical_features=categorical, random_state=seed)
    with threadpool_limits(1):  # waiting threads can cost more than they bring on a shared machine
        estimator.fit(training.values(), training.labels)
    return TabularModel(
        estimator,
        training.values(),
        features=training.features,
        class_names=training.class_names,
        name="adult-credit",
        source="adult-credit" if seed == 0 else None,
    )
