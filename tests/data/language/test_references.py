"""Titles are read from a model's list by where they stand, whatever is in them."""

import json

import pytest

from explicate.data.language.references import (
    Reference,
    clean_title,
    listing,
    normalised,
    read_references,
    references_in,
    titles_in,
    unique,
)
from explicate.errors import FileFormatError, InputError


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('"Deep Learning".', "Deep Learning"),
        ("“Deep Learning.”", "Deep Learning"),
        ("  Deep Learning. ", "Deep Learning"),
        ('"Deep Learning",', "Deep Learning"),
        ('Deep Learning".', "Deep Learning"),
        ('"Foo" and "Bar"', '"Foo" and "Bar"'),
        ('"The "Big" Book"', 'The "Big" Book'),
        ('The "End"', 'The "End"'),
        ('"NFS Version 4", RFC 3530', '"NFS Version 4", RFC 3530'),
        ("'Twas the Night", "Twas the Night"),
        ("«Les Misérables»", "Les Misérables"),
        ("C++", "C++"),
        ("1984", "1984"),
        ('"', ""),
        ("", ""),
    ],
)
def test_quotes_and_dots_around_a_title_go_and_those_inside_stay(text, title):
    assert clean_title(text) == title
    assert clean_title(clean_title(text)) == clean_title(text)


def test_only_a_number_at_the_start_of_a_line_begins_an_item():
    answer = (
        "Here are 5 references:\n"
        '1. "Volume 2. The Year 1984"\n'
        "\n"
        "   2.“Second”.\n"
        "a line with 3. in it\n"
        "3.14 is no number of an item\n"
        '10. "Tenth"\n'
        "4. ...\n"
        "5) other brackets"
    )
    assert titles_in(answer) == ["Volume 2. The Year 1984", "Second", "Tenth"]
    assert [one.position for one in references_in(answer, "years")] == [1, 2, 3]
    assert titles_in("") == titles_in("No list at all, 1. not even this") == []


def test_a_list_is_shown_as_it_is_or_renumbered_by_place():
    as_it_is = '1. "A one"\n2. "B two"'
    assert listing(f"\n{as_it_is} ") == as_it_is
    assert listing('1. "A one"\n1. "B two"\n7. C') == "1. A one\n2. B two\n3. C"


def test_a_position_that_the_answer_lacks_is_refused():
    with pytest.raises(InputError, match="number 3 of an answer with 2 titles"):
        Reference("B", "t", "1. A\n2. B", 3)
    with pytest.raises(InputError, match="number 0 of an answer with 1"):
        Reference("A", "t", "1. A")
    with pytest.raises(InputError, match="has no title"):
        Reference(" ")


def test_titles_are_equal_without_case_punctuation_and_spaces():
    assert normalised("Pride & Prejudice: A Novel!") == normalised("pride prejudice a novel")
    assert normalised("Über Ästhetik") == "überästhetik"
    assert normalised("...") == ""


def test_duplicates_keep_the_first_and_must_agree():
    given = [Reference("A b", grounded=True), Reference("C"), Reference("a-B.", grounded=True)]
    assert unique(given) == [0, 1]
    with pytest.raises(InputError, match="labelled True in one place and False in another"):
        unique([*given, Reference("AB", grounded=False)])


def test_references_come_from_json_lines_or_a_list_of_titles(tmp_path):
    known = [*references_in("1. A\n2. B", "t"), Reference("C", grounded=False)]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps(one.to_dict()) for one in known) + "\n\n", encoding="utf-8")
    assert read_references(path) == known
    text = tmp_path / "r.txt"
    text.write_text("A\n\n B \n", encoding="utf-8")
    assert read_references(text) == [Reference("A"), Reference("B")]


@pytest.mark.parametrize("line", ['{"topic": "t"}', "[1]", "no JSON", '{"title": "A", "grounded": "yes"}',
                                  '{"title": "A", "answer": "1. A", "position": 2}'])  # fmt: skip
def test_a_line_that_is_no_reference_is_named(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"title": "A"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(FileFormatError, match="line 2: no reference"):
        read_references(path)


def test_files_that_hold_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_references(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="holds no references"):
        read_references(tmp_path / "empty.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="no text in UTF-8"):
        read_references(tmp_path / "bytes.txt")
