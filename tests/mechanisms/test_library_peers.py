"""Patches against those of nnsight and of TransformerLens' bridge, on small random models of two kinds of blocks."""

import copy

import numpy as np
import pytest
import torch

from explicate import Patch, Site
from explicate.mechanisms import logits_of

PLACES = ((0, 2), (1, 3), (2, -1))
HEAD = 2


@pytest.fixture(scope="module", params=["llama", "gpt_neox"])
def model(request, small):
    return small(request.param)


@pytest.fixture(scope="module")
def prompts(model, pair):
    return pair(model)


def ours(model, prompts, kind, head=None):
    """Next-token logits (place, vocabulary) with the source at one place at a time, and the values."""
    ids, source = prompts
    sites = [Site(kind, layer, head, (position,)) for layer, position in PLACES]
    values = [torch.as_tensor(model.capture(source, [site])[site]) for site in sites]
    found = logits_of(model, ids, [Patch(site, value) for site, value in zip(sites, values, strict=True)])
    return found[:, 0], [value[0, 0] for value in values]


def differing(found, expected, plain):
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(expected - plain).max(axis=1).min() > 1e-3  # each patch does something


def test_states_as_nnsight_patches_them(model, prompts):
    nnsight = pytest.importorskip("nnsight")
    found, values = ours(model, prompts, "resid_post")
    wrapped = nnsight.NNsight(copy.deepcopy(model.module))
    ids = torch.as_tensor(prompts[0])
    name = model.module.base_model_prefix
    expected = []
    for (layer, position), value in zip(PLACES, values, strict=True):
        with torch.no_grad(), wrapped.trace(ids):
            getattr(wrapped, name).layers[layer].output[0, position] = value
            logits = wrapped.output.logits[0, -1].save()
        expected.append(logits.numpy())
    differing(found, np.stack(expected), model.predict(prompts[0]))


def test_states_and_heads_as_transformer_lens_patches_them(model, prompts, tmp_path_factory):
    pytest.importorskip("transformer_lens")
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("model")
    model.module.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(
        str(folder), hf_model=copy.deepcopy(model.module), tokenizer=tokenizer, device="cpu"
    )
    ids = torch.as_tensor(prompts[0])
    with torch.no_grad():
        np.testing.assert_allclose(bridge(ids)[:, -1].numpy(), model.predict(prompts[0]), atol=1e-4)
    for kind, hook, head in (("resid_pre", "hook_resid_pre", None), ("z", "attn.hook_z", HEAD)):
        found, values = ours(model, prompts, kind, head)
        expected = []
        for (layer, position), value in zip(PLACES, values, strict=True):

            def patch(activation, hook, position=position, value=value, head=head):
                shown = activation if head is None else activation.view(*activation.shape[:2], model.head_count, -1)
                shown[(0, position) if head is None else (0, position, head)] = value
                return activation

            with torch.no_grad():
                logits = bridge.run_with_hooks(ids, fwd_hooks=[(f"blocks.{layer}.{hook}", patch)])
            expected.append(logits[0, -1].numpy())
        differing(found, np.stack(expected), model.predict(prompts[0]))
