import numpy as np
import pytest
import xarray as xr

import explicate as ex
from explicate.attribution.missingness import Marginal
from explicate.core.kinds import Attribution
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.report import fragments, pictures


def table(values: np.ndarray, baseline: float = 1.0, errors: np.ndarray | None = None) -> Attribution:
    samples, features = values.shape
    variables = {
        "attribution": (("sample", "feature"), values),
        "inputs": (("sample", "feature"), values),
        "target": ("sample", np.zeros(samples, dtype=np.int64)),
        "target_name": ("sample", np.array(["<b>yes</b>"] * samples, dtype=object)),
        "score": ("sample", values.sum(axis=1) + baseline),
        "baseline_score": ("sample", np.full(samples, baseline)),
    }
    if errors is not None:
        variables["standard_error"] = (("sample", "feature"), errors)
    names = [f"f{j}" for j in range(features)]
    data = xr.Dataset(variables, attrs={"model_kind": "table", "signed": 1}).assign_coords(feature=names)
    return Attribution(data, Provenance("kernel-shap", model="m"))


def text(tokens: list[str], values: list[float], present: list[bool] | None = None) -> Attribution:
    count = len(tokens)
    variables = {
        "attribution": (("sample", "token"), np.array([values])),
        "inputs": (("sample", "token"), np.arange(count)[None]),
        "target": ("sample", np.array([0])),
        "target_name": ("sample", np.array([" Mary"], dtype=object)),
        "score": ("sample", np.array([1.0])),
    }
    if present is not None:
        variables["present"] = (("sample", "token"), np.array([present]))
    data = xr.Dataset(variables, attrs={"model_kind": "text", "signed": 1})
    data = data.assign_coords(input_text=(("sample", "token"), np.array([tokens], dtype=object)))
    return Attribution(data, Provenance("integrated-gradients", model="m"))


def test_a_waterfall_leads_from_the_baseline_to_the_score():
    values = np.array([[3.0, -2.0, 0.5, 0.25]])
    ax = pictures.waterfall(table(values, baseline=1.0), most=2)
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert bars == [(1.0, 3.0), (4.0, -2.0), (2.0, 0.75)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["f0", "f1", "2 others"]


def test_the_sample_of_a_plot_chooses_its_waterfall():
    values = np.array([[3.0, -2.0], [1.0, 5.0], [0.5, 0.25]])
    explanation = table(values)
    drawn = sorted(bar.get_width() for bar in explanation.plot(sample=1).patches)
    assert drawn == [1.0, 5.0]
    assert len(explanation.plot().collections) == 2  # of all samples: a beeswarm
    with pytest.raises(InputError, match="shows all samples"):
        explanation.plot(view="beeswarm", sample=1)


def test_intervals_are_drawn_where_there_are_errors():
    values = np.array([[3.0, -2.0]])
    assert len(pictures.waterfall(table(values, errors=np.array([[0.1, 0.2]]))).collections) == 1
    assert len(pictures.waterfall(table(values, errors=np.zeros((1, 2)))).collections) == 0


def test_importance_is_the_mean_size():
    ax = pictures.importance(table(np.array([[3.0, -2.0], [-1.0, 4.0]])))
    assert {t.get_text(): bar.get_width() for t, bar in zip(ax.get_yticklabels(), ax.patches, strict=True)} == {
        "f0": 2.0,
        "f1": 3.0,
    }


def test_a_beeswarm_has_a_point_per_sample_and_feature():
    values = np.random.default_rng(0).normal(size=(30, 4))
    ax = pictures.attribution(table(values))
    drawn = np.sort(np.concatenate([c.get_offsets()[:, 0] for c in ax.collections]))
    assert np.allclose(drawn, np.sort(values.ravel()))


def test_a_heat_map_is_the_sum_over_the_channels():
    values = np.random.default_rng(0).normal(size=(2, 3, 6, 5))
    data = xr.Dataset(
        {
            "attribution": (("sample", "channel", "row", "column"), values),
            "inputs": (("sample", "channel", "row", "column"), values),
            "target": ("sample", np.zeros(2, dtype=np.int64)),
            "score": ("sample", np.zeros(2)),
        },
        attrs={"model_kind": "image", "signed": 1},
    )
    ax = pictures.heat_map(Attribution(data, Provenance("gradient")), sample=1)
    assert np.allclose(ax.images[-1].get_array(), values[1].sum(axis=0))
    assert ax.images[-1].get_clim()[0] == -ax.images[-1].get_clim()[1]


def test_tokens_are_coloured_by_sign_and_size_and_padding_is_left_out():
    shown = text([" a", " b", " c", ""], [2.0, -1.0, 0.0, 0.0], [True, True, True, False])
    html = fragments.highlighted(shown)
    assert html.count('class="token"') == 3
    full = pictures.blend(pictures.RAISES, 1.0)
    half = pictures.blend(pictures.LOWERS, 0.5)
    assert f"background:{full}" in html
    assert f"background:{half}" in html
    assert "background:#ffffff" in html
    assert [t.get_text() for t in pictures.tokens(shown).texts] == [" a", " b", " c"]


def test_what_a_model_wrote_is_escaped():
    assert "<script>" not in fragments.highlighted(text(["<script>alert(1)</script>", "\n"], [1.0, 0.5]))
    assert "<b>" not in table(np.ones((1, 2)))._repr_html_()


def test_an_axes_of_the_user_is_used_and_returned():
    from matplotlib.figure import Figure

    own = Figure().add_subplot()
    assert table(np.ones((1, 3))).plot(ax=own) is own


def test_bad_wishes_are_named():
    shown = table(np.ones((2, 3)))
    with pytest.raises(InputError, match="no picture named 'pie'"):
        shown.plot(view="pie")
    with pytest.raises(InputError, match="no sample 5"):
        pictures.waterfall(shown, sample=5)
    with pytest.raises(InputError, match="over_pixels"):
        pictures.heat_map(shown)


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("exact-shapley", "score of prediction: 0.25 without, 1 with all features"),
        ("feature-ablation", "score of prediction: 1; the contributions add up to +1"),
    ],
)
def test_a_waterfall_claims_to_end_at_the_score_only_if_it_does(method, label):
    """Of x_1 x_2 at (1, 1) each ablation takes away what both share: together more than there is."""
    background = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    model = ex.TabularModel(lambda x: x[:, 0] * x[:, 1], background)
    explanation = ex.explain(model, np.array([[1.0, 1.0]]), method, missingness=Marginal(rows=0))
    assert explanation.plot().get_xlabel() == label


def test_a_picture_of_several_samples_says_whose_scores_it_shows():
    explanation = table(np.array([[1.0, 2.0], [3.0, -1.0]]))
    assert "score of <b>yes</b>;" in pictures.beeswarm(explanation).get_xlabel()
    names = xr.DataArray(np.array(["yes", "no"], dtype=object), dims="sample")
    mixed = Attribution(explanation.data.assign(target_name=names), explanation.provenance)
    for view in (pictures.beeswarm, pictures.importance):
        assert "each sample's own target (yes, no)" in view(mixed).get_xlabel()


def test_numbers_of_a_waterfall_do_not_lie_over_the_names():
    """The first bar goes down from the left edge: its number needs room left of it."""
    ax = pictures.waterfall(table(np.array([[-0.5, 0.1]])))
    assert ax.get_xlim()[0] < 0.5
