"""Cross-model patching against attention worked out by hand; identities; models that do not fit."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.circuits import HeadGroup
from explicate.mechanisms.cross_model import CrossModelPatching, check_same_shape, cross_model_patch

COLUMNS = np.array([3, 5, 6, 2])
PLACES = {"last": np.full(4, 7), "early": COLUMNS}
GROUPS = (HeadGroup("a", "last", ((2, 1), (1, 3))), HeadGroup("b", "early", ((0, 0), (1, 2))))


def prompts():
    return np.random.default_rng(0).integers(5, 200, (4, 8))


@pytest.fixture(params=["llama", "mistral", "qwen3", "gemma3"])
def twins(request, small):
    """A model, and another with the same shape."""
    model = small(request.param)
    other = small(request.param)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return model, other


def by_hand(model, donor, ids, groups, part):
    """One prompt at a time, layer by layer: z of each patched head from its mixed inputs, written with `intervene`."""
    answers = []
    for row in range(len(ids)):
        one = ids[row : row + 1]
        patches = []
        for layer in range(3):
            here = [(h, int(PLACES[g.position][row])) for g in groups for i, h in g.heads if i == layer]
            wanted = [Site(kind, layer) for kind in ("q", "k", "v")]
            with model.intervene(*patches):
                own = model.capture(one, wanted)
            given = donor.capture(one, wanted)
            found = []
            for head, column in here:
                q, k, v = ((given if part == kind else own)[Site(kind, layer)][0, head] for kind in ("q", "k", "v"))
                scores = k[: column + 1] @ q[column] * model.blocks[layer].self_attn.scaling
                window = getattr(model.blocks[layer].self_attn, "sliding_window", None)
                if window is not None:
                    scores[: max(0, column + 1 - window)] = -np.inf
                pattern = np.exp(scores - scores.max())
                z = (pattern / pattern.sum()) @ v[: column + 1]
                found.append(Patch(Site("z", layer, head, (column,)), z[None]))
            patches += found
        with model.intervene(*patches):
            answers.append(int(model.predict(one)[0].argmax()))
    return answers


@pytest.mark.parametrize("part", ["q", "k", "v"])
def test_inputs_equal_attention_by_hand(twins, part):
    model, donor = twins
    for groups in (GROUPS, GROUPS[:1], GROUPS[1:]):
        found = CrossModelPatching(part).answers(model, donor, prompts(), groups, PLACES)
        assert found.tolist() == by_hand(model, donor, prompts(), groups, part)


def test_outputs_are_the_donors(twins):
    model, donor = twins
    found = CrossModelPatching("output").answers(model, donor, prompts(), GROUPS, PLACES)
    for row in range(4):
        one = prompts()[row : row + 1]
        patches = []
        for group in GROUPS:
            for layer, head in group.heads:
                site = Site("z", layer, head, (int(PLACES[group.position][row]),))
                patches.append(Patch(site, donor.capture(one, [site])[site]))
        with model.intervene(*patches):
            assert found[row] == model.predict(one)[0].argmax()


@pytest.mark.parametrize("part", ["output", "q", "k", "v"])
def test_a_model_s_own_activations_change_nothing(twins, part):
    model, _ = twins
    found = CrossModelPatching(part).answers(model, model, prompts(), GROUPS, PLACES)
    np.testing.assert_array_equal(found, model.predict(prompts()).argmax(axis=1))


def test_all_of_another_model_s_heads_and_nothing_else_apart(small):
    """Models that differ in their attention alone: with all heads' outputs at all positions asked, one is the other."""
    model, donor = small("llama"), small("llama")
    with torch.no_grad():
        for block in donor.blocks:
            block.self_attn.v_proj.weight.mul_(-1.0)
    every = tuple((layer, head) for layer in range(3) for head in range(4))
    places = {str(column): np.full(4, column) for column in range(8)}
    groups = [HeadGroup(name, name, every) for name in places]
    wanted = donor.predict(prompts()).argmax(axis=1)
    report = cross_model_patch(model, donor, prompts(), wanted, groups, places)
    assert report.donor == report.accuracy["output"]["all"] == 1.0
    assert report.model < 1.0
    assert report.closed() == 1.0


def test_models_of_other_shapes_are_refused(small):
    llama, other = small("llama"), small("gemma3")
    wide = small("llama")
    wide.module.resize_token_embeddings(wide.vocabulary + 5)
    with pytest.raises(ValueError, match="tokens in the vocabulary"):
        check_same_shape(llama, wide)
    other.module.model.layers = other.module.model.layers[:2]
    with pytest.raises(InputError, match="3 and 2 layers"):
        CrossModelPatching().answers(llama, other, prompts(), GROUPS, PLACES)
    with pytest.raises(InputError, match="use one of output, q, k, v"):
        CrossModelPatching("z").answers(llama, llama, prompts(), GROUPS, PLACES)
