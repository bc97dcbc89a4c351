"""Changes, intervals and p values against answers whose truth is planted, and the mixed model against integration."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, optimize

from explicate.errors import InputError
from explicate.evaluation.simulatability import treatment_effect
from explicate.evaluation.simulatability.analysis import summary
from explicate.evaluation.simulatability.mixed_model import method_accuracies
from explicate.evaluation.simulatability.planted import FakeUsers
from explicate.evaluation.simulatability.ratings import rating_effect
from explicate.report.simulation_report import simulation_report

RNG = np.random.Generator(np.random.PCG64(0))
METHODS = ("lime", "anchor", "boundary", "prototype", "composite")
ONE_HELPS = dict.fromkeys(METHODS, 0.0) | {"lime": 0.15}


def log_likelihood(right, total, mean, spread):
    def group(k, n):
        def density(z):
            p = 1 / (1 + np.exp(-(mean + spread * z)))
            return np.exp(k * np.log(p) + (n - k) * np.log1p(-p) + 0.69 * n - z * z / 2) / np.sqrt(2 * np.pi)

        return np.log(integrate.quad(density, -9, 9, limit=200)[0])

    return sum(group(k, n) for k, n in zip(right, total, strict=True))


def test_the_mixed_model_finds_what_integration_and_a_general_optimiser_find():
    right, total = np.array([70.0, 95, 88, 110, 60]), np.array([160.0] * 5)
    found = optimize.minimize(
        lambda x: -log_likelihood(right, total, x[0], np.exp(x[1])), [0.0, -1.0], method="Nelder-Mead"
    )
    accuracies, spread = method_accuracies(right[None], total[None])
    assert spread[0] == pytest.approx(np.exp(found.x[1]), rel=0.01)
    mean, sd = found.x[0], np.exp(found.x[1])
    for k, n, accuracy in zip(right, total, accuracies[0], strict=True):
        mode = optimize.minimize_scalar(
            lambda a, k=k, n=n: -(k * a - n * np.log1p(np.exp(a)) - (a - mean) ** 2 / (2 * sd**2)), bounds=(-3, 3),
            method="bounded",
        ).x  # fmt: skip
        assert accuracy == pytest.approx(1 / (1 + np.exp(-mode)), abs=2e-3)


def test_methods_that_do_not_differ_get_the_pooled_accuracy():
    accuracies, spread = method_accuracies(np.array([[80.0, 82, 79, 81, 80]]), np.full((1, 5), 160.0))
    assert spread[0] == 0
    assert accuracies[0] == pytest.approx([402 / 800] * 5, abs=1e-3)


def test_accuracies_are_drawn_together_but_not_across_each_other():
    right = np.array([[50.0, 80, 110]])
    accuracies, _ = method_accuracies(right, np.full((1, 3), 160.0))
    own = right / 160
    assert (np.abs(accuracies - own.mean()) < np.abs(own - own.mean()) + 1e-9).all()
    assert (np.diff(accuracies[0]) > 0).all()


def test_a_planted_change_is_found_and_nothing_else():
    users = FakeUsers(ONE_HELPS, users=12)
    effects = {one.method: one for one in treatment_effect(users.answers(3), users.study(), rounds=1000)}
    assert effects["lime"].low < 0.15 < effects["lime"].high
    assert effects["lime"].p < 0.05
    assert sum(effects[name].p < 0.05 for name in METHODS[1:]) <= 1
    assert effects["lime"].answers == 12 * 32
    assert all(one.simulated for one in effects.values())
    assert effects["lime"].detectable == pytest.approx(
        2.8 * (effects["lime"].high - effects["lime"].low) / 3.92, rel=0.1
    )


def test_intervals_that_ignore_users_and_items_are_too_narrow():
    users = FakeUsers(dict.fromkeys(METHODS, 0.0), user_change=0.1, item_change=0.1)
    whole, pooled = (
        treatment_effect(users.answers(0), users.study(), rounds=1000, blocks=blocks) for blocks in (True, False)
    )
    assert all(a.high - a.low > 1.15 * (b.high - b.low) for a, b in zip(whole, pooled, strict=True))


def test_unread_answers_count_in_neither_accuracy_and_are_counted():
    users = FakeUsers({"lime": 0.0, "anchor": 0.0}, users=3)
    answers = users.answers(0)
    cut = [replace(one, answer="") if one.participant == "lime-0" and one.phase == "pre" else one for one in answers]
    effects = {one.method: one for one in treatment_effect(cut, users.study(), rounds=500)}
    assert (effects["lime"].answers, effects["lime"].unread) == (64, 32)
    assert (effects["anchor"].answers, effects["anchor"].unread) == (96, 0)
    rest = [one for one in answers if one.participant != "lime-0"]
    assert (
        effects["lime"].post
        == {one.method: one for one in treatment_effect(rest, users.study(), rounds=500)}["lime"].post
    )
    everything = [replace(one, answer="") if one.method == "lime" else one for one in answers]
    with pytest.raises(InputError, match="'lime' can be read both before and after"):
        treatment_effect(everything, users.study(), rounds=500)


def test_people_and_programs_are_never_summed_up_together():
    users = FakeUsers({"lime": 0.0, "anchor": 0.0}, users=2)
    answers = users.answers(0)
    mixed = [replace(one, kind="person", reader="") if one.participant == "lime-0" else one for one in answers]
    with pytest.raises(InputError, match="analyse them apart"):
        treatment_effect(mixed, users.study(), rounds=500)
    with pytest.raises(InputError, match="there are no answers"):
        treatment_effect([one for one in answers if one.phase == "explain"], users.study(), rounds=500)


def rated(slope, seed=0):
    """Users whose ratings tell, by `slope` log-odds a point, whether they are right."""
    rng = np.random.default_rng(seed)
    users = FakeUsers({"lime": 0.0, "anchor": 0.0}, users=10)
    study = users.study()
    truth = study.truth("counterfactual")
    found = []
    for one in users.answers(seed):
        if one.phase == "post":
            rating = int(rng.integers(1, 8))
            right = rng.random() < 1 / (1 + np.exp(-slope * (rating - 4)))
            other = "yes" if truth[one.item] == "no" else "no"
            one = replace(one, rating=rating, answer=truth[one.item] if right else other)
        found.append(one)
    return found, study


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_what_ratings_tell_is_found(slope):
    for one in rating_effect(*rated(slope), rounds=400):
        if slope:
            assert one.p < 0.05
            assert one.high_rating > one.low_rating + 0.2
        else:
            assert one.p > 0.05
        if one.scale == "raw":
            assert one.low < slope < one.high
            assert one.slope == pytest.approx(slope, abs=0.12)
    with pytest.raises(InputError, match="nothing to relate"):
        rating_effect([one for one in rated(slope)[0] if one.rating is None], rated(slope)[1])


def test_the_report_says_that_readers_are_simulated_and_shows_the_power(tmp_path):
    answers, study = rated(0.3)
    result = summary(answers, study, rounds=400)
    page = simulation_report(result, study, "explicate study analyse").to_html()
    assert page.count("imulated") >= 5
    assert "not people" in page
    assert "detectable" in page
    assert "SIMULATED" in result.lines()[0]
    assert result.to_dict()["readers"] == "simulated"
    people = [replace(one, kind="person", reader="") for one in answers]
    page = simulation_report(summary(people, study, rounds=400), study).to_html()
    assert "imulated" not in page
