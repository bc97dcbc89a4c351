"""Two axes for explanations that a model gives of itself: are they what it computes, and do they convince?"""

from explicate.evaluation.self_explanation.faithfulness import FaithfulnessBattery
from explicate.evaluation.self_explanation.measured import Axis, Measured
from explicate.evaluation.self_explanation.plausibility import PlausibilityBattery
from explicate.evaluation.self_explanation.profile import (
    PROFILES,
    Movement,
    Quadrant,
    RequirementProfile,
    Verdict,
    compare,
    quadrant,
    read_profiles,
)
from explicate.evaluation.self_explanation.ratings import Ratings, read_form, write_form
from explicate.evaluation.self_explanation.respondent import Respondent

__all__ = [
    "PROFILES",
    "Axis",
    "FaithfulnessBattery",
    "Measured",
    "Movement",
    "PlausibilityBattery",
    "Quadrant",
    "Ratings",
    "RequirementProfile",
    "Respondent",
    "Verdict",
    "compare",
    "quadrant",
    "read_form",
    "read_profiles",
    "write_form",
]
