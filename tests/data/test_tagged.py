"""Tagged sequences, their files, and the generators, against their definitions."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.named_entities import LATE, entity_sentences
from explicate.data.language.sequence_tasks import TASKS, by_frequency, counts, double_counts, prefix_tags
from explicate.data.language.tagged import (
    Tagged,
    digits_hidden,
    framed,
    labelled,
    read_conll,
    split,
    strict_tags,
)
from explicate.errors import FileFormatError, InputError

CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
1996 CD B-NP O

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
"""


def test_conll_columns_become_strict_entities(tmp_path):
    file = tmp_path / "eng.train"
    file.write_text(CONLL)
    first, second = read_conll(file)
    assert first == Tagged(("EU", "rejects", "1996"), ("B-ORG", "O", "O"))
    assert second.tags == ("B-PER", "I-PER")
    assert framed(digits_hidden(first)).tokens == ("<s>", "EU", "rejects", "@", "</s>")
    assert framed(first).tags[0] is framed(first).tags[-1] is None
    file.write_text(CONLL.replace(" ", "\t"))
    assert read_conll(file) == [first, second]


def test_bad_conll_files_are_named_by_line(tmp_path):
    file = tmp_path / "bad.txt"
    for text, message in (
        ("a O\nb\n", r"line 2: 'b' does not end in a tag"),
        ("a X-PER\n", r"line 1: 'a X-PER' does not end in a tag"),
        ("\n-DOCSTART- O\n\n", "has no sentences"),
    ):
        file.write_text(text)
        with pytest.raises(FileFormatError, match=message):
            read_conll(file)
    file.write_text("a O\n")
    with pytest.raises(FileFormatError, match="2 columns; there is no column 5"):
        read_conll(file, token=5)


def test_tags_that_begin_nowhere_are_made_strict():
    assert strict_tags(["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]) == (
        "B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG"
    )  # fmt: skip


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_counting_tasks_follow_their_definitions(words):
    own = Counter(words)
    assert counts(words) == [str(words.count(word)) for word in words]
    assert double_counts(words) == [str(sum(n == words.count(word) for n in own.values())) for word in words]
    order = by_frequency(words)
    named = [word for word in order if word != "<s>"]
    assert sorted(named) == sorted(own)
    assert order[len(named) :] == ["<s>"] * (len(words) - len(named))
    keys = [(-own[word], words.index(word)) for word in named]
    assert keys == sorted(keys)


@given(st.lists(st.sampled_from("(){}"), min_size=1, max_size=12))
def test_prefixes_of_brackets_follow_rewriting(words):
    def rest(text):
        while "()" in text or "{}" in text:
            text = text.replace("()", "").replace("{}", "")
        return text

    for place, tag in enumerate(prefix_tags(words)):
        left = rest("".join(words[: place + 1]))
        assert tag == ("T" if not left else "F" if set(left) & set(")}") else "P")


@pytest.mark.parametrize("name", TASKS)
def test_examples_are_different_fit_and_come_from_the_seed(name):
    task = TASKS[name]
    rows = task.examples(300, seed=1)
    assert len({row.tokens for row in rows}) == len(rows) == 300
    assert rows == task.examples(300, seed=1)
    assert rows != task.examples(300, seed=2)
    longest = max(len(row.tokens) for row in rows)
    assert longest == task.longest + (name == "induction")  # nine tokens of pairs and one more
    assert len({token for row in rows for token in row.tokens}) < task.vocabulary


def test_induction_asks_for_the_digit_that_the_letter_had():
    asked = 0
    for row in TASKS["induction"].examples(500):
        for place, (token, tag) in enumerate(zip(row.tokens, row.tags, strict=True)):
            before = [row.tokens[i + 1] for i in range(place) if row.tokens[i] == token]
            if token.isalpha():
                assert tag == (before[0] if before else "<unk>")
                assert len(set(before)) <= 1
                asked += bool(before)
            else:
                assert tag is None
    assert asked > 300


def test_reverse_and_sort_stand_between_marks():
    for name, rule in (("reverse", lambda words: tuple(reversed(words))), ("sort", lambda words: tuple(sorted(words)))):
        for row in TASKS[name].examples(50):
            assert (row.tokens[0], row.tokens[-1]) == ("<s>", "</s>")
            assert row.tags[1:-1] == rule(row.tokens[1:-1])


def test_half_of_the_brackets_begin_well_formed():
    rows = TASKS["dyck2"].examples(2000)
    assert 0.35 < sum("T" in row.tags for row in rows) / len(rows) < 0.85


def test_entities_are_strict_ambiguous_and_new_in_the_held_out_part():
    rows, late = entity_sentences(400), entity_sentences(400, late=True)
    assert all(strict_tags(row.tags) == row.tags for row in [*rows, *late])
    kinds = {}
    for row in rows:
        for word, tag in zip(row.tokens, row.tags, strict=True):
            kinds.setdefault(word, set()).add(tag[2:])
    assert {"PER", "LOC", "ORG"} <= kinds["Lincoln"]
    new = {name for names in LATE.values() for name in names}
    assert not new & set(kinds)
    assert new <= {word for row in late for word in row.tokens}
    with pytest.raises(InputError, match="0 sentences"):
        entity_sentences(0)


def test_splits_are_disjoint_and_complete():
    rows = [labelled((str(i), "x"), "yes") for i in range(100)]
    training, validation, test = split(rows, 0)
    assert (len(training), len(validation), len(test)) == (81, 9, 10)
    assert sorted(row.tokens for row in [*training, *validation, *test]) == sorted(row.tokens for row in rows)
    with pytest.raises(InputError, match="give at least 10"):
        split(rows[:9], 0)
    with pytest.raises(InputError, match="0 examples"):
        TASKS["hist"].examples(0)
    with pytest.raises(InputError, match="2 tokens and 1 tags"):
        Tagged(("a", "b"), ("x",))
