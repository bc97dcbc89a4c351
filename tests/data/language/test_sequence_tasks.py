"""The tasks' tags against rules written down a second time, and the published sizes and shares."""

import re

import pytest

from explicate.data.language.sequence_tasks import TASKS, prefix_tags
from explicate.errors import InputError

MARKS = {"<s>", "</s>"}


def words_and_tags(row):
    return [(token, tag) for token, tag in zip(row.tokens, row.tags, strict=True) if token not in MARKS]


RULES = {
    "reverse": lambda words: [words[len(words) - 1 - place] for place in range(len(words))],
    "sort": lambda words: [min(sorted(words)[place:]) for place in range(len(words))],
    "hist": lambda words: [str(sum(word == other for other in words)) for word in words],
    "double_hist": lambda words: [
        str(len({other for other in words if words.count(other) == words.count(word)})) for word in words
    ],
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_tags_follow_the_rule_at_every_token(name):
    rows = TASKS[name].examples(300, seed=1)
    assert len({row.tokens for row in rows}) == 300
    for row in rows:
        pairs = words_and_tags(row)
        assert [tag for _, tag in pairs] == RULES[name]([token for token, _ in pairs])
        assert 2 <= len(row.tokens) <= 8
        assert row.tokens[0] == "<s>"
        assert row.tags[0] is None
    marks = 3 if name in ("reverse", "sort") else 2  # the vocabulary of 8 has them and padding
    assert len({token for row in rows for token in row.tokens} - MARKS) == 8 - marks


def test_most_frequent_first_with_ties_by_first_position():
    for row in TASKS["most_freq"].examples(300):
        words = row.tokens[1:]
        best = [tag for tag in row.tags[1:] if tag != "<s>"]
        assert sorted(best) == sorted(set(words))
        keys = [(-words.count(word), words.index(word)) for word in best]
        assert keys == sorted(keys)


@pytest.mark.parametrize(("name", "pairs"), [("dyck1", ["()"]), ("dyck2", ["()", "{}"])])
def test_brackets_are_balanced_possible_or_lost(name, pairs):
    def erased(text):
        before = None
        while before != text:
            before, text = text, re.sub("|".join(map(re.escape, pairs)), "", text)
        return text

    rows = TASKS[name].examples(400)
    for row in rows:
        assert len(row.tokens) == 16
        for end in range(2, 17):
            left = erased("".join(row.tokens[1:end]))
            expected = "T" if not left else "P" if not re.search(r"[)}]", left) else "F"
            assert row.tags[end - 1] == expected
    ends = [row.tags[-1] for row in rows]
    assert all(ends.count(tag) > 20 for tag in "PF")
    assert prefix_tags(["(", "}", "("]) == ["P", "F", "F"]


def test_induction_asks_for_the_digit_that_a_letter_had():
    rows = TASKS["induction"].examples(400)
    shifted = 0
    for row in rows:
        shifted += row.tokens[1].isdigit()
        seen: dict[str, str] = {}
        for place, token in enumerate(row.tokens):
            if token.isalpha():
                assert row.tags[place] == seen.get(token, "<unk>")
                if place + 1 < len(row.tokens):
                    seen.setdefault(token, row.tokens[place + 1])
                    assert seen[token] == row.tokens[place + 1]
            else:
                assert row.tags[place] is None
    assert 0.4 < shifted / len(rows) < 0.6
    assert max(len(row.tokens) for row in rows) <= 11


def test_random_inputs_have_the_asked_length_and_seeds_decide():
    task = TASKS["hist"]
    inputs = task.random_inputs(5, 50, ("a", "b"))
    assert {len(tokens) for tokens in inputs} == {5}
    assert inputs == task.random_inputs(5, 50, ("a", "b")) != task.random_inputs(5, 50, ("a", "b"), seed=1)
    assert task.examples(30) == task.examples(30) != task.examples(30, seed=1)
    with pytest.raises(InputError, match="0 examples"):
        task.examples(0)
