"""The published layout and the generic set: what is written comes back, what is damaged is named."""

import json

import pytest

from explicate.benchmarks.wack import (
    AliceBob,
    BadShots,
    FileName,
    GenericSet,
    Labeller,
    read_published,
    read_published_generic,
    write_generic_set,
    write_published,
    write_published_generic,
)
from explicate.benchmarks.wack.generic import clean, flaw
from explicate.errors import FileFormatError, InputError


def test_a_data_set_comes_back_from_the_published_layout(scripted, facts, tmp_path):
    dataset = Labeller().label(scripted, facts, source="capitals").with_wrong({facts[0].question: "Bergen"})
    files = write_published(dataset, tmp_path)
    assert files["Hallucinate"].name == "HallucinateCapitalsWithThreshold1.0_scripted.json"
    again = read_published(list(files.values()))
    assert again.counts() == dataset.counts()
    assert (again.model, again.setting, again.source) == ("scripted", "bad-shots", "Capitals")
    by_question = {record.item.question: record for record in again}
    for record in dataset:
        other = by_question[record.item.question]
        assert (other.label, other.count_knowledge, other.prompt) == (
            record.label,
            record.count_knowledge,
            record.prompt,
        )
        assert (other.item.golds, other.wrong) == (record.item.golds, record.wrong)


def test_rows_are_the_eight_columns(scripted, facts, tmp_path):
    dataset = Labeller(AliceBob()).label(scripted, facts)
    (row,) = json.loads(write_published(dataset, tmp_path)["Hallucinate"].read_text())
    assert row[0] == "question: What is the capital of Kenya?\nanswer:"
    assert row[1:3] == ["Nairobi", ""]
    assert row[5].endswith(row[0])
    assert row[6:] == [6, -1]


@pytest.mark.parametrize(
    ("name", "kind", "setting", "model"),
    [
        ("NonHallucinateTrivia_qaWithThreshold1.0_org_model-8B.json", "NonHallucinate", "bad-shots", "org_model-8B"),
        ("AliceHallucinateNaturalWithThreshold1.0_m.json", "Hallucinate", "alice-bob", "m"),
        ("GeneralTriviaWithThreshold0.8_m.json", "General", "bad-shots", "m"),
        ("AliceStaticTrivia.json", "Static", "alice-bob", ""),
    ],
)
def test_names_say_what_a_file_holds(name, kind, setting, model):
    found = FileName.parse(name)
    assert (found.kind, found.setting, found.model) == (kind, setting, model)
    assert str(found) == name


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "HallucinateTriviaWithThreshold1.0_m.json"
    path.write_text("[[1, 2")
    with pytest.raises(FileFormatError, match="damaged"):
        read_published([path])
    path.write_text(json.dumps([["question: a?\nanswer:", "b", "c", [1], [2], "another prompt", 6, -1]]))
    with pytest.raises(FileFormatError, match="row 0"):
        read_published([path])
    path.write_text(json.dumps([["question: a?\nanswer:", "b", "c", [1], [2], "question: a?\nanswer:", 3, -1]]))
    with pytest.raises(FileFormatError, match="3 of 6 hits"):
        read_published([path])
    with pytest.raises(FileFormatError, match="names are like"):
        read_published([tmp_path / "data.json"])
    other = tmp_path / "GeneralTriviaWithThreshold1.0_another.json"
    with pytest.raises(InputError, match="different models"):
        read_published([path, other])


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (" Bergen\nQuestion: What next?", "Bergen"),
        ("Incorrect Answer: Bergen.", "Bergen"),
        (" the correct answer is Bergen", "Bergen"),
        ("\n\n", ""),
        (" 1. Bergen", "Bergen"),
        ("1905", "1905"),
        (' "Bergen" question: who?', "Bergen"),
    ],
)
def test_generated_wrong_answers_are_cleaned(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [("", "empty"), ("New York City", "contains the right answer"), ("York", "is part of the right answer"),
     ("Boston", "")],
)  # fmt: skip
def test_what_is_no_wrong_answer_is_told(wrong, reason):
    assert flaw(("New York",), wrong) == reason


def test_the_generic_set_says_who_wrote_it_and_what_was_dropped(scripted, facts, tmp_path):
    generic = write_generic_set(scripted, facts, source="capitals")
    assert generic.writer == "scripted"
    assert generic.dropped == {"contains the right answer": 1}
    assert generic.wrong()["What is the capital of Kenya?"] == "Bergen"
    assert GenericSet.load(generic.save(tmp_path / "generic.json")) == generic
    (tmp_path / "generic.json").write_text("{}")
    with pytest.raises(FileFormatError):
        GenericSet.load(tmp_path / "generic.json")


def test_the_generic_set_has_every_question_with_both_answers(scripted, facts, tmp_path):
    generic = write_generic_set(scripted, facts)
    right, wrong, questions = generic.texts(BadShots())
    assert len(right) == len(wrong) == len(questions) == 4
    assert all(a.startswith(b.rpartition(" ")[0]) for a, b in zip(right, wrong, strict=True) if " of " not in b[-9:])
    path = write_published_generic(generic, AliceBob(), tmp_path)
    assert path.name == "AliceStaticQuestions.json"
    again = read_published_generic(path, writer="scripted")
    assert [(pair.item.question, pair.wrong) for pair in again.pairs] == [
        (pair.item.question, pair.wrong) for pair in generic.pairs
    ]
    assert json.loads(path.read_text())[0][6:] == [-1, -1]
