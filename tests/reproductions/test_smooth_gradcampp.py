"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")

from explicate.reproductions import smooth_gradcampp
from explicate.reproductions.claims import Context, reproduce


@pytest.mark.slow
def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setitem(
        smooth_gradcampp.SIZES, "smoke", {"training": 200, "accuracy": 50, "pictures": 6, "noisy": 6, "epochs": 1}
    )
    context = Context(scale="smoke", seeds=(0, 1), folder=tmp_path)
    result = reproduce("smooth-gradcampp", context)
    bars = [claim["bar"] for claim in result["claims"] if claim["met"] is not None]
    assert bars == [">= 0.95", ">= 2", ">= 0.80", ">= 0.05", ">= 0.95", "> 0", "> 0, Wilcoxon p < 0.01"] + [
        "= 1"
    ] * 3 + ["> 0.5"]
    for claim in result["claims"]:
        if claim["bar"].startswith(">= "):
            assert claim["met"] == (claim["measured"] >= float(claim["bar"][3:]))
    random = next(claim for claim in result["claims"] if claim["bar"] == ">= 2")
    assert "random 1.0" in random["note"]
    monkeypatch.setattr(smooth_gradcampp, "_shapes", lambda unit: pytest.fail("done twice"))
    again = reproduce("smooth-gradcampp", context)
    assert again["claims"] == result["claims"]
