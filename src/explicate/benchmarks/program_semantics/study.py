"""Does a model that was trained on programs represent their states? A study over its checkpoints.

Source: Jin, Rinard (2023), "Evidence of Meaning in Language Models Trained on Programs", arXiv 2305.11169.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.benchmarks.program_semantics.baselines import program_prefix, token_counts
from explicate.benchmarks.program_semantics.report import report_of
from explicate.benchmarks.program_semantics.writing import Written, states_for, surprises, write_programs
from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.kinds import SemanticProbeReport
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.data.language.karel.corpus import ProgramCorpus
from explicate.data.language.karel.features import feature
from explicate.data.language.karel.interpreter import Karel
from explicate.data.language.karel.programs import ABSENT, program_lengths
from explicate.data.language.karel.semantics import ALTERNATIVES, MOVE, ORIGINAL, Semantics, alternative
from explicate.data.language.karel.shortest import shortest_lengths
from explicate.data.language.karel.tasks import Tasks
from explicate.data.language.traces import Feature
from explicate.errors import InputError
from explicate.evaluation.semantic_intervention import SemanticIntervention, TraceLabels
from explicate.evaluation.state_probes import Reading, enough, held_out_groups, read_labels, shuffled
from explicate.mechanisms.probing.linear import LinearProbe
from explicate.mechanisms.probing.probe import Probe
from explicate.models.language import LanguageModel

PROBE, INTERVENTION = LinearProbe(), SemanticIntervention()
CONTEXT = ("direction", "position")  # what makes up a state, for the screen of alternatives
SEARCHED = 200  # solved tasks whose shortest program is searched for
READ = 300  # tasks whose reference's perplexity is taken


@dataclass(frozen=True)
class ProgramSemantics(Parameterised):
    """Generative accuracy, probes of states, semantic intervention, baselines, lengths and perplexities.

    Parameters
    ----------
    features, offsets : what is asked of a state, and of which: 0 is the one after the action that is being written.
    probe : for the curves over checkpoints, and for the baselines.
    intervention : the probes of the semantic intervention, at the last checkpoint.
    alternatives : names of semantics. intervened_offsets : at which they are compared.
    held_out : share of the programs that probes are tested on.
    masked : whether the model can only write what the grammar allows.
    """

    name: ClassVar[str] = "program-semantics"

    features: tuple[str, ...] = ("direction",)
    offsets: tuple[int, ...] = (-1, 0, 1, 2)
    probe: Probe = PROBE
    intervention: SemanticIntervention = INTERVENTION
    alternatives: tuple[str, ...] = tuple(each.name for each in ALTERNATIVES)
    intervened_offsets: tuple[int, ...] = (0, 1)
    held_out: float = 0.3
    masked: bool = True

    def run(
        self,
        checkpoints: Mapping[int, LanguageModel],
        corpus: ProgramCorpus,
        tasks: Tasks,
        untrained: LanguageModel | None = None,
        seed: int = 0,
    ) -> SemanticProbeReport:
        """Study checkpoints of one model.

        Parameters
        ----------
        checkpoints : models by the number of steps they were trained, ascending.
        tasks : with hidden examples, drawn apart from what the model was trained on.
        untrained : the model before its first step, for a baseline.
        """
        if not checkpoints:
            raise InputError("there are no checkpoints to study; give at least one")
        steps = sorted(checkpoints)
        model = checkpoints[steps[-1]]
        with measure() as cost:
            points = [self.point(checkpoints[step], corpus, tasks, seed) for step in steps]
            last = self.last(model, corpus, tasks, untrained, seed)
        ids = corpus.encoding.prompts(tasks)
        return report_of(steps, points, last, Provenance.of(self, model, ids, cost, seed))

    def point(self, model: LanguageModel, corpus: ProgramCorpus, tasks: Tasks, seed: int = 0) -> dict[str, Any]:
        """One checkpoint's figures, as JSON-able values."""
        written = write_programs(model, corpus.encoding, tasks, corpus.longest, masked=self.masked)
        found: dict[str, Any] = {
            "generative_accuracy": float(written.solved.mean()),
            "hidden_accuracy": float((written.solved & written.hidden_solved).mean()),
            "as_reference": float(written.as_reference.mean()),
            "programs": float((program_lengths(written.programs) > 0).mean()),
            **lengths_of(written, tasks),
            **_perplexities(model, corpus, tasks, written),
        }
        if (program_lengths(written.programs) > 0).any():
            traces = self._labels(corpus, tasks, written.programs, self._features(corpus), self.offsets)
            readings = self._read(_rows(written.states, traces), traces, seed)
            found["readings"] = {key: _plain(reading) for key, reading in readings.items()}
        return found

    def last(
        self,
        model: LanguageModel,
        corpus: ProgramCorpus,
        tasks: Tasks,
        untrained: LanguageModel | None = None,
        seed: int = 0,
    ) -> dict[str, Any]:
        """What is measured at the last checkpoint only, as JSON-able values."""
        written = write_programs(model, corpus.encoding, tasks, corpus.longest, masked=self.masked)
        features = self._features(corpus)
        semantics = {ORIGINAL.name: ORIGINAL} | {name: alternative(name) for name in self.alternatives}
        traces = TraceLabels.of(
            Karel(), written.programs, tasks.first_inputs(), semantics, features, self.intervened_offsets
        )
        whole = [feature(name, corpus.encoding.rows, corpus.encoding.columns) for name in CONTEXT]
        context = self._labels(corpus, tasks, written.programs, whole, (0,))
        found = self.intervention.run(_rows(written.states, traces), traces, context, seed)
        return {
            "intervention": found.to_dict(),
            "baselines": self._baselines(corpus, tasks, written, untrained, seed),
            "shortest_length": _shortest(written, tasks, corpus.longest),
            "move_share": {name: move_share(written.programs, each) for name, each in semantics.items()},
        }

    def _features(self, corpus: ProgramCorpus) -> list[Feature]:
        return [feature(name, corpus.encoding.rows, corpus.encoding.columns) for name in self.features]

    def _labels(
        self, corpus: ProgramCorpus, tasks: Tasks, programs: Array, features: list[Feature], offsets: tuple[int, ...]
    ) -> TraceLabels:
        return TraceLabels.of(Karel(), programs, tasks.first_inputs(), {ORIGINAL.name: ORIGINAL}, features, offsets)

    def _read(self, vectors: Floats, traces: TraceLabels, seed: int, mixed: bool = False) -> dict[str, Reading]:
        held = held_out_groups(traces.program, self.held_out, seed)
        labels = {
            f"{name}/{offset}": one
            for (name, offset), one in traces.labels[ORIGINAL.name].items()
            if enough(one, held)  # a young model may write no program long enough for an offset
        }
        return read_labels(vectors, shuffled(labels, seed) if mixed else labels, self.probe, traces.program, held, seed)

    def _baselines(
        self, corpus: ProgramCorpus, tasks: Tasks, written: Written, untrained: LanguageModel | None, seed: int
    ) -> dict[str, dict[str, Any]]:
        traces = self._labels(corpus, tasks, written.programs, self._features(corpus), self.offsets)
        own = _rows(written.states, traces)
        where = (written.programs, traces.program, traces.step)
        vectors = {
            "bag of tokens": token_counts(corpus.encoding, tasks, *where),
            "program prefix": program_prefix(tasks, *where),
        }
        if untrained is not None:
            vectors["untrained model"] = _rows(states_for(untrained, corpus.encoding, tasks, written.programs), traces)
        found = {name: self._read(values, traces, seed) for name, values in vectors.items()}
        found["shuffled labels"] = self._read(own, traces, seed, mixed=True)
        return {name: {key: _plain(one) for key, one in readings.items()} for name, readings in found.items()}


def move_share(programs: Array, semantics: Semantics) -> float:
    """Share of the actions of programs (program, action) that mean a move: states change more where it is large."""
    meant = semantics.codes[programs[programs != ABSENT]]
    return float((meant == MOVE).mean())


def lengths_of(written: Written, tasks: Tasks) -> dict[str, float | None]:
    """How long right programs are, and their references: means, and the paired difference with its p-value (t test)."""
    from scipy import stats

    solved = written.solved
    if solved.sum() < 2:
        return {"written_length": None, "reference_length": None, "length_difference": None, "length_p_value": None}
    own, reference = program_lengths(written.programs[solved]), program_lengths(tasks.programs[solved])
    same = bool((own == reference).all())
    return {
        "written_length": float(own.mean()),
        "reference_length": float(reference.mean()),
        "length_difference": float((own - reference).mean()),
        "length_p_value": 1.0 if same else float(stats.ttest_rel(own, reference).pvalue),
    }


def _perplexities(
    model: LanguageModel, corpus: ProgramCorpus, tasks: Tasks, written: Written
) -> dict[str, float | None]:
    some = slice(0, READ)
    values = surprises(model, corpus.encoding, tasks.take(some))
    found: dict[str, float | None] = {}
    for name, wanted in (("perplexity_solved", True), ("perplexity_unsolved", False)):
        own = [one for one, solved in zip(values, written.solved[some], strict=True) if solved == wanted]
        found[name] = math.exp(float(np.concatenate(own).mean())) if own else None
    return found


def _shortest(written: Written, tasks: Tasks, longest: int) -> dict[str, float] | None:
    """Means over some solved tasks: actions of the written programs, of the references, and of the shortest ones."""
    solved = np.flatnonzero(written.solved)[:SEARCHED]
    if not len(solved):
        return None
    some = tasks.take(solved)
    rows = some.rows(np.arange(some.shown))
    shortest = shortest_lengths(some.inputs.take(rows), some.outputs.take(rows), some.shown, longest)
    return {
        "written": float(program_lengths(written.programs[solved]).mean()),
        "reference": float(program_lengths(some.programs).mean()),
        "shortest": float(np.maximum(shortest, 1).mean()),  # a program has at least one action
    }


def _rows(states: Floats, traces: TraceLabels) -> Floats:
    return np.asarray(states[traces.program, traces.step])


def _plain(reading: Reading) -> dict[str, float | int]:
    return {"accuracy": reading.accuracy, "majority": reading.majority, "rows": reading.rows}
