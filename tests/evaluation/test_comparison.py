"""compare: same results for any number of workers, resumed after a failure, honest about what does not apply."""

import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from explicate import TabularModel
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.feature_ablation import FeatureAblation
from explicate.attribution.missingness import Zero
from explicate.errors import FileFormatError, InputError, RunError
from explicate.evaluation.comparison import Comparison, compare, fitting_methods, fitting_metrics
from explicate.evaluation.faithfulness import Deletion
from explicate.evaluation.randomisation import Randomisation

METRICS = ["deletion", "infidelity", "sparseness", "max-sensitivity", "energy-share"]


@dataclass(frozen=True)
class Budgeted(Explainer):
    """Spends its budget and gives random values."""

    budget: int = 5
    name = "budgeted"

    def attribute(self, model, inputs, targets, rng):
        model.scores(np.repeat(inputs, self.budget, axis=0), np.repeat(targets, self.budget, axis=0))
        return Found(rng.standard_normal(inputs.shape))


@dataclass(frozen=True)
class Picky(Explainer):
    """For pictures only."""

    kinds = ("image",)
    name = "picky"

    def attribute(self, model, inputs, targets, rng):
        raise AssertionError


class Failing:
    """A model that raises at its call number `fails_at`."""

    def __init__(self):
        self.calls, self.fails_at = 0, None

    def __call__(self, x):
        self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("the licence server is down")
        return x @ np.array([3.0, -2.0, 1.0])


@pytest.fixture(scope="module")
def cancer():
    rows, labels = load_breast_cancer(return_X_y=True)
    rows = ((rows - rows.mean(axis=0)) / rows.std(axis=0))[:, :6]
    model = TabularModel(LogisticRegression().fit(rows[:300], labels[:300]), rows[:60])
    return model, rows[300:], labels[300:]


def results(folder):
    return {name: (folder / name / "results.json").read_bytes() for name in ("explanations", "measurements")}


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_one_and_two_workers_give_the_same_bytes(backend, cancer, tmp_path):
    model, rows, labels = cancer
    metrics = ["deletion", "infidelity", "max-sensitivity", Randomisation(repeats=1)]
    tables = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        compared = compare(
            model, rows[:20], ["feature-ablation"], metrics, labels=labels[:20], folder=folder, workers=workers,
            backend=backend, chunk=8,
        )  # fmt: skip
        tables.append(compared.to_frame().drop(columns=["seconds", "metric_seconds"]))
    assert results(tmp_path / "1") == results(tmp_path / "2")
    assert tables[0].equals(tables[1])


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(cancer, tmp_path):
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'explicate[ray]'")
    model, rows, _ = cancer
    ours = not ray.is_initialized()  # another test's cluster serves as well
    if ours:
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        for backend, workers in (("processes", 1), ("ray", 2)):
            options = {"folder": tmp_path / backend, "workers": workers, "backend": backend, "chunk": 4}
            compare(model, rows[:8], ["feature-ablation"], ["deletion", "max-sensitivity"], **options)
    finally:
        if ours:
            ray.shutdown()
    assert results(tmp_path / "processes") == results(tmp_path / "ray")


def test_true_contributions_beat_the_control(cancer):
    model, rows, _ = cancer
    compared = compare(model, rows[:40], ["feature-ablation"], ["deletion", "insertion", "infidelity"])
    assert compared.methods == ["feature-ablation", "random"]
    for metric in compared.metrics:
        best, control = compared.row("feature-ablation", metric), compared.row("random", metric)
        assert (best.rank, control.rank) == (1, None)
        assert not control.as_good_as_best
        assert best.as_good_as_best
        sign = 1 if best.higher_is_better else -1
        assert sign * control.behind_high < 0
        assert control.behind == pytest.approx(control.value - best.value)


def test_the_control_is_never_the_best(cancer):
    """It ignores its input, so that it is perfectly stable."""
    model, rows, _ = cancer
    compared = compare(model, rows[:8], ["feature-ablation", "kernel-shap"], ["max-sensitivity"])
    control = compared.row("random", "max-sensitivity")
    assert control.value == 0 < compared.row("feature-ablation", "max-sensitivity").value
    assert (control.rank, control.as_good_as_best) == (None, False)
    assert sorted(compared.row(name, "max-sensitivity").rank for name in compared.methods[:2]) == [1, 2]
    line = next(line for line in str(compared).splitlines() if line.startswith("random"))
    assert "*" not in line


def test_equal_methods_are_not_told_apart(cancer):
    model, rows, _ = cancer
    compared = compare(model, rows[:30], {"a": "feature-ablation", "b": FeatureAblation()}, ["deletion"])
    assert [compared.row(name, "deletion").rank for name in "ab"] == [1, 1]
    assert compared.row("a", "deletion").value == compared.row("b", "deletion").value
    assert compared.agreement().sel(one="a", other="b") == pytest.approx(1)
    assert abs(compared.agreement().sel(one="a", other="random")) < 0.4


def test_a_failed_comparison_goes_on_where_it_was(tmp_path):
    function = Failing()
    background = np.random.default_rng(0).normal(size=(20, 3))
    model = TabularModel(function, background, output="call", name="failing")
    rows = np.random.default_rng(1).normal(size=(12, 3))
    arguments = {"methods": [FeatureAblation(missingness=Zero())], "metrics": ["deletion", "infidelity"], "chunk": 3}
    whole = compare(model, rows, **arguments, folder=tmp_path / "whole")
    spent = function.calls
    function.calls, function.fails_at = 0, spent // 2
    broken = tmp_path / "broken"
    with pytest.raises(RunError, match="the licence server is down"):
        compare(model, rows, **arguments, folder=broken)
    at_failure = function.calls
    assert not (broken / "comparison.json").exists()
    function.calls, function.fails_at = 0, None
    resumed = compare(model, rows, **arguments, folder=broken)
    assert function.calls < spent  # finished units were not done again
    assert at_failure + function.calls < spent + 25  # but for the failed unit, and finding out about the model
    assert results(broken) == results(tmp_path / "whole")
    columns = ["seconds", "metric_seconds"]
    assert resumed.to_frame().drop(columns=columns).equals(whole.to_frame().drop(columns=columns))
    function.calls = 0
    compare(model, rows, **arguments, folder=broken)
    assert function.calls <= 2  # everything is at hand; only the targets are asked for
    with pytest.raises(RunError, match="already holds a run"):
        compare(model, rows, **arguments, folder=broken, resume=False)
    with pytest.raises(RunError, match=r"holds another run.*--fresh"):
        compare(model, rows + 1, **arguments, folder=broken)
    again = compare(model, rows + 1, **arguments, folder=broken, new_run=True)
    assert (broken / "measurements" / "previous-1" / "results.json").exists()
    np.testing.assert_array_equal(again.explanations["feature-ablation"]["inputs"], rows + 1)


def test_each_comparison_within_a_folder_has_its_own(cancer, tmp_path):
    model, rows, _ = cancer
    first, again, other = (
        compare(model, rows[part], ["feature-ablation"], ["sparseness"], within=tmp_path)
        for part in (slice(4), slice(4), slice(4, 8))
    )
    assert first.folder == again.folder != other.folder
    assert {path.name for path in tmp_path.iterdir()} == {first.folder.name, other.folder.name}
    assert str(Comparison.load(first.folder)) == str(first)


@pytest.mark.parametrize("left", [0, 500])
def test_a_damaged_explanation_is_made_again(cancer, tmp_path, left):
    model, rows, _ = cancer
    arguments = {"methods": ["feature-ablation"], "metrics": ["deletion"], "folder": tmp_path, "chunk": 3}
    whole = compare(model, rows[:6], **arguments)
    for file in (tmp_path / "explanations").glob("*.nc"):
        file.write_bytes(file.read_bytes()[:left])
    again = compare(model, rows[:6], **arguments)
    values = [item.explanations["feature-ablation"].values for item in (whole, again)]
    np.testing.assert_array_equal(*values)


def test_what_does_not_apply_is_said_and_does_not_stop_the_rest(cancer):
    model, rows, _ = cancer
    compared = compare(model, rows[:10], [Picky(), "feature-ablation"], [*METRICS, "randomisation"])
    reasons = compared.not_applicable()
    assert "for models of image" in reasons["picky", "deletion"]
    assert "for models of image" in reasons["feature-ablation", "energy-share"]
    assert "give `training`" in reasons["feature-ablation", "randomisation"]
    assert compared.row("feature-ablation", "deletion").value is not None
    assert "picky does not apply" in str(compared)
    assert "energy-share does not apply" in str(compared)
    frame = compared.to_frame()
    assert frame[frame["method"] == "picky"]["value"].isna().all()


def test_the_same_budget_for_all_and_the_real_cost_in_the_table(cancer):
    model, rows, _ = cancer
    compared = compare(model, rows[:10], {"one": Budgeted(3), "two": Budgeted(50)}, ["sparseness"], budget=20, chunk=4)
    for name in ("one", "two"):
        row = compared.row(name, "sparseness")
        assert row.evaluations == 10 * 20 + 10  # and the score of each sample
        assert compared.explanations[name].provenance.parameters == {"budget": 20}
    assert compared.row("random", "sparseness").evaluations == 10
    assert "210 + 0" in str(compared)


def test_the_randomisation_check_marks_methods(cancer):
    model, rows, labels = cancer

    @dataclass(frozen=True)
    class Edges(Explainer):
        name = "edges"

        def attribute(self, model, inputs, targets, rng):
            return Found(np.abs(inputs))

    compared = compare(model, rows[:30], [Edges()], ["randomisation"], labels=labels[:30])
    assert compared.randomisation["edges"] == "fail"
    assert compared.failed_randomisation() == ["edges"]
    assert "edges (fails randomisation)" in str(compared)
    assert "edges (fails randomisation)" in compared._repr_html_()


def test_saved_and_loaded(cancer, tmp_path):
    model, rows, _ = cancer
    compared = compare(model, rows[:12], [Picky(), "feature-ablation"], METRICS, folder=tmp_path, chunk=5)
    again = Comparison.load(tmp_path)
    assert str(again) == str(compared)
    assert again.to_dict() == compared.to_dict()
    json.dumps(again.to_dict(), allow_nan=False)
    for cell, item in compared.measurements.items():
        np.testing.assert_array_equal(again.measurements[cell].values, item.values)
    one, two = (item.explanations["feature-ablation"] for item in (again, compared))
    np.testing.assert_array_equal(one.values, two.values)
    assert one.provenance == two.provenance
    assert len(one) == 12


def test_damaged_and_newer_files_are_refused(cancer, tmp_path):
    model, rows, _ = cancer
    compare(model, rows[:4], ["feature-ablation"], ["sparseness"], folder=tmp_path)
    file = tmp_path / "comparison.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(FileFormatError, match="format 99"):
        Comparison.load(tmp_path)
    file.write_text(json.dumps({key: item for key, item in content.items() if key != "measurements"}))
    with pytest.raises(FileFormatError, match="damaged"):
        Comparison.load(tmp_path)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(FileFormatError, match="cannot be read"):
        Comparison.load(tmp_path)
    with pytest.raises(InputError, match="no comparison"):
        Comparison.load(tmp_path / "elsewhere")


def test_what_a_model_wrote_is_escaped(linear):
    model = linear([1.0, 2.0])
    model.name = "<script>alert(1)</script>"
    compared = compare(model, np.ones((3, 2)), {"<b>x</b>": "feature-ablation"}, ["sparseness"])
    assert "<script>" not in compared._repr_html_()
    assert "<b>x</b>" not in compared._repr_html_()


def test_what_fits_a_model(cancer):
    model, *_ = cancer
    methods, metrics = fitting_methods(model), fitting_metrics(model)
    assert "feature-ablation" in methods
    assert "random" not in methods  # it is always added
    assert not {"energy-share", "randomisation"} & set(metrics)
    assert {"deletion", "infidelity", "sparseness"} <= set(metrics)


def test_a_model_may_be_given_as_text(tmp_path, monkeypatch):
    code = "import numpy as np, explicate\nmodel = explicate.TabularModel(lambda x: x[:, 0], np.eye(3), name='mine')\n"
    (tmp_path / "model_of_this_test.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    compared = compare("model_of_this_test:model", np.ones((2, 3)), ["feature-ablation"], ["sparseness"])
    assert compared.model == "mine"
    sys.modules.pop("model_of_this_test")


def test_labels_bring_in_the_check_that_needs_them(cancer):
    model, rows, labels = cancer
    assert "randomisation" in compare(model, rows[:4], ["feature-ablation"], labels=labels[:4]).metrics
    assert "randomisation" not in compare(model, rows[:4], ["feature-ablation"]).metrics


def test_bad_input(cancer):
    model, rows, labels = cancer
    with pytest.raises(InputError, match="no method given"):
        compare(model, rows[:2], [], ["sparseness"])
    with pytest.raises(InputError, match="3 labels for 2"):
        compare(model, rows[:2], ["feature-ablation"], ["sparseness"], labels=labels[:3])
    with pytest.raises(InputError, match="1 masks for 2"):
        compare(model, rows[:2], ["feature-ablation"], ["sparseness"], masks=np.ones((1, 3, 3)))
    with pytest.raises(InputError, match="NaN or infinite"):
        compare(model, rows[:2] * np.nan, ["feature-ablation"], ["sparseness"])
    with pytest.raises(InputError, match="is no attribution method"):
        compare(model, rows[:2], [dict], ["sparseness"])


def test_metrics_may_be_given_labels_of_ones_own(cancer):
    model, rows, _ = cancer
    metrics = {"coarse": Deletion(steps=2), "fine": Deletion(steps=6)}
    compared = compare(model, rows[:5], ["feature-ablation"], metrics)
    assert compared.metrics == ["coarse", "fine"]
    assert compared.row("random", "fine").metric_evaluations > compared.row("random", "coarse").metric_evaluations


def test_threads_take_turns_at_a_torch_module(tmp_path):
    """Hooks that one thread puts on a module would be seen by the others."""
    torch = pytest.importorskip("torch")
    from explicate.models.preprocessing import Preprocessing
    from explicate.models.vision import VisionModel

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    model = VisionModel(torch.nn.Sequential(*layers, torch.nn.Linear(4, 2)), Preprocessing(size=(16, 16)))
    pictures = np.random.default_rng(0).normal(size=(24, 3, 16, 16)).astype(np.float32)
    for workers in (1, 4):
        compare(
            model, pictures, ["grad-cam", "grad-cam++"], ["average-drop", Randomisation(repeats=1)], workers=workers,
            backend="threads", chunk=1, folder=tmp_path / str(workers),
        )  # fmt: skip
    assert results(tmp_path / "1") == results(tmp_path / "4")
