"""Planted studies, made once."""

import pytest

from explicate.attribution.lime_tabular import LIME
from explicate.counterfactuals import DecisionBoundary
from explicate.evaluation.simulatability import BatchSizes, ExplanationSettings, ItemExplainer, make_study
from explicate.evaluation.simulatability.planted import additive_table, rule_table

SETTINGS = ExplanationSettings(lime=LIME(samples=1500, kept=5), boundary=DecisionBoundary(samples=1000))


def study_of(planted, methods, counterfactual=240, **options):
    explainer = ItemExplainer(planted.model, settings=SETTINGS)
    sizes = BatchSizes(16, 32, counterfactual)
    return make_study(
        explainer, planted.development, planted.test, methods=methods, sizes=sizes, planted=True, **options
    )


@pytest.fixture(scope="session")
def additive():
    """An additive model's cases, explained by LIME."""
    return study_of(additive_table(rows=3000), ("lime", "omission"))


@pytest.fixture(scope="session")
def rule():
    """A rule model's cases, explained by anchors and by the decision boundary."""
    return study_of(rule_table(rows=1500), ("anchor", "decision-boundary"), counterfactual=96)
