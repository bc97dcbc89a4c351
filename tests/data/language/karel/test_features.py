"""Labels are what can be seen in a drawing, and offsets pair what they say."""

import numpy as np
import pytest

from explicate.data.language.karel import FEATURES, ORIGINAL, Karel, feature, parse, read_worlds
from explicate.data.language.traces import Feature, at_offset, traced
from explicate.errors import InputError

WORLD = read_worlds(["#####\n#..##\n#>..#\n#...#\n#####"])


@pytest.fixture
def traces():
    program = parse("def run() { move(); turn_left(); move(); turn_right(); }")
    return traced(Karel(), [program], WORLD, ORIGINAL)


def labels(name, traces):
    return feature(name, 3, 3).labels(traces).tolist()


def test_each_feature_of_a_worked_trace(traces):
    assert labels("direction", traces) == [[1], [1], [0], [0], [1]]
    assert labels("wall ahead", traces) == [[0], [0], [0], [1], [1]]
    assert labels("position", traces) == [[1, 0], [1, 1], [1, 1], [0, 1], [0, 1]]
    assert labels("from start", traces) == [[2, 2], [2, 3], [2, 3], [1, 3], [1, 3]]
    assert labels("to end", traces) == [[3, 1], [3, 2], [3, 2], [2, 2], [2, 2]]
    assert labels("walls around", traces)[0] == [0, 0, 0, 1]
    assert labels("walls around", traces)[4] == [1, 1, 0, 0]
    assert len(FEATURES) == 6
    with pytest.raises(InputError, match="no feature"):
        feature("mood", 3, 3)


def test_offset_0_is_the_state_that_the_chosen_action_leads_to(traces):
    direction = feature("direction", 3, 3).labels(traces)
    assert at_offset(traces, direction, 0)[:, 0].tolist() == [1, 0, 0, 1]
    assert at_offset(traces, direction, 1)[:, 0].tolist() == [0, 0, 1, -1]
    assert at_offset(traces, direction, 2)[:, 0].tolist() == [0, 1, -1, -1]
    assert at_offset(traces, direction, -1)[:, 0].tolist() == [-1, 1, 0, 0]  # the initial state is no label


class Counter:
    """A language of one's own: "+" and "-" count."""

    def run(self, program, state, semantics):
        if not program:
            raise InputError("empty")
        return [state, *(state + np.cumsum([semantics[word] for word in program.split()]))]


def test_any_language_with_run_has_traces_and_offsets_do_not_cross_programs():
    meaning = {"+": 1, "-": -1}
    traces = traced(Counter(), ["+ + -", "", "-"], [0, 0, 0], meaning)
    assert list(traces.states) == [0, 1, 2, 1, 0, -1]
    assert traces.program.tolist() == [0, 0, 0, 0, 2, 2]
    assert traces.step.tolist() == [0, 1, 2, 3, 0, 1]
    assert traces.lengths == {0: 3, 2: 1}
    values = Feature("value", (5,), lambda found: np.array(found.states) + 2).labels(traces)
    assert at_offset(traces, values, 0)[:, 0].tolist() == [3, 4, 3, 1]
    assert at_offset(traces, values, 1)[:, 0].tolist() == [4, 3, -1, -1]
    with pytest.raises(InputError, match="outside"):
        Feature("value", (2,), lambda found: np.array(found.states) + 2).labels(traces)
    with pytest.raises(InputError, match="Karel"):
        feature("direction", 3, 3).labels(traces)
