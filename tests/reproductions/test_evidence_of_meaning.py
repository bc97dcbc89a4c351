"""The reproduction runs at smoke scale, resumes, and judges the page's bars by what was measured."""

import numpy as np
import pytest

from explicate.reproductions import evidence_of_meaning
from explicate.reproductions.claims import Context, reproduce
from explicate.reproductions.evidence_of_meaning_claims import claims_of

BARS = [">= 0.60", ">= 5", "< 0, p < .05", ">= 0.75", "< 0.40", "< 0.30", ">= 0.10, interval above 0",
        ">= 0.10, interval above 0", ">= 0.8", ">= 0.3", "0 within its interval"]  # fmt: skip


def test_smoke_scale_measures_every_bar_of_the_page_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("evidence-of-meaning", context)
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    assert [claim["bar"] for claim in judged] == BARS
    assert all(claim["measured"] is not None for claim in judged)
    monkeypatch.setattr(evidence_of_meaning, "_last", lambda *_: pytest.fail("done twice"))
    assert reproduce("evidence-of-meaning", context)["claims"] == result["claims"]


def reading(accuracy):
    return {"accuracy": accuracy, "majority": 0.3, "rows": 1000}


def last(seed, gap):
    accuracy = np.full((4, 3, 1, 2), 0.8 - gap)
    accuracy[0] = 0.8
    shape = {
        "semantics": ["original", "a", "b", "c"],
        "probe": ["linear", "one", "two"],
        "feature": ["direction"],
        "offset": [0, 1],
    }
    return {
        "seed": seed, "generative_accuracy": 0.7, "hidden_accuracy": 0.6, "as_reference": 0.1,
        "length_difference": -0.5 - seed, "length_p_value": 1e-4, "perplexity_solved": 3.0, "perplexity_unsolved": 9.0,
        "shortest_length": {"written": 2.0, "reference": 2.5, "shortest": 1.8},
        "readings": {"direction/0": reading(0.8), "direction/1": reading(0.5)},
        "baselines": {name: {"direction/0": reading(0.28), "direction/1": reading(0.26)} for name in
                      ("untrained model", "shuffled labels", "bag of tokens", "program prefix")},
        "intervention": {
            "data_vars": {"accuracy": {"data": accuracy.tolist()}, "majority": {"data": (0 * accuracy + 0.3).tolist()}},
            "coords": {name: {"data": values} for name, values in shape.items()},
            "attrs": {"left_out": []},
        },
    }  # fmt: skip


def records(gaps):
    planted = {"state": {"accuracy": [1.0, 1.0], "gap": [0.6, 0.5]}, "text": {"accuracy": [0.5, 0.97]}}
    return {
        "training": [{"parameters": 1000, "steps": 10}],
        "constant": [{"share": 0.1}],
        "last": [last(seed, gap) for seed, gap in enumerate(gaps)],
        "one example": [last(seed, gap) for seed, gap in enumerate(gaps)],
        "point": [
            {
                "seed": seed,
                "step": step,
                "generative_accuracy": 0.1 * step**2,
                "readings": {"direction/0": reading(0.3 + 0.1 * step)},
            }
            for seed in range(len(gaps))
            for step in range(5)
        ],
        "planted": [
            {**planted, "text": {**planted["text"], "gap": [0.2, 0.01 * (seed - 1)]}} for seed in range(len(gaps))
        ],
    }


def test_figures_of_known_records():
    claims = claims_of(records([0.14, 0.16, 0.15]))
    assert all(claim.met in (True, None) for claim in claims)
    gap = next(claim for claim in claims if "original - others, linear probe" in claim.metric)
    assert gap.measured == pytest.approx(0.15)
    assert gap.interval[0] > 0.1
    assert [claim.measured for claim in claims if claim.bar == ">= 5"] == [pytest.approx(7)]
    lengths = next(claim for claim in claims if claim.bar.startswith("< 0,"))
    assert lengths.measured == pytest.approx(-1.5)
    assert not lengths.met or lengths.interval[0] < lengths.measured
    correlation = next(claim for claim in claims if claim.bar == ">= 0.8")
    assert correlation.measured == pytest.approx(np.corrcoef(np.arange(5), np.arange(5) ** 2)[0, 1])


def test_a_gap_that_differs_between_seeds_more_than_it_is_large_is_no_gap():
    claims = claims_of(records([-0.2, 0.5, 0.2]))
    gaps = [claim for claim in claims if claim.bar.startswith(">= 0.10")]
    assert [claim.met for claim in gaps] == [False, False]
    assert all(claim.measured > 0.1 for claim in gaps)


def test_a_model_that_solves_nothing_misses_the_length_bar_with_a_reason():
    found = records([0.1])
    found["last"][0] |= {"length_difference": None, "length_p_value": None, "shortest_length": None}
    claim = next(claim for claim in claims_of(found) if claim.bar == "< 0, p < .05")
    assert (claim.met, claim.measured) == (False, None)
    assert "too few" in claim.note
