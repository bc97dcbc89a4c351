"""Generation: equal to transformers' own, and, under interventions, to running the whole text again at every step."""

import dataclasses

import numpy as np
import pytest
import torch

from explicate.core.cost import measure
from explicate.core.interventions import Ablate, Edit, Patch, Scale, Steer
from explicate.core.sites import LAYERED
from explicate.errors import InputError, NonFiniteScoreError, WindowError
from explicate.models.language import LanguageModel

PROMPTS = ["When John and Mary went to the store, John gave a drink to", "The cat", "Is the value 3.14 today? Nobody"]
STEPS = 6


def plainly(model, prompt, count=STEPS, **options):
    """What transformers generates for one prompt."""
    ids = torch.as_tensor(model.encode(prompt))
    with torch.no_grad():
        found = model.module.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
            **options,
        )
    return found[0, ids.shape[1] :].tolist()


def again_and_again(model, prompt, intervention, count=STEPS):
    """Greedy tokens without a cache: at each step the whole text, with positions that mean the prompt's tokens."""
    ids = model.encode(prompt)
    length = ids.shape[1]
    site = intervention.address
    if site.positions is not None:
        absolute = tuple(length + p if p < 0 else p for p in site.positions)
        intervention = dataclasses.replace(intervention, site=site.at(*absolute))
    written = []
    with model.intervene(intervention):
        for _ in range(count):
            written.append(int(model.predict(ids)[0].argmax()))
            if written[-1] in model.end_tokens():
                break
            ids = np.concatenate([ids, [[written[-1]]]], axis=1)
    return written


def test_greedy_equals_transformers_one_by_one(causal):
    expected = [plainly(causal, prompt) for prompt in PROMPTS]
    assert causal.generate_tokens(PROMPTS, max_new_tokens=STEPS) == expected
    texts = causal.generate(PROMPTS, max_new_tokens=STEPS)
    assert texts == [causal.tokenizer.decode(ids, skip_special_tokens=True) for ids in expected]
    assert len({tuple(ids) for ids in expected}) == 3


def test_prompts_that_begin_alike_are_read_as_if_alone(causal):
    """The common beginning is read once, the rest in groups; many rows, every length, some that end before others."""
    beginning = "When John and Mary went to the store, John gave a drink to Mary."
    prompts = [f"{beginning} {' '.join(['Anna', 'and', 'Tom'] * 6)[: 3 + 2 * number]}" for number in range(20)]
    prompts = prompts[::2] + prompts[1::2]
    expected = [plainly(causal, prompt) for prompt in prompts]
    assert causal.generate_tokens(prompts, max_new_tokens=STEPS) == expected
    assert causal.generate_tokens(prompts[:1] * 9, max_new_tokens=STEPS) == expected[:1] * 9
    assert len({tuple(ids) for ids in expected}) > 3


def test_equal_prompts_that_follow_each_other_are_read_once(causal):
    prompts = [PROMPTS[0]] * 5 + [PROMPTS[2]] * 5
    read = []
    hook = causal.module.get_input_embeddings().register_forward_hook(
        lambda module, args, out: read.append(args[0].numel())
    )
    drawn = causal.generate_tokens(prompts, max_new_tokens=STEPS, temperature=1.0, seed=list(range(10)))
    hook.remove()
    lengths = (causal.encode(PROMPTS[0]).shape[1], causal.encode(PROMPTS[2]).shape[1])
    assert sum(read) <= 2 * max(lengths) + 10 * STEPS
    alone = [causal.generate_tokens([text], max_new_tokens=STEPS, temperature=1.0, seed=[number])[0]
             for number, text in enumerate(prompts)]  # fmt: skip
    assert drawn == alone
    assert len({tuple(ids) for ids in drawn}) > 5


def test_the_logits_of_a_prefill_are_those_of_each_prompt_alone(causal):
    prompts = [f"The cat sat on the mat. The dog did not; {'it ran away ' * number}!" for number in range(1, 5)] * 5
    inputs = causal.encode(sorted(prompts, key=len))
    steps = causal._steps(inputs, 3)
    expected = np.concatenate([causal.predict(row[None]) for row in inputs])
    np.testing.assert_allclose(next(steps).numpy(), expected, atol=5e-5)
    token = torch.full((len(inputs),), 7)
    longer = [np.append(row[row >= 0], 7)[None] for row in inputs]
    expected = np.concatenate([causal.predict(row) for row in longer])
    np.testing.assert_allclose(steps.send((token, None)).numpy(), expected, atol=5e-5)
    keep = torch.arange(0, len(inputs), 3)
    longer = [np.append(longer[row], 9)[None] for row in keep.tolist()]
    expected = np.concatenate([causal.predict(row) for row in longer])
    np.testing.assert_allclose(steps.send((torch.full((len(keep),), 9), keep)).numpy(), expected, atol=5e-5)


def test_smollm2_greedy_equals_transformers(smollm2):
    prompts = ["The capital of France is", PROMPTS[0]]
    found = smollm2.generate_tokens(prompts, max_new_tokens=6)
    assert found == [plainly(smollm2, prompt, 6) for prompt in prompts]
    assert smollm2.generate("The capital of France is", max_new_tokens=1) == [" Paris"]


INTERVENTIONS = [
    *[(kind, positions) for kind in LAYERED if kind not in ("scores", "pattern") for positions in ("", "@-1", "@1")],
    ("scores", "@-1"),
    ("pattern", "@-1"),
    ("scores", ""),
    ("embed", "@0"),
    ("embed", ""),
    ("logits", ""),
]


def change(kind, positions, width):
    """Something strong enough to change what is written."""
    layer = "" if kind in ("embed", "logits") else "L1."
    site = f"{layer}{kind}{positions}"
    if kind in ("scores", "logits"):
        return Scale(site, -2.0)
    if kind == "pattern":
        return Scale(site, 0.2)
    return Steer(site, 3.0 * np.random.default_rng(3).normal(size=width))


def width_of(model, kind):
    if kind in ("q", "k", "v", "z"):
        return 8
    return 48 if kind == "mlp_act" else 32


@pytest.mark.parametrize(("kind", "positions"), INTERVENTIONS)
@pytest.mark.parametrize("architecture", ["llama", "gemma"])
def test_a_cache_changes_nothing_under_intervention(architecture, kind, positions, request):
    causal = request.getfixturevalue(architecture)
    intervention = change(kind, positions, width_of(causal, kind))
    expected = [again_and_again(causal, prompt, intervention) for prompt in PROMPTS]
    with causal.intervene(intervention):
        together = causal.generate_tokens(PROMPTS, max_new_tokens=STEPS)
        alone = [causal.generate_tokens(prompt, max_new_tokens=STEPS)[0] for prompt in PROMPTS]
    assert alone == expected
    assert together == expected


@pytest.mark.parametrize("architecture", ["llama", "gemma"])
def test_interventions_do_change_what_is_written(architecture, request):
    """Otherwise the test above would compare nothing with nothing."""
    causal = request.getfixturevalue(architecture)
    clean = causal.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    changed = []
    for kind, positions in INTERVENTIONS:
        with causal.intervene(change(kind, positions, width_of(causal, kind))):
            changed.append(causal.generate_tokens(PROMPTS, max_new_tokens=STEPS) != clean)
    assert np.mean(changed) > 0.7
    assert causal.generate_tokens(PROMPTS, max_new_tokens=STEPS) == clean


def test_heads_and_row_values_during_generation(llama):
    prompts = PROMPTS
    site = "L1.z.H2@-1"
    other = llama.capture(prompts[::-1], [site])[site]
    expected = []
    for row, prompt in enumerate(prompts):
        expected.append(again_and_again(llama, prompt, Patch(site, other[row])))
    with llama.intervene(Patch(site, other)):
        assert llama.generate_tokens(prompts, max_new_tokens=STEPS) == expected


def test_an_edit_holds_during_generation_and_goes(llama):
    name = "model.layers.1.mlp.down_proj.weight"
    clean = llama.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    original = llama.module.get_parameter(name).data
    edited = type(llama.module)(llama.config)
    edited.load_state_dict(llama.module.state_dict())
    with torch.no_grad():
        edited.get_parameter(name).add_(1.0)
    with llama.intervene(Edit(name, 1.0)):
        found = llama.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    assert found == LanguageModel(edited, llama.tokenizer).generate_tokens(PROMPTS, max_new_tokens=STEPS)
    assert llama.module.get_parameter(name).data is not None
    assert torch.equal(llama.module.get_parameter(name).data, original)
    assert llama.generate_tokens(PROMPTS, max_new_tokens=STEPS) == clean


def test_smollm2_steered_generation_is_safe_with_the_cache(smollm2):
    prompt = "The capital of France is"
    site = "L20.resid_post"
    away = smollm2.capture("The capital of Italy is", [f"{site}@-1"])[f"{site}@-1"][0, 0]
    intervention = Patch(f"{site}@-1", away)
    expected = again_and_again(smollm2, prompt, intervention, 5)
    with smollm2.intervene(intervention):
        assert smollm2.generate_tokens(prompt, max_new_tokens=5) == [expected]


def test_end_of_text_ends_a_row_and_not_its_neighbours(llama):
    free = llama.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    saved = llama.module.generation_config.eos_token_id
    llama.module.generation_config.eos_token_id = free[0][2]
    try:
        found = llama.generate_tokens(PROMPTS, max_new_tokens=STEPS)
        for row, ids in enumerate(free):
            expected = ids[: ids.index(free[0][2]) + 1] if free[0][2] in ids else ids
            assert found[row] == expected
            assert found[row] == plainly(llama, PROMPTS[row], eos_token_id=free[0][2])
    finally:
        llama.module.generation_config.eos_token_id = saved
    assert len(found[0]) == 3


def test_stop_texts(llama):
    text = llama.generate(PROMPTS[:1], max_new_tokens=STEPS)[0]
    stop = text[4:6]
    assert llama.generate(PROMPTS[:1], max_new_tokens=STEPS, stop=[stop]) == [text.split(stop, 1)[0]]


def test_draws_depend_on_seed_and_row_only(llama):
    options = {"max_new_tokens": STEPS, "temperature": 1.0}
    first = llama.generate_tokens(PROMPTS, seed=0, **options)
    assert llama.generate_tokens(PROMPTS, seed=0, **options) == first
    assert llama.generate_tokens(PROMPTS, seed=1, **options) != first
    assert llama.generate_tokens(PROMPTS[:1], seed=0, **options) == first[:1]
    greedy = llama.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    assert llama.generate_tokens(PROMPTS, top_k=1, **options) == greedy
    assert llama.generate_tokens(PROMPTS, top_p=1e-9, **options) == greedy


def test_draws_follow_the_probabilities(llama):
    ids = llama.encode(["The cat"] * 2000)
    drawn = np.array([row[0] for row in llama.generate_tokens(ids, max_new_tokens=1, temperature=1.0, seed=0)])
    shares = torch.as_tensor(llama.predict(ids[:1])).softmax(-1).numpy()[0]
    likely = np.argsort(-shares)[:5]
    observed = np.array([(drawn == token).mean() for token in likely])
    error = np.sqrt(shares[likely] * (1 - shares[likely]) / 2000)
    assert (np.abs(observed - shares[likely]) < 4 * error).all()


def test_log_probabilities_are_those_of_the_whole_text(causal):
    prompts = ["When John and Mary went to the", "The cat", "Anna"]
    continuations = [" store", " sat on the mat.", " and Tom"]
    found = causal.log_probabilities(prompts, continuations)
    for prompt, continuation, values in zip(prompts, continuations, found, strict=True):
        head = causal.encode(prompt)[0]
        tail = causal.tokenizer(continuation, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = causal.module(torch.tensor([[*head, *tail]])).logits[0].log_softmax(-1)
        expected = [float(logits[len(head) + i - 1, token]) for i, token in enumerate(tail)]
        np.testing.assert_allclose(values, expected, atol=2e-5)


def test_log_probabilities_agree_with_greedy_steps_under_intervention(llama):
    """Positions count in the prompt there too."""
    steer = Steer("L1.resid_post@-1", 3.0 * np.random.default_rng(0).normal(size=32))
    prompt, continuation = "The cat", " sat on"
    tail = llama.tokenizer(continuation, add_special_tokens=False)["input_ids"]
    ids = llama.encode(prompt)
    expected = []
    absolute = Steer(f"L1.resid_post@{ids.shape[1] - 1}", steer.direction)
    with llama.intervene(absolute), llama.scored_by("log-probability"):
        for token in tail:
            expected.append(llama.predict(ids)[0, token])
            ids = np.concatenate([ids, [[token]]], axis=1)
    with llama.intervene(steer):
        found = llama.log_probabilities([prompt, "Anna and Tom went"], [continuation, " to"])[0]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_cost_of_generation_is_one_evaluation_a_token(llama):
    with measure() as cost:
        found = llama.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    assert cost.evaluations == sum(map(len, found))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model: model.generate([]), "no texts"),
        (lambda model: model.generate("The cat", max_new_tokens=0), "at least 1"),
        (lambda model: model.generate("The cat", max_new_tokens=500), "more than the 128"),
        (lambda model: model.generate("The cat", temperature=-1.0), "temperature"),
        (lambda model: model.generate("The cat", temperature=1.0, top_p=0.0), "top_p"),
        (lambda model: model.log_probabilities(["The"], []), "as many continuations"),
        (lambda model: model.log_probabilities("The", "cat"), "as many continuations"),
        (lambda model: model.log_probabilities(["The"], [""]), "continuation 0 is empty"),
    ],
)
def test_bad_requests_are_named(llama, call, words):
    with pytest.raises(InputError, match=words):
        call(llama)


def test_a_value_for_every_prompt_token_says_why_it_does_not_fit_a_new_one(llama):
    site = "L1.resid_post"
    own = llama.capture("The cat sat", [site])[site]
    with llama.intervene(Patch(site, own)), pytest.raises(InputError, match="does not fit"):
        llama.generate("The cat sat", max_new_tokens=3)
    with llama.intervene(Ablate(site, "mean", reference=own[:, -1])):
        assert llama.generate("The cat sat", max_new_tokens=3)


def test_a_model_that_breaks_down_writes_nothing(llama):
    with llama.intervene(Scale("logits", float("nan"))), pytest.raises(NonFiniteScoreError, match="while it wrote"):
        llama.generate(PROMPTS, max_new_tokens=2)


def test_one_seed_for_each_row_makes_draws_independent_of_the_batch(llama):
    options = {"max_new_tokens": STEPS, "temperature": 1.0}
    together = llama.generate_tokens(PROMPTS, seed=[5, 6, 7], **options)
    assert together[::-1] == llama.generate_tokens(PROMPTS[::-1], seed=[7, 6, 5], **options)
    assert [
        llama.generate_tokens(p, seed=[s], **options)[0] for p, s in zip(PROMPTS, (5, 6, 7), strict=True)
    ] == together
    with pytest.raises(InputError, match="2 seeds for 3 prompts"):
        llama.generate(PROMPTS, seed=[1, 2])


def test_what_is_known_of_each_continuation(llama):
    """Log-probabilities are those of the whole text, and a longer text than the window is an error of its own."""
    found = llama.write(PROMPTS, max_new_tokens=STEPS, alternatives=3)
    for prompt, one in zip(PROMPTS, found, strict=True):
        ids = llama.encode(prompt)[0].tolist()
        with torch.no_grad():
            logits = llama.module(torch.tensor([ids + one.ids])).logits[0].log_softmax(-1)[len(ids) - 1 : -1]
        own = [float(row[token]) for row, token in zip(logits, one.ids, strict=True)]
        np.testing.assert_allclose(one.log_probabilities, own, atol=2e-5)
        best = logits.topk(3)
        assert [[token for token, _ in row] for row in one.alternatives] == best.indices.tolist()
        assert not one.ended
    with pytest.raises(WindowError):
        llama.write(PROMPTS, max_new_tokens=500)
