"""Speculation trees, shared prefixes and blocks of documents: what they give is what the plain model gives."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from explicate.errors import CapabilityError
from explicate.models.language.document_blocks import DocumentBlocks
from explicate.models.language.prefix_cache import PrefixCache
from explicate.models.language.speculation import SpeculationTree
from explicate.models.tiny.decoder import Decoder

WORDS = tuple("abcdefghijklmnopqrst")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    """A Llama with random weights that are large enough to write all sorts of things."""
    decoder = Decoder(WORDS, layers=3, width=48, heads=6, key_value_heads=2, mlp_width=64, end="t")
    module = decoder.build(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    return decoder.handle(module)


def finished(model, most):
    ends = set(model.end_tokens())
    return lambda ids: ids[-1] in ends or len(ids) >= most


def prompts(count, shared=6, own=5):
    start = RNG.integers(0, 18, shared)
    return [np.concatenate([start, RNG.integers(0, 18, int(RNG.integers(1, own + 1)))]) for _ in range(count)]


def test_a_tree_knows_ancestors_and_never_siblings():
    tree = SpeculationTree(lambda ids: len(ids) == 3)
    for ids in ((1, 2, 3), (1, 2, 4), (1, 5, 6), (1, 2, 4)):
        tree.insert(ids)
    assert len(tree) == 6
    branches = tree.branches(6)
    assert branches.tokens.tolist() == [1, 2, 3, 4, 5, 6]
    assert branches.depth.tolist() == [0, 1, 2, 2, 1, 2]
    for node in range(6):
        seen = [branches.tokens[other] for other in np.flatnonzero(branches.visible[node])]
        assert seen == tree.path(node)
    assert tree.branches(3).tokens.tolist() == [1, 2, 4]  # the most used, with their ancestors


def test_a_walk_takes_the_models_own_choices_only():
    tree = SpeculationTree(lambda ids: len(ids) == 3)
    tree.insert((1, 2, 3))
    tree.insert((1, 5, 6))
    branches = tree.branches(10)
    assert tree.walk(branches, 1, np.array([2, 3, 0, 0, 0])) == ([1, 2, 3], True)
    assert tree.walk(branches, 1, np.array([2, 7, 0, 0, 0])) == ([1, 2, 7], True)  # its last token need not be known
    assert tree.walk(branches, 1, np.array([8, 0, 0, 0, 0])) == ([1, 8], False)
    assert tree.walk(branches, 9, np.array([2, 3, 0, 0, 0])) == ([9], False)
    assert tree.walk(tree.branches(0), 1, np.empty(0)) == ([1], False)


@pytest.mark.parametrize("most", [0, 4, 64])
@pytest.mark.parametrize("reuse", [True, False])
def test_continuations_are_those_of_greedy_decoding(model, most, reuse):
    asked = prompts(25)
    asked += asked[:5]
    plain = model.generate_tokens([ids.tolist() for ids in asked], max_new_tokens=7)
    cache, tree = PrefixCache(model, reuse), SpeculationTree(finished(model, 7))
    found = [cache.continuation(ids, np.arange(len(ids)), tree, most) for ids in asked]
    assert [written for written, _ in found] == plain
    if most == 64:
        assert all(foreseen for _, foreseen in found[-5:])
        assert cache.passes < sum(map(len, plain))
    if most == 0:
        assert cache.passes == sum(map(len, plain))
    assert (cache.tokens_kept > 0) or not reuse


def test_what_two_prompts_share_is_read_once(model):
    first, second = np.array([1, 2, 3, 4, 5, 6]), np.array([1, 2, 3, 9, 8])
    cache = PrefixCache(model)
    cache.read(first, np.arange(6))
    logits = cache.read(second, np.arange(5))
    assert (cache.tokens_read, cache.tokens_kept) == (8, 3)
    assert logits[0].numpy() == pytest.approx(model.logits([second.tolist()])[-1], abs=1e-4)
    cache.read(second, np.array([0, 1, 3, 4, 5]))  # from the third token on it stands elsewhere
    assert cache.tokens_kept == 5


def test_the_log_probability_of_an_answer_takes_one_pass(model):
    prompt, answer = [1, 2, 3, 4], [7, 8, 9]
    cache = PrefixCache(model)
    found = cache.log_probability(np.array(prompt), np.arange(4), answer)
    assert cache.passes == 1
    assert found == pytest.approx(model.log_probabilities([prompt], [answer])[0].sum(), abs=1e-4)


def plain_blocks(model, parts, positions, present, written):
    """Logits after a whole prompt under a dense block mask, by the model's own attention."""
    instruction, documents, ending = parts
    ids = [*instruction, *(i for d in documents for i in d), *ending, *written]
    owner = [0] * len(instruction)
    for number, document in enumerate(documents):
        owner += [number + 1] * len(document)
    owner = np.array(owner + [-1] * (len(ending) + len(written)))
    at = np.concatenate([positions, positions[-1] + 1 + np.arange(len(written))]).astype(int)
    causal = np.tri(len(ids), dtype=bool)
    there = np.array([o <= 0 or present[o - 1] for o in owner])
    same = (owner[:, None] == owner[None]) | (owner[None] == 0) | (owner[:, None] == -1)
    visible = causal & same & there[None]
    visible |= np.eye(len(ids), dtype=bool)
    mask = torch.zeros(visible.shape).masked_fill(torch.as_tensor(~visible), torch.finfo(torch.float32).min)
    with torch.no_grad():
        return model.module(
            torch.as_tensor([ids]), attention_mask=mask[None, None], position_ids=torch.as_tensor(at)[None]
        ).logits[0, -1]


@pytest.mark.parametrize("most", [0, 32])
def test_blocks_give_what_a_dense_block_mask_gives(model, most):
    instruction, ending = [1, 2, 3], [4, 5]
    documents = [RNG.integers(0, 18, size).tolist() for size in (4, 2, 6)]
    edges = np.cumsum([3, 4, 2, 6, 2])
    positions = np.arange(edges[-1])
    blocks = DocumentBlocks(model, np.array(instruction), positions[:3])
    spans = [positions[a:b] for a, b in pairwise(edges[:4])]
    read = blocks.read([np.array(document) for document in documents], spans)
    present = (np.arange(8)[:, None] >> np.arange(3)) % 2 == 1
    stop = finished(model, 5)
    tree = SpeculationTree(stop)
    for turn in range(2):
        found = blocks.continuations(read, present, np.array(ending), positions[-2:], tree, most)
        for row, (written, foreseen) in zip(present, found, strict=True):
            expected = []
            while not expected or not stop(expected):
                logits = plain_blocks(model, (instruction, documents, ending), positions, row, expected)
                expected.append(int(logits.argmax()))
            assert written == expected
            assert foreseen or not (most and turn)
    answer = [3, 9]
    shares = blocks.log_probabilities(read, present, np.array(ending), positions[-2:], answer)
    for row, share in zip(present, shares, strict=True):
        truth = sum(
            float(plain_blocks(model, (instruction, documents, ending), positions, row, answer[:n]).log_softmax(-1)[t])
            for n, t in enumerate(answer)
        )
        assert share == pytest.approx(truth, abs=1e-4)


def test_a_single_block_is_the_plain_model_and_the_kernel_comes_back(model):
    ids = np.array([1, 2, 3, 4, 5, 6, 7])
    kernel = model.config._attn_implementation
    blocks = DocumentBlocks(model, ids[:2], np.arange(2))
    read = blocks.read([ids[2:5]], [np.arange(2, 5)])
    tree = SpeculationTree(finished(model, 6))
    ((written, _),) = blocks.continuations(read, np.array([[True]]), ids[5:], np.arange(5, 7), tree, 0)
    assert written == model.generate_tokens([ids.tolist()], max_new_tokens=6)[0]
    assert model.config._attn_implementation == kernel


def test_interventions_in_force_are_refused(model):
    from explicate.core.interventions import Scale

    with model.intervene(Scale("L0.mlp_out", 0.5)):
        with pytest.raises(CapabilityError, match="interventions in force"):
            PrefixCache(model)
        with pytest.raises(CapabilityError, match="interventions in force"):
            DocumentBlocks(model, np.array([1]), np.arange(1))
