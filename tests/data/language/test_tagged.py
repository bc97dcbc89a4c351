"""Tagged sequences: CoNLL columns, schemes of tags, splits."""

import pytest

from explicate.data.language.tagged import (
    Tagged,
    digits_hidden,
    framed,
    labelled,
    read_conll,
    shorter,
    split,
    strict_tags,
)
from explicate.errors import FileFormatError, InputError

COLUMNS = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
German JJ B-NP I-MISC

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
Ford NNP I-NP B-PER
in IN B-PP O
1996 CD B-NP O
"""


def test_the_four_columns_of_conll_2003_become_strict_tags(tmp_path):
    path = tmp_path / "eng.train"
    path.write_text(COLUMNS)
    first, second = read_conll(path)
    assert first == Tagged(("EU", "rejects", "German"), ("B-ORG", "O", "B-MISC"))
    assert second.tags == ("B-PER", "I-PER", "B-PER", "O", "O")  # B- inside begins another of the same kind
    assert digits_hidden(second).tokens[-1] == "@"
    assert framed(first).tags == (None, "B-ORG", "O", "B-MISC", None)
    path.write_text("a\tO\r\nb\tB-LOC\r\n")
    assert read_conll(path) == [Tagged(("a", "b"), ("O", "B-LOC"))]
    assert strict_tags(["I-PER", "I-LOC", "I-LOC", "O", "I-LOC"]) == ("B-PER", "B-LOC", "I-LOC", "O", "B-LOC")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EU B-ORG\nrejects", r"line 2: 'rejects' does not end in a tag"),
        ("EU ORG\n", r"line 1: 'EU ORG' does not end in a tag O, B-... or I-..."),
        ("\n\n-DOCSTART- -X- O\n", "has no sentences"),
    ],
)
def test_files_that_are_no_columns_are_refused_by_line(tmp_path, text, message):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_conll(path)


def test_a_column_that_is_not_there_and_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("a O\n")
    with pytest.raises(FileFormatError, match="line 1: 2 columns; there is no column 3"):
        read_conll(path, tag=3)
    with pytest.raises(FileFormatError, match=r"cannot read examples from .*absent\.txt"):
        read_conll(tmp_path / "absent.txt")
    path.write_bytes(b"\xff\xfe O\n")
    with pytest.raises(FileFormatError, match=r"cannot read examples from .*short\.txt"):
        read_conll(path)


def test_a_split_is_a_partition_that_the_seed_decides():
    rows = [labelled((str(number),), "x") for number in range(200)]
    parts = split(rows, 0)
    assert [len(part) for part in parts] == [162, 18, 20]
    assert sorted(row.tokens for part in parts for row in part) == sorted(row.tokens for row in rows)
    assert split(rows, 0) == parts != split(rows, 1)
    with pytest.raises(InputError, match="9 sequences cannot be split"):
        split(rows[:9], 0)


def test_long_sequences_can_be_left_out_and_every_token_has_a_tag():
    rows = [Tagged(("a",) * length, ("x",) * length) for length in (1, 31, 32)]
    assert shorter(rows, 32) == rows[:2]
    with pytest.raises(InputError, match="none of 3 sequences has fewer than 1 tokens"):
        shorter(rows, 1)
    with pytest.raises(InputError, match="2 tokens and 1 tags"):
        Tagged(("a", "b"), ("x",))
