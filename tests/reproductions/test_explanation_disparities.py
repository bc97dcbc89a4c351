"""The bars are judged on tables with and without a planted effect, and the small scale runs from end to end."""

import json

import numpy as np
import pandas as pd
import pytest

from explicate.benchmarks.explanation_disparity.study import as_table
from explicate.reproductions import explanation_disparities_claims as judged
from explicate.reproductions.claims import Context, reproduce


def table(strengths: dict[float, float], start: float, objective: str = "planted") -> pd.DataFrame:
    """Ten trials whose gap is 0.005, and so much more in networks at each strength; M = 0 is worse."""
    rng = np.random.default_rng(0)
    rows = []
    for strength, size in {start: 0.0, **strengths}.items():
        for model in ("network", "logistic"):
            for setup in (1, 2):
                for trial in range(10):
                    gap = abs(0.005 + (size if model == "network" else 0.0) + 0.001 * rng.standard_normal())
                    groups = {"0": 0.99 - gap, "1": 0.99}
                    about = {"objective": objective, "strength": strength, "model": model, "setup": setup}
                    about |= {"trial": trial, "explainer": "lime", "start": strength == start}
                    about |= {"groups": groups, "overall": 0.99, "undefined_pairs": 0, "worse_group": "0"}
                    metrics = {"accuracy_gap": gap, "auroc_gap": gap / 2, "accuracy_gap_permuted": 0.006}
                    metrics["ground_truth_fidelity_gap"] = 0.0
                    rows += [{**about, "metric": name, "value": value} for name, value in metrics.items()]
    return as_table(rows)


def met(claims) -> list[bool]:
    return [claim.met for claim in claims if claim.met is not None]


def test_a_planted_concept_shift_meets_its_bars_and_none_misses_them():
    assert met(judged.concept_shift(table({-0.5: 0.3}, 1.5))) == [True, True, True]
    absent = judged.concept_shift(table({-0.5: 0.0}, 1.5))
    assert absent[0].met is False
    assert absent[0].interval[0] < 0.15


def test_a_planted_covariate_shift_meets_its_bars_and_none_misses_them():
    assert met(judged.covariate_shift(table({1.75: 0.05}, -5.0))) == [True, True]
    assert met(judged.covariate_shift(table({1.75: 0.005}, -5.0)))[0] is False


def test_the_small_network_and_near_neighbours_have_bars_of_their_own():
    assert met(judged.small_network(table({1.75: 0.05}, -5.0))) == [True, True]
    assert met(judged.small_network(table({1.75: 0.0}, -5.0)))[0] is False
    assert judged.near(table({1.75: 0.0}, -5.0)).met is True
    far = table({1.75: 0.0}, -5.0)
    far.loc[far["strength"] == 1.75, "overall"] = 0.97
    assert judged.near(far).met is False


def test_controls_fail_where_they_should():
    good = {"a": table({1.0: 0.3}, 0.0), "b": table({1.0: 0.1}, 0.0, "adult-sex-concept-shift")}
    assert all(met(judged.controls(good)))
    bad = good["a"].copy()
    bad.loc[bad["start"] & (bad["metric"] == "accuracy_gap"), "value"] += 0.05
    bad.loc[bad["metric"] == "accuracy_gap_permuted", "value"] = 0.05
    bad.loc[bad["model"] == "logistic", "overall"] = 0.9
    verdicts = met(judged.controls({**good, "a": bad}))
    assert verdicts == [False, False, False, True]


def test_what_has_no_bar_is_called_reproduced_only_where_the_interval_excludes_0():
    grows, flat = table({4.0: 0.1}, 0.0), table({4.0: 0.0}, 0.0)
    assert judged._reported(grows, 4.0, "network", 1, "x").note.startswith("reproduced here")
    assert judged._reported(flat, 4.0, "network", 1, "x").note.startswith("not reproduced here")
    assert judged._reported(grows, 4.0, "network", 1, "x").met is None


@pytest.mark.slow
def test_the_small_scale_runs_from_end_to_end(tmp_path):
    found = reproduce("explanation-disparities", Context(scale="smoke", folder=tmp_path))
    json.dumps(found, allow_nan=False)
    claims = {claim["claim"]: claim for claim in found["claims"]}
    assert claims["LIME follows a linear model: generators"]["measured"] > 0.9
    assert claims["concept shift does nothing to explanations of a linear model"]["met"]
    saved = pd.read_csv(tmp_path / "explanation-disparities" / "gaps.csv", low_memory=False)
    assert {"sample-size", "covariate-shift", "concept-shift", "omitted-variable"} <= set(saved["objective"])
    assert (tmp_path / "explanation-disparities" / "recommendations.txt").read_text().count("\n") > 10
