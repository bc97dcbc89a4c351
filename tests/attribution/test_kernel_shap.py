import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

import explicate as ex
from explicate.attribution.kernel_shap import Banzhaf, ExactShapley, KernelShap
from explicate.attribution.missingness import Marginal, Zero
from explicate.attribution.players import Groups
from explicate.errors import InputError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(120, 5))


@pytest.fixture(scope="module")
def forest():
    labels = ROWS[:, 0] * ROWS[:, 1] + 2 * ROWS[:, 2]
    return ex.TabularModel(RandomForestRegressor(30, random_state=0).fit(ROWS, labels), ROWS)


def test_a_linear_model_gives_weight_times_distance_from_the_mean():
    weights = np.array([1.0, -2.0, 0.0, 3.0, 0.5])
    model = ex.TabularModel(lambda x: x @ weights, ROWS)
    found = KernelShap(missingness=Marginal(rows=0)).explain(model, ROWS[:3])
    assert np.allclose(found.values, (ROWS[:3] - ROWS.mean(axis=0)) * weights)
    assert np.allclose(found["standard_error"], 0)


def test_attributions_add_up_whatever_the_budget(forest):
    for budget in (8, 20, 32):
        found = KernelShap(budget).explain(forest, ROWS[:4])
        assert np.allclose(found.values.sum(axis=1), found["score"] - found["baseline_score"])


def test_full_budget_equals_enumeration_and_says_so(forest):
    found = KernelShap(32).explain(forest, ROWS[:2])
    assert np.allclose(found.values, ExactShapley().explain(forest, ROWS[:2]).values)
    assert set(found["estimator"].values) == {"exact"}
    assert found.provenance.evaluations == 2 * 32 * 50 + 2


def test_groups_go_together(forest):
    found = KernelShap(partition=Groups(((0, 1), (2,), (3, 4)))).explain(forest, ROWS[:1])
    assert found.values[0, 0] == found.values[0, 1]
    assert np.allclose(found.values.sum(), found["score"] - found["baseline_score"])


def test_seeds_decide_everything(forest):
    one, again, other = (KernelShap(12).explain(forest, ROWS[:2], seed=seed).values for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_banzhaf_of_a_product_is_half_the_gain():
    model = ex.TabularModel(lambda x: x[:, 0] * x[:, 1], ROWS)
    found = Banzhaf(missingness=Zero()).explain(model, np.array([[2.0, 3, 1, 1, 1]]))
    assert np.allclose(found.values, [[3, 3, 0, 0, 0]])


def test_values_of_whole_players_are_kept_beside_their_features_shares(forest):
    found = KernelShap(partition=Groups(((0, 1), (3, 4)))).explain(forest, ROWS[:2])
    assert found["player_of"].values.tolist() == [[0, 0, -1, 1, 1]] * 2
    assert np.allclose(found["player_value"].values.sum(axis=1), found["score"] - found["baseline_score"])
    assert np.allclose(found.values[:, [0, 3]] * 2, found["player_value"])
    assert "player_value" not in KernelShap().explain(forest, ROWS[:1]).data
    assert found.data.attrs["estimators"] == "exact 2"


def test_estimates_of_banzhaf_values_come_near_enumeration():
    rows = np.random.default_rng(1).normal(size=(40, 10))
    model = ex.TabularModel(lambda x: np.tanh(x.sum(axis=1)) + x[:, 0] * x[:, 1], rows)
    truth = Banzhaf(2**10).explain(model, rows[:3])
    found = Banzhaf(200).explain(model, rows[:3])
    assert "exact" not in found["estimator"].values
    gaps = (found.values - truth.values) / found["standard_error"].values
    assert np.sqrt(np.mean(gaps**2)) < 2.5
    assert ((found.values - truth.values) ** 2).sum() < 0.01 * (truth.values**2).sum()


def test_the_credit_model_of_the_zoo():
    from explicate.data import table
    from explicate.models.zoo.tables import adult_credit

    model = adult_credit()
    people = table("adult").values()[-3:, :]
    missingness = Marginal(rows=5)
    truth = ExactShapley(missingness).explain(model, people, target=1)
    found = KernelShap(256, missingness).explain(model, people, target=1)
    plain = KernelShap(256, missingness, estimator="least-squares").explain(model, people, target=1)
    gaps = (found.values - truth.values) / found["standard_error"].values
    assert np.sqrt(np.mean(gaps**2)) < 2.5
    assert ((found.values - truth.values) ** 2).sum() < ((plain.values - truth.values) ** 2).sum()
    assert found.provenance.evaluations < 3 * 256 * 5  # people share values with the rows


@pytest.mark.slow
def test_a_photograph_in_six_parts():
    pytest.importorskip("efficientnet_lite_pytorch")
    from explicate.attribution.players import Grid
    from explicate.data.images import cat
    from explicate.models.zoo.vision import efficientnet_lite0

    picture = cat()
    found = ExactShapley(partition=Grid(2, 3)).explain(efficientnet_lite0(), picture.pixels[None], target=285)
    gain = float((found["score"] - found["baseline_score"]).item())
    assert found["player_value"].values.sum() == pytest.approx(gain, rel=1e-4)
    first, last, left, right = (np.array(picture.boxes["face"]) * 224 / np.repeat(picture.pixels.shape[:2], 2)).astype(
        int
    )
    face = found.values[0][first:last, left:right].sum() / gain
    assert face > (last - first) * (right - left) / 224**2  # more than its share of the area


@pytest.mark.peer
def test_it_agrees_with_shapiq_on_a_real_forest(forest):
    shapiq = pytest.importorskip("shapiq")

    def worth(masks):
        filled = np.where(masks[:, None, :], ROWS[0], ROWS).reshape(-1, 5)
        return forest.wrapped.predict(filled).reshape(len(masks), -1).mean(axis=1)

    theirs = shapiq.ExactComputer(worth, 5)("SV")
    found = KernelShap(32, Marginal(rows=0)).explain(forest, ROWS[:1])
    assert np.allclose(found.values[0], [theirs[(j,)] for j in range(5)])


def test_bad_input_is_named(forest):
    with pytest.raises(InputError, match="too small"):
        KernelShap(2).explain(forest, ROWS[:1])
    wide = ex.TabularModel(lambda x: x.sum(axis=1), np.ones((2, 20)))
    with pytest.raises(InputError, match="use kernel-shap"):
        ExactShapley().explain(wide, np.ones((1, 20)))
