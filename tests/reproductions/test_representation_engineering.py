"""The reproduction measures every bar at smoke scale and resumes; its own arithmetic against cases made by hand."""

import numpy as np
import pytest

from explicate.evaluation.dose_response import GRID
from explicate.reproductions import representation_engineering
from explicate.reproductions.claims import Context, reproduce
from explicate.reproductions.representation_engineering_claims import SCREENED_BY, _monotone, _ranks, best_cells


def test_the_best_cells_are_one_for_each_layer_and_estimator_and_never_strength_0():
    def row(layer, how, masses):
        return {"layer": layer, "how": how, "strength": [-1.0, 0.0, 1.0], SCREENED_BY: masses}

    table = [row(1, "a", [0.1, 0.9, 0.3]), row(1, "b", [0.5, 0.6, 0.2]), row(2, "a", [0.4, 0.1, 0.45])]
    assert best_cells(table, 2) == [
        {"layer": 1, "how": "b", "strength": -1.0},
        {"layer": 2, "how": "a", "strength": 1.0},
    ]


def test_monotone_intervals_and_ranks():
    rising = np.arange(21.0)
    assert _monotone(rising) == pytest.approx(2.0)
    assert _monotone(-rising) == pytest.approx(2.0)
    assert _monotone([0, 1, 2, 1, 0, -1, 3]) == pytest.approx(0.3)
    assert _monotone([1.0] * 21) == 0.0
    assert _ranks(np.abs(GRID)) == pytest.approx((1.0, 1.0))
    assert _ranks(GRID) == pytest.approx((-1.0, 1.0))


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch, smollm2):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("representation-engineering", context)
    judged = {claim["claim"]: claim for claim in result["claims"] if claim["met"] is not None}
    assert [claim["bar"] for claim in judged.values()] == [
        "> 0.99",
        ">= 0.90",
        "<= 0.40",
        "< 0.05",
        ">= 0.95, and exactly 0 at strength 0",
        f"= {3 * len(GRID)}",
        "= 1",
        "upper end of the interval >= 0",
        ">= 0.5",
    ]
    assert judged["R-C finds the planted difference of states"]["met"]
    assert judged["Strength 0 is the plain model bit for bit"]["met"]
    assert judged["The whole table of layers, estimators and strengths is measured"]["met"]
    monkeypatch.setattr(representation_engineering, "_modes", lambda unit: pytest.fail("done twice"))
    monkeypatch.setattr(representation_engineering, "_table", lambda unit: pytest.fail("done twice"))
    assert reproduce("representation-engineering", context)["claims"] == result["claims"]
