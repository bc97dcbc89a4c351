"""Aligned directions: a planted direction is found; interchange by its definition; what cannot be is refused."""

import numpy as np
import pytest
import torch

import explicate as ex
from explicate.core.interventions import Interchange, Patch
from explicate.errors import InputError, SiteError
from explicate.mechanisms import AlignmentSearch, interchanged

TOKENS = 6
YES, NO = 5, 6


@pytest.fixture(scope="module")
def planted(small):
    """A model whose answer depends on one direction of the last token's embedding only, and pairs that differ in it.

    The tokens' embeddings also differ from each other in random ways that the answer does not depend on, and the blocks
    write nothing.
    """
    model = small("llama")
    rng = np.random.default_rng(0)
    direction = rng.normal(size=model.width)
    direction /= np.linalg.norm(direction)
    noise = rng.normal(size=(64, model.width))
    noise -= np.outer(noise @ direction, direction)
    sign = np.where(np.arange(64) % 2, 1.0, -1.0)[:, None]
    with torch.no_grad():
        model.module.get_input_embeddings().weight[100:164] = torch.as_tensor(2 * sign * direction + noise).float()
        model.module.lm_head.weight.zero_()
        model.module.lm_head.weight[YES] = torch.as_tensor(direction)
        model.module.lm_head.weight[NO] = -torch.as_tensor(direction)
        model.module.model.norm.weight.fill_(1.0)
        for block in model.blocks:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    ids = rng.integers(200, 300, (32, TOKENS))
    sources = rng.integers(200, 300, (32, TOKENS))
    ids[:, -1], sources[:, -1] = 100 + np.arange(32), 163 - np.arange(32)
    target = [ex.Contrast(YES, NO) if token % 2 else ex.Contrast(NO, YES) for token in sources[:, -1]]
    return model, ids, sources, direction, target


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_a_planted_direction_is_found(planted, monkeypatch, way):
    model, ids, sources, direction, target = planted
    if way == "own blocks":
        monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    found = AlignmentSearch("L1.resid_pre@-1", steps=80).fit(model, ids[:20], sources[:20], target=target[:20], seed=0)
    unit = found["direction"].values[0]
    assert np.linalg.norm(unit) == pytest.approx(1.0, abs=1e-6)
    assert abs(unit @ direction) > 0.95
    assert found["loss"].values[-10:].mean() < found["loss"].values[:5].mean()
    new = {"inputs": ids[20:], "sources": sources[20:], "target": target[20:]}
    assert interchanged(model, found, **new).data.attrs["accuracy"] == 1.0
    other = np.random.default_rng(1).normal(size=(1, model.width))
    at_random = ex.Direction(found.data.assign(direction=(("component", "width"), other)), found.provenance)
    assert interchanged(model, at_random, **new).data.attrs["accuracy"] <= 0.25


def test_all_directions_pass_on_everything(planted):
    model, ids, sources, *_ = planted
    width = model.width
    full = AlignmentSearch("L1.resid_pre@-1", dimensions=width, steps=1).fit(model, ids[:4], sources[:4])
    np.testing.assert_allclose(full["direction"].values @ full["direction"].values.T, np.eye(width), atol=1e-5)
    found = interchanged(model, full, ids[:4], sources[:4], target=5)
    expected = ex.sweep(model, ids[:4], sources[:4], sites=["L1.resid_pre@-1"], target=5)
    np.testing.assert_allclose(found["effect"], expected["effect"], atol=1e-4)


def test_interchange_by_its_definition(llama, pair):
    ids, source = pair(llama)
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(2, llama.width))
    unit = np.linalg.qr(basis.T)[0]
    own, other = (llama.capture(x, ["L1.mlp_out"])["L1.mlp_out"] for x in (ids, source))
    value = own + (other - own) @ unit @ unit.T
    with llama.intervene(Patch("L1.mlp_out", value)):
        expected = llama.predict(ids)
    with llama.intervene(Interchange("L1.mlp_out", other, basis)):
        np.testing.assert_allclose(llama.predict(ids), expected, atol=1e-4)
        inside = llama.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]
    np.testing.assert_allclose(inside @ unit, other @ unit, atol=1e-4)
    rest = np.eye(llama.width) - unit @ unit.T
    np.testing.assert_allclose(inside @ rest, own @ rest, atol=1e-4)
    twice = Interchange("L1.mlp_out", other, basis)
    np.testing.assert_allclose(twice.apply(twice.apply(own)), twice.apply(own), atol=1e-5)


@pytest.mark.parametrize("basis", [None, np.zeros(4), np.ones((2, 4)), np.array([np.nan, 1.0])])
def test_directions_that_are_none_are_refused(basis):
    with pytest.raises(InputError, match="finite and independent"):
        Interchange("L0.z", 0.0, basis)


@pytest.mark.parametrize(
    ("search", "error", "words"),
    [
        (AlignmentSearch("L0.resid_pre"), SiteError, "with one position"),
        (AlignmentSearch("L0.z@-1"), SiteError, "name one head"),
        (AlignmentSearch("L9.resid_pre@-1"), SiteError, "has 3 layers"),
        (AlignmentSearch("L0.resid_pre@-1", dimensions=33), InputError, "ask for 1 to 32"),
        (AlignmentSearch("L0.resid_pre@2"), InputError, "do not correspond"),
    ],
)
def test_searches_that_cannot_be_are_refused(planted, search, error, words):
    model, ids, sources, *_ = planted
    with pytest.raises(error, match=words):
        search.fit(model, ids, sources[:, :5])
    assert all(parameter.requires_grad for parameter in model.module.parameters())


def test_the_same_seed_gives_the_same_directions(planted):
    model, ids, sources, *_ = planted
    search = AlignmentSearch("L1.z.H2@-1", steps=5)
    first, second = (search.fit(model, ids[:6], sources[:6], seed=3) for _ in range(2))
    np.testing.assert_array_equal(first["direction"], second["direction"])
    assert first["direction"].shape == (1, 8)
    other = ex.Direction(first.data.drop_attrs(), first.provenance)
    with pytest.raises(InputError, match="does not say its site"):
        interchanged(model, other, ids, sources)
