"""Channels on small models: what removal, setting and edits do, against plain arithmetic and naive interventions."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Ablate
from explicate.core.sites import Site
from explicate.data.language.ioi import ioi_prompts
from explicate.data.language.laundry_lists import laundry_lists
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.channels import (
    ChannelSearch,
    ChannelSubspace,
    agreement,
    attention_under,
    channel_edit,
    channels,
    direct_scores,
    grid,
    keep_only,
    measured_lists,
    most_written,
    read_edit,
    rerun,
    share_repeated,
    steer_by_index,
    total_scores,
    traverse,
    try_steering,
)
from explicate.mechanisms.channels.attention_of import Asking
from explicate.mechanisms.channels.induction import induction_heads
from explicate.mechanisms.weights import HeadWeights, component_scores
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.planted_channel import planted_channel
from explicate.models.tiny.repeated_tokens import losses_of_halves

ITEMS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kid", "lion")
WORDS = (
    *("I", "have", "to", "wash", "the", ",", "and", ".", "already", "washed", "still"),
    *("When", "Then", "Later", "went", "gave", "a", "store", "drink"),
    *ITEMS,
)


@pytest.fixture(scope="module")
def model():
    """Three layers, grouped keys and values, rotary positions, weights large enough for patterns that differ."""
    decoder = Decoder(WORDS, layers=3, width=32, heads=4, key_value_heads=2, mlp_width=48)
    module = decoder.build(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.25 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return decoder.handle(module, "small")


@pytest.fixture(scope="module")
def weights(model):
    return HeadWeights.of(model)


@pytest.fixture(scope="module")
def task(model):
    return ioi_prompts(model, 4, names=ITEMS, places=["store"], things=["drink"], spaced=True)


def lists(model, length=3, count=6, **options):
    return laundry_lists(model, length, count, items=ITEMS, spaced=True, **options)


def writes(model, ids, part):
    return model.capture(ids, [part.site])[part.site]


# -- channels and subspaces --------------------------------------------------------------------------------------------


def test_removing_a_channel_leaves_nothing_along_it_and_all_else(model, weights, task):
    ids = model.encode(task.texts)
    part = channels(weights, (1, 2))[0]
    before = writes(model, ids, part)
    with model.intervene(part.removed()):
        after = writes(model, ids, part)
    np.testing.assert_allclose(after @ part.write, 0.0, atol=1e-5)
    expected = before - (before @ part.write)[..., None] * part.write
    np.testing.assert_allclose(after, expected, atol=1e-5)
    mean = (before @ part.write).mean(axis=0)
    with model.intervene(part.removed(mean)):
        np.testing.assert_allclose(writes(model, ids, part) @ part.write, np.tile(mean, (4, 1)), atol=1e-5)


def test_a_head_is_the_sum_of_its_channels(weights):
    parts = channels(weights, (2, 1))
    whole = sum(part.sigma * np.outer(part.read, part.write) for part in parts)
    product = weights.ov(2, 1)
    np.testing.assert_allclose(whole, product.left @ product.right, atol=1e-4)
    assert [part.component for part in channels(weights, (2, 1), most=3)] == [0, 1, 2]


def test_coordinates_are_set_whatever_they_were(model, weights):
    made = lists(model)
    ids = model.encode(made.texts)
    parts = [channels(weights, (1, 0))[0], channels(weights, (0, 3))[1], channels(weights, (1, 0))[2]]
    subspace = ChannelSubspace.of(parts)
    np.testing.assert_allclose(subspace.basis.T @ subspace.basis, np.eye(3), atol=1e-6)
    wanted = np.array([1.0, -2.0, 0.5])
    with model.intervene(*subspace.set_to(wanted)):
        np.testing.assert_allclose(subspace.coordinates(model, ids), np.tile(wanted, (6, 1)), atol=1e-4)
    each = np.random.default_rng(0).normal(size=(6, 3))
    with model.intervene(*subspace.set_to(each)):
        np.testing.assert_allclose(subspace.coordinates(model, ids), each, atol=1e-4)
    drawn = ChannelSubspace.random(subspace, np.random.default_rng(0))
    assert drawn.heads == subspace.heads
    assert np.abs(drawn.basis.T @ subspace.basis).max() < 0.7


def test_subspaces_that_cannot_be(weights):
    part = channels(weights, (1, 0))[0]
    with pytest.raises(InputError, match="fewer directions"):
        ChannelSubspace.of([part, part])
    with pytest.raises(InputError, match="at least one channel"):
        ChannelSubspace.of([])
    with pytest.raises(InputError, match="do not fit a subspace of 1"):
        ChannelSubspace.of([part]).set_to([1.0, 2.0])


def test_heads_behind_a_norm_have_no_channels_of_their_own(small):
    with pytest.raises(CapabilityError, match="norm follows the heads' output"):
        channels(HeadWeights.of(small("gemma3")), (0, 0))


# -- causal scores -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "qwen3", "gpt2"])
def test_a_head_asked_again_with_its_own_stream_gives_its_own_pattern(small, name, pair):
    handle = small(name)
    asking = Asking(handle, pair(handle)[0], (2, 1))
    with torch.no_grad():
        again = asking.attention(asking.stream[:, None])[:, 0]
    np.testing.assert_allclose(again.numpy(), asking.pattern.numpy(), atol=1e-5)


def test_a_window_shorter_than_the_prompts_is_refused(small, pair):
    handle = small("gemma3")  # its last layer sees six tokens
    ids = pair(handle)[0]
    with pytest.raises(CapabilityError, match="sees only the last 6 of 8 tokens"):
        Asking(handle, ids, (2, 1))
    with pytest.raises(CapabilityError, match="sees only the last 6"):
        attention_under(handle, ids, (2, 1), [Ablate("L1.head_out.H0")])
    Asking(handle, ids[:, :6], (2, 1))


def test_attention_under_changes_equals_one_intervention_each(model, weights, task):
    ids = model.encode(task.texts)
    variants = [
        channels(weights, (0, 1))[0].removed(),
        channels(weights, (1, 3))[1].removed(),
        Ablate("L1.head_out.H0"),
    ]
    found = attention_under(model, ids, (2, 1), variants)
    site = Site("pattern", 2, 1, (-1,))
    for variant, pattern in zip(variants, found, strict=True):
        with model.intervene(variant):
            np.testing.assert_allclose(pattern, model.capture(ids, [site])[site][:, 0], atol=1e-5)


def test_direct_scores_change_the_query_alone(model, weights, task):
    ids = model.encode(task.texts)
    first, second = task.places("io"), task.places("s1")
    found = direct_scores(model, weights, ids, (2, 1), first, second, heads=[(0, 2), (1, 3)])
    rows = np.arange(len(ids))
    part = channels(weights, (1, 3))[4]
    output = writes(model, ids, part)[:, -1]
    asking = Asking(model, ids, (2, 1))
    for removal, mean in (("zero", 0.0), ("mean", (output @ part.write).mean())):
        changed = asking.stream.numpy() - np.outer(output @ part.write - mean, part.write)
        with torch.no_grad():
            pattern = asking.attention(torch.as_tensor(changed, dtype=torch.float32)[:, None])[:, 0].numpy()
        expected = found.untouched - (pattern[rows, first] - pattern[rows, second])
        np.testing.assert_allclose(found.scores[removal][1, 4], expected, atol=1e-5)


def test_in_the_layer_before_with_no_mlp_direct_and_total_agree_at_the_last_token(weights):
    """Without MLPs and with removal at the last token alone, nothing but the query can change."""
    decoder = Decoder(WORDS, layers=2, width=32, heads=4, mlp_width=0)
    model = decoder.handle(decoder.build(0))
    own = HeadWeights.of(model)
    task = ioi_prompts(model, 4, names=ITEMS, places=["store"], things=["drink"], spaced=True)
    ids, first, second = model.encode(task.texts), task.places("io"), task.places("s1")
    direct = direct_scores(model, own, ids, (1, 1), first, second, heads=[(0, 2)])
    total = total_scores(model, own, ids, (1, 1), first, second, heads=[(0, 2)], components=range(8))
    end = np.array([[len(row) - 1] for row in ids])
    np.testing.assert_allclose(total.untouched, direct.untouched, atol=1e-6)
    gap = np.abs(total.scores["zero"] - direct.scores["zero"])
    with model.intervene(channels(own, (0, 2))[0].removed()):
        pattern = model.capture(ids, [Site("pattern", 1, 1, (-1,))])[Site("pattern", 1, 1, (-1,))][:, 0]
    rows = np.arange(4)
    expected = total.untouched - (pattern[rows, first] - pattern[rows, second])
    np.testing.assert_allclose(total.scores["zero"][0, 0], expected, atol=1e-6)
    assert gap.max() > 0  # keys change too when it is taken out everywhere
    assert end.min() > 0


def test_a_planted_channel_is_what_the_attention_hangs_on():
    """With one strong channel into the query, both scores put its component first."""
    world = planted_channel(1, "q", width=64, heads=4, write=12.0, read=12.0)
    weights = HeadWeights.of(world.model)
    guess = component_scores(weights, world.destination, "q")
    ids = np.random.default_rng(0).integers(0, 4, (16, 6))
    causal = direct_scores(world.model, weights, ids, world.destination, np.zeros(16, int), np.full(16, 3))
    size = np.abs(causal.scores["zero"]).mean(axis=-1)
    place = np.unravel_index(size.argmax(), size.shape)
    assert (*causal.heads[place[0]], int(place[1])) == guess.strongest(1)[0]
    assert causal.heads[place[0]] == world.source


def test_search_gives_both_scores_side_by_side(model, weights, task):
    found = ChannelSearch().run(model, task, (2, 1), weights)
    assert found.sites[0] == Site("head_out", 0, 0)
    assert len(found.sites) == 2 * 4 * 8
    ids = model.encode(task.texts)
    causal = direct_scores(model, weights, ids, (2, 1), task.places("io"), task.places("s1"))
    np.testing.assert_allclose(found["effect"].values, -causal.scores["zero"].reshape(64, 4), atol=1e-6)
    offsets = tuple(found.provenance.parameters["offsets"])
    assert offsets == (len(ids[0]) - 1 - 3, len(ids[0]) - 1 - 1)
    agreed = agreement(component_scores(weights, (2, 1), "q"), causal)
    assert -1 <= agreed.spearman <= 1
    assert agreed.count == 64
    assert "L0.head_out.H0" in found._repr_html_() or found.plot() is not None


def test_sources_that_come_too_late_are_refused(model, weights, task):
    ids = model.encode(task.texts)
    with pytest.raises(InputError, match=r"L2\.H0 cannot feed L2.H1: layer 2 is not before layer 2"):
        direct_scores(model, weights, ids, (2, 1), task.places("io"), task.places("s1"), heads=[(2, 0)])


# -- reruns, traverse, steering ----------------------------------------------------------------------------------------


def test_reruns_equal_one_intervention_each(model, weights):
    made = lists(model)
    ids, items = model.encode(made.texts), made.item_tokens(model)
    subspace = ChannelSubspace.of([channels(weights, (1, 0))[0], channels(weights, (1, 2))[0]])
    points = [np.array([1.0, 2.0]), np.random.default_rng(0).normal(size=(6, 2))]
    heads = [(2, 0), (2, 3)]
    found = rerun(model, ids, [subspace.set_to(point) for point in points], items, heads)
    sites = [Site("pattern", *head, (-1,)) for head in heads]
    for number, point in enumerate(points):
        with model.intervene(*subspace.set_to(point)):
            logits = model.predict(ids)[np.arange(6)[:, None], items]
            seen = model.capture(ids, sites)
        np.testing.assert_allclose(found.logits[number], logits, atol=1e-4)
        np.testing.assert_allclose(found.attention[number], sum(seen[site][:, 0] for site in sites), atol=1e-5)
    with pytest.raises(InputError, match="only changes at the last token"):
        rerun(model, ids, [channels(weights, (1, 0))[0].removed()], items)


def test_a_traverse_visits_the_grid_and_maps_it(model, weights):
    made = lists(model)
    subspace = ChannelSubspace.of([channels(weights, (1, 0))[0], channels(weights, (1, 2))[0]])
    natural = subspace.coordinates(model, made.texts)
    points = grid(natural, 3)
    span = np.percentile(np.abs(natural), 99, axis=0)
    np.testing.assert_allclose(np.unique(points[:, 0]), [-span[0], 0.0, span[0]], atol=1e-9)
    found = traverse(model, made, subspace, movers=[(2, 1)], steps=3)
    assert found.picked.shape == found.attended.shape == (9, 6)
    np.testing.assert_allclose(np.exp(found.scores).sum(-1), 1.0)
    for by in ("picked", "attended"):
        assert set(found.regions(by)) <= set(found.map(by).tolist()) <= {0, 1, 2}
    with pytest.raises(InputError, match="movers given"):
        traverse(model, made, subspace, points).regions("attended")
    with pytest.raises(InputError, match="at most 100,000 points"):
        grid(np.ones((2, 6)), 10)


def test_steering_on_training_lists_can_only_help_them(model, weights):
    made = lists(model, count=12, part="train")
    subspace = ChannelSubspace.of([channels(weights, (1, 0))[0], channels(weights, (1, 2))[0]])
    walked = traverse(model, made, subspace, steps=4)
    steering = steer_by_index(model, made, subspace, walked=walked)
    for index in range(3):
        mine = made.targets == index
        best = walked.scores[:, mine, index].mean(axis=1).argmax()
        np.testing.assert_array_equal(steering.coordinates[index], walked.points[best])
    held_out = lists(model, count=9, part="test")
    result = try_steering(model, held_out, steering, np.random.default_rng(0))
    assert result.uses_oracle == steering.uses_oracle == "target_index"
    assert set(result.restricted) == {"unedited", "steered", "wrong index", "random subspace"}
    with model.intervene(*steering.change(held_out.targets)):
        logits = model.predict(model.encode(held_out.texts))
    among = logits[np.arange(9)[:, None], held_out.item_tokens(model)]
    np.testing.assert_array_equal(result.restricted["steered"], among.argmax(1) == held_out.targets)
    gain = result.gain()
    assert gain.value == pytest.approx(result.accuracy("steered").value - result.accuracy().value)
    assert set(result.by_target()) == {0, 1, 2}
    with pytest.raises(InputError, match="for lists of 3 items, not 4"):
        try_steering(model, lists(model, 4), steering, np.random.default_rng(0))
    with pytest.raises(InputError, match="'shaken'"):
        result.accuracy("shaken")


# -- edits of weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.5, 3.0])
def test_an_edit_scales_the_channel_of_one_head_alone_and_is_undone(model, weights, task, gamma):
    ids = model.encode(task.texts)
    part = channels(weights, (1, 2))[0]
    others = [Site("head_out", 1, head) for head in (0, 1, 3)]
    state = {name: value.clone() for name, value in model.module.state_dict().items()}
    clean, before, rest = model.predict(ids), writes(model, ids, part), model.capture(ids, others)
    with model.intervene(channel_edit(model, part, gamma)):
        after = writes(model, ids, part)
        same = model.capture(ids, others)
        with pytest.raises(InputError), model.intervene(channel_edit(model, part, np.nan)):
            pass
    np.testing.assert_allclose(after, before + (gamma - 1) * (before @ part.write)[..., None] * part.write, atol=1e-5)
    for site in others:
        np.testing.assert_array_equal(same[site], rest[site])
    assert all(torch.equal(value, state[name]) for name, value in model.module.state_dict().items())
    np.testing.assert_array_equal(model.predict(ids), clean)


def test_keeping_a_subspace_alone(model, weights, task):
    ids = model.encode(task.texts)
    parts = channels(weights, (1, 2))[:3]
    subspace = ChannelSubspace.of(parts)
    before = writes(model, ids, parts[0])
    with model.intervene(keep_only(model, subspace, (1, 2))):
        after = writes(model, ids, parts[0])
    np.testing.assert_allclose(after, before @ subspace.basis @ subspace.basis.T, atol=1e-5)


def test_a_shared_map_is_edited_only_when_told_to(model, weights, task):
    part = channels(weights, (1, 2))[0]
    with pytest.raises(InputError, match=r"L1\.H2 shares its map to values with L1\.H3.*allow_shared=True"):
        read_edit(model, part, 0.0)
    with model.intervene(read_edit(model, part, 0.0, allow_shared=True)):
        edited = HeadWeights.of(model)
    assert np.abs(part.read @ edited.ov(1, 2).left).max() < 1e-5  # nothing is read along it any more
    assert np.abs(part.read @ weights.ov(1, 2).left).max() > 1e-2
    np.testing.assert_array_equal(edited.ov(1, 0).left, weights.ov(1, 0).left)


def test_a_joint_map_is_edited_in_its_part(small):
    handle = small("gpt2")
    part = channels(HeadWeights.of(handle), (1, 2))[0]
    with handle.intervene(read_edit(handle, part, 0.0)):
        edited = HeadWeights.of(handle)
    assert np.abs(part.read @ edited.ov(1, 2).left).max() < 1e-5
    np.testing.assert_allclose(edited.query, HeadWeights.of(handle).query, atol=1e-6)
    with handle.intervene(channel_edit(handle, part, 0.0)):
        silent = HeadWeights.of(handle)
    assert np.abs(silent.ov(1, 2).right @ part.write).max() < 1e-5


# -- texts -------------------------------------------------------------------------------------------------------------


def test_the_places_where_a_channel_is_written_to_most(model, weights):
    texts = ["I have to wash the ant and the bee .", "the cat gave a drink to the cat"]
    part = channels(weights, (1, 2))[0]
    found = most_written(model, part, texts, most=5)
    values = writes(model, model.encode(texts), part) @ part.write
    assert [abs(each.value) for each in found] == sorted((abs(each.value) for each in found), reverse=True)
    for each in found:
        words = texts[each.text].split()
        assert words[each.position] == each.token.strip()
        assert each.before.split() == words[: each.position]
        assert each.repeated == (each.token.strip() in words[: each.position])
        assert each.value == pytest.approx(float(values[each.text, each.position]), abs=1e-5)
    assert share_repeated(model, ["the cat the cat"]) == 0.5
    with pytest.raises(InputError, match="no texts"):
        most_written(model, part, [])


def test_lists_measured_under_edits(model, weights):
    made = lists(model)
    part = channels(weights, (1, 2))[0]
    found = measured_lists(model, made, {"unedited": None, "removed": [channel_edit(model, part, 0.0)]})
    with model.intervene(channel_edit(model, part, 0.0)):
        logits = model.predict(model.encode(made.texts))
    np.testing.assert_array_equal(
        found.top1["removed"], logits.argmax(1) == made.item_tokens(model)[np.arange(6), made.targets]
    )


def test_induction_on_sequences_that_are_no_repeats(model):
    with pytest.raises(InputError, match="second half"):
        induction_heads(model, np.array([[0, 1, 2, 3]]))
    twice = np.array([[0, 1, 2, 0, 1, 2]])
    first, second = losses_of_halves(model, twice)
    scores = model.log_probabilities([twice[0, :1].tolist()], [twice[0, 1:].tolist()])[0]
    assert first == pytest.approx(-scores[:2].mean(), abs=1e-4)
    assert second == pytest.approx(-scores[3:].mean(), abs=1e-4)
