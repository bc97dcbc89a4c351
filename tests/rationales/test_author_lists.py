"""Lists of authors: what is a name, and how far two lists agree, by counting."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.rationales.author_lists import author_names, mean_overlap, name_overlap, pairs


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ian Goodfellow, Yoshua Bengio and Al Coe", {("ian", "goodfellow"), ("yoshua", "bengio"), ("al", "coe")}),
        ("AUTHORS: Marjie T. Britz", {("marjie", "britz")}),
        ("The authors are: Ada Lovelace & Charles Babbage.", {("ada", "lovelace"), ("charles", "babbage")}),
        ("J.K. Rowling", {("j", "rowling")}),
        ("J. K. Rowling", {("j", "rowling")}),
        ("Gabriel García Márquez", {("gabriel", "marquez")}),
        ("Søren Kierkegaard, Stanisław Lem", {("soren", "kierkegaard"), ("stanislaw", "lem")}),
        ("Antoine de Saint-Exupéry", {("antoine", "saintexupery")}),
        ("Ludwig van Beethoven, Vincent van Gogh", {("ludwig", "beethoven"), ("vincent", "gogh")}),
        ("van Gogh", {("van", "gogh")}),
        ("Knuth, Donald; Lamport, Leslie B.; Plato", {("donald", "knuth"), ("leslie", "lamport"), ("plato", "plato")}),
        ("1. Jane Austen\n2. Mary Shelley\n", {("jane", "austen"), ("mary", "shelley")}),
        ("- Jane Austen\n- Mary Shelley, et al.", {("jane", "austen"), ("mary", "shelley")}),
        ("Dr. Jane Austen (ed.), Martin Luther King Jr.", {("jane", "austen"), ("martin", "king")}),
        ("Plato", {("plato", "plato")}),
        (" Jane Austen in 1813. It is about Elizabeth Bennet", {("jane", "austen")}),
        ("Sandy Anders", {("sandy", "anders")}),
        ("I'm sorry, I do not have information on the authors.", set()),
        ("As an AI language model, I cannot know this.", set()),
        ("Sorry, but the reference does not exist", set()),
        ("Unknown", set()),
        ("Unfortunately, there is no such book. John Smith might know", set()),
        ("N/A", set()),
        ("This book was written by Jane Austen", set()),
        ("", set()),
        ("!!! ,,, ;;;", set()),
        ("12345", set()),
        ("the name of it", set()),
        ("李 明, Wei Li", {("wei", "li")}),
    ],
)  # fmt: skip
def test_names_are_read_and_refusals_are_none(text, names):
    assert author_names(text) == names


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("Marjie T. Britz, G. O. W. Mueller", "Marjie Britz, Anja Sassenberg", 1 / 3),
        ("A B, C D", "C D, A B", 1.0),
        ("Ada Brand", "Ada Brand, Ben Falk", 0.5),
        ("I'm sorry, I do not know.", "I'm sorry, I do not know.", 0.0),
        ("", "Ada Brand", 0.0),
    ],
)
def test_overlap_is_that_of_the_sets(one, other, share):
    assert name_overlap(one, other) == pytest.approx(share)
    assert name_overlap(other, one) == name_overlap(one, other)


NAMES = st.sampled_from([f"{a} {b}" for a in ("Ana", "Bo", "Cy") for b in ("Dee", "Eck", "Fox")])


@given(st.lists(NAMES, min_size=1, max_size=5), st.lists(NAMES, min_size=1, max_size=5), st.randoms())
def test_order_and_middle_names_change_nothing_and_sets_are_counted(one, other, rng):
    exact = len(set(one) & set(other)) / len(set(one) | set(other))
    moved = [name.replace(" ", " Q. ") for name in rng.sample(other, len(other))]
    assert name_overlap(", ".join(one), " and ".join(moved)) == pytest.approx(exact)


def test_the_mean_is_over_all_pairs():
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]
    lists = ["Ada Brand", "Ada Brand, Ben Falk", "Eva Holt"]
    for order in permutations(lists):
        assert mean_overlap(order) == pytest.approx(0.5 / 3)
