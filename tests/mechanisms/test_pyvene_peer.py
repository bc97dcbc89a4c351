"""Interchange interventions against pyvene's: whole states, and a subspace of them."""

import numpy as np
import pytest
import torch

from explicate import Interchange, Patch, Site

pyvene = pytest.importorskip("pyvene")
TEXT, OTHER = (
    "When John and Mary went to the store, John gave a drink to",
    "Anna and Tom went to the park, and Tom gave a",
)
LENGTH, WIDTH = 10, 32


@pytest.fixture(scope="module")
def prompts(llama):
    return [llama.encode(text)[:, :LENGTH] for text in (TEXT, OTHER)]


def theirs(model, prompts, layer, position, kind, basis=None):
    """All logits (token, vocabulary) under pyvene's intervention at a block's output, and the plain ones."""
    dimensions = {} if basis is None else {"low_rank_dimension": len(basis)}
    place = {"layer": layer, "component": "block_output", "unit": "pos", "max_number_of_units": 1}
    config = pyvene.IntervenableConfig([{**place, **dimensions}], intervention_types=kind)
    made = pyvene.IntervenableModel(config, model.module)
    if basis is not None:
        (intervention,) = made.interventions.values()
        intervention.rotate_layer.weight = torch.as_tensor(basis.T, dtype=torch.float32)
    inputs = [{"input_ids": torch.as_tensor(ids)} for ids in prompts]
    with torch.no_grad():
        found = made(inputs[0], [inputs[1]], {"sources->base": ([[[position]]], [[[position]]])})[1].logits[0]
        return found.numpy(), model.module(**inputs[0]).logits[0].numpy()


@pytest.mark.parametrize(("layer", "position"), [(0, 2), (1, 3), (2, LENGTH - 1)])
def test_a_whole_state_is_exchanged_as_pyvene_does(llama, prompts, layer, position):
    expected, plain = theirs(llama, prompts, layer, position, pyvene.VanillaIntervention)
    site = Site("resid_post", layer, None, (position,))
    value = llama.capture(prompts[1], [site])[site]
    with llama.intervene(Patch(site, value)):
        found = llama.capture(prompts[0], ["logits"])["logits"][0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected - plain).max() > 0.1
    np.testing.assert_array_equal(llama.capture(prompts[0], ["logits"])["logits"][0], plain)


@pytest.mark.parametrize("dimensions", [1, 4])
def test_a_subspace_is_exchanged_as_pyvene_does(llama, prompts, dimensions):
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((WIDTH, dimensions)))[0].T
    expected, plain = theirs(llama, prompts, 1, 3, pyvene.LowRankRotatedSpaceIntervention, basis)
    site = Site("resid_post", 1, None, (3,))
    value = llama.capture(prompts[1], [site])[site]
    with llama.intervene(Interchange(site, value, basis)):
        found = llama.capture(prompts[0], ["logits"])["logits"][0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(expected - plain).max() > 0.1
