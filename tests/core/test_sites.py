import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.core.sites import GLOBAL, HEADED, LAYERED, Site
from explicate.errors import SiteError


@st.composite
def any_site(draw):
    kind = draw(st.sampled_from((*LAYERED, *GLOBAL, "features.3.conv", "model.layers.0.mlp")))
    layer = draw(st.integers(0, 99)) if kind in LAYERED else None
    head = draw(st.none() | st.integers(0, 63)) if kind in HEADED else None
    positions = draw(st.none() | st.lists(st.integers(-50, 50), min_size=1, max_size=4).map(tuple))
    return Site(kind, layer, head, positions)


@given(any_site())
def test_an_address_is_read_back_as_it_was_printed(site):
    assert Site.parse(str(site)) == site


def test_the_documented_example():
    assert Site.parse("L5.head_out.H3@-1") == Site("head_out", 5, 3, (-1,))
    assert Site.parse("L2.resid_pre@0:3").positions == (0, 1, 2)


def test_a_module_path_is_no_named_site():
    assert Site.parse("blocks.4.conv").is_module
    assert not Site.parse("embed").is_module


@pytest.mark.parametrize("text", ["resid_pre", "L1.embed", "L1.mlp_out.H2", "L1.attn_out@", "L0.q@a", "L0.q@3:1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(SiteError):
        Site.parse(text)
