"""The reproduction runs at smoke scale, resumes, and judges its bars by what it measured."""

import numpy as np
import pytest

from explicate.data.rendered_birds import ATTRIBUTES, BACKGROUNDS, rendered_birds
from explicate.reproductions import concept_centric_transformers as system
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("concept-centric-transformers", context)
    bars = [claim["bar"] for claim in result["claims"] if claim["bar"]]
    assert bars == [
        ">= .97", ">= .02", ">= .90", ">= .95", ">= .80; chance <= .15", "<= .005", ">= 1 of 1", ">= .60", "<= .20",
        ">= .60", "<= .35",
    ]  # fmt: skip
    masked = next(claim for claim in result["claims"] if claim["claim"] == "The defining concept decides")
    assert masked["met"] == (masked["measured"] >= 0.6)
    told = [claim["claim"] for claim in result["claims"] if not claim["bar"]]
    assert len(told) == 5
    monkeypatch.setattr(system, "_birds", lambda unit: pytest.fail("done twice"))
    assert reproduce("concept-centric-transformers", context)["claims"] == result["claims"]


def test_five_seeds_whatever_is_given():
    assert system.five((0, 1, 2)) == (0, 1, 2, 3, 4)
    assert system.five((7, 1)) == (7, 1, 0, 2, 3)


def test_every_patch_shows_a_part_or_its_background():
    data = rendered_birds(20, np.random.default_rng(0))
    shown = system.patch_attributes(data)
    assert shown.shape == (20, 16, len(ATTRIBUTES) + len(BACKGROUNDS))
    assert (shown.sum(axis=2) >= 1).all()
    assert (system.picture_attributes(data).sum(axis=1) == 4).all()
    assert ((shown[..., : len(ATTRIBUTES)].sum(axis=2) > 0) != (shown[..., len(ATTRIBUTES) :].sum(axis=2) > 0)).all()
