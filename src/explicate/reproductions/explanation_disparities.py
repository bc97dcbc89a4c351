"""Explanation disparities: LIME follows a network less well for one group, and which causes make it so.

Source: Mhasawade et al. (2024), arXiv 2401.14539. The paper's figures cannot be read off its plots, so its claims are
in words; the bars come from measurements with its generators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from explicate.attribution.lime_tabular import LIME
from explicate.benchmarks.explanation_disparity import (
    AdultConceptShift,
    AdultOmittedVariable,
    ConceptShiftDGP,
    CovariateShiftDGP,
    DisparityStudy,
    OmittedVariableDGP,
    SampleSizeDGP,
    recommendations,
)
from explicate.benchmarks.explanation_disparity.adult import Sensitive
from explicate.core import registry
from explicate.models.tiny.classifier import NetworkClassifier
from explicate.reproductions import explanation_disparities_claims as judged
from explicate.reproductions.claims import Claim, Context
from explicate.runtime.files import write_text

ADDITIVE = ("integrated-gradients", "smooth-grad", "kernel-shap")  # explained through their additive reconstruction


def reproduce(context: Context) -> Sequence[Claim]:
    """Run every study of the page and judge its bars."""
    import pandas as pd

    place = context.folder / "explanation-disparities"
    tables = {
        name: study.run(place / name, workers=context.workers, backend=context.backend)  # type: ignore[arg-type]
        for name, study in studies(context.smoke).items()
    }
    aside = ("fixed-radius", "one-data-set", "additive", "near", "small")
    main = {name: table for name, table in tables.items() if not name.startswith(aside)}
    everything = pd.concat(tables, names=["study", "row"]).reset_index("study")
    write_text(place / "gaps.csv", everything.to_csv(index=False))
    write_text(place / "recommendations.txt", "\n".join(recommendations(pd.concat(main.values()))) + "\n")
    return [
        *judged.concept_shift(tables["concept-shift"]),
        *judged.covariate_shift(tables["covariate-shift"]),
        *judged.small_network(tables["small-network"]),
        *judged.controls(main),
        judged.near(pd.concat([tables["near-covariate-shift"], tables["near-adult"]])),
        *judged.radius(tables["fixed-radius"]),
        *judged.without_bar(tables),
        *judged.adult(tables),
        judged.one_data_set(tables["one-data-set"], tables["concept-shift"]),
        *(claim for name, table in tables.items() if name.startswith("additive") for claim in judged.additive(table)),
    ]


def studies(smoke: bool = False) -> dict[str, DisparityStudy]:
    """The studies by name, those with bars first.

    Concept and covariate shift, which have bars, run on the whole grid of the page; of the others, whose effects are
    only reported, the ends of the grid and some strengths between them, to keep the whole under an hour of one core.
    `DisparityStudy` runs the whole grid unless told otherwise.
    """
    extremes = {"concept-shift": (1.5, -0.5), "covariate-shift": (-5.0, 1.75), "sample-size": (0.5, 0.05)}
    network = {"network": NetworkClassifier((50, 100, 200))}
    found = {
        "concept-shift": DisparityStudy(ConceptShiftDGP()),
        "covariate-shift": DisparityStudy(CovariateShiftDGP()),
        "fixed-radius": DisparityStudy(
            CovariateShiftDGP(),
            network,
            {"lime": LIME(), "lime-fixed": "fixed"},
            strengths=extremes["covariate-shift"],
            setups=(1,),
        ),
        "one-data-set": DisparityStudy(
            ConceptShiftDGP(), network, strengths=extremes["concept-shift"], setups=(2,), vary="explainer"
        ),
        "small-network": DisparityStudy(
            CovariateShiftDGP(), {"network": NetworkClassifier((32, 32), epochs=20)}, setups=(1,)
        ),
        "near-covariate-shift": DisparityStudy(
            CovariateShiftDGP(),
            {"logistic": NetworkClassifier(())},
            {"lime": judged.NEAR},
            strengths=extremes["covariate-shift"],
            setups=(1,),
        ),
        "sample-size": DisparityStudy(SampleSizeDGP(), strengths=(0.5, 0.3, 0.1, 0.05)),
        "omitted-variable": DisparityStudy(OmittedVariableDGP(), strengths=(0.0, 1.0, 2.0, 4.0)),
        "omitted-variable-control": DisparityStudy(OmittedVariableDGP(withhold=False), strengths=(0.0, 4.0)),
    }
    encoded = {
        "logistic": NetworkClassifier((), standardise=True),
        "network": NetworkClassifier((50, 100, 200), standardise=True),
    }
    groups: tuple[Sensitive, ...] = ("sex", "race")
    for sensitive in groups:
        shift, omitted = AdultConceptShift(sensitive, train=2500), AdultOmittedVariable(sensitive, train=2500)
        found[shift.label] = DisparityStudy(shift, encoded, strengths=(0.0, 0.3, 0.5))
        found[omitted.label] = DisparityStudy(omitted, encoded)
    found["near-adult"] = DisparityStudy(
        AdultOmittedVariable("race", train=2500), {"logistic": encoded["logistic"]}, {"lime": judged.NEAR}, setups=(2,)
    )
    known = set(registry.names("methods"))
    for name in ("lime", *(method for method in ADDITIVE if method in known)):
        found[f"additive-{name}"] = DisparityStudy(
            ConceptShiftDGP(),
            network,
            {name: registry.find(name)()},
            strengths=extremes["concept-shift"],
            setups=(2,),
            trials=5,
            points=200,
        )
    return {name: _small(study, extremes.get(name)) for name, study in found.items()} if smoke else found


def _small(study: DisparityStudy, strengths: tuple[float, ...] | None) -> DisparityStudy:
    """The same study with short training, few rows, points and neighbours: it proves that everything runs."""
    world: Any = study.world
    if isinstance(world, AdultConceptShift | AdultOmittedVariable):
        world = replace(world, train=1000, test=400)
    elif isinstance(world, SampleSizeDGP | CovariateShiftDGP):
        world = replace(world, train=3000, test=1000)
    else:
        world = replace(world, rows=3000)
    models = {
        name: model.__class__(model.hidden and (32, 32), epochs=20, learning_rate=3e-3, standardise=model.standardise)
        for name, model in study.models.items()
    }
    explainers = {name: _fewer(item) if name == "lime" else item for name, item in study.explainers.items()}
    chosen = strengths or study.strengths or study.world.grid()
    return replace(
        study,
        world=world,
        models=models,
        explainers=explainers,
        strengths=(chosen[0], chosen[-1]),
        trials=3,
        points=40 if "kernel-shap" in explainers else 200,
        permutations=5,
    )


def _fewer(lime: Any) -> LIME:
    return replace(lime, samples=max(200, lime.samples // 10) if lime.samples > LIME().samples else 200)
