"""What networks make of phenomena that they never saw: rules, tags, and how both grow with the beam.

Source: Norelli et al. (2022), arXiv 2201.10222, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.benchmarks.odeen.scores import equivalent, first_equivalent, nearest_rule_score, tag_scores
from explicate.core.capabilities import Array, Masks
from explicate.data.odeen import STRUCTURES, Phenomena, TruthTable, all_structures, structure_ids
from explicate.glassbox.explanatory.baselines import EmpiricistBaseline
from explicate.glassbox.explanatory.conjectures import ConjectureGenerator
from explicate.glassbox.explanatory.criticism import Reader, criticise
from explicate.glassbox.explanatory.interpreter import RuleInterpreter
from explicate.runtime.seeds import generator

BEAMS = (1, 10, 30, 100, 300)
PROBED = 1000  # structures, the same for all rules, by whose tags a model without rules is read


def probed_structures(seed: int = 0, count: int = PROBED) -> Array:
    """Structures (ids) drawn uniformly, on which tags are turned into a rule."""
    return np.sort(generator(seed, "odeen probes").choice(STRUCTURES, size=count, replace=False))


def interpreter_scores(interpreter: RuleInterpreter, phenomena: Phenomena, uniform: Array) -> list[dict[str, float]]:
    """For each rule: accuracy and floor on its own structures, and on structures (ids) drawn uniformly."""
    from explicate.data.odeen import truth

    found = []
    for rule, ids, tags in zip(phenomena.rules, phenomena.structures, phenomena.tags, strict=True):
        read = interpreter.tags([rule], codes_of(np.concatenate([ids, uniform])))[0]
        others = truth(rule)[uniform]
        found.append(
            {
                "accuracy": float((read[: len(ids)] == tags).mean()),
                "majority": float(max(tags.mean(), 1 - tags.mean())),
                "uniform": float((read[len(ids) :] == others).mean()),
                "uniform_majority": float(max(others.mean(), 1 - others.mean())),
            }
        )
    return found


def network_scores(
    conjecturer: ConjectureGenerator,
    interpreter: RuleInterpreter,
    phenomena: Phenomena,
    language: TruthTable,
    probes: Array,
    beams: Sequence[int] = BEAMS,
) -> list[dict[str, Any]]:
    """For each phenomenon, what a Critical Rationalist Network and its generator alone (EMP-C) make of it.

    The figures of the network are those of the widest beam. `learned` and `true` say for each beam whether the rule
    that is stated is right: read by the interpreter, and by the true meaning in its place.
    """
    return [
        _of_one(conjecturer, interpreter, phenomena.take([place]), language, probes, beams)
        for place in range(len(phenomena))
    ]


def empiricist_scores(
    empiricist: EmpiricistBaseline, phenomena: Phenomena, language: TruthTable, probes: Array
) -> list[dict[str, Any]]:
    """For each phenomenon, what an empiricist makes of it: its rule, where it states one, and its tags."""
    found = []
    for place in range(len(phenomena)):
        one = phenomena.take([place])
        table, tags = codes_of(one.tables[0]), one.table_tags[0]
        record: dict[str, Any] = {}
        if empiricist.empiricist != "labels":
            others = codes_of(one.structures[0, :8]) if empiricist.empiricist == "rules" else np.empty((0, 6), int)
            record["right"] = equivalent(empiricist.rule(table, tags, others), one.rules[0])
        if empiricist.empiricist != "rules":
            asked = codes_of(np.concatenate([one.structures[0], probes]))
            read = empiricist.tags(table, tags, asked)
            record |= _tagged(read, one, probes, language)
        found.append(record)
    return found


def codes_of(ids: Array) -> Array:
    """Symbol codes (structure, cell) of ids."""
    return all_structures()[ids].astype(np.int64)


def true_reader(language: TruthTable) -> Reader:
    """The true meaning in the place of an interpreter."""
    from explicate.data.odeen import truth

    def read(rules: Sequence[str], structures: Array) -> Masks:
        ids = structure_ids(structures)
        rows = [language.places.get(rule) for rule in rules]
        return np.array(
            [
                truth(rule)[ids] if row is None else language.tags(np.array(row), ids)
                for rule, row in zip(rules, rows, strict=True)
            ]
        )

    return read


def _of_one(
    conjecturer: ConjectureGenerator,
    interpreter: RuleInterpreter,
    one: Phenomena,
    language: TruthTable,
    probes: Array,
    beams: Sequence[int],
) -> dict[str, Any]:
    rule, table, tags = one.rules[0], codes_of(one.tables[0]), one.table_tags[0]
    readers = {"learned": _remembering(interpreter.tags), "true": true_reader(language)}
    right: dict[str, list[bool]] = {name: [] for name in readers}
    for beam in beams:
        conjectures = conjecturer.conjectures(table, tags, beam)
        for name, read in readers.items():
            verdict = criticise(read, conjectures, table, tags)
            right[name].append(equivalent(verdict.rule, rule))
            if name == "learned":
                stated = verdict
    record: dict[str, Any] = {
        **right,
        "right": right["learned"][-1],
        "explained": stated.distance == 0,
        "distance": stated.distance,
        "malformed": int((~stated.usable).sum()),
        "rank": first_equivalent([each.text for each in stated.conjectures], rule, language),
    }
    if stated.rule is not None:
        read_tags = interpreter.tags([stated.rule], codes_of(np.concatenate([one.structures[0], probes])))[0]
        record |= _tagged(read_tags, one, probes, language)
    own = EmpiricistBaseline("conscious", conjecturer)
    return {**record, "empiricist": empiricist_scores(own, one, language, probes)[0]}


def _tagged(read: Masks, one: Phenomena, probes: Array, language: TruthTable) -> dict[str, Any]:
    """Scores of tags of a phenomenon's own structures, followed by the probes."""
    count = one.structures.shape[1]
    nearest = nearest_rule_score(read[count:], probes, one.rules[0], language)
    return {**tag_scores(read[:count], one.tags[0]), "nearest": nearest}


def _remembering(read: Reader) -> Reader:
    """A reader of one table that reads each rule once."""
    known: dict[str, Masks] = {}

    def remembered(rules: Sequence[str], structures: Array) -> Masks:
        new = [rule for rule in rules if rule not in known]
        if new:
            known.update(zip(new, read(new, structures), strict=True))
        return np.array([known[rule] for rule in rules])

    return remembered
