"""Pairs stay together: in files, filters and splits; what would leak is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.contradicting_contexts import (
    COLUMNS,
    ContradictedQuestion,
    ContradictingContexts,
    check_leakage,
)
from explicate.data.language.contradicting_countries import country_contradictions
from explicate.errors import FileFormatError, InputError, LeakageError, MissingColumnError, UnknownNameError

texts = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=12).map(str.strip).filter(bool)
HEADER = ",".join(COLUMNS)


@st.composite
def questions(draw):
    context_answer, prior_answer = draw(st.lists(texts, min_size=2, max_size=2, unique=True))
    return ContradictedQuestion(
        draw(texts), draw(texts), context_answer, prior_answer, *[draw(texts) for _ in range(3)]
    )


@given(st.lists(questions(), max_size=6))
def test_a_file_gives_back_what_was_saved(tmp_path_factory, given_questions):
    saved = ContradictingContexts(tuple(given_questions))
    path = saved.save(tmp_path_factory.mktemp("csv") / "questions.csv")
    assert ContradictingContexts.load(path) == saved
    rows = path.read_text().splitlines()
    assert rows[0] == HEADER


def test_pairs_are_adjacent_rows_with_opposite_weights(tmp_path):
    question = ContradictedQuestion("Paris is in Italy.", "Where is Paris?", "Italy", "France", "Paris", "Italy", "P17")
    path = ContradictingContexts((question,)).save(tmp_path / "a.csv")
    assert path.read_text().splitlines()[1:] == [
        "Paris is in Italy.,Where is Paris?,0,France,Italy,France,Paris,Italy,P17",
        "Paris is in Italy.,Where is Paris?,1,Italy,Italy,France,Paris,Italy,P17",
    ]


def test_rows_without_their_partner_and_equal_answers_are_left_out_and_counted(tmp_path):
    path = tmp_path / "a.csv"
    rows = [
        "c,q,1,x,x,y,s,o,r",  # alone: the next row is of another question
        "c2,q2,0,y,x,y,s,o,r",
        "c2,q2,1,x,x,y,s,o,r",
        "c3,q3,0,z,z,z,s,o,r",  # equal answers
        "c3,q3,1,z,z,z,s,o,r",
        "c4,q4,0,y,x,y,s,o,r",  # the same intent twice
        "c4,q4,0,y,x,y,s,o,r",
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    found = ContradictingContexts.load(path)
    assert [question.context for question in found] == ["c2"]
    assert found.dropped == {"partner missing": 3, "equal answers": 2}
    assert 2 * len(found) + sum(found.dropped.values()) == len(rows)


def test_questions_whose_answers_begin_alike_are_left_out_whole():
    alike = ContradictedQuestion("c", "q", "New York", "New Delhi")
    apart = ContradictedQuestion("c", "q", "Rome", "Paris")
    same = ContradictedQuestion("c", "q", "Rome", "Rome")
    found = ContradictingContexts((alike, apart, same)).distinguishable(
        lambda question, answer: hash(answer.split()[0])
    )
    assert found.questions == (apart,)
    assert found.dropped == {"equal answers": 2, "equal first token": 2}
    assert len(ContradictingContexts((alike, same)).distinguishable()) == 1


@given(st.lists(st.integers(0, 7), min_size=12, max_size=60), st.integers(0, 5))
def test_parts_of_a_split_share_no_relation_and_lose_nothing(relations, seed):
    made = [ContradictedQuestion("c", str(i), "a", "b", str(i), "a", f"P{r}") for i, r in enumerate(relations)]
    every = ContradictingContexts(tuple(made))
    if len(every.relations) < 3:
        with pytest.raises(InputError, match="cannot fill 3 parts"):
            every.split(seed=seed)
        return
    parts = every.split(seed=seed)
    assert sorted(q.query for part in parts for q in part) == sorted(q.query for q in every)
    assert all(len(part) for part in parts)
    for one, two in ((0, 1), (0, 2), (1, 2)):
        check_leakage(parts[one], parts[two])


def test_shares_are_met_where_groups_are_small():
    every = country_contradictions(("capital",))
    sizes = [len(part) for part in every.split((0.6, 0.2, 0.2), by="subject", seed=1)]
    assert sizes == [118, 39, 39]
    with pytest.raises(InputError, match="add up to 1"):
        every.split((0.5, 0.2))


def test_leaks_are_refused():
    first, second = (
        country_contradictions(("capital",), subjects=["France", "Italy"]),
        country_contradictions(("capital",), subjects=["Spain"]),
    )
    with pytest.raises(LeakageError, match="'capital'"):
        check_leakage(first, second)
    check_leakage(first, second, allow_overlap=True)
    check_leakage(first, country_contradictions(("language",), subjects=["France"]))
    with pytest.raises(LeakageError, match=r"1 facts .* 'capital' of 'France'"):
        check_leakage(first, country_contradictions(("capital",), subjects=["France"], seed=1), allow_overlap=True)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("context,query\nc,q\n", MissingColumnError, "lacks the columns weight_context"),
        (f"{HEADER}\nc,q,2,x,x,y,s,o,r\n", FileFormatError, "line 2: weight_context is '2'"),
        (f"{HEADER}\nc,q,1,y,x,y,s,o,r\n", FileFormatError, "line 2: the answer 'y' is not 'x'"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path, content, error, words):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(error, match=words):
        ContradictingContexts.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="no UTF-8"):
        ContradictingContexts.load(path)
    with pytest.raises(InputError, match="no file"):
        ContradictingContexts.load(tmp_path / "none.csv")


def test_contexts_of_countries_contradict_and_differ():
    found = country_contradictions(("capital", "language"), contexts=3, subjects=["France", "Japan"])
    assert len(found) == 12
    assert len({question.context for question in found}) == 12
    for question in found:
        assert question.prior_answer != question.context_answer == question.object
        assert question.object in question.context
        assert question.subject in question.context
        assert question.prior_answer not in question.context
    assert {q.prior_answer for q in found} == {"Paris", "French", "Tokyo", "Japanese"}
    completed = country_contradictions(completion=True, subjects=["France"]).questions[0]
    assert completed.query == "The capital of France is"
    for wrong in ({"relations": ["king"]}, {"subjects": ["Atlantis"]}):
        with pytest.raises(UnknownNameError, match="there is no"):
            country_contradictions(**wrong)


def test_a_sample_keeps_order_and_depends_on_the_seed():
    every = country_contradictions()
    found = every.sample(10, seed=1)
    places = [every.questions.index(question) for question in found]
    assert places == sorted(set(places))
    assert len(found) == 10
    assert every.sample(10, seed=1) == found != every.sample(10, seed=2)
    assert every.sample(1000) == every
