"""Worlds against the equations that define them, the study against a planted gap, and its bookkeeping."""

import matplotlib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier

from explicate.attribution.lime_tabular import LIME
from explicate.benchmarks.explanation_disparity import (
    AdultConceptShift,
    AdultOmittedVariable,
    ConceptShiftDGP,
    CovariateShiftDGP,
    DisparityStudy,
    OmittedVariableDGP,
    SampleSizeDGP,
    effect,
    means,
    plot_gaps,
    recommendations,
    setup_effects,
    shift_effects,
)
from explicate.benchmarks.explanation_disparity.adult import omissions, read_census
from explicate.benchmarks.explanation_disparity.study import as_table, balanced
from explicate.errors import CapabilityError, InputError, RunError
from explicate.models.tiny.classifier import NetworkClassifier

matplotlib.use("Agg")
WORLDS = [SampleSizeDGP(), CovariateShiftDGP(), ConceptShiftDGP(), OmittedVariableDGP()]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def columns(split) -> dict[str, np.ndarray]:
    return {feature.name: split.test_inputs[:, j] for j, feature in enumerate(split.features)}


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.label)
def test_no_setup_leaks_the_label_and_setup_2_withholds_the_sensitive_column(world):
    strength = world.grid()[-1]
    given, withheld = (world.sample(strength, setup, rng()) for setup in (1, 2))
    assert "M" in columns(given)
    assert "M" not in columns(withheld)
    np.testing.assert_array_equal(columns(given)["M"].astype(int).astype(str), given.test_sensitive)
    np.testing.assert_array_equal(given.test_labels, withheld.test_labels)
    for split in (given, withheld):
        for column in split.test_inputs.T:
            assert abs(np.corrcoef(column, split.test_labels)[0, 1]) < 0.9
        assert len(split.train_inputs) == len(split.train_labels) == len(split.train_sensitive)


def test_the_four_labels_follow_their_equations_with_a_tenth_flipped():
    def share(split, x):
        return np.mean((x >= 0) == (split.test_labels == 1))

    split = SampleSizeDGP(test=20_000).sample(0.3, 1, rng())
    c, ell, m = (columns(split)[name] for name in "CLM")
    assert share(split, 0.5 * c - 1.5 * ell + 0.5) == pytest.approx(0.9, abs=0.01)
    np.testing.assert_allclose([np.mean(ell[m == 1]), np.mean(ell[m == 0])], [0.7, 0.0], atol=0.03)
    assert np.var(ell - 0.7 * m - 0.3 * c) == pytest.approx(0.25, rel=0.05)
    assert m.mean() == 0.5

    split = ConceptShiftDGP().sample(-0.7, 1, rng())
    c, ell, m, product = (columns(split)[name] for name in ("C", "L", "M", "L*M"))
    np.testing.assert_array_equal(product, ell * m)
    x = 0.5 * c + 1.5 * m * ell - 0.7 * (1 - m) * ell - ell - 0.2
    assert share(split, x) == pytest.approx(0.9, abs=0.015)
    assert np.std(ell - 0.7 * m - 0.3 * c) == pytest.approx(0.1, rel=0.05)

    split = OmittedVariableDGP(withhold=False).sample(2.0, 1, rng())
    c, ell = columns(split)["C"], columns(split)["L"]
    assert share(split, 2.0 * c + ell - 0.2) == pytest.approx(0.9, abs=0.02)
    assert "C" not in columns(OmittedVariableDGP().sample(2.0, 1, rng()))


def test_strengths_change_what_they_name_and_nothing_else():
    few = SampleSizeDGP().sample(0.05, 2, rng())
    assert (few.train_sensitive == "0").sum() == 350
    cut, whole = (CovariateShiftDGP().sample(s, 2, rng()) for s in (0.9, -5.0))
    lowest = cut.train_inputs[cut.train_sensitive == "0", 1].min()
    assert lowest >= 0.9
    assert whole.train_inputs[whole.train_sensitive == "0", 1].min() < -1
    assert (cut.train_sensitive == "1").sum() == (whole.train_sensitive == "1").sum()
    np.testing.assert_array_equal(cut.test_inputs, whole.test_inputs)
    same, shifted = (ConceptShiftDGP().sample(beta, 2, rng()) for beta in (1.5, -0.5))
    np.testing.assert_array_equal(same.test_inputs, shifted.test_inputs)
    changed = same.test_labels != shifted.test_labels
    assert not changed[same.test_sensitive == "1"].any()
    assert changed[same.test_sensitive == "0"].mean() > 0.05


@pytest.mark.parametrize(
    ("world", "strength", "said"),
    [
        (SampleSizeDGP(), 0.0, "between 0 and 1"),
        (SampleSizeDGP(), 1.0, "between 0 and 1"),
        (SampleSizeDGP(train=10), 0.05, "empty"),
        (CovariateShiftDGP(), 9.0, "0 of 35[0-9]{2} remain|0 of 34[0-9]{2} remain"),
        (CovariateShiftDGP(), np.nan, "finite"),
        (ConceptShiftDGP(), np.inf, "finite"),
        (OmittedVariableDGP(), -1.0, "at least 0"),
        (AdultConceptShift(), 1.5, "0 to 1"),
        (AdultOmittedVariable(), 0.5, "no feature has the strength"),
    ],
)
def test_strengths_outside_the_domain_are_named(world, strength, said):
    with pytest.raises(ValueError, match=said):
        world.sample(strength, 1, rng())


def test_other_bad_parameters_are_named():
    with pytest.raises(InputError, match="setup is 3"):
        ConceptShiftDGP().sample(1.5, 3, rng())
    with pytest.raises(InputError, match="bins"):
        AdultConceptShift("age")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="trials is 1"):
        DisparityStudy(ConceptShiftDGP(), trials=1)
    with pytest.raises(InputError, match="points is 10"):
        DisparityStudy(ConceptShiftDGP(), points=10)
    with pytest.raises(InputError, match="vary"):
        DisparityStudy(ConceptShiftDGP(), vary="data")  # type: ignore[arg-type]


def test_adult_groups_rows_and_labels():
    census = read_census("race")
    assert set(census.groups) == {"white", "other"}
    assert (census.groups == "other").mean() == pytest.approx(0.145, abs=0.001)
    world = AdultConceptShift("sex", train=2000, test=600)
    plain, shifted = (world.sample(q, 1, rng(4)) for q in (0.0, 0.5))
    assert [feature.name for feature in plain.features][-1] == "sex"
    assert (plain.test_sensitive == "Female").sum() == 300
    np.testing.assert_array_equal(plain.train_inputs, shifted.train_inputs)
    changed = plain.train_labels != shifted.train_labels
    assert not changed[plain.train_sensitive == "Male"].any()  # the smaller group is Female
    education = plain.train_inputs[:, 1] < np.median(read_census("sex").inputs[:, 1])
    np.testing.assert_array_equal(shifted.train_labels[changed], education[changed])
    assert "sex" not in [feature.name for feature in world.sample(0.0, 2, rng()).features]


def test_adult_omissions_are_ordered_and_dropped():
    world = AdultOmittedVariable("sex", train=500, test=200)
    found = omissions("sex")
    strengths = [item.with_sensitive for item in found]
    assert strengths == sorted(strengths)
    assert found[-1].feature == "relationship"  # husband and wife say who is who
    assert world.grid() == (0.0, *strengths)
    assert "relationship" not in [feature.name for feature in world.sample(strengths[-1], 2, rng()).features]
    assert len(world.sample(0.0, 2, rng()).features) == 8


class Bend(ClassifierMixin, BaseEstimator):
    """A model that is linear for M = 1 and wavy for M = 0: LIME must fail for M = 0 only."""

    def fit(self, inputs, labels):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, inputs):
        wavy = 0.5 + 0.4 * np.sin(12 * inputs[:, 0])
        p = np.where(inputs[:, 2] == 0, wavy, np.clip(0.5 + 0.05 * inputs[:, 0], 0, 1))
        return np.column_stack([1 - p, p])

    def predict(self, inputs):
        return (self.predict_proba(inputs)[:, 1] >= 0.5).astype(int)


def test_a_planted_gap_is_found_and_chance_is_not():
    study = DisparityStudy(
        SampleSizeDGP(train=500, test=1000),
        {"bend": Bend()},
        {"lime": LIME(samples=200)},
        strengths=(0.5,),
        setups=(1,),
        trials=4,
        points=300,
    )
    found = means(study.run()).set_index("metric")
    assert found.loc["accuracy_gap", "low"] > 0.25
    assert found.loc["accuracy_gap", "worse_group"] == "0"
    assert found.loc["accuracy_gap", "worse_share"] == 1.0
    assert found.loc["probability_residual_gap", "worse_group"] == "0"
    assert found.loc["accuracy_gap_permuted", "mean"] < 0.07
    assert found.loc["mann_whitney_p", "mean"] < 1e-6


def small(**changes) -> DisparityStudy:
    settings = {
        "models": {"logistic": NetworkClassifier((), epochs=5)},
        "explainers": {"lime": LIME(samples=100)},
        "strengths": (1.5, -0.5),
        "trials": 3,
        "points": 60,
    }
    return DisparityStudy(ConceptShiftDGP(rows=1500), **(settings | changes))


def test_a_linear_model_is_followed_in_every_group():
    table = small(models={"logistic": NetworkClassifier((), epochs=30, learning_rate=1e-2)}).run()
    agreement = table[table["metric"] == "accuracy_gap"]
    assert agreement["overall"].min() >= 0.95
    truth = table[table["metric"] == "ground_truth_fidelity_gap"]
    assert truth.loc[truth["setup"] == 2, "overall"].eq(1.0).all()  # both of two features


def test_a_finished_study_is_not_done_again(tmp_path):
    first = small().run(tmp_path / "one")
    units = (tmp_path / "one" / "units.jsonl").read_text().splitlines()
    assert len(units) == 4
    again = small().run(tmp_path / "one")
    assert (tmp_path / "one" / "units.jsonl").read_text().splitlines() == units
    assert first.equals(again)
    with pytest.raises(RunError):
        small(trials=4).run(tmp_path / "one")


@pytest.mark.slow
def test_the_table_does_not_depend_on_workers(tmp_path):
    parallel = small().run(tmp_path / "two", workers=2)
    assert parallel.equals(small().run())


def test_fresh_data_vary_more_than_the_explainer():
    models = {"trees": HistGradientBoostingClassifier(max_iter=20)}
    spreads = {}
    for vary in ("all", "explainer"):
        table = small(models=models, vary=vary, trials=5, strengths=(1.5,), setups=(2,)).run()
        accuracy = table[table["metric"] == "model_accuracy_gap"]["value"]
        gaps = table[table["metric"] == "probability_residual_gap"]["value"]
        spreads[vary] = (accuracy.std(), gaps.std())
    assert spreads["explainer"][0] == 0.0
    assert spreads["all"][0] > 0.0
    assert 0.0 < spreads["explainer"][1] < spreads["all"][1]


def test_a_fixed_radius_ignores_the_training_data():
    study = DisparityStudy(
        CovariateShiftDGP(train=600, test=400),
        {"bend": Bend()},
        {"lime": LIME(samples=100), "lime-fixed": "fixed"},
        strengths=(-5.0, 0.9),
        setups=(1,),
        trials=2,
        points=100,
    )
    table = study.run()
    residual = table[table["metric"] == "probability_residual_gap"].pivot_table(
        index="trial", columns=["explainer", "strength"], values="value"
    )
    np.testing.assert_allclose(residual["lime-fixed", 0.9], residual["lime-fixed", -5.0])  # the model never changes
    assert (residual["lime", 0.9] != residual["lime", -5.0]).all()


def test_models_without_probabilities_are_refused():
    class Wide(Bend):
        def predict_proba(self, inputs):
            return 3 * super().predict_proba(inputs)

    class Bare(ClassifierMixin, BaseEstimator):
        def fit(self, inputs, labels):
            return self

        def predict(self, inputs):
            return np.zeros(len(inputs))

    with pytest.raises(CapabilityError, match="leave"):
        small(models={"wide": Wide()}, setups=(1,)).cell({"strength": 1.5, "model": "wide", "setup": 1})
    with pytest.raises(CapabilityError, match="predict_proba"):
        small(models={"bare": Bare()}).cell({"strength": 1.5, "model": "bare", "setup": 1})


def made_up(effects: dict[float, float], noise: float = 0.002, setup: int = 2):
    """A table whose gap is 0.01 without shift (strength 0) and `effects` more at each strength."""
    random = rng(1)
    rows = []
    for strength, size in {0.0: 0.0, **effects}.items():
        for trial in range(10):
            about = {"objective": "made-up", "strength": strength, "model": "network", "setup": setup, "trial": trial}
            value = 0.01 + size + noise * random.standard_normal()
            for metric in ("accuracy_gap", "accuracy_gap_permuted"):
                rest = {"overall": 0.9, "groups": {}, "worse_group": "0", "undefined_pairs": 1}
                rows.append(
                    {**about, "explainer": "lime", "metric": metric, "value": value, "start": strength == 0.0, **rest}
                )
    return as_table(rows)


def test_effects_and_intervals_of_a_made_up_table():
    table = made_up({1.0: 0.0, 2.0: 0.2})
    found = shift_effects(table[table["metric"] == "accuracy_gap"]).set_index("strength")
    assert found.loc[2.0, "mean"] == pytest.approx(0.2, abs=0.003)
    assert found.loc[2.0, "low"] > 0.19
    assert found.loc[2.0, "wilcoxon_p"] == pytest.approx(2**-10)
    assert found.loc[1.0, "low"] < 0 < found.loc[1.0, "high"]
    one = effect(table, 2.0, metric="accuracy_gap", model="network", setup=2, explainer="lime")
    assert (one.mean, one.low) == pytest.approx((found.loc[2.0, "mean"], found.loc[2.0, "low"]))
    assert means(table)["undefined_pairs"].eq(10).all()
    with pytest.raises(InputError, match="without shift"):
        shift_effects(table[~table["start"]])


def test_undefined_trials_are_left_out_not_zero():
    table = made_up({1.0: 0.1})
    shifted = table["strength"] == 1.0
    table.loc[shifted & (table["trial"] < 8), "value"] = np.nan
    row = means(table[table["metric"] == "accuracy_gap"]).set_index("strength").loc[1.0]
    assert row["trials"] == 2
    assert row["mean"] == pytest.approx(0.11, abs=0.01)


def test_advice_follows_the_signs():
    grows = recommendations(made_up({1.0: 0.2, 2.0: 0.3}))[0]
    assert "grows at 2 of 2" in grows
    assert "check fidelity by group" in grows
    assert "too small to act on" in recommendations(made_up({1.0: 0.006}))[0]
    assert "shrinks at 1 of 1" in recommendations(made_up({1.0: -0.2}))[0]
    assert "not reproduced" in recommendations(made_up({1.0: 0.0}, noise=0.01))[0]
    import pandas as pd

    both = pd.concat([made_up({1.0: 0.2}, setup=2), made_up({1.0: 0.02}, setup=1)])
    assert "give the model the column" in recommendations(both)[-1]
    assert setup_effects(both).set_index("strength").loc[1.0, "mean"] == pytest.approx(-0.18, abs=0.01)


def test_the_picture_shows_every_strength_with_its_interval():
    table = made_up({1.0: 0.1, 2.0: 0.2})
    axes = plot_gaps(table)
    line = axes.containers[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(orig=False), [0.0, 1.0, 2.0])
    np.testing.assert_allclose(line.get_ydata(orig=False), means(table[table["metric"] == "accuracy_gap"])["mean"])
    assert axes.get_xlabel() == "strength of made-up"
    table.loc[0, "objective"] = "other"
    with pytest.raises(InputError, match="one objective"):
        plot_gaps(table)


def test_explained_rows_are_balanced():
    chosen = balanced(np.array(["a"] * 300 + ["b"] * 50), 200)
    assert len(chosen) == 100
    assert (chosen < 300).sum() == 50


def test_a_model_without_probabilities_is_refused_before_anything_is_drawn():
    from sklearn.svm import LinearSVC

    with pytest.raises(CapabilityError, match="model 'svc', a LinearSVC, has no predict_proba"):
        DisparityStudy(ConceptShiftDGP(), models={"svc": LinearSVC()})
