"""Writing under a grammar equals writing without a cache, and its activations are those of reading the text."""

import numpy as np
import pytest

from explicate.core.interventions import Ablate
from explicate.core.sites import Site
from explicate.errors import InputError, WindowError
from explicate.models.language.guided import write_guided
from explicate.models.tiny.decoder import Decoder

PROMPTS = ["The capital of France is", "Monday, Tuesday,", "Two plus two is"]


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_free_grammar_writes_what_the_whole_text_read_again_would(positions):
    decoder = Decoder(tuple("abcdefgh"), width=16, heads=2, mlp_width=32, context=12, positions=positions)
    model = decoder.handle(decoder.build(0))
    prompts = decoder.encode(["a b c", "d e", "f g h", "a"])
    found = write_guided(model, prompts, end=99, max_new_tokens=4, words=8, watch=[Site("resid_post", 1)])
    for prompt, ids, states in zip(prompts, found.ids, found.activations[Site("resid_post", 1)], strict=True):
        text = prompt[prompt >= 0].tolist()
        for step, token in enumerate(ids):
            assert token == model.logits([text])[-1, :8].argmax()
            seen = model.capture([text], ["L1.resid_post"])["L1.resid_post"][0, -1]
            assert states[step] == pytest.approx(seen, abs=1e-5)
            text.append(int(token))


def test_a_grammar_is_obeyed_and_rows_end_alone():
    decoder = Decoder(tuple("abcdefgh"), width=16, heads=2, mlp_width=32, context=12)
    model = decoder.handle(decoder.build(0))
    prompts = decoder.encode(["a b c", "d e c", "f g h"])

    def grammar(so_far):
        allowed = np.zeros((len(so_far), 9), dtype=bool)
        allowed[:, 2 + so_far.shape[1]] = True  # c, then d, e, f
        allowed[so_far.sum(axis=1) >= 5, 7] = True
        return allowed

    found = write_guided(model, prompts, end=7, max_new_tokens=4, grammar=grammar, watch=[Site("mlp_out", 0)])
    for row, seen in zip(found.ids, found.activations[Site("mlp_out", 0)], strict=True):
        ended = int(np.argmax(row == 7)) + 1 if (row == 7).any() else 4
        assert (row[ended:] == -1).all()
        assert set(row[:ended].tolist()) <= {2, 3, 4, 5, 7}
        assert row[0] == 2
        assert np.abs(seen[:ended]).min(axis=1).min() > 0
        assert not seen[ended:].any()
    with pytest.raises(InputError, match="nothing to write"):
        write_guided(model, prompts, end=7, max_new_tokens=1, grammar=lambda so_far: np.zeros((1, 9), dtype=bool))


def test_what_cannot_be_done_is_refused_by_name():
    decoder = Decoder(tuple("abcdefgh"), width=16, heads=2, mlp_width=32, context=6)
    model = decoder.handle(decoder.build(0))
    prompts = decoder.encode(["a b c"])
    with pytest.raises(WindowError, match="3 tokens and 4 new ones are more than the 6"):
        write_guided(model, prompts, end=7, max_new_tokens=4)
    with pytest.raises(InputError, match="without positions"):
        write_guided(model, prompts, end=7, max_new_tokens=1, watch=[Site.parse("L0.resid_post@-1")])
    with model.intervene(Ablate("L0.mlp_out")), pytest.raises(InputError, match="interventions"):
        write_guided(model, prompts, end=7, max_new_tokens=1)


def test_smollm2_writes_the_same_as_generate_and_its_states_are_those_of_reading(smollm2):
    prompts = smollm2.encode(PROMPTS)
    site = Site("resid_post", 12)
    found = write_guided(smollm2, prompts, end=-5, max_new_tokens=3, watch=[site])
    assert found.ids.tolist() == smollm2.generate_tokens(PROMPTS, max_new_tokens=3)
    text = [*prompts[0][prompts[0] >= 0].tolist(), *found.ids[0, :2].tolist()]
    read = smollm2.capture([text], [site])[site][0]
    assert found.activations[site][0] == pytest.approx(read[-3:], abs=2e-2)
    digits = smollm2.token_index("4")
    allowed = np.zeros(smollm2.vocabulary, dtype=bool)
    allowed[[digits, smollm2.token_index("5")]] = True
    forced = write_guided(smollm2, prompts, end=-5, max_new_tokens=1, grammar=lambda so_far: allowed)
    assert set(forced.ids.ravel().tolist()) <= set(np.flatnonzero(allowed).tolist())
