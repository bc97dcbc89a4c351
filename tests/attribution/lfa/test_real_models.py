import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

from explicate.attribution import lfa
from explicate.core import registry
from explicate.models.tabular import TabularModel


def test_on_boosted_trees_the_framework_gives_what_the_engines_of_their_own_give():
    """KernelSHAP on all masks is the coalition engine's exact answer; occlusion is feature ablation."""
    frame, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    frame = frame.iloc[:, :8]
    model = TabularModel(GradientBoostingClassifier(n_estimators=30, random_state=0).fit(frame, labels), frame)
    rows = frame.iloc[:5]
    shapley = registry.find("kernel-shap").from_parameters({"missingness": "zero"}).explain(model, rows, target=1)
    assert np.abs(lfa.kernel_shap(n=256).explain(model, rows, target=1).values - shapley.values).max() < 1e-5
    ablation = registry.find("feature-ablation").from_parameters({"missingness": "zero"}).explain(model, rows, target=1)
    assert np.array_equal(lfa.occlusion().explain(model, rows, target=1).values, ablation.values)
    assert np.abs(shapley.values).max() > 0.1
