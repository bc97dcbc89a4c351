"""Labels of a model whose knowledge is written down, and of SmolLM2."""

import pytest

from explicate.benchmarks.wack import (
    AliceBob,
    BadShots,
    GoodShots,
    Labeller,
    WackDataset,
    answers,
    hidden_states,
    label_of,
    late_hits,
    prompts,
    recovered,
    sheet,
)
from explicate.data.language.everyday_questions import everyday_questions
from explicate.errors import CapabilityError, FileFormatError, InputError

LABELS = {"Norway": "correct", "Kenya": "HK+", "Peru": "HK-", "Chad": "middle", "plus": "correct"}


def labels_by_word(dataset):
    return {word: record.label for record in dataset for word in LABELS if word in record.item.question}


@pytest.mark.parametrize("setting", [BadShots(), AliceBob()])
def test_a_black_box_is_labelled_as_it_answers(scripted, facts, setting):
    dataset = Labeller(setting, samples=9).label(scripted, facts)
    assert labels_by_word(dataset) == LABELS
    counts = {record.item.gold: record.count_knowledge for record in dataset}
    assert counts["Oslo"] == counts["Nairobi"] == 10
    assert counts["Lima"] == 0
    assert 0 < counts["N'Djamena"] < 10
    assert dataset.counts() == {"correct": 2, "HK+": 1, "HK-": 1, "middle": 1}
    assert dataset.known() == {
        "What is the capital of Norway?",
        "What is the capital of Kenya?",
        "What is three plus four?",
    }
    assert sum(dataset.histogram().values()) == 5
    assert dataset.flagged == ("What is three plus four?",)


def test_middle_items_are_kept_but_not_asked_again(scripted, facts):
    dataset = Labeller(samples=9).label(scripted, facts)
    assert [record.answer for record in dataset.of("middle")] == [None]
    assert [record.answer for record in dataset.of("HK+")] == [" Mombasa"]
    with pytest.raises(InputError, match="no answer in this setting"):
        _ = dataset.of("middle")[0].answered


def test_states_of_a_black_box_are_refused(scripted):
    with pytest.raises(CapabilityError, match="labelling works without them"):
        hidden_states(scripted, ["question: a?\nanswer:"])


def test_samples_at_temperature_zero_are_refused():
    with pytest.raises(ValueError, match="one test of knowledge"):
        Labeller(temperature=0.0)
    assert Labeller(temperature=0.0, samples=0).tests == 1


@pytest.mark.parametrize(
    ("hits", "right", "label"),
    [(0, False, "HK-"), (0, True, "HK-"), (1, True, "middle"), (5, False, "middle"), (6, True, "correct"),
     (6, False, "HK+")],
)  # fmt: skip
def test_labels_follow_from_the_hits(hits, right, label):
    assert label_of(hits, 6, right) == label


def test_more_hits_than_tests_are_refused():
    with pytest.raises(InputError):
        label_of(7, 6, True)


def test_recall_and_precision_of_labels(scripted, facts):
    dataset = Labeller(samples=9).label(scripted, facts)
    truth = {record.item.question: record.label for record in dataset}
    truth["What is the capital of Norway?"] = "HK+"
    assert recovered(dataset, truth, "HK+") == (0.5, 1.0)
    assert recovered(dataset, truth, "correct") == (1.0, 0.5)


def test_a_data_set_comes_back_from_its_file(scripted, facts, tmp_path):
    dataset = Labeller().label(scripted, facts, source="capitals")
    path = dataset.save(tmp_path / "labels.jsonl")
    assert WackDataset.load(path) == dataset
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2][:-9]]))
    with pytest.raises(FileFormatError, match="line 3"):
        WackDataset.load(path)
    path.write_text("{}\n")
    with pytest.raises(FileFormatError, match="no data set"):
        WackDataset.load(path)


def test_smollm2_knows_some_capitals_and_answers_once(smollm2, tmp_path):
    questions = [q for q in everyday_questions() if q.topic == "capital"]
    wanted = ("France", "Japan", "Italy", "Tuvalu", "Palau", "Comoros")
    chosen = [(q.text, q.answers[0]) for q in questions if any(f"of {name}?" in q.text for name in wanted)]
    labeller = Labeller(samples=2, new_tokens=3, stop=("\n",))
    dataset = labeller.label(smollm2, chosen, cache=tmp_path)
    found = {record.item.gold: record for record in dataset}
    assert found["Tokyo"].count_knowledge == 3
    assert found["Tokyo"].label in ("correct", "HK+")
    assert found["Moroni"].label == "HK-"
    assert all(len(record.tests) == 3 and record.gold_tokens for record in dataset)

    def never(*args, **options):
        raise AssertionError("asked again")

    asked, smollm2.generate = smollm2.generate, never
    try:
        assert labeller.label(smollm2, chosen, cache=tmp_path) == dataset
    finally:
        smollm2.generate = asked


def test_draws_depend_on_the_prompt_and_not_on_its_batch(smollm2):
    texts = [f"question: What is the capital of {name}?\nanswer:" for name in ("Norway", "Chad", "Fiji")]
    how = {"samples": 2, "temperature": 0.7, "new_tokens": 3, "cache": False}
    together = answers(smollm2, texts, **how)
    assert [answers(smollm2, [text], **how)[0] for text in texts] == together
    assert together[0][0] == smollm2.generate([texts[0]], max_new_tokens=3)[0]
    assert len({drawn for _, *rest in together for drawn in rest}) > 2


def test_answers_that_are_right_but_late_are_found(scripted, facts):
    dataset = Labeller().label(scripted, facts)
    assert late_hits(scripted, dataset.of("HK+")) == []
    assert sheet(dataset) == [{"question": "What is the capital of Kenya?", "gold": "Nairobi", "answer": "Mombasa"}]
    late = late_hits(scripted, [dataset.of("correct")[0]])
    assert len(late) == 1


def test_the_good_setting_shows_the_altered_ones_examples(scripted, facts):
    asked = []
    scripted.generate, plain = (
        (lambda texts, **options: asked.extend(texts) or plain(texts, **options)),
        scripted.generate,
    )
    Labeller().label(scripted, facts)
    good = set(prompts(GoodShots(), facts))
    assert good <= set(asked)
