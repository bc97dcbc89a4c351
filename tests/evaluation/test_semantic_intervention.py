"""The intervention finds a planted state, and nothing where a probe interprets the text itself."""

import numpy as np
import pytest

from explicate.benchmarks.program_semantics import program_prefix, projected, true_state
from explicate.data.language.karel import ALTERNATIVES, ORIGINAL, SMALL, Karel, TaskSource, alternative, feature
from explicate.data.language.traces import Feature
from explicate.errors import InputError
from explicate.evaluation.semantic_intervention import SemanticIntervention, TraceLabels, gaps, probe_name
from explicate.evaluation.state_probes import held_out_groups, read_labels
from explicate.mechanisms.probing import LinearProbe, MLPProbe

DIRECTION, POSITION = feature("direction", 5, 5), feature("position", 5, 5)
NAMES = ("opposites", "random", "cycle of five")
SCREEN = MLPProbe(hidden=(32,), epochs=3)


@pytest.fixture(scope="module")
def world():
    """Short programs on random worlds, their labels under four semantics, and all that makes up their states."""
    tasks = TaskSource(SMALL.setting, shown=1, hidden=0, lengths=(1, 2)).draw(np.random.default_rng(0), 2000)
    semantics = {"original": ORIGINAL} | {name: alternative(name) for name in NAMES}
    starts = tasks.first_inputs()
    labels = TraceLabels.of(Karel(), tasks.programs, starts, semantics, [DIRECTION], (0, 1))
    whole = TraceLabels.of(Karel(), tasks.programs, starts, {"original": ORIGINAL}, [DIRECTION, POSITION], (0,))
    return tasks, labels, whole


def test_planted_a_vectors_that_are_the_state_have_a_large_gap(world):
    tasks, labels, whole = world
    states = true_state(Karel().traces(tasks.programs, tasks.first_inputs()), [DIRECTION, POSITION])
    found = SemanticIntervention((LinearProbe(),), screen=SCREEN).run(projected(states, 48), labels, whole)
    now = found.sel(feature="direction", offset=0, probe="linear")
    assert now["accuracy"].sel(semantics="original").item() == 1  # also that offset 0 pairs what it says
    assert found["accuracy"].sel(semantics="original", offset=1, probe="linear").item() < 0.8
    assert gaps(found).sel(offset=0).mean().item() > 0.3


def test_planted_b_vectors_that_are_the_text_have_none_for_a_deep_probe(world):
    tasks, labels, whole = world
    text = projected(program_prefix(tasks, tasks.programs, labels.program, labels.step), 48)
    now = TraceLabels(labels.program, labels.step, {}, labels.dropped)
    now.labels.update(
        {name: {key: one for key, one in own.items() if key[1] == 0} for name, own in labels.labels.items()}
    )
    deep = MLPProbe(hidden=(64, 64), epochs=20, batch=256, weight_decay=0.05)
    found = SemanticIntervention((deep,), screen=SCREEN).run(text, now, whole)
    assert found["accuracy"].min() > 0.85  # it interprets, whatever the words mean
    assert abs(gaps(found).mean().item()) < 0.04


def test_an_alternative_that_is_a_function_of_the_state_is_left_out(world):
    tasks, _, _ = world
    half = Feature("facing", (2,), lambda traces: traces.states.directions % 2)  # turns either way change it alike
    semantics = {"original": ORIGINAL, "opposites": alternative("opposites"), "random": alternative("random")}
    labels = TraceLabels.of(Karel(), tasks.programs, tasks.first_inputs(), semantics, [half], (0,))
    found = SemanticIntervention((LinearProbe(),), screen=SCREEN).run(projected(np.eye(2)[labels.step % 2], 4), labels)
    assert found.attrs["left_out"] == ["opposites"]
    assert found["semantics"].values.tolist() == ["original", "random"]
    alone = TraceLabels.of(
        Karel(), tasks.programs, tasks.first_inputs(), dict(list(semantics.items())[:2]), [half], (0,)
    )
    only = SemanticIntervention((LinearProbe(),), screen=SCREEN).run(projected(np.eye(2)[labels.step % 2], 4), alone)
    with pytest.raises(InputError, match="no alternative is left"):
        gaps(only)


class Skipping:
    """A language whose length depends on what its words mean: "skip" leaves out a word where the count is even."""

    def run(self, program, state, semantics):
        if not program:
            raise InputError("empty")
        found, skip = [state], False
        for word in program.split():
            if skip:
                skip = False
                continue
            if word == "skip":
                skip = found[-1] % 2 == 0
            else:
                found.append(found[-1] + semantics[word])
        return found


ODD = Feature("odd", (2,), lambda traces: np.array(traces.states) % 2)
MEANINGS = {"original": {"one": 1, "two": 2}, "other": {"one": 2, "two": 1}}


def test_traces_of_another_length_are_dropped_and_counted():
    programs = ["one two", "one skip two two", "two two", "", *["two one"] * 6]
    labels = TraceLabels.of(Skipping(), programs, [0] * 10, MEANINGS, [ODD], (0,))
    assert labels.dropped == {"other": 1}
    assert 3 not in labels.program
    changed = labels.program == 1
    assert (labels.labels["other"]["odd", 0].values[changed] == -1).all()
    assert labels.labels["original"]["odd", 0].values[labels.program == 0, 0].tolist() == [1, 1]
    assert labels.labels["other"]["odd", 0].values[labels.program == 0, 0].tolist() == [0, 1]


def test_too_many_of_them_are_an_error_and_so_is_having_no_trace():
    with pytest.raises(InputError, match=r"'other' 2 of 4 traces"):
        TraceLabels.of(Skipping(), ["one skip two two"] * 2 + ["one"] * 2, [0] * 4, MEANINGS, [ODD], (0,))
    with pytest.raises(InputError, match="none of the programs"):
        TraceLabels.of(Skipping(), ["", ""], [0, 0], MEANINGS, [ODD], (0,))


def test_alternatives_of_karel_keep_every_length_and_differ_from_the_original(world):
    tasks, _, _ = world
    every = {each.name: each for each in (ORIGINAL, *ALTERNATIVES)}
    found = TraceLabels.of(Karel(), tasks.programs, tasks.first_inputs(), every, [DIRECTION], (0,))
    assert set(found.dropped.values()) == {0}
    original = found.labels["original"]["direction", 0].values
    for name in found.dropped:
        assert (found.labels[name]["direction", 0].values != original).mean() > 0.15, name


def test_one_vector_for_each_action_is_needed(world):
    _, labels, _ = world
    with pytest.raises(InputError, match="one for each"):
        SemanticIntervention().run(np.zeros((3, 4)), labels)


def test_the_true_state_itself_is_read_at_its_own_offset_only(world):
    tasks, labels, _ = world
    states = true_state(Karel().traces(tasks.programs, tasks.first_inputs()), [DIRECTION])
    held = held_out_groups(labels.program, 0.3)
    own = {str(offset): labels.labels["original"]["direction", offset] for offset in (0, 1)}
    found = read_labels(states, own, LinearProbe(), labels.program, held)
    assert found["0"].accuracy == 1
    assert found["1"].accuracy < 0.8


def test_probes_are_called_by_their_depth():
    assert [probe_name(each) for each in SemanticIntervention().probes] == [
        "linear",
        "1 hidden layer",
        "2 hidden layers",
    ]
    assert probe_name(MLPProbe(hidden=())) == "linear"
