"""The study on a decoder trained in seconds: states are those of reading, figures fit together, misfits are refused."""

import dataclasses

import numpy as np
import pytest

from explicate.benchmarks.program_semantics import (
    ProgramSemantics,
    program_prefix,
    regression,
    states_for,
    surprises,
    token_counts,
    write_programs,
)
from explicate.core.explanation import Explanation
from explicate.core.kinds import SemanticProbeReport
from explicate.data.language.karel import Cells, Compact, Karel, ProgramCorpus, Setting, TaskSource
from explicate.data.language.karel.programs import program_lengths
from explicate.errors import InputError
from explicate.evaluation.semantic_intervention import SemanticIntervention
from explicate.mechanisms.probing import LinearProbe, MLPProbe
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, train_decoder

pytestmark = pytest.mark.filterwarnings("ignore:.*labelled states:UserWarning")

CORPUS = ProgramCorpus(TaskSource(Setting(2, 2, 0.0, 0.0), 1, 1, (1, 3)), Compact(2, 2, split_pose=True), 0.0)
DECODER = Decoder(CORPUS.encoding.vocabulary, layers=2, width=32, heads=2, mlp_width=64, context=24, end="end")
RECIPE = DecoderRecipe(steps=160, batch=64, learning_rate=6e-3, warmup=20, checkpoints=(0, 20, 50, 100))
QUICK = SemanticIntervention((LinearProbe(), MLPProbe(hidden=(32,), epochs=3)), screen=MLPProbe(hidden=(16,), epochs=3))


@pytest.fixture(scope="module")
def trained():
    return train_decoder(DECODER, CORPUS, RECIPE, cache=False)


@pytest.fixture(scope="module")
def tasks():
    return CORPUS.held_out(700, 0)


@pytest.fixture(scope="module")
def report(trained, tasks):
    study = ProgramSemantics(
        offsets=(0,), intervened_offsets=(0,), intervention=QUICK, alternatives=("opposites", "random")
    )
    return study.run({step: trained.at(step) for step in sorted(trained.kept)}, CORPUS, tasks, trained.at(0))


def test_states_while_writing_are_those_of_reading_what_was_written(trained, tasks):
    written = write_programs(trained.model, CORPUS.encoding, tasks, CORPUS.longest)
    read = states_for(trained.model, CORPUS.encoding, tasks, written.programs)
    assert written.states.shape == (700, 4, 32)
    lengths = program_lengths(written.programs)
    assert (lengths > 0).all()
    assert read == pytest.approx(written.states, abs=1e-4)
    assert not written.states[np.arange(4) > lengths[:, None]].any()
    one = write_programs(trained.model, CORPUS.encoding, tasks.take(slice(0, 5)), CORPUS.longest, layers=[1])
    seen = trained.model.capture(CORPUS.encoding.prompts(tasks.take(slice(0, 1))), ["L1.resid_post@-1"])
    assert one.states[0, 0] == pytest.approx(seen["L1.resid_post@-1"][0, 0], abs=1e-4)


def test_without_the_mask_what_is_no_program_is_wrong_and_has_no_trace(trained, tasks):
    written = write_programs(trained.at(0), CORPUS.encoding, tasks, CORPUS.longest, masked=False)
    lengths = program_lengths(written.programs)
    assert (lengths == 0).any()
    assert not written.solved[lengths == 0].any()
    assert set(Karel().traces(written.programs, tasks.first_inputs()).program) == set(np.flatnonzero(lengths))


def test_figures_fit_together(report, trained, tasks):
    assert report["checkpoint"].values.tolist() == [0, 20, 50, 100, 160]
    accuracy = report["generative_accuracy"].values
    assert accuracy[-1] > 2 * accuracy[0]
    assert (report["hidden_accuracy"].values <= accuracy).all()
    assert (report["as_reference"].values <= accuracy).all()
    written = write_programs(trained.model, CORPUS.encoding, tasks, CORPUS.longest)
    assert accuracy[-1] == pytest.approx(written.solved.mean())
    assert report["written_length"].values[-1] == pytest.approx(
        program_lengths(written.programs)[written.solved].mean()
    )
    attributes = report.data.attrs
    assert 1 <= attributes["shortest_length"] <= attributes["written_length"]
    assert attributes["shortest_length"] <= attributes["reference_length"]
    baselines = report["baseline_accuracy"].sel(feature="direction", offset=0)
    assert baselines.sel(baseline="shuffled labels") < 0.45
    assert report.curve("direction")[-1] > baselines.sel(baseline="shuffled labels")
    assert regression(report, "direction").checkpoints == 5
    assert regression(report, "direction", first=20).checkpoints == 4


def test_the_gap_is_that_of_its_accuracies(report):
    table = report["intervention"].sel(part_of_state="direction", distance=0)
    for name in report["semantics"].values[1:]:
        gap = report.gaps().sel(semantics=name, part_of_state="direction", distance=0)
        assert np.allclose(gap, table.sel(semantics="original") - table.sel(semantics=name))
    above = report["intervention_majority"].sel(part_of_state="direction", distance=0)
    corrected = report.gaps(above_majority=True).sel(part_of_state="direction", distance=0)
    assert np.allclose(corrected[..., 0], (table - above)[0] - (table - above)[1])


def test_moves_are_counted_as_each_semantics_means_them(report, trained, tasks):
    written = write_programs(trained.model, CORPUS.encoding, tasks, CORPUS.longest)
    actions = written.programs[written.programs >= 0]
    shares = report["move_share"]
    assert shares.sel(semantics="original") == pytest.approx((actions == 0).mean())
    assert shares.sel(semantics="random") == pytest.approx((actions == 3).mean())  # put_marker means move


def test_a_report_is_saved_and_drawn(report, tmp_path):
    loaded = Explanation.load(report.save(tmp_path / "report.nc"))
    assert isinstance(loaded, SemanticProbeReport)
    assert np.array_equal(loaded.curve("direction"), report.curve("direction"))
    axes = report.plot()
    assert {line.get_label() for line in axes.lines} >= {"programs right", "direction, offset 0"}
    assert "<img" in report._repr_html_()


def test_surprises_are_those_of_the_logits(trained, tasks):
    some = tasks.take(slice(0, 4))
    found = surprises(trained.model, CORPUS.encoding, some)
    text = CORPUS.encoding.texts(some)[1]
    text = text[text >= 0]
    logits = trained.model.logits([text.tolist()])
    shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    count = len(found[1])
    assert count == program_lengths(some.programs)[1] + 1
    expected = -shares[np.arange(len(text) - count - 1, len(text) - 1), text[-count:]]
    assert found[1] == pytest.approx(expected, abs=1e-4)


def test_baselines_hold_the_text_and_nothing_else(tasks):
    traces = Karel().traces(tasks.programs, tasks.first_inputs())
    actions = traces.step > 0
    program, step = traces.program[actions], traces.step[actions] - 1
    counts = token_counts(CORPUS.encoding, tasks, tasks.programs, program, step)
    prompts = CORPUS.encoding.prompts(tasks)
    row = int(np.flatnonzero(step == 1)[0])
    tokens = [
        *prompts[program[row]][prompts[program[row]] >= 0],
        *CORPUS.encoding.action_tokens[tasks.programs[program[row], :2]],
    ]
    assert np.array_equal(counts[row], np.bincount(tokens, minlength=len(CORPUS.encoding.vocabulary)))
    prefix = program_prefix(tasks, tasks.programs, program, step)
    assert (prefix.sum(axis=1) == step + 1 + 2).all()  # the actions so far, a cell, a direction
    assert len(np.unique(np.concatenate([prefix, program[:, None] * 0], axis=1), axis=0)) > 100


def test_models_and_specifications_that_do_not_fit_are_refused(trained, tasks):
    with pytest.raises(InputError, match="tokens, the encoding 28 words"):
        write_programs(trained.model, Compact(2, 2), tasks, 3)
    shuffled = dataclasses.replace(DECODER, vocabulary=DECODER.vocabulary[::-1])
    with pytest.raises(InputError, match="token 0 is 'cell-1-1'"):
        write_programs(shuffled.handle(shuffled.build(0)), CORPUS.encoding, tasks, 3)
    short = dataclasses.replace(DECODER, context=9)
    with pytest.raises(InputError, match="12 tokens, the model takes 9"):
        write_programs(short.handle(short.build(0)), CORPUS.encoding, tasks, 3)
    with pytest.raises(InputError, match="no checkpoints"):
        ProgramSemantics().run({}, CORPUS, tasks)


def test_the_papers_cells_go_the_same_way():
    corpus = ProgramCorpus(TaskSource(Setting(4, 4), 2, 1, (1, 4)), Cells(4, 4, examples=2))
    decoder = Decoder(corpus.encoding.vocabulary, layers=1, width=32, heads=2, mlp_width=32, context=80, end="end")
    trained = train_decoder(
        decoder, corpus, DecoderRecipe(steps=12, batch=8, learning_rate=5e-3, warmup=2), cache=False
    )
    assert trained.losses[-1] < 0.8 * trained.losses[0]
    point = ProgramSemantics(features=("direction", "wall ahead"), offsets=(0,)).point(
        trained.model, corpus, corpus.held_out(400, 0)
    )
    assert set(point["readings"]) <= {"direction/0", "wall ahead/0"}
    assert 0 <= point["generative_accuracy"] <= 1
    assert point["programs"] == 1
