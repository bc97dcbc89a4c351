"""Circuits as groups: what they hold, random ones of the same sizes, what two share."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.core.sites import Site
from explicate.errors import InputError, SiteError
from explicate.mechanisms.circuits import HeadCircuit, HeadGroup, circuit_overlap, random_circuit

CIRCUIT = HeadCircuit(
    (
        HeadGroup("fetchers", "last", ((2, 1), (2, 3), (1, 0))),
        HeadGroup("transmitters", "last", ((1, 1),)),
        HeadGroup("readers", "first", ((0, 2), (1, 1))),
    )
)


def test_a_circuit_knows_its_heads():
    assert len(CIRCUIT) == 6
    assert CIRCUIT.counts() == {"fetchers": 3, "transmitters": 1, "readers": 2}
    assert (1, 1, "last") in CIRCUIT.slots
    assert (1, 1, "first") in CIRCUIT.slots
    assert CIRCUIT["readers"].without([(0, 2)]).heads == ((1, 1),)
    assert CIRCUIT.sites.count(Site("head_out", 1, 1)) == 1
    smaller = CIRCUIT.replacing(CIRCUIT["fetchers"].without([(2, 1)]))
    assert CIRCUIT.slots - smaller.slots == {(2, 1, "last")}
    with pytest.raises(InputError, match="no group 'movers'; it has fetchers"):
        CIRCUIT["movers"]


def test_a_head_is_in_one_group_of_a_position():
    with pytest.raises(InputError, match=r"head 2\.1 is in the circuit twice at the position 'last'"):
        HeadCircuit((HeadGroup("a", "last", ((2, 1),)), HeadGroup("b", "last", ((2, 1),))))


def test_what_the_model_lacks_is_refused(llama):
    places = {"last": [8], "first": [0]}
    CIRCUIT.check(llama, places)
    with pytest.raises(InputError, match="'first', which is none of last"):
        CIRCUIT.check(llama, {"last": [8]})
    with pytest.raises(SiteError, match="4 query heads"):
        HeadCircuit((HeadGroup("a", "last", ((0, 4),)),)).check(llama, places)


def test_random_circuits_have_the_same_sizes_at_each_position(llama):
    drawn = {random_circuit(CIRCUIT, llama, seed) for seed in range(20)}
    assert len(drawn) == 20
    for circuit in drawn:
        assert circuit.counts() == CIRCUIT.counts()
        assert [group.position for group in circuit] == [group.position for group in CIRCUIT]
    assert random_circuit(CIRCUIT, llama, 3) == random_circuit(CIRCUIT, llama, 3)


heads = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12)


@given(heads, heads)
def test_overlap_counts_shared_heads_both_ways(one, two):
    first = HeadCircuit((HeadGroup("a", "last", tuple(one)),))
    second = HeadCircuit((HeadGroup("a", "last", tuple(two)),))
    found = circuit_overlap(first, second)[0]
    back = circuit_overlap(second, first)[0]
    assert found.shared == back.shared == len(one & two)
    if one and two:
        assert found.of_first == back.of_second == len(one & two) / len(one)
    if not one:
        assert math.isnan(found.of_first)
