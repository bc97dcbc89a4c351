"""Why local explanations are less faithful for one group than for another: worlds with one cause each, and a study.

Source: Mhasawade et al. (2024), "Understanding Disparities in Post Hoc Machine Learning Explanation", arXiv 2401.14539.

    table = DisparityStudy(ConceptShiftDGP(), strengths=(1.5, -0.5)).run()
    print(*recommendations(table), sep="\\n")
"""

from explicate.benchmarks.explanation_disparity.adult import AdultConceptShift, AdultOmittedVariable
from explicate.benchmarks.explanation_disparity.study import DisparityStudy
from explicate.benchmarks.explanation_disparity.summary import (
    effect,
    means,
    plot_gaps,
    recommendations,
    setup_effects,
    shift_effects,
)
from explicate.benchmarks.explanation_disparity.worlds import (
    ConceptShiftDGP,
    CovariateShiftDGP,
    OmittedVariableDGP,
    SampleSizeDGP,
    Split,
    World,
)

__all__ = [
    "AdultConceptShift",
    "AdultOmittedVariable",
    "ConceptShiftDGP",
    "CovariateShiftDGP",
    "DisparityStudy",
    "OmittedVariableDGP",
    "SampleSizeDGP",
    "Split",
    "World",
    "effect",
    "means",
    "plot_gaps",
    "recommendations",
    "setup_effects",
    "shift_effects",
]
