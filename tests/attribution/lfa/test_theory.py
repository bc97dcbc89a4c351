import numpy as np
import pytest

from explicate.attribution import lfa
from explicate.errors import InputError, UnknownNameError
from explicate.models.tabular import TabularModel

LOGISTIC = lfa.Logistic()


def sines(x):
    return np.sin(x).sum(axis=1)


def test_the_best_line_for_a_sine_is_the_known_one():
    """On [-3 pi/2, 3 pi/2] no line beats 0: sin reaches 1 and -1 often enough, in turns (Chebyshev)."""
    edge = 1.5 * np.pi
    found = lfa.no_free_lunch(sines, lambda x: np.zeros(len(x)), box=[(-edge, edge)])
    assert found.witness_loss == pytest.approx(0.5)
    assert found.distance_bound == pytest.approx(found.distance, rel=1e-4)
    # alternation at -3pi/2, -pi/2, pi/2, 3pi/2 bounds every line from below; the slope gains at the inner two
    lines = [
        np.abs(np.sin(grid := np.linspace(-edge, edge, 4001)) - slope * grid).max() for slope in np.linspace(-1, 1, 801)
    ]
    assert found.distance == pytest.approx(min(lines) ** 2 / 2, rel=1e-2)


def test_the_best_parabola_approximation_by_a_line_is_chebyshev_s():
    """x² on [-1, 1]: the best constant is 1/2, with the largest difference 1/2."""
    found = lfa.no_free_lunch(lambda x: x[:, 0] ** 2, lambda x: 0 * x[:, 0], box=[(-1, 1)])
    assert found.distance == pytest.approx(0.5**2 / 2, rel=1e-5)
    assert np.allclose(found.best, [0.0, 0.5], atol=1e-4)
    assert found.witness_loss == pytest.approx(0.5)
    assert abs(found.witness[0]) == pytest.approx(1.0)
    without = lfa.no_free_lunch(lambda x: x[:, 0] ** 2, lambda x: 0 * x[:, 0], lfa.LinearWithoutBias(), box=[(0, 1)])
    slope = 2 * (np.sqrt(2) - 1)  # equal differences at slope / 2 and at 1
    assert without.distance == pytest.approx((slope**2 / 4) ** 2 / 2, rel=1e-3)


def test_a_function_of_the_class_is_at_distance_zero_even_for_a_curved_link():
    found = lfa.no_free_lunch(
        lambda x: 1 / (1 + np.exp(-2 * x[:, 0])), lambda x: 0.5 + 0 * x[:, 0], LOGISTIC, [(-1, 1)]
    )
    assert found.distance < 1e-12
    assert found.witness_loss == pytest.approx((1 / (1 + np.exp(-2)) - 0.5) ** 2 / 2)
    assert found.best[0] == pytest.approx(2, abs=1e-3)


def test_local_ascent_finds_a_witness_between_the_grid_s_points():
    peak = np.array([0.123456, -0.3219, 0.777])
    found = lfa.no_free_lunch(
        lambda x: np.exp(-50 * ((x - peak) ** 2).sum(axis=1)), lambda x: np.zeros(len(x)), box=[(-1, 1)] * 3, rounds=1
    )
    assert np.allclose(found.witness, peak, atol=1e-4)
    assert found.witness_loss == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("name", ["lime", "kernel_shap", "occlusion", "c_lime"])
@pytest.mark.parametrize("features", [1, 2])
def test_no_explanation_of_a_sine_escapes(name, features):
    box = [(-2 * np.pi, 2 * np.pi)] * features
    model = TabularModel(sines, np.ones((2, features)))
    fit = lfa.FACTORIES[name]().fit(model, np.full((1, features), 1.3))[0]
    found = lfa.no_free_lunch(model, fit, box=box)
    assert found.holds
    assert found.witness_loss == pytest.approx(
        (fit.predict(found.witness[None])[0] - sines(found.witness[None])[0]) ** 2 / 2
    )
    assert fit.training_loss < found.witness_loss


def test_what_cannot_be_searched_is_refused():
    for box, loss, message in (
        ([(1, 0)], lfa.SquaredError(), "low < high"),
        ([(0, 1)], lfa.GradientMatching(), "values"),
    ):
        with pytest.raises(InputError, match=message):
            lfa.no_free_lunch(sines, sines, box=box, loss=loss)
    with pytest.raises(InputError, match="shape"):
        lfa.no_free_lunch(lambda x: x, sines, box=[(0, 1)])
    with pytest.raises(InputError, match="NaN"):
        lfa.no_free_lunch(lambda x: np.where(x[:, 0] > 0.5, np.nan, 0.0), sines, box=[(0, 1)])


@pytest.mark.parametrize("loss", [lfa.SquaredError(), lfa.ChangeSquaredError(), lfa.GradientMatching()])
def test_the_losses_that_ship_are_valid(loss):
    found = lfa.validate_loss(loss)
    assert found.valid
    assert found.sees_constants == (loss.matches != "gradients")


class Signed:
    matches = "values"

    def penalty(self, predicted, observed):
        return predicted - observed


class Relative:
    matches = "values"

    def penalty(self, predicted, observed):
        return (predicted - 0.9 * observed) ** 2


def test_invalid_losses_are_found_out():
    assert not lfa.validate_loss(Signed()).positive_for_different
    assert not lfa.validate_loss(Relative()).zero_for_equal
    with pytest.raises(InputError, match="one per point"):
        lfa.validate_loss(
            type("Total", (), {"matches": "values", "penalty": lambda self, a, b: ((a - b) ** 2).sum()})()
        )


def test_recommendations_follow_the_perturbation():
    noise = {"c_lime", "smooth_grad", "vanilla_gradient"}
    assert set(lfa.recommend("continuous").methods) == noise
    assert set(lfa.recommend(lfa.GaussianNoise()).methods) == noise
    for removal in ("binary", "removal", lfa.BernoulliMasks(), lfa.UniformScaling()):
        assert set(lfa.recommend(removal).methods) == set(lfa.FACTORIES) - noise
    with pytest.raises(UnknownNameError, match="'binary', 'removal' or 'continuous'"):
        lfa.recommend("rotation")


def test_removals_cannot_see_a_wave_that_is_in_phase_off_and_on_and_noise_can():
    """The reason behind `recommend`: f = sin(2 pi x) at x0 = 1 has equal values off (0) and on (1)."""
    model = TabularModel(lambda x: np.sin(2 * np.pi * x).sum(axis=1), np.ones((2, 3)))
    for name in ("lime", "kernel_shap", "occlusion"):
        assert np.abs(lfa.FACTORIES[name]().explain(model, np.ones((1, 3))).values).max() < 1e-12
    assert lfa.c_lime(scale=0.02).explain(model, np.ones((1, 3))).values == pytest.approx(2 * np.pi, rel=0.05)


def test_model_recovery_measures_both_distances():
    weights, inputs = np.array([1.0, -2.0]), np.array([[0.5, 0.5]])
    slopes, products = lfa.model_recovery(weights * inputs, weights, inputs)
    assert slopes == pytest.approx([1.5])
    assert products == pytest.approx([0.0])
