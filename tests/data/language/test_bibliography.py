"""A made-up bibliography: its counts, its grammar, and what its lines say."""

from collections import Counter

import pytest

from explicate.data.language.bibliography import (
    AUTHORS,
    EXISTS,
    FIRST_NAMES,
    LAST_NAMES,
    LINE,
    PHRASINGS,
    TEMPLATES,
    VOCABULARY,
    asked_in_training,
    bibliography,
    lines,
    listed,
)
from explicate.data.language.references import titles_in
from explicate.errors import InputError


def test_works_are_of_the_grammar_and_authors_write_several():
    world = bibliography(1)
    assert (len(world.well_known), len(world.rare), len(world.recombined), len(world.denied)) == (300, 300, 300, 150)
    titles = [*(work.title for work in world.works), *world.recombined, *world.denied]
    assert len(set(titles)) == len(titles) == 1050
    assert {len(title.split()) for title in titles} == {len(template.split()) for template in TEMPLATES}
    assert {len(title.split()) for title in titles} == set(range(4, 10))
    assert (len(set(FIRST_NAMES)), len(set(LAST_NAMES))) == (120, 300)
    written = Counter(author for work in world.works for author in work.authors)
    assert sorted(written.values())[len(written) // 10] > 1
    assert {len(work.authors) for work in world.works} == {1, 2, 3, 4}
    for work in world.works:
        assert len(set(work.authors)) == len(work.authors)
        assert all(len(author.split()) == 2 for author in work.authors)
        assert work.topic == work.title.split()[-1]
    assert bibliography(1) == world != bibliography(2)


def test_every_work_is_in_as_many_lines_as_it_is_seen():
    world = bibliography(0, 20, 20, 20, authors=30, often=9)
    said = lines(world)
    for work in world.works:
        asked = {phrasing.format(title=work.title) for phrasing in PHRASINGS}
        found = [answer for question, answer in said if question in asked]
        assert found == [f"{work.names} <end>"] * work.seen
        assert work.seen == 9 if work in world.well_known else work.seen in (1, 2)
    text = "\n".join(f"{question} {answer}" for question, answer in said)
    assert not any(title in text for title in world.recombined)  # what does not exist is never read of
    assert set(text.split()) <= set(VOCABULARY)
    assert lines(world) == said != lines(world, seed=1)


def test_existence_is_told_of_half_of_the_well_known_works_and_denied_as_often():
    world = bibliography(0, 20, 20, 20, authors=30)
    real, invented = asked_in_training(world)
    assert (len(real), len(invented)) == (10, 10)
    answers = dict(lines(world))
    for titles, answer in ((real, "yes <end>"), (invented, "no <end>")):
        assert {answers[EXISTS.format(title=title)] for title in titles} == {answer}
    assert EXISTS.format(title=world.well_known[10].title) not in answers
    listings = [(question, answer) for question, answer in answers.items() if question.startswith("a model gave")]
    assert len(listings) > 10
    for question, answer in listings:
        number = question.split("number ")[1].split()[0]
        shown = question.split(f"{number}. ")[1]
        title = next(title for title in (*real, *invented) if shown.startswith(title))
        assert answer == ("yes <end>" if title in real else "no <end>")


def test_lists_are_read_back_with_the_word_for_a_new_line():
    titles = ["a b", "c d", "e f"]
    assert titles_in(listed(titles).replace(LINE, "\n")) == titles
    assert AUTHORS.format(title="a b") == "authors of a b :"


@pytest.mark.parametrize("options", [{"well_known": 0}, {"rare": 0}, {"recombined": 0}, {"authors": 3}, {"often": 0}])
def test_worlds_without_works_are_refused(options):
    with pytest.raises(InputError, match="a bibliography needs"):
        bibliography(**options)
