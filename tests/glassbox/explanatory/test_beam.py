"""Beam search against the list of all strings."""

from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.errors import InputError  # noqa: E402
from explicate.glassbox.explanatory import ConjectureGenerator, NetworkShape, Words, beam_search  # noqa: E402

WORDS = Words(("one", "two", "three"), 3)


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        found = ConjectureGenerator.build(WORDS, NetworkShape(16, 2, 16, 1))
        with torch.no_grad():
            found.module.out[1].weight *= 4  # or all strings are nearly as likely
    return found


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return rng.integers(7, size=(5, 6)), rng.integers(2, size=5)


def every_string(network, table):
    """All strings of one to three words with their log-probabilities, likeliest first."""
    texts = [" ".join(words) for count in (1, 2, 3) for words in product(WORDS.words, repeat=count)]
    rows = WORDS.encode(texts, ends=True)
    with torch.inference_mode():
        memory = network.module.read(*(torch.as_tensor(part)[None] for part in table))
        logits = network.module.next_words(memory.expand(len(texts), -1, -1), torch.as_tensor(rows))
        surprise = torch.log_softmax(logits.double(), dim=-1).numpy()
    scores = [
        sum(surprise[row, place, rows[row, place + 1]] for place in range(len(text.split()) + 1))
        for row, text in enumerate(texts)
    ]
    return sorted(zip(texts, scores, strict=True), key=lambda pair: -pair[1])


def test_a_beam_wide_enough_finds_all_strings_in_order_and_no_more(network, table):
    expected = every_string(network, table)
    found = beam_search(network.module, *table, WORDS, width=500)
    assert [one.text for one in found] == [text for text, _ in expected]
    assert len(found) == 3 + 9 + 27
    assert np.allclose([one.log_probability for one in found], [score for _, score in expected], atol=1e-5)


@pytest.mark.parametrize("width", [1, 2, 5, 20])
def test_a_narrow_beam_has_different_strings_with_their_own_probabilities(network, table, width):
    expected = dict(every_string(network, table))
    found = beam_search(network.module, *table, WORDS, width)
    assert len({one.text for one in found}) == len(found) == width
    scores = [one.log_probability for one in found]
    assert scores == sorted(scores, reverse=True)
    assert np.allclose(scores, [expected[one.text] for one in found], atol=1e-5)


def test_a_beam_of_one_follows_the_likeliest_word(network, table):
    (found,) = beam_search(network.module, *table, WORDS, 1)
    words = []
    with torch.inference_mode():
        memory = network.module.read(*(torch.as_tensor(part)[None] for part in table))
        while len(words) < 3:
            row = torch.tensor([[1, *(WORDS.ids[word] for word in words)]])
            logits = network.module.next_words(memory, row)[0, -1]
            logits[[0, 1]] = -torch.inf
            if not words:
                logits[2] = -torch.inf
            if (best := int(logits.argmax())) == 2:
                break
            words.append(WORDS.words[best - 3])
    assert found.text == " ".join(words)


def test_a_beam_of_none_is_refused(network, table):
    with pytest.raises(InputError, match="the beam is 0"):
        beam_search(network.module, *table, WORDS, 0)
