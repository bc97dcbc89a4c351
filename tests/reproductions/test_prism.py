"""PrISM's reproduction at smoke scale judges its bars by what it measured, and resumes."""

import numpy as np
import pytest

pytest.importorskip("torch")

from explicate.reproductions import prism
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch, smollm2):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("prism", context)
    judged = {claim["claim"]: claim for claim in result["claims"] if claim["met"] is not None}
    assert [claim["bar"] for claim in judged.values()] == [
        ">= 0.90", ">= 0.90", ">= 3", "interval above 0", "interval holds 0", "> 0"
    ]  # fmt: skip
    ratio = judged["spoiling the subject costs exact recall more than guesswork"]
    assert ratio["met"] == (ratio["measured"] >= 3)
    contrast = judged["exact recall peaks at the subject's last token, heuristics at the last token"]
    assert contrast["met"] == (contrast["interval"][0] > 0)
    monkeypatch.setattr(prism, "_trace", lambda unit: pytest.fail("done twice"))
    assert reproduce("prism", context)["claims"] == result["claims"]


def test_subjects_are_resampled_whole():
    exact = prism._Values(np.array([1.0, 1.0, 1.0, 0.0]), ["Paris", "Paris", "Paris", "Oslo"])
    guess = prism._Values(np.array([0.5, 0.5]), ["Rome", "Bern"])
    found = exact.above(guess)
    assert found.value == pytest.approx(0.25)
    assert found.low == -0.5
    assert found.high == 0.5
    assert found.clusters == 4
