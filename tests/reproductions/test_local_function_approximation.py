import json

import numpy as np
import pytest

from explicate.errors import MissingDependencyError
from explicate.reproductions import local_function_approximation as reproduction
from explicate.reproductions import local_function_approximation_claims as claims
from explicate.reproductions import local_function_approximation_peers as peers
from explicate.reproductions.claims import Context, reproduce

FAMILIES = np.array([0, 0, 0, 0, 0, 1, 1])
PLANTED = 1.0 + 6.0 * (FAMILIES[:, None] != FAMILIES)
np.fill_diagonal(PLANTED, 0.1)


def test_a_matrix_with_a_small_diagonal_misses_nothing():
    assert claims.order_misses(PLANTED) == []
    assert claims.block_ratio(PLANTED[None]) == pytest.approx(70)


def test_lime_and_kernel_shap_may_change_places_and_others_may_not():
    swapped = PLANTED.copy()
    swapped[0, 1], swapped[0, 0] = 0.1, 0.2
    assert claims.order_misses(swapped) == []
    swapped[2, 0] = 0.05
    assert claims.order_misses(swapped) == ["occlusion", "lime"]
    swapped[5, 6] = 0.01
    assert set(claims.order_misses(swapped)) == {"lime", "occlusion", "vanilla_gradient", "smooth_grad"}


def test_the_best_of_each_family_is_chosen_on_other_rows():
    """A method that is best on the explained rows, but not on the rows of selection, is not taken."""
    names = [*claims.REMOVAL, *claims.NOISE]
    there = {name: {"t": [1.0 + i] * 20} for i, name in enumerate(names)}
    here = {name: {"t": list(np.linspace(2, 3, 20))} for name in names}
    here["kernel_shap"] = {"t": [0.0] * 20}
    group = [{"perturbation": here, "perturbation_selection": there}]
    interval, chosen = claims._advantage(group, "t", claims.REMOVAL, claims.NOISE, rising=True)
    assert chosen == ("lime", "c_lime")
    assert interval.value == 0
    _, chosen = claims._advantage(group, "t", claims.REMOVAL, claims.NOISE, rising=False)
    assert chosen == ("gradient_x_input", "vanilla_gradient")


def test_full_scale_without_captum_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "captum_installed", lambda: False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'explicate\[peers-attribution\]'"):
        reproduction.reproduce(Context(folder=tmp_path))


@pytest.mark.slow
def test_the_smoke_scale_runs_without_captum_and_resumes(monkeypatch, tmp_path):
    monkeypatch.setattr(reproduction, "captum_installed", lambda: False)
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    context = Context("smoke", folder=tmp_path / "run")
    result = reproduce("local-function-approximation", context)
    json.dumps(result, allow_nan=False)
    by_claim = {claim["claim"]: claim for claim in result["claims"]}
    assert by_claim[next(text for text in by_claim if text.startswith("A linear model"))]["met"]
    assert by_claim[next(text for text in by_claim if text.startswith("A logistic model"))]["met"]
    assert by_claim[next(text for text in by_claim if text.startswith("No free lunch"))]["met"]

    def refuse(unit, seed):
        raise AssertionError("a finished unit was done again")

    monkeypatch.setattr(reproduction, "_work", refuse)
    assert reproduce("local-function-approximation", context)["claims"] == result["claims"]
