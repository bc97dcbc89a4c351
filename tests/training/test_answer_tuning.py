"""Answer tuning: the loss and its gradient are those of one row after another; the given model stays as it is."""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("peft")

from explicate.errors import FileFormatError, InputError, ModelError, WindowError
from explicate.training.answer_tuning import AnswerTuning, answer_loss

PROMPTS = [[50, 51, 52, 60, 61], [50, 51, 52, 70], [50, 51, 52, 80, 81, 82]]
ANSWERS = [[7, 2], [8], [9, 10, 2]]
SMALL = AnswerTuning(rank=4, learning_rate=0.03, epochs=25, batch=3)


def plainly(module, prompt, answer):
    """The summed surprise of one row in a pass of its own."""
    ids = torch.tensor([[*prompt, *answer]])
    shares = module(input_ids=ids).logits[0].log_softmax(-1)
    return -sum(shares[len(prompt) - 1 + i, token] for i, token in enumerate(answer))


@pytest.mark.parametrize("rows", [[0, 1, 2], [0], [1, 1]])
def test_loss_and_gradient_equal_those_of_single_rows(causal, rows):
    pairs = [(PROMPTS[i], ANSWERS[i]) for i in rows]
    module = copy.deepcopy(causal.module).double()
    parts = ("attn", "attention")
    weight = next(v for name, v in module.named_parameters() if any(part in name for part in parts) and v.ndim > 1)
    tokens = sum(len(answer) for _, answer in pairs)
    expected = sum(plainly(module, *pair) for pair in pairs) / tokens
    (wanted,) = torch.autograd.grad(expected, weight)
    found = answer_loss(module, pairs)
    (gradient,) = torch.autograd.grad(found, weight)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-7)  # norms compute in float32


def test_answers_are_learned_and_the_given_model_is_untouched(llama):
    before = {name: value.clone() for name, value in llama.module.state_dict().items()}
    tuned = SMALL.fit(llama, PROMPTS, ANSWERS, seed=0)
    assert [
        tuned.generate_tokens([p], max_new_tokens=len(a))[0] for p, a in zip(PROMPTS, ANSWERS, strict=True)
    ] == ANSWERS
    for name, value in llama.module.state_dict().items():
        assert torch.equal(value, before[name])
    assert list(tuned.module.state_dict()) == list(before)  # merged: the architecture is as before
    changed = [name for name, value in tuned.module.state_dict().items() if not torch.equal(value, before[name])]
    assert changed
    assert all(name.split(".")[-2] in SMALL.modules for name in changed)
    assert tuned.fingerprint() != llama.fingerprint()


def test_a_second_call_finds_the_adapters(llama, own_cache, monkeypatch):
    first = SMALL.fit(llama, PROMPTS, ANSWERS, seed=1)
    (kept,) = own_cache.glob("adapters/*.safetensors")
    monkeypatch.setattr(AnswerTuning, "_train", None)
    second = SMALL.fit(llama, PROMPTS, ANSWERS, seed=1)
    ids = llama.encode(PROMPTS)
    np.testing.assert_array_equal(first.predict(ids), second.predict(ids))
    with pytest.raises(TypeError):  # another seed is another training
        SMALL.fit(llama, PROMPTS, ANSWERS, seed=2)
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(FileFormatError, match="delete the file"):
        SMALL.fit(llama, PROMPTS, ANSWERS, seed=1)


def test_the_same_seed_gives_the_same_weights(llama):
    how = AnswerTuning(rank=2, epochs=1, dropout=0.2, batch=2)
    one, two, other = (how.fit(llama, PROMPTS, ANSWERS, seed=seed, cache=False) for seed in (3, 3, 4))
    ids = llama.encode(PROMPTS)
    np.testing.assert_array_equal(one.predict(ids), two.predict(ids))
    assert not np.array_equal(one.predict(ids), other.predict(ids))


def test_the_rate_rises_and_falls_along_lines():
    how = AnswerTuning(warmup=4)
    shares = [how._share(step, 12) for step in range(12)]
    np.testing.assert_allclose(shares[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(np.diff(shares[4:]), -1 / 8)
    assert shares[-1] > 0


@pytest.mark.parametrize(
    ("how", "answers", "error", "words"),
    [
        (SMALL, ANSWERS[:2], InputError, "3 prompts and 2 answers"),
        (SMALL, [[7], [], [8]], InputError, "answer 1 is empty"),
        (AnswerTuning(most_tokens=6), ANSWERS, WindowError, "prompt 0 and its answer have 7 tokens"),
        (AnswerTuning(modules=("no_proj",)), ANSWERS, InputError, "no modules no_proj"),
        (AnswerTuning(learning_rate=1e30, epochs=3), ANSWERS, ModelError, "lower learning_rate"),
    ],
)
def test_trainings_that_cannot_be_are_refused(llama, how, answers, error, words):
    with pytest.raises(error, match=words):
        how.fit(llama, PROMPTS, answers)
