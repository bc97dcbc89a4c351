"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import operator

import pytest

pytest.importorskip("torch")
pytest.importorskip("seqeval")

from explicate.reproductions import transformer_programs
from explicate.reproductions.claims import Context, reproduce
from explicate.reproductions.transformer_programs_claims import claims

SIDES = {">=": operator.ge, "=": operator.eq}


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("transformer-programs", context)
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    assert [claim["bar"] for claim in judged] == [">= 0.99", ">= 0.99", ">= 0.97", "= 1", ">= 0", "> the unigram table"]
    for claim in judged[:-1]:
        sign, limit = claim["bar"].split()
        assert claim["met"] == SIDES[sign](claim["measured"], float(limit))
    assert judged[-1]["met"] == (judged[-1]["measured"] > judged[-1]["baseline"])
    assert judged[3]["measured"] == 1  # the hard bar holds at any scale
    monkeypatch.setattr(transformer_programs, "_task", lambda unit: pytest.fail("done twice"))
    assert reproduce("transformer-programs", context)["claims"] == result["claims"]


def record(task="sort", seed=0, **more):
    size = {"lines": 200, "predicates": 30, "dead": 0}
    own = {"validation": 0.9, "test": 0.9, "asked": 0.9, "training": 0.9, "standard": 0.9, "frequent": 0.2}
    own |= {"checked": 10, "equal": 10, "file": 2.0, "model": 1.0, "arrays": 0.5, "examples": 100, "size": size}
    return {"task": task, "seed": seed, **own, **more}


def test_the_seed_is_chosen_on_validation_and_all_are_reported():
    tasks = [record("induction", seed, validation=v, asked=a) for seed, (v, a) in enumerate([(0.5, 1.0), (0.9, 0.7)])]
    tasks += [record(seed=0, test=0.98), record(seed=1, test=0.97, equal=9)]
    repairs = [{"before": 0.9, "after": 0.95, "failing": 3, "responsible": "mlp_0_0", "step": "mlp_0_0", "entry": ["a"],
                "value": "1", "seed": 0, "tag": "1", "circuit": ["mlp_0_0"]}]  # fmt: skip
    scores = {"f1": 0.6, "precision": 0.6, "recall": 0.6}
    found = claims(tasks, repairs, [{"program": scores, "unigram": 0.5, "standard": 0.7, "checked": 5, "equal": 5}])
    induction, sort, faithful = found[:3]
    assert induction.measured == 0.7  # the best on validation, not on test
    assert not induction.met
    assert "1.0000, 0.7000" in induction.note
    assert sort.measured == pytest.approx(0.975)
    assert sort.met
    assert faithful.measured == pytest.approx(44 / 45)
    assert not faithful.met
