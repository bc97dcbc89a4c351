"""One memory for many queries gives what a memory for each gives; kept keys give what reading anew gives."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.data.odeen import symbol_features  # noqa: E402
from explicate.models.tiny.encoder_decoder import DecoderBlock, sinusoids  # noqa: E402
from explicate.models.tiny.rule_modules import ConjectureModule, InterpreterModule  # noqa: E402

FEATURES = torch.tensor(symbol_features())


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        yield


def interpreter():
    return InterpreterModule(9, FEATURES, 6, 5, 16, 2, 24, 2, 0.1).eval()


def generator(**options):
    return ConjectureModule(9, FEATURES, 6, 7, 16, 2, 24, 2, 0.1, **options).eval()


def test_structures_of_one_rule_do_not_see_each_other():
    module, rules, structures = interpreter(), torch.randint(3, 9, (3, 5)), torch.randint(7, (3, 4, 6))
    together = module(rules, structures)
    assert together.shape == (3, 4, 2)
    alone = torch.cat([module(rules, structures[:, [place]]) for place in range(4)], dim=1)
    assert torch.allclose(together, alone, atol=1e-5)


def test_padding_is_not_read():
    module, structures = interpreter(), torch.randint(7, (1, 4, 6))
    rule = torch.tensor([[3, 4, 5]])
    padded = torch.tensor([[3, 4, 5, 0, 0]])
    assert torch.allclose(module(rule, structures), module(padded, structures), atol=1e-5)
    assert not torch.allclose(module(rule, structures), module(torch.tensor([[3, 5, 4]]), structures), atol=1e-3)


def test_only_the_answer_is_followed_through_the_last_block():
    block = DecoderBlock(16, 2, 24, 0.0).eval()
    states, memory = torch.randn(2, 3, 7, 16), block.keys(torch.randn(2, 5, 16))
    whole, _ = block(states, memory)
    first, _ = block(states, memory, read=1)
    assert torch.allclose(whole[:, :, :1], first, atol=1e-6)


def test_a_table_is_a_set():
    module, structures, tags = generator(), torch.randint(7, (2, 8, 6)), torch.randint(2, (2, 8))
    order = torch.randperm(8)
    queries = torch.randint(7, (2, 3, 6))
    found = module.judge(module.read(structures, tags), queries, None)
    again = module.judge(module.read(structures[:, order], tags[:, order]), queries, None)
    assert torch.allclose(found, again, atol=1e-5)
    assert not torch.allclose(found, module.judge(module.read(structures, 1 - tags), queries, None), atol=1e-3)
    empty = module.read(structures[:, :0], tags[:, :0])
    assert empty.shape == (2, 1, 16)


def test_word_by_word_is_the_same_as_at_once():
    module = generator(tags=False)
    assert module.judge is None
    memory = module.read(torch.randint(7, (1, 8, 6)), torch.randint(2, (1, 8)))
    words = torch.randint(3, 9, (1, 4, 6))
    at_once = torch.stack([module.next_words(memory, row[None])[0] for row in words[0]])
    memories = [block.keys(memory) for block in module.decoder]
    kept = [None, None]
    for place in range(6):
        logits, kept = module.step(words[..., place], place, memories, kept)
        assert torch.allclose(logits[0], at_once[:, place], atol=1e-5)


def test_sinusoids_are_those_of_the_formula():
    found = sinusoids(12, 8).numpy()
    place, pair = 5, 2
    angle = place / 10_000 ** (2 * pair / 8)
    assert np.allclose(found[place, 2 * pair : 2 * pair + 2], [np.sin(angle), np.cos(angle)], atol=1e-6)
