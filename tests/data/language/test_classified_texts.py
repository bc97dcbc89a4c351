"""Readers of four public data sets, on files of their form; made questions whose kind their order tells."""

from collections import Counter

import pytest

from explicate.data.language.classified_texts import (
    READERS,
    read_ag_news,
    read_classes,
    read_reviews,
    read_subjectivity,
    read_trec,
    text_tokens,
)
from explicate.data.language.question_kinds import NOUNS, kind_questions
from explicate.errors import FileFormatError, InputError, UnknownNameError


def test_questions_of_trec_with_coarse_and_fine_classes(tmp_path):
    path = tmp_path / "train_5500.label"
    path.write_bytes(
        b"DESC:manner How did serfdom develop in Russia ?\n"
        b"NUM:date When did the 1st caf\xe9 open ?\nHUM:ind Who's he ?\n"
    )
    rows = read_trec(path)
    assert [row.tags[0] for row in rows] == ["DESC", "NUM", "HUM"]
    assert rows[0].tokens == ("how", "did", "serfdom", "develop", "in", "russia", "?")
    assert "café" in rows[1].tokens
    assert rows[2].tokens == ("who's", "he", "?")
    assert set(rows[0].tags[1:]) == {None}
    assert [row.tags[0] for row in read_trec(path, fine=True)] == ["DESC:manner", "NUM:date", "HUM:ind"]


def test_sentences_in_a_file_for_each_class(tmp_path):
    for reader, negative, positive, labels in (
        (read_reviews, "rt-polarity.neg", "rt-polarity.pos", ["negative", "positive", "positive"]),
        (read_subjectivity, "plot.tok.gt9.5000", "quote.tok.gt9.5000", ["objective", "subjective", "subjective"]),
    ):
        (tmp_path / negative).write_text("simplistic , silly and tedious . \n")
        (tmp_path / positive).write_text("a gripping film\n\nfresh !\n")
        assert [row.tags[0] for row in reader(tmp_path)] == labels
        (tmp_path / positive).write_text("\n")
        with pytest.raises(FileFormatError, match=f"{positive} has no texts"):
            reader(tmp_path)


def test_news_with_quoted_commas_and_with_a_heading(tmp_path):
    path = tmp_path / "test.csv"
    rows = (
        '"3","Fears for T N pension","Unions say, they are ""disappointed""."\n"4","The Race","SPACE.com - 24 teams"\n'
    )
    for heading in ("", "Class Index,Title,Description\n"):
        path.write_text(heading + rows)
        first, second = read_ag_news(path)
        assert (first.tags[0], second.tags[0]) == ("Business", "Sci/Tech")
        assert first.tokens[-5:] == ("are", '"', "disappointed", '"', ".")
        assert second.tokens[-2:] == ("@", "teams")
    for bad, message in (
        ('"5","a","b"\n', "row 1: '5' is no class 1 to 4"),
        ('"1","a"\n', "row 1: '1' is no class"),
        ('"1","a"b","c\n', "no table of comma-separated values"),
        ("", "has no texts"),
    ):
        path.write_text(bad)
        with pytest.raises(FileFormatError, match=message):
            read_ag_news(path)


def test_data_sets_are_read_by_name_and_bad_ones_refused(tmp_path):
    (tmp_path / "t").write_text("NUM:date When ?\n")
    assert read_classes("trec", tmp_path / "t") == read_trec(tmp_path / "t")
    with pytest.raises(UnknownNameError, match=f"no data set 'imdb'; there are {', '.join(READERS)}"):
        read_classes("imdb", tmp_path)
    for name in READERS:
        with pytest.raises(FileFormatError, match="cannot read examples from"):
            read_classes(name, tmp_path / "absent")
    (tmp_path / "t").write_text("NUM:date When ?\nWhen ?\n")
    with pytest.raises(FileFormatError, match=r"line 2: 'When \?' is no question after one of ABBR"):
        read_classes("trec", tmp_path / "t")
    with pytest.raises(InputError, match="'_ _' has no words"):
        text_tokens("_ _")


def test_made_questions_ask_for_one_of_two_nouns_by_their_order():
    rows = kind_questions(1500, 3)
    assert rows == kind_questions(1500, 3)
    assert len({row.tokens for row in rows}) == 1500
    kind_of = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns}
    asked: Counter[str] = Counter()
    for row in rows:
        kinds = [kind_of[token] for token in row.tokens if token in kind_of]
        assert len(set(kinds)) == len(kinds) == 2
        second = row.tokens[0] == "for"
        assert row.tags[0] == kinds[second]
        asked[row.tags[0]] += 1
    assert min(asked.values()) > 300  # balanced
    with pytest.raises(InputError, match="0 questions"):
        kind_questions(0)
