"""PrISM's rules one by one, its files, and its sorting of a model whose ways of answering are known."""

import json

import pytest

pytest.importorskip("torch")

from explicate.benchmarks.prism import PrismBuilder
from explicate.benchmarks.prism.flags import Flags, Predictions, name_queries
from explicate.benchmarks.prism.names import RELATION, NameWorld
from explicate.benchmarks.prism.scenarios import (
    EXACT,
    GENERIC,
    GUESS,
    HEURISTIC,
    Rules,
    generic_prompt,
    is_correct,
    is_trivial,
)
from explicate.data.language.facts import (
    RELATIONS,
    Fact,
    Relation,
    capitals,
    encyclopedia,
    invented_people,
    invented_towns,
    read_lama,
    read_pararel,
    without_existing,
)
from explicate.errors import FileFormatError, InputError
from explicate.models.tiny.language import DecoderRecipe, train_decoder


def test_relations_have_the_papers_numbers_of_templates():
    numbers = {name: len(relation.templates) for name, relation in RELATIONS.items()}
    assert numbers == {"P19": 5, "P20": 8, "P27": 7, "P101": 10, "P495": 16, "P740": 14, "P1376": 6}
    assert all(not template.endswith(" ") for relation in RELATIONS.values() for template in relation.templates)


def test_templates_must_end_where_the_object_begins():
    assert Relation("P1", ("[X] was born in [Y].",), ()).templates == ("[X] was born in",)
    with pytest.raises(InputError, match="does not end"):
        Relation("P1", ("[Y] is where [X] was born",), ())
    with pytest.raises(InputError, match="no \\[X\\]"):
        Relation("P1", ("born in",), ())


def test_neutral_subjects_are_put_in_with_the_right_grammar():
    relation = RELATIONS["P101"]
    assert relation.prompt("[X]'s field of work is", "He") == "His field of work is"
    assert relation.prompt("The expertise of [X] is", "She") == "The expertise of she is"
    assert relation.prompt("[X] works in the field of", "Marie Curie") == "Marie Curie works in the field of"
    assert relation.prompt("[X]'s area of expertise is", "The person") == "The person's area of expertise is"


def test_what_counts_as_correct_and_as_trivial():
    assert is_correct(" Fra", ["France"])
    assert not is_correct(" Fr", ["France"])
    assert not is_correct(" France", ["Francia"])
    assert is_trivial(" the", "P19", frozenset())
    assert not is_trivial(" Paris", "P19", frozenset())
    assert not is_trivial(" chem", "P101", frozenset({"chemistry"}))
    assert is_trivial(" Chem", "P101", frozenset({"chemistry"}))


@pytest.mark.parametrize(
    ("changes", "consistency", "scenario"),
    [
        ({}, 6, EXACT),
        ({}, 5, ""),
        ({"surface": True}, 6, ""),
        ({"popularity": 900.0}, 6, ""),
        ({"popularity": 900.0}, 1, GUESS),
        ({"popularity": 900.0, "correct": False}, 1, GUESS),
        ({"popularity": 900.0, "correct": False, "candidate_prediction": " Narnia"}, 1, ""),
        ({"popularity": 900.0}, 2, ""),
        ({"popularity": None}, 6, ""),
    ],
)
def test_scenarios_by_their_rules(changes, consistency, scenario):
    row = {"correct": True, "surface": False, "popularity": 5000.0, "candidate_prediction": " France"} | changes
    assert Rules().scenario(row, consistency, frozenset({"France", "Chile"})) == scenario


def test_a_guess_must_be_right_where_that_is_asked():
    row = {"correct": False, "surface": False, "popularity": 10.0, "candidate_prediction": " France"}
    assert Rules(require_correct=True).scenario(row, 1, frozenset({"France"})) == ""
    assert Rules(require_correct=True).scenario(row | {"correct": True}, 1, frozenset({"France"})) == GUESS


def test_too_few_templates_for_exact_recall_are_refused():
    with pytest.raises(InputError, match="exact recall is impossible"):
        Rules().check("P19", 5)


def test_generic_prompts_are_cut_from_sentences_that_fit():
    assert generic_prompt("Copper", "Copper is a metal that conducts heat and electricity very well indeed.") == (
        "Copper is a metal that conducts heat and electricity",
        "Copper",
    )
    assert generic_prompt("Tin", "Tin is a metal that people have used for ages.") is None
    assert generic_prompt("Copper", "The metal is red.") is None
    assert generic_prompt("Copper", "Copper  is a metal that people use for wires.") is None
    assert generic_prompt("Rome", "Rome Was Not Built In A day they say.") is None
    assert sum(generic_prompt(*page) is not None for page in encyclopedia()) >= 40


def test_string_matches_ignore_case_and_short_pieces_of_invented_names():
    flags = Flags()
    assert flags.string_match("Mexico City", " mexico")
    assert not flags.string_match("Mexico City", " Spain")
    assert flags.string_match("Ob", " ob")
    assert not flags.string_match("Oberbachstadt", " ob", invented=True)
    assert name_queries("Ada Li", RELATIONS["P19"]) == [
        f"{part} is a common name in the following {noun}:" for part in ("Ada", "Li") for noun in ("city", "country")
    ]


def test_lama_and_pararel_files_are_read(tmp_path):
    lines = [
        {"sub_label": "Paris", "obj_label": "France", "predicate_id": "P1376"},
        {"sub_label": "Paris", "obj_label": "Gaul", "predicate_id": "P1376"},
        {"sub_label": "Ada", "obj_label": "London", "pred": "/people/person/place_of_birth"},
    ]
    path = tmp_path / "facts.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert read_lama(path) == [Fact("Paris", "P1376", ("France", "Gaul")), Fact("Ada", "P19", ("London",))]
    path.write_text('{"sub_label": "Paris"}')
    with pytest.raises(FileFormatError, match="line 1"):
        read_lama(path)
    patterns = tmp_path / "P19.jsonl"
    patterns.write_text('{"pattern": "[X] was born in [Y]."}\n{"pattern": "[Y] is the home of [X]"}')
    assert read_pararel(patterns, "P19", ("He",)).templates == ("[X] was born in",)
    patterns.write_text("not json")
    with pytest.raises(FileFormatError, match="no JSON"):
        read_pararel(patterns, "P19", ("He",))


def test_invented_subjects_do_not_exist():
    names = [fact.subject for fact in (*invented_people(), *invented_towns())]
    real = {fact.subject for fact in capitals()}
    assert not real & set(names)
    kept = without_existing([Fact("paris", "P1376"), Fact("Neubachstadt", "P1376")], ["Paris"])
    assert [fact.subject for fact in kept] == ["Neubachstadt"]


@pytest.fixture(scope="module")
def known():
    world = NameWorld(countries=12, firsts=8, lasts=8, telling=3, memorised=12)
    recipe = DecoderRecipe(steps=300, batch=64, learning_rate=3e-3)
    return world, train_decoder(world.decoder, world, recipe, name="names").model


def test_answers_found_in_known_ways_are_sorted_as_they_were_found(known):
    world, model = known
    builder = PrismBuilder(top=1, invented_top=1, flags=Flags(1, 1), relations={RELATION.name: RELATION})
    found = builder.build(model, world.facts(), world.unseen())
    exact = set(found.of(EXACT)["sub_label"])
    assert len(exact & set(world.by_heart)) >= 0.7 * len(world.by_heart)
    heuristics = found.of(HEURISTIC)
    assert not exact & set(heuristics["sub_label"])
    assert heuristics["sub_label"].nunique() >= 0.7 * len(world.bearers[1])
    assert set(heuristics["heuristic"]) == {"person_name"}


def test_unpopular_and_unknown_subjects_are_no_recall(known):
    world, model = known
    builder = PrismBuilder(top=1, flags=Flags(1, 1), relations={RELATION.name: RELATION})
    facts = [Fact(name, RELATION.name, (country,), None) for name, country in world.by_heart.items()]
    found = builder.build(model, facts)
    assert found.counts == {}
    assert found.dropped["popularity_missing"] == len(found.frame)


def test_each_prompt_is_asked_once(known):
    world, model = known
    predictions = Predictions(model, 3)
    prompts = [f"{name} was born in" for name in list(world.by_heart)[:5]]
    from explicate.core.cost import measure

    with measure() as first:
        predictions.of([*prompts, *prompts])
    with measure() as second:
        again = predictions.of(prompts)
    assert first.evaluations == 5
    assert second.evaluations == 0
    with model.scored_by("probability"):
        scores = model.predict(model.encode(prompts))
    assert [found.ids[0] for found in again] == scores.argmax(axis=1).tolist()
    assert again[0].probabilities[0] == pytest.approx(float(scores[0].max()), rel=1e-5)


def test_nothing_and_unknown_relations_are_refused(known):
    _, model = known
    with pytest.raises(InputError, match="no facts"):
        PrismBuilder().build(model, [])
    with pytest.raises(InputError, match="P9999"):
        PrismBuilder().build(model, [Fact("Paris", "P9999", ("France",))])


def test_smollm2_recalls_chile_and_guesses_about_thimphu(smollm2, tmp_path):
    facts = [fact for fact in capitals() if fact.subject in ("Santiago", "Thimphu", "Manama")]
    builder = PrismBuilder(rules=Rules(popular=1e6))
    found = builder.build(smollm2, facts, pages=encyclopedia()[:3])
    assert set(found.of(EXACT)["sub_label"]) == {"Santiago"}
    assert set(found.of(EXACT)["answers"]) == {" Chile"}
    assert found.of(GENERIC)["subject"].tolist() == ["Copper", "Volcano", "Glass"]
    row = json.loads(found.save(tmp_path / "rows.jsonl").read_text().splitlines()[0])
    assert row["predicate_id"] == "P1376"
    assert row["rank_answers"] == 0
