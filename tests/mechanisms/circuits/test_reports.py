"""Faithfulness, minimality and completeness against their definitions, and on a planted circuit."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.circuits import (
    CircuitTask,
    HeadCircuit,
    HeadGroup,
    completeness,
    faithfulness,
    minimality,
)

TOKENS = 8
PLACES = {"last": np.full(40, 7), "early": np.arange(40) % 5}
FULL = HeadCircuit(
    (
        HeadGroup("fetchers", "last", ((2, 0), (2, 1), (1, 2), (1, 3))),
        HeadGroup("readers", "early", ((0, 1), (1, 0))),
    )
)


def prompts(count, seed=0):
    return np.random.default_rng(seed).integers(5, 200, (count, TOKENS))


@pytest.fixture(scope="module")
def task(llama):
    """The answers are what the model says, but for every fourth prompt."""
    ids = prompts(40)
    answers = llama.predict(ids).argmax(axis=1)
    answers[::4] = 3
    return CircuitTask(llama, ids, answers, PLACES, prompts(60, seed=1))


def right(task, taken):
    return task.right([FULL.slots - set(taken)]).mean()


def test_faithfulness_is_a_ratio_of_accuracies(task):
    found = faithfulness(task, FULL, controls=3)
    assert found.model.value == pytest.approx((task.model.predict(task.ids).argmax(axis=1) == task.answers).mean())
    assert found.circuit.value == pytest.approx(task.right([FULL]).mean())
    assert found.faithfulness == pytest.approx(found.circuit.value / found.model.value)
    assert len(found.random) == 3
    assert found.share == pytest.approx(6 / 24)
    assert found.circuit.low <= found.circuit.value <= found.circuit.high


def test_a_group_without_heads_is_measured_with_a_warning(task):
    empty = FULL.replacing(HeadGroup("readers", "early", ()))
    with pytest.warns(UserWarning, match="'readers' has no heads"):
        found = faithfulness(task, empty, controls=1)
    assert found.circuit.value == pytest.approx(task.right([empty]).mean())
    assert {need.group for need in minimality(task, empty).needs} == {"fetchers"}
    assert set(completeness(task, empty, 2).groups) == {"fetchers"}


def test_minimality_by_the_definition(task):
    found = minimality(task, FULL, threshold=0.02, others=0.5, decimals=3)
    for group in FULL:
        slot = {head: (*head, group.position) for head in group.heads}
        for need in (need for need in found.needs if need.group == group.name):
            drops = {}
            for k in group.heads:
                if k != need.head:
                    alone = round(right(task, [slot[k]]), 3)
                    drops[k] = alone - round(right(task, [slot[k], slot[need.head]]), 3)
            best = sorted((k for k in drops if drops[k] > 0), key=lambda k: -drops[k])[: len(group.heads) // 2]
            assert need.without == tuple(best)
            assert need.before == pytest.approx(round(right(task, [slot[k] for k in best]), 3))
            after = [slot[k] for k in (*best, need.head)]
            assert need.after == pytest.approx(round(right(task, after), 3))
            kept = need.before / need.after - 1 >= 0.02 if need.after else need.before > 0
            assert (need.head in found.circuit[group.name].heads) == kept


def test_size_falls_with_the_threshold(task):
    found = minimality(task, FULL)
    sizes = found.sizes([-1.0, 0.0, 0.01, 0.05, 1e9])
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == len(FULL)
    assert found.at(0.01).slots == found.circuit.slots


def test_completeness_by_the_definition(task):
    found = completeness(task, FULL, subsets=4, seed=2)
    assert len(found.random) == 4
    for group in FULL:
        patches = []
        for layer, head in group.heads:
            mean = task.ablation.values[layer][head].numpy()
            patches.append((layer, head, mean))
        answers = []
        for row in range(40):
            column = int(PLACES[group.position][row])
            parts = [Patch(Site("z", layer, head, (column,)), mean[column]) for layer, head, mean in patches]
            with task.model.intervene(*parts):
                answers.append(int(task.model.predict(task.ids[row : row + 1])[0].argmax()))
        whole = (np.array(answers) == task.answers).mean()
        assert found.groups[group.name] == pytest.approx(abs(right(task, group.slots) - whole))
    assert found.mean == pytest.approx(np.mean(found.random))
    assert found.deviation == pytest.approx(np.std(found.random, ddof=1))
    with pytest.raises(InputError, match="2 or more"):
        completeness(task, FULL, subsets=1)


def test_a_planted_circuit_is_faithful_minimal_and_complete(small):
    """All heads but two write nothing: those two do everything, and no random circuit does."""
    model = small("llama")
    planted = {(0, 2, "early"), (1, 1, "last")}
    with torch.no_grad():
        for layer, block in enumerate(model.blocks):
            weight = block.self_attn.o_proj.weight
            for head in range(4):
                on = any((layer, head) == (i, h) for i, h, _ in planted)
                weight[:, 8 * head : 8 * head + 8] *= 4 if on else 0
    ids = prompts(40)
    places = {"early": np.full(40, 6), "last": np.full(40, 7)}
    task = CircuitTask(model, ids, model.predict(ids).argmax(axis=1), places, prompts(80, seed=1))
    own = HeadCircuit(
        (HeadGroup("writers", "last", ((1, 1), (2, 2), (0, 2))), HeadGroup("readers", "early", ((0, 2), (1, 1))))
    )
    with_all = faithfulness(task, own)
    assert with_all.faithfulness > max(with_all.random)
    found = minimality(task, own).circuit
    assert (2, 2, "last") not in found.slots
    assert (1, 1, "last") in found.slots
    assert found.slots <= own.slots
    silent = HeadCircuit((HeadGroup("writers", "last", ((2, 2), (2, 3), (1, 0))),))
    report = completeness(task, silent, subsets=3)
    whole = faithfulness(task, silent, controls=0)
    assert report.groups["writers"] == pytest.approx(whole.model.value - whole.circuit.value)


def test_answers_must_fit(llama):
    with pytest.raises(InputError, match="3 answers for 40 prompts"):
        CircuitTask(llama, prompts(40), np.zeros(3), PLACES, prompts(60, seed=1))
