"""Three estimates of the last digit's directions agree with the planted ones, and swapping them changes the answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.concepts import SparseAutoencoder
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.succession import (
    AutoencoderResidues,
    FeatureSwaps,
    HeadCircuit,
    NeuronResidues,
    ProbeResidues,
    SuccessorHead,
    agreement,
    class_means,
    random_directions,
    shuffled_agreement,
    swap_features,
    unit_directions,
)
from explicate.mechanisms.weights import effective_ov

RNG = np.random.Generator(np.random.PCG64(0))


def test_the_circuit_of_one_head_is_that_of_all(llama):
    ids = np.arange(30, 50)
    logits = effective_ov(llama, ids, state="embed+mlp0")
    for layer, number in ((1, 0), (2, 3)):
        head = SuccessorHead.of(llama, _words(ids), f"L{layer}.head_out.H{number}", state="embed+mlp0")
        np.testing.assert_allclose(head.circuit.logits(head.inputs, ids), logits[layer, number], atol=1e-4)


def test_margins_are_linear_under_frozen_norms(llama):
    head = SuccessorHead.of(llama, _words(np.arange(30, 50)), "L1.head_out.H2")
    items = np.flatnonzero(head.data.next_to() >= 0)
    readers, own = head.margin_readers(items), head.inputs[items]
    np.testing.assert_allclose((readers * own).sum(axis=1), head.margins(own, items), atol=1e-4)


def test_three_estimates_agree_with_the_planted_directions(planted, head):
    test = head.data.held_out(0.1, seed=0)
    by_feature, features, trained = AutoencoderResidues(
        SparseAutoencoder(features=60, penalties=(0.3,), steps=500), restarts=2
    ).fit(head, test)
    by_probe = ProbeResidues().fit(head)
    by_neuron = NeuronResidues().fit(head, train=~test)
    for estimate in (by_feature, by_probe, by_neuron):
        assert np.mean(agreement(estimate["direction"].values, planted.units)) >= 0.95
        assert abs(shuffled_agreement(estimate["direction"].values, planted.units)) < 0.2
        assert [str(site) for site in estimate.sites] == ["L0.mlp_out"]
    assert len(trained) == 2
    assert features.held_out > 0.9
    assert by_feature.data.attrs["shuffled"] < 0.4
    others = np.setdiff1d(np.arange(len(head.data)), head.data.rows("numbers"))
    assert by_probe["correct"].values[others].mean() == 1.0
    owners = by_neuron["owner"].values
    assert [(owners == residue).sum() for residue in range(10)] == [2] * 10
    assert np.mean(agreement(class_means(head), planted.units)) > 0.95


def test_swapping_directions_changes_what_the_head_counts_to(planted, head):
    grid = FeatureSwaps(scales=(1.0, 2.0)).run(head, planted.units)
    intended = grid["index"].values // 10 * 10 + grid["residue"].values + 1
    easy = (head.data.indices[grid["wanted"].values] == intended) & (intended % 10 > 0)  # nothing is carried
    assert easy.mean() > 0.85
    assert grid["success"].values[:, easy].min() == 1.0
    control = FeatureSwaps(scales=(1.0, 2.0)).run(head, random_directions(planted.units))
    assert control["success"].values.mean() < 0.01
    words = head.data.texts
    rows = [grid[name].values for name in ("item", "residue", "wanted")]
    found = {(words[i], r): words[w] for i, r, w in zip(*rows, strict=True)}
    assert found["27", 4] == "25"
    assert found["three", 8] == "nine"
    assert "may" not in {word for word, _ in found}
    assert found["friday", 2] == "wednesday"
    assert ("friday", 9) not in found
    assert ("27", 7) not in found


def test_failures_that_are_too_large_are_counted(planted, head):
    """Directions of the next residue are not in the words, so nothing is swapped and each is answered as it is."""
    items = head.data.rows("numbers")[19:28]  # 20 to 28
    grid = FeatureSwaps(scales=(1.0,), centred=False).run(head, np.roll(planted.units, -1, axis=0), items)
    assert grid["success"].values.max() == 0.0
    own = grid["index"].values % 10
    carried = grid["residue"].values == 9  # 30 is wanted
    assert (grid["greater"].values[0] == ((own > grid["residue"].values) & ~carried)).all()


@given(st.integers(0, 10**6), st.floats(-3, 3))
def test_swaps_undo_each_other(seed, scale):
    """Swapping i for j moves exactly the two coordinates, and for orthonormal directions swapping back undoes it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    units = np.linalg.qr(rng.standard_normal((12, 12)))[0][:10]
    inputs, own, new = rng.standard_normal((5, 12)), rng.integers(10, size=5), rng.integers(10, size=5)
    swapped = swap_features(inputs, own, new, units, (scale,))[:, 0]
    same = own == new
    np.testing.assert_allclose(swapped[same], inputs[same])
    others = np.ones((5, 10), dtype=bool)
    others[np.arange(5), own] = others[np.arange(5), new] = False
    np.testing.assert_allclose((swapped @ units.T)[others], (inputs @ units.T)[others], atol=1e-9)
    size = (inputs * units[own]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(swapped - scale * size * (units[new] - units[own]), inputs, atol=1e-9)


def test_unit_directions():
    vectors = RNG.standard_normal((10, 6))
    vectors[3] = 0
    units = unit_directions(vectors)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), [1, 1, 1, 0, 1, 1, 1, 1, 1, 1])
    raw = unit_directions(vectors, centred=False)
    np.testing.assert_allclose(raw[0], vectors[0] / np.linalg.norm(vectors[0]))


def test_agreement_of_known_vectors():
    one = np.eye(10)
    np.testing.assert_allclose(agreement(one, 3 * one + 7), 1.0)
    assert agreement(one, one + 100, centred=False).max() < 0.5
    two = one.copy()
    two[4] = 0
    assert np.isnan(agreement(one, two)[4])
    assert shuffled_agreement(one, one) == pytest.approx(-1 / 9)


@pytest.mark.parametrize(
    ("scales", "vectors", "message"),
    [((np.nan,), np.eye(10, 160), "finite"), ((), np.eye(10, 160), "finite"),
     ((1.0,), 1e-9 * np.eye(10, 160), "fewer than two"), ((1.0,), np.ones((10, 160)), "all directions are the same"),
     ((1.0,), np.full((10, 160), np.inf), "NaN or infinite")],
)  # fmt: skip
def test_what_cannot_be_swapped_is_refused(head, scales, vectors, message):
    with pytest.raises(InputError, match=message):
        FeatureSwaps(scales=scales).run(head, vectors)


def test_errors(head, gemma):
    with pytest.raises(InputError, match="7 residues of 10"):
        ProbeResidues(task="days").fit(head)
    with pytest.raises(InputError, match="'200' has no successor"):
        head.margins(head.inputs[199:200], np.array([199]))
    with pytest.raises(CapabilityError, match="a norm follows the MLP"):
        NeuronResidues().fit(SuccessorHead.of(gemma, _words(np.arange(30, 50)), "L1.head_out.H2"))


def test_a_head_of_smollm2(smollm2, smollm2_words):
    """The head with the highest score: its circuit is the one that was scored, and it cannot be made to count."""
    circuit = HeadCircuit.of(smollm2, "L23.head_out.H3")
    head = SuccessorHead.of(smollm2, smollm2_words, circuit.site)
    days = head.data.rows("days")[:7]
    logits = effective_ov(smollm2, head.data.ids[days], layers=[23])[0, 3]
    np.testing.assert_allclose(head.circuit.logits(head.inputs[days], head.data.ids[days]), logits, atol=2e-3)
    grid = FeatureSwaps(scales=(1.0,)).run(head, class_means(head))
    assert grid["success"].values.mean() < 0.5


def _words(ids):
    from explicate.data.language.succession import Item, SuccessionDataset, SuccessionTask

    return SuccessionDataset((SuccessionTask("t", tuple(Item(i, str(t), int(t)) for i, t in enumerate(ids))),), {})
