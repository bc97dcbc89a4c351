"""Tasks: where the instruction stands, what noise does, and the published files' formats."""

import json

import numpy as np
import pytest

from explicate.benchmarks.concept_depth import DATA_SETS, ProbingTask, coin_task, load_task, noisy
from explicate.benchmarks.concept_depth import tasks as wording
from explicate.errors import FileFormatError, InputError, UnknownNameError

COUNT = 24


def task(**changes):
    given = {
        "name": "toy",
        "texts": tuple(f"text {i}" for i in range(40)),
        "labels": np.arange(40) % 2,
        "positive": "odd",
        "group": "factual",
        "instruction": "Odd or even?",
        "placement": "before",
    }
    return ProbingTask(**{**given, **changes})


def test_the_instruction_stands_before_after_or_around():
    assert task().prompts()[3] == "Odd or even? text 3"
    assert task(placement="after").prompts()[3] == "text 3 Odd or even?"
    around = task(placement="around", instruction="Odd or even?\n", cue="Let us think.")
    assert around.prompts()[3] == "Odd or even?\ntext 3 Let us think."


def test_noise_is_three_equal_letters_before_the_text_half_of_each_and_seeded():
    texts = [f"text {i}" for i in range(1000)]
    found = noisy(texts, seed=3)
    assert all(new in ("aaa" + old, "bbb" + old) for new, old in zip(found, texts, strict=True))
    assert abs(np.mean([new.startswith("aaa") for new in found]) - 0.5) < 0.05
    assert found == noisy(texts, seed=3) != noisy(texts, seed=4)
    assert task().prompts(noise=True)[0] in ("Odd or even? aaatext 0", "Odd or even? bbbtext 0")


def test_too_few_examples_or_one_class_are_refused_with_their_counts():
    with pytest.raises(ValueError, match="has 21 examples of class 0 and 19 of class 1"):
        task(labels=np.array([0] * 21 + [1] * 19))
    with pytest.raises(InputError, match="has 40 examples of class 0 and 0 of class 1"):
        task(labels=np.zeros(40, int))
    with pytest.raises(InputError, match="40 texts need a label 0 or 1 each"):
        task(labels=np.arange(40))
    with pytest.raises(InputError, match="2 subjects for 40 texts"):
        task(subjects=("a", "b"))
    with pytest.raises(InputError, match="unknown group 'hard'"):
        task(group="hard")


def test_a_part_of_a_task_keeps_texts_labels_and_subjects_together():
    part = coin_task(100).take(range(0, 90))
    assert len(part) == 90
    for text, label in zip(part.texts, part.labels, strict=True):
        assert text.count("flips") % 2 == label


def write(path, name):
    """A small file in the published format of each data set, and the texts with their labels as the paper has them."""
    bits = [i % 2 for i in range(2 * COUNT)]
    say = [f"{name} says thing {i}, more" for i in range(2 * COUNT)]
    if name in ("cities", "counterfact", "common-claim", "imdb"):
        column = {"common-claim": "examples", "imdb": "text"}.get(name, "statement")
        shown = {"common-claim": ["False", "True"], "imdb": ["neg", "pos"]}.get(name, ["0", "1"])
        extra = {"cities": "city", "counterfact": "subject"}.get(name, "agreement")
        lines = [
            f"{column},label,{extra}",
            *(f'"{t}",{shown[b]},{i // 2}' for i, (t, b) in enumerate(zip(say, bits, strict=True))),
        ]
        if name == "common-claim":
            lines.append('"nobody knows",Neither,0')
        path.write_text("\n".join(lines))
        return say, bits if name == "imdb" else [1 - b for b in bits]
    if name == "stsa":
        path.write_text("\n".join(f"{b} {t}" for b, t in zip(bits, say, strict=True)))
        return say, bits
    if name == "sarcasm":
        path.write_text(
            "\n".join(json.dumps({"headline": t, "is_sarcastic": b}) for b, t in zip(bits, say, strict=True))
        )
        return say, [1 - b for b in bits]
    if name == "hateeval":
        path.write_text("\n".join(["text\tHS\tTR\tAG", *(f"{t}\t{b}\t0\t0" for b, t in zip(bits, say, strict=True))]))
        return say, [1 - b for b in bits]
    if name == "strategyqa":
        rows = [
            {"input": t, "target": f"{'Yes' if b else 'No'}. Because {i}.", "target_scores": {"Yes": b, "No": 1 - b}}
            for i, (b, t) in enumerate(zip(bits, say, strict=True))
        ]
        path.write_text(json.dumps({"name": "strategyqa", "examples": rows}))
        return [f"{t} Because {i}." for i, t in enumerate(say)], [1 - b for b in bits]
    rows = [{"question": t, "answer": "yes" if b else "no"} for b, t in zip(bits, say, strict=True)]
    path.write_text(json.dumps(rows))
    return say, [1 - b for b in bits]


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_published_formats_are_read_with_the_published_positive_class(tmp_path, name):
    path = tmp_path / ("file.tsv" if name == "hateeval" else "file.csv")
    texts, labels = write(path, name)
    found = load_task(name, path)
    assert list(found.texts) == texts
    assert found.labels.tolist() == labels
    fewer = load_task(name, path, per_class=20)
    assert np.bincount(fewer.labels).tolist() == [20, 20]
    if name in ("cities", "counterfact"):
        assert found.subjects[:4] == (0, 0, 1, 1)


def test_each_data_set_has_its_own_instruction_in_its_place():
    placed = {name: entry.placement for name, entry in DATA_SETS.items()}
    assert {name for name, place in placed.items() if place == "before"} == {"cities", "common-claim", "counterfact"}
    assert {name for name, place in placed.items() if place == "around"} == {"sarcasm", "strategyqa"}
    asked = {name: entry.instruction for name, entry in DATA_SETS.items()}
    assert asked["stsa"] == asked["imdb"] == wording.SENTIMENT
    assert len({asked[name] for name in ("cities", "stsa", "sarcasm", "hateeval", "strategyqa", "coinflip")}) == 6


def test_missing_damaged_and_unknown_files_are_named(tmp_path):
    with pytest.raises(InputError, match="the loader 'cities' found no file"):
        load_task("cities", tmp_path / "cities.csv")
    (tmp_path / "cities.csv").write_text("text,label\na,1\n")
    with pytest.raises(FileFormatError, match=r"the loader 'cities' cannot read .*: KeyError: 'statement'"):
        load_task("cities", tmp_path / "cities.csv")
    (tmp_path / "stsa.txt").write_text("7 a film\n")
    with pytest.raises(FileFormatError, match="label '7' is neither 0 nor 1"):
        load_task("stsa", tmp_path / "stsa.txt")
    with pytest.raises(UnknownNameError, match="did you mean 'cities'"):
        load_task("citys", tmp_path / "cities.csv")
