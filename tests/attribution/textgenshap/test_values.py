"""Sampled values against exact enumeration of hierarchical games, and what holds for every draw."""

import itertools

import numpy as np
import pytest

from explicate.attribution.shapley import all_coalitions, banzhaf_values, shapley_values
from explicate.attribution.textgenshap import Coalitions, Document, DocumentPrompt, DocumentTree
from explicate.attribution.textgenshap.document_tree import ROOT
from explicate.attribution.textgenshap.sampling import permuted, play, toggled
from explicate.attribution.textgenshap.values import estimated, exact

RNG = np.random.default_rng(0)


class Script:
    """A function of the coalition in the place of a model."""

    def __init__(self, function):
        self.function, self.counts, self.rows = function, {}, 0

    def write(self, masks):
        self.rows += len(masks)
        return [self.function(row) for row in masks]

    def log_probabilities(self, masks, answer):
        return np.array([float(len(self.function(row)) == len(answer)) - row.sum() / 7 for row in masks])


def tree_of(documents=6, sentences=1, levels=1):
    text = " ".join(f"Word{n} here." for n in range(sentences))
    prompt = DocumentPrompt.of("Who?", [Document(f"t{d}", text) for d in range(documents)])
    return DocumentTree.of(prompt, levels)


def voting(row):
    """Two documents that only together give "both", a rival, and a default."""
    if row[0] and row[1]:
        return "both"
    if row[2] and not row[3]:
        return "rival"
    return "three" if row.sum() > 4 else "none"


def owen_by_enumeration(function, tree, expanded):
    """Values from all orders that keep the children of expanded pieces together; names of outputs -> (piece,)."""

    def orders(piece):
        if piece not in expanded:
            return [[piece]]
        found = []
        for order in itertools.permutations(tree.children[piece]):
            for parts in itertools.product(*(orders(child) for child in order)):
                found += [[leaf for part in parts for leaf in part]]
        return found

    total, every = {}, orders(ROOT)
    for order in every:
        mask = np.zeros(len(tree.atoms), dtype=bool)
        before = function(mask)
        for piece in order:
            mask = mask | tree.members[piece]
            after = function(mask)
            total[piece, after] = total.get((piece, after), 0) + 1 / len(every)
            total[piece, before] = total.get((piece, before), 0) - 1 / len(every)
            before = after
    return total


def test_exact_values_of_documents_are_shapley_values_of_each_output():
    tree = tree_of(6)
    game = Coalitions(Script(voting))
    found = exact(game, tree, {ROOT})
    worth = np.array([voting(row) for row in all_coalitions(6)])
    for place, name in enumerate(game.outputs):
        assert found.value[:, place] == pytest.approx(shapley_values(worth == name))
    assert found.value.sum(axis=1) == pytest.approx(np.zeros(6))  # an output that comes in puts another one out


def test_exact_values_of_a_tree_are_the_mean_over_all_nested_orders():
    tree = tree_of(3, 2, levels=2)  # header and two sentences each
    first = tree.documents[0]
    expanded = {ROOT, first}

    def function(row):
        return "yes" if (row[0] and row[4]) or (row[2] and not row[7]) else "no"

    game = Coalitions(Script(function))
    found = exact(game, tree, expanded)
    truth = owen_by_enumeration(function, tree, expanded)
    for place, name in enumerate(game.outputs):
        for piece in tree.frontier(expanded):
            assert found.value[found.of(piece), place] == pytest.approx(truth.get((piece, name), 0))
        inside = [found.of(child) for child in tree.children[first]]
        assert found.value[inside, place].sum() == pytest.approx(found.value[found.of(first), place])


@pytest.mark.parametrize("sampling", ["permutations", "subsets", "pairs"])
def test_sampled_values_are_within_three_standard_errors_of_exact_ones(sampling):
    tree = tree_of(7)
    game = Coalitions(Script(voting))
    truth = exact(game, tree, {ROOT})
    # of pairs 40, for all 63 would leave nothing to chance
    draws = 40 if sampling == "pairs" else 2000
    found = estimated(game, tree, {ROOT}, sampling, draws, 0.0, 0.5, RNG)
    assert found.draws == draws
    assert (np.abs(found.value - truth.value) <= 3 * found.standard_error + 1e-9).mean() >= 0.97
    if sampling != "pairs":
        assert (np.abs(found.value - truth.value) <= 3 * found.standard_error + 1e-9).all()
        assert (np.abs(found.include - truth.include) <= 3.5 * found.include_error + 1e-9).all()
    assert np.abs(found.value - truth.value).max() < 0.12


@pytest.mark.parametrize("sampling", ["permutations", "subsets", "pairs"])
def test_sampled_values_of_a_tree_estimate_owens(sampling):
    tree = tree_of(3, 2, levels=2)
    expanded = {ROOT, *tree.documents[:2]}

    def function(row):
        return "yes" if (row[1] and row[4]) or (row[2] and not row[7]) or row.sum() > 7 else "no"

    game = Coalitions(Script(function))
    truth = exact(game, tree, expanded)
    found = estimated(game, tree, expanded, sampling, 1500, 0.0, 0.5, RNG)
    assert found.pieces == truth.pieces
    assert (np.abs(found.value - truth.value) <= 3.5 * found.standard_error + 1e-9).all()
    assert found.standard_error.max() < 0.05


def test_banzhaf_values_and_their_complements():
    tree = tree_of(6)
    game = Coalitions(Script(voting))
    worth = np.array([voting(row) for row in all_coalitions(6)])
    found = estimated(game, tree, {ROOT}, "banzhaf", 1500, 0.0, 0.5, RNG)
    for place, name in enumerate(game.outputs):
        error = np.abs(found.value[:, place] - banzhaf_values(worth == name))
        assert (error <= 3.5 * found.standard_error[:, place] + 1e-9).all()
    pair = toggled(tree, {ROOT}, RNG, 0.5)
    assert len(pair) == 2
    assert len(toggled(tree, {ROOT}, RNG, 0.1)) == 1
    assert (pair[0].masks[0] == ~pair[1].masks[0]).all()


def test_every_permutation_adds_up_to_everything_less_nothing():
    tree = tree_of(4, 2, levels=2)
    expanded = {ROOT, tree.documents[1]}
    game = Coalitions(Script(lambda row: "ab"[int(row[4] and row[0])] + str(row.sum() // 4)))
    plays = play(game, [[permuted(tree, expanded, RNG)] for _ in range(20)])
    gains = plays.gains(game)
    ends = game(np.stack([np.zeros(len(tree.atoms), dtype=bool), np.ones(len(tree.atoms), dtype=bool)]))
    leaves = [plays.pieces.index(piece) for piece in tree.frontier(expanded)]
    whole = game.columns(ends[1]) - game.columns(ends[0])
    assert np.allclose(gains[:, leaves].sum(axis=1), whole)
    documents = [plays.pieces.index(piece) for piece in tree.documents]
    assert np.allclose(gains[:, documents].sum(axis=1), whole)


def test_a_coalition_is_asked_once_and_nothing_may_be_an_output_of_its_own():
    script = Script(voting)
    game = Coalitions(script, decode_empty=False)
    masks = all_coalitions(5)
    first = game(np.concatenate([masks, masks]))
    assert script.rows == 31
    assert first[0] == -1
    assert (game(masks) == first[:32]).all()
    assert script.rows == game.asked == 31
    assert game.columns(first[:1]).sum() == 0


def test_sampling_stops_at_the_standard_error_that_is_asked_for():
    tree = tree_of(6)
    steady = estimated(Coalitions(Script(lambda row: "x" if row[0] else "y")), tree, {ROOT}, "permutations", 500, 0.05,
                       0.5, RNG)  # fmt: skip
    assert steady.draws == 10
    loose = estimated(Coalitions(Script(voting)), tree, {ROOT}, "permutations", 500, 0.05, 0.5, RNG)
    assert 20 <= loose.draws < 500
    assert loose.standard_error.max() <= 0.05
    pairs = estimated(Coalitions(Script(voting)), tree, {ROOT}, "pairs", 500, 0.05, 0.5, RNG)
    assert pairs.standard_error.max() <= 0.05


def test_log_probabilities_are_one_output():
    tree = tree_of(5)
    game = Coalitions(Script(voting), answer="both")
    found = estimated(game, tree, {ROOT}, "pairs", 100, 0.0, 0.5, RNG)
    worth = Script(voting).log_probabilities(all_coalitions(5), "both")
    assert found.value[:, 0] == pytest.approx(shapley_values(worth))
    assert found.standard_error.max() == pytest.approx(0, abs=1e-12)
