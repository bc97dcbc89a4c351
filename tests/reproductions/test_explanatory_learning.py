"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

from explicate.reproductions import explanatory_learning
from explicate.reproductions.claims import Context, reproduce
from explicate.reproductions.explanatory_learning_claims import claims_of

pytest.importorskip("torch")

SIDES = {"<": np.less, ">": np.greater, ">=": np.greater_equal}
BARS = [">= 0.90", ">= 0.10", "> 0", "< 0.01", ">= 0.15", ">= 0"]


def judged(claims):
    return [claim for claim in claims if claim["met"] is not None]


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("explanatory-learning", context)
    assert [claim["bar"] for claim in judged(result["claims"])] == BARS
    for claim in judged(result["claims"]):
        sign, limit = claim["bar"].split()
        if claim["measured"] is not None:
            assert claim["met"] == SIDES[sign](claim["measured"], float(limit))
    monkeypatch.setattr(explanatory_learning, "network_scores", lambda *_: pytest.fail("done twice"))
    assert reproduce("explanatory-learning", context)["claims"] == result["claims"]


def one(right, explained, first, tags=0.9):
    beams = [first, right]
    own = {"right": first, "accuracy": 0.7, "f1": 0.5, "nearest": first}
    return {
        "learned": beams, "true": beams, "right": right, "explained": explained, "distance": 0, "malformed": 2,
        "rank": 3 if right else None, "accuracy": tags, "f1": 0.8, "nearest": right, "empiricist": own,
    }  # fmt: skip


def test_claims_of_worked_records():
    scores = [one(True, True, False), one(True, True, True), one(False, False, False), one(False, True, False, 0.5)] * 8
    read = {"accuracy": 0.95, "majority": 0.7, "uniform": 0.97, "uniform_majority": 0.8}
    found = {
        "interpreter": [{"scores": [read] * 32, "floor": 0.0004, "constant": 120}],
        "network": [{"scores": scores}],
        "rules": [{"scores": [{"right": False}] * 32}],
        "labels": [{"scores": [{"accuracy": 0.75, "f1": 0.6, "nearest": False}] * 32}],
    }
    claims = {claim.bar or claim.metric: claim for claim in claims_of(found, (1, 300))}
    assert claims[">= 0.90"].measured == pytest.approx(0.95)
    assert claims[">= 0.10"].measured == pytest.approx(0.5 - 0.25)
    assert claims["> 0"].measured == pytest.approx(0.8 - 0.75)
    assert claims[">= 0.15"].measured == pytest.approx(2 / 3)
    assert claims[">= 0"].measured == pytest.approx(0.25)
    assert all(claim.met for claim in claims.values() if claim.met is not None)
    assert claims["share whose nearest rule is the true one and unique"].measured == pytest.approx(0.5)
    assert "among the conjectures of 0.500; where it is there, its median place is 4" in " ".join(
        claim.note for claim in claims.values()
    )
