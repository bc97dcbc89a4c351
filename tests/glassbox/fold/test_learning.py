import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier, Literal, Rule
from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.encoding import encode
from explicate.glassbox.fold.learning import Learner
from explicate.glassbox.fold.rules import OPERATORS
from explicate.glassbox.fold.search import Search

KINDS = {"number": "numeric", "word": "categorical", "both": "mixed", "no gaps": "numeric"}


class ByTheBook:
    """Steps 5, 6 and 8 of the page on sets of rows; only the best literal is taken from the search."""

    def __init__(self, search, cells, ratio, tail):
        self.search, self.cells, self.ratio, self.tail = search, cells, ratio, tail

    def literal(self, test):
        encoding = self.search.encoding
        return Literal(encoding.names[test.column], OPERATORS[test.operator], encoding.value(test.column, test.code))

    def holding(self, rule, rows):
        fires = rule.fires(self.cells, self.search.comparison)
        return {row for row in rows if fires[row]}

    def learn_rule(self, positives, negatives, used):
        if not negatives:
            return Rule(None, ())
        literals, mine = [], set()
        while True:
            test = self.search.best(np.array(sorted(positives), int), np.array(sorted(negatives), int), used | mine)
            if test is None:
                return Rule(None, literals) if literals and len(positives) >= len(negatives) else None
            literals.append(self.literal(test))
            mine.add((test.column, test.code))
            positives = self.holding(Rule(None, literals[-1:]), positives)
            negatives = self.holding(Rule(None, literals[-1:]), negatives)
            if len(negatives) <= self.ratio * len(positives):
                break
        exceptions = self.learn_set(negatives, positives, used | mine) if negatives else []
        return Rule(None, literals, exceptions)

    def learn_set(self, positives, negatives, used=frozenset()):
        rules = []
        while positives:
            rule = self.learn_rule(positives, negatives, used)
            covered = set() if rule is None else self.holding(rule, positives)
            if not covered or len(covered) < self.tail:
                break
            positives = positives - covered
            rules.append(rule)
        return rules

    def learn_list(self, labels):
        rows, rules = set(range(len(labels))), []
        while rows:
            present = [labels[row] for row in rows]
            label = max(sorted(set(present)), key=present.count)
            right = {row for row in rows if labels[row] == label}
            rule = self.learn_rule(right, rows - right, frozenset())
            covered = set() if rule is None else self.holding(rule, rows)
            if not covered & right or len(covered & right) < self.tail:
                break
            rules.append((label, rule))
            rows = rows - covered
        return rules


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_recursion_is_the_page_s(tables, data):
    frame = data.draw(tables)
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(frame), max_size=len(frame))))
    ratio, tail = data.draw(st.sampled_from([0.2, 0.5, 1.0])), data.draw(st.sampled_from([0, 2, 3]))
    comparison = data.draw(st.sampled_from(["complementary", "strict"]))
    cells = Cells(frame, KINDS)
    search = Search(encode(cells, list(KINDS)), comparison=comparison)
    learner, book = Learner(search, ratio, tail), ByTheBook(search, cells, ratio, tail)
    positives, negatives = np.flatnonzero(labels == 0), np.flatnonzero(labels != 0)
    expected = book.learn_set(set(positives.tolist()), set(negatives.tolist()))
    assert [learner.rule(draft, None) for draft in learner.learn_set(positives, negatives)] == expected
    listed = [(label, learner.rule(d, None)) for label, d in learner.learn_list(np.arange(len(frame)), labels)]
    assert listed == book.learn_list(labels.tolist())


def planted(rows, seed, noise=0.0):
    """A rule with an exception of two literals, and a second rule, over five kinds of columns."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "job": rng.choice(["clerk", "nurse", "cook", "pilot"], rows),
            "debt": rng.normal(size=rows).round(3),
            "town": rng.choice(["A", "B", "C"], rows),
            "noise": rng.normal(size=rows),
        }
    )
    safe = (frame["job"] != "pilot") & (frame["age"] <= 70) & ~((frame["debt"] > 0.5) & (frame["town"] == "C"))
    safe ^= rng.random(rows) < noise
    return frame, np.where(safe, "safe", "risky")


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_planted_program_is_found_again(noise):
    frame, labels = planted(8000, 0, noise)
    model = FoldSEClassifier().fit(frame, labels)
    (rule,) = model.program_.rules
    assert set(rule.default) == {Literal("age", "<=", 70), Literal("job", "!=", "pilot")}
    (exception,) = rule.exceptions
    threshold = {one.column: one.value for one in exception.default}
    assert {(one.column, one.operator) for one in exception.default} == {("debt", ">"), ("town", "==")}
    assert threshold["town"] == "C"
    assert threshold["debt"] == pytest.approx(0.5, abs=0.02)
    fresh, clean = planted(4000, 1)
    assert model.score(fresh, clean) > 0.995


def test_a_planted_list_of_classes_is_found_again():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.uniform(0, 10, 3000), "colour": rng.choice(list("rgb"), 3000)})
    labels = np.select([frame["colour"] == "r", frame["size"] <= 3], ["apple", "plum"], "lime")
    model = FoldSEMulticlassClassifier().fit(frame, labels)
    assert model.score(frame, labels) == 1.0
    assert model.program_.otherwise is None
    assert model.program_.counts().literals <= 4
    assert len(model.program_.rules) == 3
    assert model.program_.rules[-1].default == ()  # what is left is of one class: no test is needed


def test_exceptions_nest_with_swapped_roles():
    """Birds fly, penguins do not, super-penguins do: the textbook case of an exception to an exception."""
    kinds = [(f"songbird {species}", "wings", "no") for species in range(60)]
    kinds += [("penguin", "wings", "no")] * 20 + [("penguin", "wings", "yes")] * 3
    kinds += [(f"cat {breed}", "legs", "no") for breed in range(40)]
    frame = pd.DataFrame(kinds, columns=["animal", "has", "jet pack"])
    flies = (frame["has"] == "wings") & ~((frame["animal"] == "penguin") & ~(frame["jet pack"] == "yes"))
    model = FoldSEClassifier(positive=True, tail=1).fit(frame, flies)
    (rule,) = model.rules_
    (exception,) = rule.exceptions
    assert rule.default == (Literal("has", "==", "wings"),)
    assert exception.default == (Literal("animal", "==", "penguin"),)
    assert exception.exceptions == (Rule(None, (Literal("jet pack", "==", "yes"),)),)
    assert (model.predict(frame) == flies).all()


def test_the_tail_ends_the_set_and_looks_at_what_is_left_after_exceptions():
    frame, labels = planted(2000, 0)
    rare = frame["noise"] > np.sort(frame["noise"])[-8]  # seven rows that a rule of their own would cover
    labels = np.where(rare, "safe", labels)
    long = FoldSEClassifier(tail=0).fit(frame, labels)
    short = FoldSEClassifier(tail=20).fit(frame, labels)
    assert long.counts()["raw"].literals > short.counts()["raw"].literals
    assert all(sum(decided) >= 20 for decided in short.program_.decided[:-1])


def test_numbers_and_texts_in_one_column():
    rng = np.random.default_rng(0)
    lab = rng.uniform(0, 10, 2000).round(2).astype(object)
    lab[rng.random(2000) < 0.2] = "?"
    sick = np.array([value != "?" and value > 6 for value in lab])
    frame = pd.DataFrame({"lab": lab, "other": rng.normal(size=2000)})
    assert FoldSEClassifier().fit(frame, sick).score(frame, sick) == 1.0
    with pytest.warns(UserWarning, match="the positive label True is the rarer one"):
        assert FoldSEClassifier(positive=True).fit(frame, sick).score(frame, sick) == 1.0
    texts = frame.assign(lab=frame["lab"].astype(str))
    assert FoldSEClassifier(features={"lab": "numeric"}).fit(texts, sick).score(texts, sick) == 1.0
