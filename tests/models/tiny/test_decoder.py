"""Small decoders: the same sites as large models, whatever they do without."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate import Site  # noqa: E402
from explicate.errors import InputError  # noqa: E402
from explicate.mechanisms import sweep  # noqa: E402
from explicate.models.tiny.decoder import Decoder  # noqa: E402

WORDS = tuple(f"w{i}" for i in range(12))
SHAPES = {
    "llama": {},
    "grouped and tied": {"key_value_heads": 2, "tied": True},
    "attention only": {"positions": "learned", "norm": False, "mlp_width": 0},
    "one mlp": {"mlp_width": (48, 0)},
    "two widths": {"mlp_width": (48, 24), "positions": "learned"},
}


@pytest.fixture(params=SHAPES, scope="module")
def decoder(request):
    return Decoder(WORDS, layers=2, width=32, heads=4, **{"mlp_width": 48, **SHAPES[request.param]})


def test_rows_of_unequal_length_score_as_they_do_alone(decoder):
    model = decoder.handle(decoder.build(0))
    both = model.predict(model.encode(["w1 w2 w3 w1 w5", "w4 w5"]))
    alone = model.predict(model.encode(["w4 w5"]))
    np.testing.assert_allclose(both[1], alone[0], atol=1e-5)


def test_order_matters_wherever_positions_are_known(decoder):
    model = decoder.handle(decoder.build(0))
    scores = model.predict(model.encode(["w1 w2 w3", "w2 w1 w3"]))
    assert np.abs(scores[0] - scores[1]).max() > 1e-6


def test_what_the_parts_write_adds_up_to_the_stream(decoder):
    model = decoder.handle(decoder.build(1))
    sites = [Site(kind, 1) for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post", "head_out", "mlp_act")]
    found = model.capture(["w1 w2 w3 w4"], sites)
    total = found[sites[0]] + found[sites[1]] + found[sites[2]]
    np.testing.assert_allclose(total, found[sites[3]], atol=1e-5)
    np.testing.assert_allclose(np.asarray(found[sites[4]]).sum(axis=1), found[sites[1]], atol=1e-5)
    if decoder.mlp_widths[1] == 0:
        assert not np.asarray(found[sites[2]]).any()
        assert not np.asarray(found[sites[5]]).any()


def test_generation_with_a_cache_writes_what_whole_passes_would(decoder):
    model = decoder.handle(decoder.build(2))
    written = model.generate_tokens(["w1 w2 w3"], max_new_tokens=6)[0]
    ids = decoder.encode(["w1 w2 w3"])[0].tolist()
    for token in written:
        assert int(model.predict(np.array([ids])).argmax()) == token
        ids.append(token)


def test_a_sweep_equals_one_pass_a_patch(decoder):
    model = decoder.handle(decoder.build(3))
    clean, source = "w1 w2 w3 w4", "w5 w2 w3 w4"
    found = sweep(model, [clean], [source], sites="resid_pre", target="w7")
    from explicate import Patch

    for layer in range(2):
        value = model.capture([source], [Site("resid_pre", layer, positions=(0,))])
        with model.intervene(Patch(f"L{layer}.resid_pre@0", next(iter(value.values())))):
            patched = model.predict(model.encode([clean]))[0, 7]
        own = model.predict(model.encode([clean]))[0, 7]
        assert found.values[0, layer, 0] == pytest.approx(patched - own, abs=1e-5)


def test_words_are_their_places_and_unknown_ones_are_refused():
    decoder = Decoder(WORDS, layers=1, width=16, heads=2)
    assert decoder.encode(["w3 w0", "w11"]).tolist() == [[3, 0], [11, -1]]
    assert decoder.decode([3, 0, -1]) == "w3 w0"
    model = decoder.handle(decoder.build())
    assert model.token_index("w3") == 3
    for call in (lambda: decoder.encode(["w1 what"]), lambda: model.encode(["w1 what"])):
        with pytest.raises(InputError, match="what"):
            call()
    with pytest.raises(InputError, match="what"):
        model.token_index("what")


def test_the_same_seed_builds_the_same_weights():
    decoder = Decoder(WORDS, layers=1, width=16, heads=2)
    first, again, other = (decoder.build(seed).state_dict() for seed in (0, 0, 1))
    assert all(bool((first[key] == again[key]).all()) for key in first)
    assert any(bool((first[key] != other[key]).any()) for key in first)


def test_a_generation_ends_at_the_end_word():
    decoder = Decoder(WORDS, layers=1, width=16, heads=2, end="w7")
    module = decoder.build()
    with torch.no_grad():
        module.lm_head.weight.zero_()
    model = decoder.handle(module)
    from explicate import Steer

    favour = np.zeros(len(decoder.ids))
    favour[7] = 1.0
    with model.intervene(Steer("logits", favour)):
        assert model.generate_tokens(["w1"], max_new_tokens=5) == [[7]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": ("a", "a")}, "twice"),
        ({"vocabulary": ("a b",)}, "space"),
        ({"width": 30}, "multiple"),
        ({"heads": 4, "key_value_heads": 3}, "share"),
        ({"mlp_width": (8,)}, "one number for each"),
        ({"positions": "none"}, "unknown"),
        ({"end": "stop"}, "not in the vocabulary"),
    ],
)
def test_shapes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Decoder(**{"vocabulary": WORDS, "layers": 2, "width": 32, **changes})
