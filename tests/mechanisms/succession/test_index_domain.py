"""A map that splits index and list: exact on the planted model, and right on a list that it never saw."""

from dataclasses import replace

import numpy as np
import pytest

from explicate.data.language.succession import SuccessionDataset, SuccessionTask
from explicate.errors import InputError
from explicate.mechanisms.succession import IndexDomainMap, average_split, counts_in_new_list, decoding_accuracy
from explicate.mechanisms.succession.index_domain import matching_triples


def of(head, *names):
    """The head on some of its words."""
    return head.on(head.data.only(*names))


def test_triples_share_index_and_list(head):
    data = head.data
    triples = matching_triples(data, np.arange(100, 120), np.arange(0, 250))
    for wanted, index_from, list_from in triples[:: max(1, len(triples) // 50)]:
        assert data.indices[wanted] == data.indices[index_from]
        assert data.task_of[wanted] != data.task_of[index_from]
        assert data.task_of[wanted] == data.task_of[list_from]
        assert wanted != list_from
    assert not len(matching_triples(data, np.array([150]), np.arange(len(data))))  # no other list has a 151st word


def test_held_out_words_are_made_of_an_index_and_a_list(head):
    known = of(head, "number words", "ordinal words", "letters", "day prefixes")
    test = known.data.held_out(0.15, seed=1)
    split = IndexDomainMap(steps=500, learning_rate=5e-3).fit(known, test)
    for decoder in ("nearest", "unembedding"):
        found = decoding_accuracy(split, known, test, decoder)
        assert found > 0.9
        assert decoding_accuracy(split, known, test, decoder, "index") >= found
        assert found > decoding_accuracy(average_split(160), known, test, decoder) + 0.3
    assert split.losses[-1] < 0.1 * split.losses[0]
    units, lists = np.arange(21, 31), 31 + np.array([1, 2, 5, 7])  # differences of units are kept, those of lists not
    assert np.abs(between(split, units) - (np.eye(10) - 0.1)).max() < 0.1
    assert np.abs(between(split, lists)).max() < 0.1


def between(split, places):
    """What the map does to differences of one-hot directions, in their own coordinates."""
    centre = np.eye(len(places)) - 1 / len(places)
    return centre @ split.projection[np.ix_(places, places)] @ centre


def test_a_list_that_was_never_fitted(head):
    known = of(head, "number words", "ordinal words", "letters", "day prefixes")
    test = known.data.held_out(0.1, seed=1)
    split = IndexDomainMap(steps=500, learning_rate=5e-3).fit(known, test)
    found = counts_in_new_list(split, known, of(head, "days"))
    assert found["decoded"] > 0.9
    assert found["successor"] > 0.8
    assert found["chance"] == pytest.approx(1 / 7)
    assert counts_in_new_list(average_split(160), known, of(head, "days"))["successor"] < 0.5


def test_lists_without_a_common_index_are_refused(head):
    task = head.data.tasks[3]
    far = SuccessionTask("far", tuple(replace(item, index=item.index + 900) for item in task.items))
    alone = head.on(SuccessionDataset((far,), {}))
    with pytest.raises(InputError, match="no two lists"):
        IndexDomainMap().fit(alone, np.zeros(7, dtype=bool))
    with pytest.raises(InputError, match="no index with the known ones"):
        counts_in_new_list(average_split(160), head, alone)
