"""The reproduction of Talking Heads at its small scale: every claim is there, and those that need no size hold."""

import pytest

from explicate.reproductions.claims import Context
from explicate.reproductions.talking_heads import reproduce


@pytest.fixture(scope="module")
def claims(smollm2, tmp_path_factory):
    pytest.importorskip("transformers")
    return reproduce(Context("smoke", (0,), tmp_path_factory.mktemp("talking-heads")))


def test_every_claim_has_a_figure_and_planted_and_undone_hold(claims):
    assert all(claim.measured is not None for claim in claims)
    texts = [claim.claim for claim in claims]
    assert len(texts) == len(set(texts)) >= 18
    met = {claim.claim: claim.met for claim in claims}
    assert met["A planted channel is the first of all components, by Q, K and V"]
    assert met["and far from the others"]
    assert met["and undone"]


def test_the_bars_are_those_of_the_page(claims):
    bars = {claim.claim: claim.bar for claim in claims if claim.bar}
    assert bars["Weights foretell effects"] == ">= 0.3, p < 0.01"
    assert bars["Steering by index raises laundry lists of 5"] == ">= 0.10"
    assert bars["which random directions do not"] == "< 0.03"
    assert bars["Five components carry the composition"] == ">= 0.5, random < 0.1"
