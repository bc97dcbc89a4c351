import numpy as np
import pytest

from explicate.data.graphs import motif_graphs
from explicate.data.seven_segments import SEGMENTS, segments
from explicate.errors import InputError


def test_a_graph_is_a_tree_with_one_house_or_ring():
    found = motif_graphs(20, seed=1)
    assert (found.adjacency == found.adjacency.transpose(0, 2, 1)).all()
    for graph, label, motif in zip(found.adjacency, found.labels, found.motif, strict=True):
        inner = graph[np.ix_(motif, motif)]
        assert sorted(inner.sum(axis=0)) == ([2, 2, 2, 3, 3] if label == 0 else [2] * 5)
        assert graph.sum() / 2 == 19 + 1 + (6 if label == 0 else 5)
        reached = np.linalg.matrix_power(graph + np.eye(25), 25) > 0
        assert reached.all()
    assert motif_graphs(20, seed=1).adjacency.tolist() == found.adjacency.tolist()
    with pytest.raises(InputError):
        motif_graphs(0)


def test_no_two_digits_light_the_same_segments():
    table = segments(np.arange(10))
    assert table.shape == (10, len(SEGMENTS))
    assert len({tuple(row) for row in table.tolist()}) == 10
    assert table.sum(axis=1).tolist() == [6, 2, 5, 5, 4, 5, 6, 3, 7, 6]
    with pytest.raises(InputError):
        segments(np.array([10]))
