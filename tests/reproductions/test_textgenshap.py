"""TextGenSHAP's reproduction at smoke scale measures every bar of its page, and the exact ones hold there too."""

import pytest

pytest.importorskip("torch")

from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, smollm2):
    result = reproduce("textgenshap", Context(scale="smoke", seeds=(0,), folder=tmp_path))
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    assert [claim["bar"] for claim in judged] == [
        ">= 1", "<= 1e-12", ">= 0.90", ">= 1", ">= 3", ">= 1", ">= 0.60", "<= 0.50", ">= 0.80", ">= 0.60", ">= 5",
        ">= 0", "<= 0.20", ">= 0.80",
    ]  # fmt: skip
    holds = {claim["claim"]: claim["met"] for claim in judged}
    assert holds["Every permutation adds up"]
    assert holds["Encoding once changes nothing"]
    assert holds["Speculation changes no output"]
