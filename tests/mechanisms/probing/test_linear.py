"""Probes against scikit-learn's solvers, and the choice of the penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from explicate.errors import InputError
from explicate.mechanisms.probing import LinearProbe, Problem
from explicate.mechanisms.probing.solver import minimise

RNG = np.random.default_rng(0)
TIGHT = {"tolerance": 1e-6}


def activations(samples=300, width=20):
    """Features of very different sizes and far from 0, as residual streams have them."""
    mixed = RNG.normal(size=(samples, width)) @ (np.eye(width) + 0.2 * RNG.normal(size=(width, width)))
    return (mixed * np.exp(RNG.normal(size=width)) + 30 * RNG.normal(size=width)).astype(np.float32)


def standardised(features, rows):
    own = features[rows].astype(float)
    return (features - own.mean(axis=0)) / own.std(axis=0)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("penalty", [0.5, 10.0])
def test_logistic_probes_are_those_of_scikit_learn(classes, penalty):
    features = activations()
    hidden = standardised(features, slice(None))[:, :3] + 0.5 * RNG.normal(size=(300, 3))
    labels = hidden[:, :classes].argmax(axis=1)
    trains = [RNG.random(300) < 0.6 for _ in range(3)]
    found = LinearProbe("logistic", penalty, **TIGHT).readouts(features, [Problem(labels, t) for t in trains], classes)
    for readout, train in zip(found, trains, strict=True):
        scaled = standardised(features, train)
        theirs = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=5000).fit(scaled[train], labels[train])
        expected = theirs.decision_function(scaled).reshape(300, -1)
        np.testing.assert_allclose(readout.outputs(features), expected, atol=0.02)
        assert (readout.predict(features) == theirs.predict(scaled)).mean() > 0.99


def test_support_vectors_are_those_of_scikit_learn():
    features = activations()
    scaled = standardised(features, slice(None))
    labels = (scaled[:, 0] + RNG.normal(size=300) > 0).astype(int)
    readout = LinearProbe("svm", 20.0, **TIGHT).fit(features, labels)
    theirs = LinearSVC(C=1 / 20, dual=False, intercept_scaling=1e4, tol=1e-9, max_iter=10000).fit(scaled, labels)
    np.testing.assert_allclose(readout.outputs(features)[:, 0], theirs.decision_function(scaled), atol=0.01)


@pytest.mark.parametrize("samples", [300, 15])
@pytest.mark.parametrize("standardise", [True, False])
def test_ridge_probes_are_those_of_scikit_learn(samples, standardise):
    features = activations(samples)
    values = features[:, 0] + RNG.normal(size=samples)
    readout = LinearProbe("ridge", 3.0, standardise=standardise).fit(features, values)
    seen = standardised(features, slice(None)) if standardise else features.astype(float)
    theirs = Ridge(3.0, solver="svd").fit(seen, values)
    np.testing.assert_allclose(readout.predict(features), theirs.predict(seen), rtol=1e-4, atol=1e-4)


def test_problems_solved_together_are_those_solved_alone():
    features = activations()
    problems = [Problem(RNG.integers(0, 2, 300), RNG.random(300) < 0.5) for _ in range(4)]
    probe = LinearProbe(**TIGHT)
    together = probe.outputs(features, problems, 2)
    alone = np.concatenate([probe.outputs(features, [problem], 2) for problem in problems])
    np.testing.assert_allclose(together, alone, atol=0.02)


def test_a_constant_feature_gets_no_weight():
    features = activations()
    features[:, 4] = 7.0
    labels = (features[:, 0] > np.median(features[:, 0])).astype(int)
    assert LinearProbe().fit(features, labels).weights[0, 4] == 0


def test_cross_validation_takes_the_strongest_penalty_where_there_is_nothing_to_learn_and_a_weak_one_where_there_is():
    features = activations(200, 30)
    scaled = standardised(features, slice(None))
    noise, clear = RNG.normal(size=200), scaled @ RNG.normal(size=30)
    probe = LinearProbe("ridge", (1e-3, 1.0, 1e5))
    assert probe.fit(features, noise).penalty == 1e5
    assert probe.fit(features, clear).penalty == 1e-3


def test_folds_keep_groups_together_so_a_group_cannot_choose_its_own_penalty():
    groups = np.repeat(np.arange(30), 10)
    names = RNG.normal(size=(30, 40))[groups]  # features that name the group, and labels that are the group's
    labels = RNG.normal(size=30)[groups]
    features = (names + 0.01 * RNG.normal(size=names.shape)).astype(np.float32)
    probe = LinearProbe("ridge", (1e-3, 1e6))
    assert probe.fit(features, labels).penalty == 1e-3
    assert probe.fit(features, labels, groups).penalty == 1e6


def test_the_direction_is_that_of_the_planted_one():
    direction = np.zeros(20)
    direction[3] = 1
    labels = RNG.integers(0, 2, 2000)
    features = (RNG.normal(size=(2000, 20)) + 3 * labels[:, None] * direction).astype(np.float32)
    assert LinearProbe().fit(features, labels).direction @ direction > 0.95


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 1000))
def test_quadratic_bowls_are_solved_to_their_bottom(count, width, seed):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(count, width, width)) + 2 * np.eye(width)
    bowls = factors @ factors.transpose(0, 2, 1) + np.eye(width)
    bottoms = rng.normal(size=(count, width))

    def objective(points, which):
        away = points - bottoms[which]
        slopes = np.einsum("kij,kj->ki", bowls[which], away)
        return 0.5 * (away * slopes).sum(axis=1), slopes.astype(np.float32)

    found, converged, _ = minimise(objective, np.zeros((count, width), np.float32), 1e-3, 2000)
    assert converged.all()
    np.testing.assert_allclose(found, bottoms, atol=5e-3)


def test_a_probe_that_may_not_go_on_says_so():
    features = activations()
    with pytest.warns(UserWarning, match="1 of 1 probes stopped before the tolerance"):
        LinearProbe(most_steps=1).fit(features, (features[:, 0] > features[:, 0].mean()).astype(int))


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (LinearProbe(penalty=0.0), "penalty 0.0"),
        (LinearProbe("forest"), "reader 'forest' is unknown"),
        (LinearProbe(penalty=(1.0, 2.0), folds=400), "400 folds of 300 groups"),
    ],
)
def test_bad_parameters_are_named(probe, message):
    with pytest.raises(InputError, match=message):
        probe.fit(activations(), RNG.integers(0, 2, 300))


def test_infinite_activations_are_refused():
    features = activations()
    features[3, 3] = np.inf
    with pytest.raises(InputError, match="NaN or infinite"):
        LinearProbe().fit(features, RNG.integers(0, 2, 300))


def test_classes_have_no_single_direction():
    with pytest.raises(InputError, match="a probe of 3 classes has one direction each"):
        _ = LinearProbe().fit(activations(), RNG.integers(0, 3, 300)).direction
