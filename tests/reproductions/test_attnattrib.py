"""AttnAttrib's reproduction at smoke scale measures every bar of its page."""

import pytest

pytest.importorskip("torch")

from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, smollm2):
    result = reproduce("attnattrib", Context(scale="smoke", seeds=(0,), folder=tmp_path))
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    assert [claim["bar"] for claim in judged] == [
        ">= 0.40", ">= 0.25", "<= 1e-3", ">= 0.90 with <= 15 % of the heads", ">= 0.30", ">= 0.80", "<= 0.40",
        ">= 0.10", ">= 0.95", ">= 0.03 and more than a random sentence", "<= 1.15",
    ]  # fmt: skip
    algebra = next(claim for claim in judged if claim["bar"] == "<= 1e-3")
    assert algebra["met"]
    for claim in judged:
        if claim["bar"].startswith(">= 0.") and " " not in claim["bar"][3:].strip():
            assert claim["met"] == (claim["measured"] >= float(claim["bar"][3:]))
