from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.attribution import lfa
from explicate.core import registry
from explicate.core.cost import measure
from explicate.errors import CapabilityError, InputError, NonFiniteScoreError, TargetError
from explicate.evaluation.agreement import cosine_distance
from explicate.models.tabular import TabularModel
from explicate.models.torch_tabular import TorchTabularModel

torch = pytest.importorskip("torch")

ROWS = np.random.default_rng(0).uniform(0.1, 1.0, (20, 4))
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0])
MULTIPLICATIVE = ("lime", "kernel_shap", "occlusion", "integrated_gradients", "gradient_x_input")
ADDITIVE = ("c_lime", "smooth_grad", "vanilla_gradient")


def handle(function, **options):
    """A torch function (n, d) -> (n,) as a differentiable table model in double precision."""

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self, x):
            return function(x)

    return TorchTabularModel(Module(), ROWS, **options)


def linear_model():
    return handle(lambda x: x @ torch.as_tensor(WEIGHTS) + 0.7)


def curved_model():
    return handle(lambda x: torch.sin(3 * x[:, 0]) * x[:, 1] + x[:, 2] ** 2 - torch.tanh(x[:, 3] * x[:, 0]))


@pytest.mark.parametrize("name", MULTIPLICATIVE + ADDITIVE)
def test_a_linear_model_is_recovered_up_to_the_factor_of_the_noise(name):
    found = lfa.FACTORIES[name](n=200).explain(linear_model(), ROWS[:5])
    truth = WEIGHTS * ROWS[:5] if name in MULTIPLICATIVE else np.broadcast_to(WEIGHTS, (5, 4))
    assert np.abs(found.values - truth).sum(axis=1).max() < 1e-9
    assert not found["unidentifiable"].values.any()


@pytest.mark.parametrize("name", MULTIPLICATIVE)
def test_a_baseline_takes_the_place_of_zero(name):
    baseline = np.array([0.2, 0.0, 1.5, -1.0])
    found = lfa.FACTORIES[name](n=200, baseline=baseline).explain(linear_model(), ROWS[:3])
    assert np.allclose(found.values, WEIGHTS * (ROWS[:3] - baseline), atol=1e-9)


def test_all_masks_with_the_shapley_kernel_give_shapley_values():
    model, x0 = curved_model(), ROWS[0]
    fit = lfa.kernel_shap(n=16).fit(model, x0)[0]

    def value(members):
        return model.scores(np.where(np.isin(np.arange(4), members), x0, 0.0)[None], np.zeros(1, dtype=int))[0]

    shapley = np.zeros(4)
    for j in range(4):
        others = [k for k in range(4) if k != j]
        for size in range(4):
            for members in combinations(others, size):
                shapley[j] += (value([*members, j]) - value(list(members))) / (4 * comb(3, size))
    assert np.allclose(fit.weights, shapley, atol=1e-6)  # the ends weigh 1e6, not infinity
    assert np.all(fit.standard_error == 0)


def test_lime_is_weighted_least_squares_on_all_masks():
    model, x0 = curved_model(), ROWS[1]
    masks = np.array([[bool(i >> j & 1) for j in range(4)] for i in range(16)])
    points = np.where(masks, x0, 0.0)
    kernel = np.exp(-((points - x0) ** 2).sum(axis=1) / 0.7**2)
    design = np.column_stack([masks, np.ones(16)])
    values = model.scores(points, np.zeros(16, dtype=int))
    expected = np.linalg.solve(design.T @ (kernel[:, None] * design), design.T @ (kernel * values))
    fit = lfa.lime(width=0.7, n=16).fit(model, x0)[0]
    assert np.allclose([*fit.weights, fit.bias], expected)
    assert fit.training_loss == pytest.approx((kernel * (design @ expected - values) ** 2).sum() / (2 * kernel.sum()))


def test_occlusion_is_the_drop_of_the_score_whether_enumerated_or_drawn():
    model, x0 = curved_model(), ROWS[2]
    points = np.where(np.eye(4, dtype=bool), 0.0, x0)
    scores = model.scores(np.vstack([x0, points]), np.zeros(5, dtype=int))
    for exact in (True, False):
        assert np.allclose(lfa.occlusion(n=200, exact=exact).fit(model, x0)[0].weights, scores[0] - scores[1:])


def test_gradient_methods_reach_their_limits():
    model, x0 = curved_model(), ROWS[3]
    gradient = model.gradients(x0[None], np.zeros(1, dtype=int))[0]
    assert np.allclose(lfa.vanilla_gradient(scale=1e-4).fit(model, x0)[0].weights, gradient, atol=1e-3)
    assert np.allclose(lfa.gradient_x_input(low=0.9999).fit(model, x0)[0].weights, gradient * x0, atol=1e-3)


def test_integrated_gradients_add_up_to_the_score_within_their_standard_error():
    model = curved_model()
    fit = lfa.integrated_gradients(n=20_000).fit(model, ROWS[4])[0]
    start = model.scores(np.zeros((1, 4)), np.zeros(1, dtype=int))[0]
    assert abs(fit.weights.sum() - (fit.score - start)) < 4 * fit.standard_error.sum()
    assert fit.predict(ROWS[[4]])[0] == pytest.approx(fit.score)


def test_the_noise_of_integrated_gradients_is_one_scalar_for_all_features():
    x, xi, _ = lfa.UniformScaling().sample(ROWS[0], 50, np.random.default_rng(0))
    assert np.ptp(xi, axis=1).max() == 0
    assert np.ptp(xi[:, 0]) > 0.5
    assert np.allclose(x, xi * ROWS[0])


@pytest.mark.parametrize("name", ["lime", "kernel_shap", "c_lime", "smooth_grad", "integrated_gradients"])
def test_standard_errors_say_how_far_fits_stray(name):
    model, x0 = curved_model(), ROWS[5]
    options = {"exact": False} if name in ("lime", "kernel_shap") else {}
    fits = [lfa.FACTORIES[name](n=150, **options).fit(model, x0, seed=seed)[0] for seed in range(60)]
    spread = np.std([fit.weights for fit in fits], axis=0, ddof=1)
    stated = np.median([fit.standard_error for fit in fits], axis=0)
    assert np.all((stated > 0.6 * spread) & (stated < 1.6 * spread))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(sorted(lfa.FACTORIES)))
def test_explanations_are_linear_in_the_model(seed, name):
    a, b = handle(lambda x: torch.sin(x).sum(1)), handle(lambda x: x[:, 0] * x[:, 1])
    both = handle(lambda x: 2 * torch.sin(x).sum(1) - 3 * x[:, 0] * x[:, 1])
    parts = [lfa.FACTORIES[name](n=60).explain(model, ROWS[:2], seed=seed).values for model in (a, b, both)]
    assert np.allclose(2 * parts[0] - 3 * parts[1], parts[2], atol=1e-8)


def logistic_model():
    return handle(lambda x: x @ torch.as_tensor(WEIGHTS) - 1, score="probability", class_names=["no", "yes"])


@pytest.mark.parametrize("factory", [lfa.c_lime, lfa.smooth_grad, lfa.vanilla_gradient])
def test_a_logistic_model_is_recovered_by_a_logistic_surrogate_and_not_by_a_linear_one(factory):
    model = logistic_model()
    exact = factory(surrogate=lfa.Logistic()).explain(model, ROWS[:4])
    assert np.abs(exact.values - WEIGHTS).sum(axis=1).max() < 1e-2
    assert np.abs(factory().explain(model, ROWS[:4]).values - WEIGHTS).sum(axis=1).min() > 1


def test_the_fitted_logistic_surrogate_is_the_model_itself():
    model = logistic_model()
    fit = lfa.c_lime(surrogate=lfa.Logistic()).fit(model, ROWS[0])[0]
    xi = np.random.default_rng(1).normal(0, 0.5, (30, 4))
    truth = model.scores(ROWS[0] + xi, np.zeros(30, dtype=int))
    assert np.allclose(fit.surrogate(xi), truth, atol=1e-6)
    assert np.allclose(fit.predict(ROWS[0] + xi), truth, atol=1e-6)
    difference = (fit.surrogate(xi + np.array([1e-6, 0, 0, 0])) - fit.surrogate(xi)) / 1e-6
    assert np.allclose(fit.surrogate.gradients(xi)[:, 0], difference, atol=1e-4)


@pytest.mark.parametrize("loss", [lfa.SquaredError(), lfa.GradientMatching()])
@pytest.mark.parametrize("surrogate", [lfa.Linear(), lfa.LinearWithoutBias()])
def test_sgd_comes_close_to_the_closed_form(loss, surrogate):
    parts = (lfa.GaussianNoise(0.3), loss, surrogate)
    closed = lfa.LocalFunctionApproximation(*parts).explain(curved_model(), ROWS[:3])
    descended = lfa.LocalFunctionApproximation(*parts, solver="sgd").explain(curved_model(), ROWS[:3])
    assert cosine_distance(closed, descended).max() < 0.05
    assert np.all(descended["training_loss"] < 1.2 * closed["training_loss"] + 1e-6)


def test_sgd_fits_a_logistic_surrogate_to_values():
    found = lfa.c_lime(surrogate=lfa.Logistic(), solver="sgd").explain(logistic_model(), ROWS[:2])
    assert np.abs(found.values - WEIGHTS).sum(axis=1).max() < 0.05


def test_newton_and_the_closed_form_agree_where_both_can():
    parts = (lfa.GaussianNoise(0.3), lfa.SquaredError(), lfa.Linear())
    closed = lfa.LocalFunctionApproximation(*parts).explain(curved_model(), ROWS[:2])
    newton = lfa.LocalFunctionApproximation(*parts, solver="newton").explain(curved_model(), ROWS[:2])
    assert np.allclose(closed.values, newton.values, atol=1e-6)


class Shell:
    """A user's own neighbourhood: points at distance 0.2, and no word about derivatives."""

    def sample(self, x0, n, rng):
        direction = rng.normal(size=(n, *x0.shape))
        xi = 0.2 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        return x0 + 2 * xi, xi, np.ones(n)


class Absolute:
    """A user's own loss."""

    matches = "values"

    def penalty(self, predicted, observed):
        return abs(predicted - observed)


@pytest.mark.parametrize("loss", [lfa.SquaredError(), lfa.GradientMatching(), Absolute()])
def test_parts_of_a_users_own_are_fitted_like_any_other(loss):
    method = lfa.LocalFunctionApproximation(Shell(), loss, lfa.Linear(), n=400)
    found = method.explain(linear_model(), ROWS[:2])
    assert np.abs(found.values - 2 * WEIGHTS).max() < (0.02 if isinstance(loss, Absolute) else 1e-8)
    assert "Shell" in str(found.provenance.parameters["neighborhood"])
    assert method.fit(linear_model(), ROWS[0])[0].predict(ROWS[[3]])[0] == pytest.approx(
        ROWS[3] @ WEIGHTS + 0.7, abs=0.1
    )


def test_a_users_curved_neighbourhood_must_tell_its_derivative():
    class Curved(Shell):
        def sample(self, x0, n, rng):
            _, xi, weights = super().sample(x0, n, rng)
            return x0 + xi**3 + xi**2, xi, weights

    method = lfa.LocalFunctionApproximation(Curved(), lfa.GradientMatching(), lfa.Linear())
    with pytest.raises(InputError, match="derivative"):
        method.explain(linear_model(), ROWS[:1])
    with pytest.raises(InputError, match="does not tell"):
        lfa.LocalFunctionApproximation(Curved()).fit(linear_model(), ROWS[0])[0].predict(ROWS[:1])


@pytest.mark.parametrize("name", MULTIPLICATIVE)
def test_features_at_the_baseline_get_zero_and_are_listed(name):
    x0 = ROWS[0].copy()
    x0[2] = 0.0
    found = lfa.FACTORIES[name](n=100).explain(curved_model(), x0)
    assert found["unidentifiable"].values.tolist() == [[False, False, True, False]]
    assert found.values[0, 2] == 0.0


def test_features_that_only_move_together_are_listed():
    method = lfa.LocalFunctionApproximation(lfa.UniformScaling(), lfa.SquaredError(), lfa.Linear())
    assert method.explain(curved_model(), ROWS[:1])["unidentifiable"].values.all()


def test_points_and_evaluations_are_asked_in_one_call():
    sizes = []
    model = TabularModel(lambda x: sizes.append(len(x)) or x.sum(axis=1), ROWS)
    model.predict(ROWS[:1])
    sizes.clear()
    with measure() as cost:
        lfa.c_lime(n=500).fit(model, ROWS[:3])
    assert sizes == [501, 501, 501]
    assert cost.evaluations == 1503


def test_the_same_seed_gives_the_same_and_fit_gives_what_explain_gives():
    model, method = curved_model(), lfa.lime(n=50, exact=False)
    first, second = method.explain(model, ROWS[:2], seed=3), method.explain(model, ROWS[:2], seed=3)
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.values, [fit.weights for fit in method.fit(model, ROWS[:2], seed=3)])
    assert not np.array_equal(first.values, method.explain(model, ROWS[:2], seed=4).values)


@pytest.mark.parametrize("name", sorted(lfa.FACTORIES))
def test_each_method_is_found_by_name_and_is_the_factory_s(name):
    method = registry.find("lfa-" + name.replace("_", "-")).from_parameters({"n": "120"})
    assert np.array_equal(
        method.explain(curved_model(), ROWS[:2]).values,
        lfa.FACTORIES[name](n=120).explain(curved_model(), ROWS[:2]).values,
    )
    assert type(method).from_parameters(method.parameters()) == method


def test_a_method_is_rebuilt_from_its_parameters():
    method = lfa.integrated_gradients(n=77, baseline=0.5)
    assert lfa.LocalFunctionApproximation.from_parameters(method.parameters()) == method


def test_an_explanation_survives_a_file(tmp_path):
    found = lfa.lime().explain(curved_model(), ROWS[:2])
    loaded = type(found).load(found.save(tmp_path / "lime.nc"))
    assert np.array_equal(loaded["unidentifiable"].values, found["unidentifiable"].values)
    assert np.array_equal(loaded["bias"].values, found["bias"].values)


def test_without_gradients_the_losses_that_work_are_named():
    model = TabularModel(lambda x: x.sum(axis=1), ROWS)
    for method in (lfa.smooth_grad(), registry.find("lfa-smooth-grad")()):
        with pytest.raises(CapabilityError, match=r"squared-error.*change-squared-error"):
            method.explain(model, ROWS[:1])


def test_too_few_points_are_refused_unless_a_ridge_is_asked_for():
    with pytest.raises(InputError, match=r"4 points cannot determine the 5 parameters.*ridge"):
        lfa.c_lime(n=4).explain(linear_model(), ROWS[:1])
    assert np.abs(lfa.c_lime(n=4, ridge=1e-3).explain(linear_model(), ROWS[:1]).values).max() > 0


def test_targets_out_of_range_are_refused_and_one_column_has_one_target():
    with pytest.raises(TargetError, match="out of range"):
        lfa.lime().explain(linear_model(), ROWS[:1], target=2)
    model = logistic_model()
    first, second = (lfa.lime().explain(model, ROWS[:2], target=target) for target in (0, 1))
    assert np.array_equal(first.values, second.values)
    assert list(second["target_name"].values) == ["yes", "yes"]


def test_a_model_of_several_outputs_is_given_with_a_target():
    model = TabularModel(lambda x: np.stack([x[:, 0], x[:, 1]], axis=1), ROWS, class_names=("no", "yes"))
    for method in (lfa.lime(), registry.find("lfa-lime")()):
        for call in (method.explain, method.fit):
            with pytest.raises(TargetError, match=r"has 2 outputs \(no, yes\); say which one is explained: target=0"):
                call(model, ROWS[:1])
        assert method.explain(model, ROWS[:1], 1).targets.tolist() == [1]


def test_a_score_that_is_not_finite_names_the_sample():
    model = TabularModel(lambda x: np.where(x[:, 0] < 0.05, np.nan, x[:, 0]), np.ones((2, 3)))
    method = lfa.LocalFunctionApproximation(WideNoise(), n=20)
    with pytest.raises(NonFiniteScoreError, match="around sample 1"):
        method.fit(model, np.array([[9.0, 1, 1], [0.5, 1, 1]]))


class WideNoise:
    """Noise that reaches below 0.05 from 0.5 and not from 9."""

    def sample(self, x0, n, rng):
        xi = rng.uniform(-1, 1, (n, *x0.shape))
        return x0 + xi, xi, np.ones(n)


def test_bad_parts_and_parameters_are_refused():
    class Wrong:
        def sample(self, x0, n, rng):
            return x0, x0, np.ones(n)

    bad = [
        (lambda: lfa.LocalFunctionApproximation(object()), "sample"),
        (lambda: lfa.LocalFunctionApproximation(loss=object()), "penalty"),
        (lambda: lfa.LocalFunctionApproximation(surrogate=object()), "no surrogate"),
        (lambda: lfa.LocalFunctionApproximation(solver="guess"), "unknown"),
        (lambda: lfa.LocalFunctionApproximation(surrogate=lfa.Logistic(), solver="closed"), "newton"),
        (lambda: lfa.LocalFunctionApproximation(loss=Absolute(), solver="closed"), "sgd"),
        (lambda: lfa.LocalFunctionApproximation(n=0), "at least one"),
        (lambda: lfa.LocalFunctionApproximation(surrogate=lfa.Logistic(), ridge=1.0), "closed form only"),
        (lambda: lfa.smooth_grad(scale=0.0), "above 0"),
        (lambda: registry.find("lfa-gradient-x-input")(low=1.0), "below 1"),
        (lambda: lfa.lime(baseline=[1, 2]).explain(linear_model(), ROWS[:1]), "baseline"),
        (lambda: lfa.LocalFunctionApproximation(Wrong()).explain(linear_model(), ROWS[:1]), "shapes"),
        (lambda: lfa.LocalFunctionApproximation(surrogate=lfa.Convolution()).explain(linear_model(), ROWS), "images"),
        (
            lambda: lfa.kernel_shap(exact=True).explain(TabularModel(lambda x: x[:, 0], np.ones((1, 30))), np.ones(30)),
            "too many",
        ),
    ]
    for attempt, message in bad:
        with pytest.raises(InputError, match=message):
            attempt()


def test_noise_on_categories_is_refused_and_masks_are_not():
    import pandas as pd

    frame = pd.DataFrame({"income": [1.0, 2.0, 3.0], "job": ["cook", "pilot", "cook"]})
    model = TabularModel(lambda rows: (rows["job"] == "pilot") * 2.0 + rows["income"], frame)
    with pytest.raises(InputError, match="'job' is categorical"):
        lfa.c_lime().explain(model, frame)
    found = lfa.lime().explain(model, frame)
    assert np.allclose(found.values, [[1, 0], [2, 2], [3, 0]])
