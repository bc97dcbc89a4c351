"""Checks of glass boxes against cases whose figures are known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from explicate.core.kinds import Attribution
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.evaluation import glassbox_metrics as metrics
from explicate.glassbox.additive import NeuralAdditiveRegressor
from explicate.glassbox.bottleneck import ConceptBottleneckClassifier
from explicate.glassbox.equation import EquationRegressor
from explicate.glassbox.fold import FoldSEClassifier
from explicate.glassbox.kinds import FormulaExplanation, Prototypes, texts
from explicate.glassbox.prototypes import PrototypeClassifier


def prototypes(distance, patch, source, source_patch, classes):
    data = xr.Dataset(
        {
            "weight": (("prototype", "label"), np.eye(2)[classes]),
            "prototype_class": ("prototype", np.array(classes)),
            "source": ("prototype", np.array(source)),
            "source_patch": ("prototype", np.array(source_patch)),
            "distance": (("sample", "prototype"), np.array(distance, dtype=float)),
            "patch": (("sample", "prototype"), np.array(patch)),
        }
    )
    return Prototypes(data, Provenance("prototypes"))


def test_prototypes_of_known_purity_duplicates_and_places():
    codes = np.array([0, 0, 1, 1])
    found = prototypes(
        distance=[[0, 3], [1, 2], [2, 1], [3, 0]],
        patch=[[5, 1], [5, 2], [0, 3], [0, 4]],
        source=[0, 3],
        source_patch=[5, 4],
        classes=[0, 1],
    )
    assert metrics.purity(found, codes, most=2).tolist() == [1.0, 1.0]
    assert metrics.purity(found, codes, most=4).tolist() == [0.5, 0.5]
    assert metrics.duplicate_rate(found) == 0.0
    assert metrics.consistency(found, codes, share=0.9) == 0.5  # 5 and 5; but 3 and 4
    twins = prototypes(found["distance"].values, found["patch"].values, [2, 2], [4, 4], [0, 1])
    assert metrics.duplicate_rate(twins) == 1.0


def attribution(values, score, base):
    data = xr.Dataset(
        {
            "attribution": (("sample", "feature"), np.array(values, dtype=float)),
            "inputs": (("sample", "feature"), np.array(values, dtype=float)),
            "target": ("sample", np.zeros(len(values), dtype=int)),
            "score": ("sample", np.array(score, dtype=float)),
            "baseline_score": ("sample", np.array(base, dtype=float)),
        }
    )
    return Attribution(data, Provenance("by hand"))


def test_completeness_and_deletion_of_a_worked_sum():
    found = attribution([[3, 1, -1]], [5], [2])
    assert metrics.completeness_error(found) == 0
    assert metrics.completeness_error(attribution([[3, 1, -1]], [6], [2])) == 1
    assert metrics.deletion_curve(found).tolist() == [5, 2, 1, 2]
    assert metrics.deletion_curve(found, "random")[[0, -1]].tolist() == [5, 2]
    with pytest.raises(InputError, match="order 'smallest'"):
        metrics.deletion_curve(found, "smallest")


def test_a_formula_has_as_many_operations_as_one_counts():
    data = xr.Dataset(
        {
            "formula": ("form", texts(["2*sin(a) + a*a", "2*sin(a) + a*a"])),
            "step": ("line", texts(["h1 = sin(a)", "y = 2.0 * h1 + a * a"])),
            "symbol": ("column", texts(["a"])),
        },
        {"form": texts(["exact", "rounded"])},
    )
    assert metrics.formula_length(FormulaExplanation(data, Provenance("equation-regressor"))) == 4


def test_a_line_is_as_steep_as_it_is_stable():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200, 1))
    model = NeuralAdditiveRegressor(members=1, epochs=60, hidden=(16,), batch=50, output_penalty=0.0).fit(
        x, 3 * x[:, 0]
    )
    inner = x[np.abs(x[:, 0]) < 0.5][:20]
    found = metrics.stability(model, inner, scale=0.1)
    assert found == pytest.approx(3.0, rel=0.25)
    correlations, ranges = metrics.shape_correlation(model, x, [lambda v: 3 * v])
    assert correlations[0] > 0.99
    assert ranges[0] == pytest.approx(6, rel=0.1)
    assert metrics.replay_error(model, x) == 0


def bottleneck(mode="independent"):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 2))
    concepts, x = (hidden > 0).astype(int), hidden + rng.normal(0, 0.7, (300, 2))
    y = concepts @ [2, 1]
    return ConceptBottleneckClassifier(mode, hidden=(8,), epochs=40).fit(x, y, concepts), x, y, concepts


def test_interventions_reach_the_truth_and_nothing_leaks_from_truth():
    model, x, y, concepts = bottleneck()
    curve = metrics.intervention_curve(model, x, y, concepts)
    assert curve[0] == pytest.approx(model.score(x, y))
    assert curve[-1] >= 0.98
    assert 0.7 < metrics.concept_accuracy(model, x, concepts) < 1
    before, after = metrics.leakage(model, x, y, concepts)
    assert before == curve[0]
    assert 0 <= after <= 1


def test_the_rest_on_small_models():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (60, 2))
    y = (x[:, 0] > 0).astype(int)
    network = PrototypeClassifier(prototypes=2, epochs=2, push_start=2, width=8).fit(x, y)
    assert metrics.source_distances(network).tolist() == [0.0] * 4
    assert 0 <= metrics.place_stability(network, x, y) <= 1
    assert metrics.explanation_size(network.explain()) == 4
    formula = EquationRegressor(each=1, products=1, restarts=1, penalties=(1e-3,), epochs=3).fit(x, x[:, 0])
    assert metrics.network_gap(formula, x) < 1e-4
    assert metrics.root_mean_square_error(formula, x, formula.predict(x) + 2) == pytest.approx(2)
    frame = pd.DataFrame(x, columns=["a", "b"])
    rules = FoldSEClassifier(tail=1).fit(frame, y)
    assert metrics.agreement(rules, frame) == 1.0
    assert metrics.rule_counts(rules.explain(frame))["rules"] == 1
    with pytest.raises(InputError, match="of the whole model"):
        metrics.numbers_of(network.explain())
