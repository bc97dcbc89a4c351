"""From topics to a table: asked for, labelled, checked, measured, exchanged; known truth from a scripted librarian."""

import csv
import io
import re

import numpy as np
import pytest

from explicate.benchmarks.references import (
    TOPICS,
    SearchIndex,
    TitleIndex,
    audit,
    detection,
    generate_references,
    label,
    read_labels,
    read_published,
    read_topics,
    write_published,
)
from explicate.data.language.books import INVENTED, famous_books
from explicate.data.language.references import Reference, references_in
from explicate.errors import FileFormatError, InputError
from explicate.models.chat.scripted import table
from explicate.rationales import ReferenceChecker, ReferencePrompts
from explicate.rationales.scripted_librarian import librarian


@pytest.fixture(scope="module")
def given():
    return generate_references(librarian(), TOPICS[:12])


@pytest.fixture(scope="module")
def labelled(given):
    return label(given.references, TitleIndex(famous_books()))


@pytest.fixture(scope="module")
def found(given):
    return ReferenceChecker(librarian()).explain(given.references)


def test_references_are_asked_for_once_a_topic_and_keep_their_answer_and_place(given):
    assert len(given.references) == 60
    assert given.short == ()
    assert [one.position for one in given.references] == [1, 2, 3, 4, 5] * 12
    for one in given.references:
        assert given.answers[one.topic] == one.answer
        assert f'{one.position}. "{one.title}"' in one.answer
        assert one.grounded is None
    assert len(set(given.answers.values())) == 12  # topics are drawn apart


def test_answers_with_fewer_titles_or_none_are_kept_and_named():
    prompts = ReferencePrompts()
    asked = {topic: prompts.asked("generate", count=5, topic=topic)[0].content for topic in ("a", "b", "c")}
    replies = {asked["a"]: '1. "A one"\n2. "A two"', asked["b"]: "I know none.", asked["c"]: "1. C <line> 2. D"}
    given = generate_references(table(replies), ["a", "b", "c"])
    assert [(one.title, one.position) for one in given.references] == [("A one", 1), ("A two", 2), ("C <line> 2. D", 1)]
    assert given.short == ("a", "b", "c")
    other = generate_references(table(replies), ["c"], prompts=ReferencePrompts(line=" <line> "))
    assert [one.title for one in other.references] == ["C", "D"]
    for topics in ([], ["a", "a"]):
        with pytest.raises(InputError, match="at least one topic"):
            generate_references(table(replies), topics)


def test_topics_come_from_a_file(tmp_path):
    (tmp_path / "t.titles").write_text("Graphs: Trees\n\nSets\n", encoding="utf-8")
    assert read_topics(tmp_path / "t.titles") == ["Graphs: Trees", "Sets"]
    assert len(set(TOPICS)) == len(TOPICS)
    (tmp_path / "none").write_text("\n")
    with pytest.raises(InputError, match="holds no topics"):
        read_topics(tmp_path / "none")
    with pytest.raises(InputError, match="cannot read"):
        read_topics(tmp_path / "missing")


# -- which exist ------------------------------------------------------------------------------------------------------


def test_an_index_finds_titles_without_case_punctuation_and_spaces(tmp_path):
    index = TitleIndex(famous_books())
    assert index.found(["moby dick", "THE  HOBBIT!", "Les Misérables", "Moby", *INVENTED]) == [True] * 3 + [False] * 61
    text = tmp_path / "titles.txt"
    text.write_text("The Hobbit\n\nEmma\n", encoding="utf-8")
    assert TitleIndex.from_file(text).found(["emma", "Dracula"]) == [True, False]
    rows = tmp_path / "titles.csv"
    rows.write_text('year,title\n1815,"Emma, a Novel"\n', encoding="utf-8")
    assert TitleIndex.from_file(rows).found(["Emma: A Novel"]) == [True]
    rows.write_text("year\n1815\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="no column 'title'"):
        TitleIndex.from_file(rows)
    with pytest.raises(InputError, match="cannot read"):
        TitleIndex.from_file(tmp_path / "missing")
    with pytest.raises(InputError, match="at least one title"):
        TitleIndex(["...", ""])


def test_a_search_is_asked_for_the_exact_phrase_once_a_title():
    asked = []

    def search(phrase):
        asked.append(phrase)
        return 3 if "Emma" in phrase else 0

    given = [Reference("Emma"), Reference('The "Big" Book'), Reference("Emma")]
    assert [one.grounded for one in label(given, SearchIndex(search))] == [True, False, True]
    assert asked == ['"Emma"', '"The Big Book"']


def test_labels_are_held_against_those_of_people(tmp_path):
    given = [Reference(f"Book {n}", grounded=n < 50) for n in range(100)]
    path = tmp_path / "expert.csv"
    rows = [f"Book {n},x,{'G' if n < 49 else 'H'}" for n in range(100)]
    path.write_text("gen_title,search_url,label(H/G)\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = audit(given, {"one": read_labels(path), "other": {f"Book {n}": n < 50 for n in range(10)}})
    assert found.agreement["one"].value == 0.99
    assert found.kappa["one"] == pytest.approx(0.98)
    assert found.apart == {"one": ("Book 49",), "other": ()}
    assert np.isnan(found.kappa["other"])  # one label only
    with pytest.raises(InputError, match="judged none"):
        audit(given, {"one": {"Another": True}})
    path.write_text("gen_title,Label (H/G)\nA,maybe\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="row 1: the label 'maybe'"):
        read_labels(path)
    path.write_text("title\nA\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="no columns"):
        read_labels(path)


# -- how well they are told apart -------------------------------------------------------------------------------------


def test_the_librarian_is_found_out(labelled, found):
    measured = detection(labelled, found)
    assert measured.detector("IQ").auc.value == 1.0
    assert measured.detector("IQ+DQ").auc.low > 0.9
    assert measured.detector("IQ").on_real == 1.0
    assert measured.detector("IQ").yes_rate is None
    yes = measured.detector("DQ1").yes_rate
    share = measured.invented_share.value
    assert yes == pytest.approx(0.3 * share + 0.9 * (1 - share), abs=0.08)
    text = str(measured)
    assert f"{len(measured.titles)} references" in text
    assert re.search(rf"DQ1 .*{yes:.2f}$", text, re.MULTILINE)
    assert measured.less("IQ", "DQ1").value == pytest.approx(1 - measured.detector("DQ1").auc.value)
    curve = measured.fdr("IQ+DQ")
    assert curve.at(1.0) == pytest.approx(share)
    assert measured.roc("IQ").true_positive[-1] == 1.0


def test_both_kinds_of_errors_are_listed():
    """It does not remember the authors of one that exists, and confabulates those of one that does not."""
    known = {"Emma": "Jane Austen", "Dracula": "Bram Stoker"}
    chat = librarian(known, confabulated={"The Moulting": "Ada Brand"}, invented=INVENTED)
    given = [
        *(Reference(title, grounded=True) for title in ("Emma", "Dracula", "Hamlet")),
        *(Reference(title, grounded=False) for title in ("The Moulting", "The Thane of Corrievale")),
    ]
    found = ReferenceChecker(chat, queries=("IQ",)).explain(given)
    assert detection(given, found).errors("IQ") == (["Hamlet"], ["The Moulting"])


def test_a_title_counts_once_unless_duplicates_are_kept():
    given = [Reference(t, grounded=g) for t, g in (("A", True), ("a.", True), ("B", True), ("C", False), ("D", False))]
    values = {"IQ": np.array([0.9, 0.1, 0.8, 0.5, 0.2])}
    once = detection(given, values)
    assert (once.duplicates, once.titles) == (1, ("A", "B", "C", "D"))
    assert once.detector("IQ").auc.value == 1.0
    assert detection(given, values, keep_duplicates=True).detector("IQ").auc.value == pytest.approx(4 / 6)
    assert "1 duplicates left out" in str(once)


def test_without_labels_or_with_one_kind_nothing_is_measured(given, found, labelled):
    with pytest.raises(InputError, match="60 of 60 references have no label"):
        detection(given.references, found)
    real = [one for one in labelled if one.grounded]
    with pytest.raises(InputError, match="0 are made up"):
        detection(real, {"IQ": np.zeros(len(real))})
    with pytest.raises(InputError, match="59 scores of IQ for 60 references"):
        detection(labelled, {"IQ": np.zeros(59)})
    with pytest.raises(InputError, match="no score 'DQ9'"):
        detection(labelled, found).detector("DQ9")


def test_an_undefined_score_is_named_and_not_measured(given, labelled):
    with pytest.warns(UserWarning, match="IQ is undefined"):
        greedy = ReferenceChecker(librarian(), temperature=0.0).explain(given.references)
    measured = detection(labelled, greedy)
    assert measured.detector("IQ").auc is None
    assert "undefined for" in measured.detector("IQ").problem
    assert re.search(r"^IQ\+DQ1 +undefined", str(measured), re.MULTILINE)
    assert measured.detector("DQ1").auc is not None
    with pytest.raises(InputError, match="undefined"):
        measured.fdr("IQ")


# -- the published table ----------------------------------------------------------------------------------------------


def test_a_written_table_reads_and_scores_as_before(labelled, found, tmp_path):
    path = write_published(tmp_path / "table.csv", labelled, found)
    again = read_published(path)
    assert list(again.references) == labelled
    names = [str(name) for name in found["detector"].values]
    for scores in (again.scores(), again.stored_scores()):
        assert list(scores) == names
        for place, name in enumerate(names):
            assert scores[name] == pytest.approx(found["score"].values[:, place], abs=0.005)  # whole percents
    before, after = detection(labelled, found), detection(again.references, again.scores())
    for name in names:
        assert after.detector(name).auc.value == pytest.approx(before.detector(name).auc.value, abs=0.003)
    assert (again.unread, again.filtered) == (0, 0)
    assert len(again) == 60


def rows_of(**changes):
    """A table of two rows in the published form, made by hand."""
    row = {
        "": "0",
        "gen_title": "Deep Learning",
        "title": "Networks",
        "model_answer_main_query": '\n\n1. "Other"\n2. "Deep Learning".',
        "bing_return": "True",
        "model_ans_1": "Ian Goodfellow",
        "model_ans_2": " Ian Goodfellow, Yoshua Bengio",
        "model_ans_3": "",
        "neural_ans1_list": "['ANS: 50% JUSTIFICATION: x', ' 0', \"I can't say\"]",
        "neural_ans1_prob": "0.16666666666666666",
    }
    for number in (2, 3, 4):
        row |= {f"neural_ans{number}_list": "['Yes', 'no', '\\n\\nYES.', 'No']", f"neural_ans{number}_prob": "0.5"}
    row |= changes
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerows([row, {**row, "gen_title": "Other", "bing_return": "False"}])
    return text.getvalue()


def test_the_published_form_is_read_with_the_place_in_the_answer(tmp_path):
    path = tmp_path / "x_results.csv"
    path.write_text(rows_of(), encoding="utf-8")
    found = read_published(path)
    assert [(one.position, one.grounded) for one in found.references] == [(2, True), (1, False)]  # not the row's number
    assert found.references[0].topic == "Networks"
    assert found.scores()["IQ"] == pytest.approx(found.stored["IQ"])
    assert found.scores()["DQ2"].tolist() == [0.5, 0.5]
    assert found.unread == pytest.approx(1 / 3)
    assert found.filtered == pytest.approx(1 / 3)
    path.write_text(rows_of(model_answer_main_query="5 references follow"), encoding="utf-8")
    assert [one.position for one in read_published(path).references] == [0, 0]
    path.write_text(rows_of(bing_return=""), encoding="utf-8")
    assert read_published(path).references[0].grounded is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bing_return": "maybe"}, "row 1, bing_return: 'maybe' is neither True nor False"),
        ({"neural_ans1_list": "__import__('os')"}, "row 1, neural_ans1_list: no list of replies"),
        ({"neural_ans2_list": "['yes"}, "neural_ans2_list: no list of replies"),
        ({"neural_ans2_list": "[]"}, "no list of replies"),
        ({"neural_ans2_list": "[1]"}, "no list of replies"),
        ({"neural_ans3_prob": "1.5"}, "row 1, neural_ans3_prob: '1.5' is no score"),
        ({"neural_ans3_prob": ""}, "is no score"),
        ({"gen_title": " "}, "gen_title: there is no title"),
    ],
)
def test_cells_that_cannot_be_read_are_named(tmp_path, changes, said):
    path = tmp_path / "x.csv"
    path.write_text(rows_of(**changes), encoding="utf-8")
    with pytest.raises(FileFormatError, match=said):
        read_published(path)


def test_files_that_are_no_table_are_refused(tmp_path, labelled, found):
    path = tmp_path / "x.csv"
    path.write_text("gen_title\nA\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="no column 'title'"):
        read_published(path)
    path.write_text(rows_of()[:-40], encoding="utf-8")
    with pytest.raises(FileFormatError, match="row 2: the row is cut off"):
        read_published(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="has no rows"):
        read_published(path)
    with pytest.raises(InputError, match="cannot read"):
        read_published(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="three lists of authors"):
        write_published(path, labelled[:3], found)
    few = ReferenceChecker(librarian(), n_authors=2, n_direct=1).explain(references_in("1. Emma\n2. Dracula"))
    with pytest.raises(InputError, match="three lists of authors"):
        write_published(path, references_in("1. Emma\n2. Dracula"), few)
