"""The search against planted layers: in a model whose attention writes in one layer only, and on made-up responses."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explicate.core.interventions import Ablate, Patch
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.knobs import LayerSearch
from explicate.mechanisms.knobs.layer_search import _Search
from explicate.mechanisms.knobs.patched_layers import PatchedLayers
from explicate.mechanisms.patchscope import Patchscope

PROMPTS, TOKENS, LAYERS = 8, 6, 6
SHORT = Patchscope("cat -> cat\n?")


@pytest.fixture(scope="module")
def planted(small):
    """A model in which only layer 1's attention writes, and each prompt has a token of its own as its answer."""
    model = small("llama")
    rng = np.random.default_rng(0)
    ids = rng.integers(100, 300, (PROMPTS, TOKENS))
    ids[:, -1] = 99
    with torch.no_grad():
        for number, block in enumerate(model.blocks):
            block.mlp.down_proj.weight.zero_()
            if number != 1:
                block.self_attn.o_proj.weight.zero_()
        model.blocks[1].self_attn.o_proj.weight.mul_(50)
        states = model.module.model(input_ids=torch.as_tensor(ids)).last_hidden_state[:, -1]
        model.module.lm_head.weight.zero_()
        model.module.lm_head.weight[10 : 10 + PROMPTS] = 20 * torch.linalg.pinv(states).T
    return model, ids


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_the_layer_that_writes_the_answer_is_found_alone(planted, monkeypatch, way):
    if way == "own blocks":
        monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    model, ids = planted
    answers = np.arange(10, 10 + PROMPTS)
    found = LayerSearch(patchscope=SHORT).run(
        model, ids, np.roll(ids, 1, axis=0), answers.tolist(), np.roll(answers, 1).tolist()
    )
    assert [str(site) for site in found.sites] == ["L1.z@-1"]
    facts = found.data.attrs
    assert facts["alone"] > 0.99
    assert facts["without"] == pytest.approx(facts["untouched"], abs=1e-6)
    assert facts["untouched"] < 0.01
    assert facts["settled"] == facts["reached"] == 1
    np.testing.assert_allclose(found["effect"].values[0], facts["untouched"] - facts["alone"], atol=0.01)
    assert found["patched"].values.any(axis=0).tolist()[1]
    assert (found["source_probability"].values[:, 0] < 0.2).all()  # before layer 1 all are alike


def test_states_under_a_patch_are_those_of_the_handle(llama, pair_of_lengths):
    targets, sources = pair_of_lengths(llama)
    wanted = np.tile([[7, 8]], (len(targets), 1))
    patched = PatchedLayers(llama, llama.encode(targets), llama.encode(sources), wanted, SHORT)
    source, target = patched.read((0, 2))
    expected = np.zeros((llama.layer_count, 2))
    for mine, theirs in zip(targets, sources, strict=True):
        z = llama.capture([theirs], ["L0.z@-1", "L2.z@-1"])
        after = [f"L{layer}.resid_post@-1" for layer in range(llama.layer_count)]
        with llama.intervene(*(Patch(site, value) for site, value in z.items())):
            states = llama.capture([mine], after)
        for layer, site in enumerate(after):
            with llama.intervene(Patch(site, states[site])), llama.scored_by("probability"):
                expected[layer] += llama.predict(llama.encode(SHORT.prompt))[0, [7, 8]] / len(targets)
    np.testing.assert_allclose(np.stack([source, target], axis=1), expected, rtol=1e-3)
    unpatched, _ = patched.read(())
    every, _ = patched.read((0, 1, 2))
    assert patched.forwards > 2 * len(targets)
    np.testing.assert_allclose(every[-1], patched.own_source[-1], rtol=1e-4)  # their last tokens are the same
    assert not np.allclose(unpatched, every)


@pytest.fixture(scope="module")
def pair_of_lengths():
    """A function that gives two lists of prompts of several lengths, ending in the same token."""

    def make(model):
        ids = [[int(i) for i in row] for row in np.random.default_rng(1).integers(100, 300, (4, 7))]
        return [[*row[: 4 + i], 50] for i, row in enumerate(ids)], [[*row[i:], 50] for i, row in enumerate(ids)]

    return make


class Responses:
    """What a patchscope would read in a model whose answer is made by `makes` and undone by each of `undo`."""

    forwards = 0.0

    def __init__(self, makes, undo=()):
        self.makes, self.undo = set(makes), set(undo)
        self.own_source = np.full(LAYERS, 0.9)
        self.sets = []

    def read(self, layers):
        self.sets.append(layers)
        source = np.zeros(LAYERS)
        said = 0.0
        for layer in range(LAYERS):
            done = self.makes <= {i for i in layers if i <= layer} and layer >= max(self.makes)
            said = 0.9 if done and layer == max(self.makes) else said
            if layer in self.undo and layer not in layers:
                said = min(said, 0.1)
            source[layer] = said
        return source, 0.9 - source


class Layered:
    name, layer_count = "made up", LAYERS


@given(st.integers(0, LAYERS - 1), st.integers(1, LAYERS), st.sets(st.integers(0, LAYERS - 1)))
def test_planted_bounds_and_undoing_layers_are_found_in_few_steps(first, width, undo):
    makes = range(first, min(first + width, LAYERS))
    undo = {layer for layer in undo if layer > makes[-1]}
    responses = Responses(makes, undo)
    search = _Search(LayerSearch(threshold=0.88), Layered(), responses)
    assert search.found() == tuple(sorted({*makes, *undo}))
    assert search.bounds == (makes[0], makes[-1] + 1)
    assert search.settled
    assert len(responses.sets) == len(set(responses.sets)) <= 2 * (LAYERS.bit_length() + 1) + len(undo) + 1


def test_bounds_by_hand_are_kept():
    search = _Search(LayerSearch(first=1, stop=4), Layered(), Responses([2, 3]))
    assert search.found() == (1, 2, 3)
    search = _Search(LayerSearch(first=3), Layered(), Responses([2, 3]))
    assert search.bounds[0] == 0
    assert search.found() == (3, 4, 5)
    assert not search.settled
    assert not search.reaches(*search.bounds)  # nothing did, so the bounds are the whole
    with pytest.raises(InputError, match="no layers of 'made up'"):
        _Search(LayerSearch(first=3, stop=9), Layered(), Responses([2])).found()


def test_searches_that_cannot_be_are_refused(planted, bert):
    model, ids = planted
    search = LayerSearch(patchscope=SHORT)
    with pytest.raises(InputError, match="pair 1: source and target have the same answer token"):
        search.run(model, ids[:2], ids[2:4], [10, 11], [12, 11])
    with pytest.raises(InputError, match="one token id each"):
        search.run(model, ids[:2], ids[2:4], [10], [12])
    padded = ids.copy()
    padded[1, -1] = model.tokenizer.pad_token_id
    with pytest.raises(InputError, match="prompt 1 ends in the padding token"):
        search.run(model, padded[:2], ids[2:4], [10, 11], [12, 13])
    with model.intervene(Ablate("L0.mlp_out")), pytest.raises(InputError, match="leave them"):
        search.run(model, ids[:2], ids[2:4], [10, 11], [12, 13])
    with pytest.raises(CapabilityError, match="causal"):
        search.run(bert, ids[:2], ids[2:4], [10, 11], [12, 13])
    with pytest.raises(InputError, match="threshold must lie"):
        LayerSearch(threshold=1.5)
