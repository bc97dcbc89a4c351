"""The table: a gradient-boosted credit model on Adult."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from explicate import api
from explicate.data import table
from explicate.demo.part import Made, Settings, measured
from explicate.evaluation.beliefs import beliefs
from explicate.models import zoo
from explicate.report import fragments, pictures
from explicate.report.document import Figure, Part, Section, comparison_grid

METHODS = ("kernel-shap", "lime", "feature-ablation")
METRICS = ("deletion", "insertion", "infidelity", "sparseness")
APPLICANT = (
    0  # of the held-out rows with a predicted probability near one half: the undecided case is the one to ask of
)


def make(settings: Settings) -> Made:
    """Explain the model overall and for one undecided applicant, and compare three methods on 24 rows."""
    with threadpool_limits(1):
        model = zoo.load("adult-credit")
        held_out = table("adult").take(slice(32_561, None))
        rows = held_out.values()
        probability = model.predict(rows)[:, 1]
        accuracy = float(((probability > 0.5) == held_out.labels).mean())
        picked = np.random.Generator(np.random.PCG64(settings.seed)).permutation(len(rows))
        undecided = picked[np.abs(probability[picked] - 0.5) < 0.1]
        one = api.explain(model, rows[undecided[[APPLICANT]]], "kernel-shap", target=1, seed=settings.seed)
        many = api.explain(model, rows[picked[:80]], "kernel-shap", target=1, seed=settings.seed, budget=128)
        comparison = measured(settings, "credit", model, rows[picked[:24]], METHODS, METRICS, 1, budget=128)
        local = [
            api.explain(model, rows[undecided[[APPLICANT]]], name, target=1, seed=settings.seed) for name in METHODS[1:]
        ]
    files = [one.save(settings.out / "credit-one.nc"), many.save(settings.out / "credit-many.nc")]
    judged = beliefs(comparison)
    names = np.array(model.feature_names)
    overall = names[np.argsort(-np.abs(many.values).mean(axis=0))]
    strongest = int(np.abs(one.values[0]).argmax())
    score, start = float(one["score"][0]), float(one["baseline_score"][0])
    finding = (
        f"credit model (accuracy {accuracy:.3f} on held-out rows): {overall[0]}, {overall[1]} and {overall[2]} matter "
        f"most overall; the undecided applicant's {score:.2f} is driven by "
        f"{names[strongest]} = {one['input_text'].values[0, strongest]} ({one.values[0, strongest]:+.2f})"
    )
    card = {
        "model": "gradient-boosted trees (scikit-learn), fitted on 32,561 rows",
        "explained": "probability of an income above 50,000 dollars",
        "accuracy, held out": f"{accuracy:.3f} (always the larger class: {1 - held_out.labels.mean():.3f})",
        "data": held_out.source,
        "licence": held_out.licence,
        "absent means": "the value in 50 rows of the training data, averaged",
        "fingerprint": model.fingerprint(),
    }
    parts = [
        Part(
            "What it looks at overall",
            [f"Shapley values of {len(many)} held-out people."],
            [
                Figure(
                    fragments.picture(pictures.beeswarm(many), "beeswarm of contributions"), many.provenance.summary()
                )
            ],
        ),
        Part(
            "One undecided applicant",
            [f"From {start:.2f} with nothing known to {score:.2f}. Thin lines: 95 % intervals of the estimate."],
            [
                Figure(fragments.picture(each.plot(), each.provenance.method), each.provenance.summary())
                for each in (one, *local)
            ],
        ),
        Part(
            "Methods side by side",
            ["24 held-out people. Green: best of its column. Hover over a figure for its interval."],
            grid=comparison_grid(comparison),
        ),
    ]
    section = Section("A credit model on a table", card, [finding], parts, judged.lines)
    return Made(section, [finding], files, "the credit model", judged.failed)
