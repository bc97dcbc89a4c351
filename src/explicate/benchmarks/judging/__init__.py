"""Chat models as judges of replies, and what their grades are worth: calibration on known grades comes first."""

from explicate.benchmarks.judging.calibration import Calibration, calibrate
from explicate.benchmarks.judging.correction import Corrected, corrected_rate, prediction_powered
from explicate.benchmarks.judging.judge import Grade, Judge, Judged
from explicate.benchmarks.judging.known_grades import Gold, known_grades
from explicate.benchmarks.judging.panel import JudgePanel, PanelGrades

__all__ = [
    "Calibration",
    "Corrected",
    "Gold",
    "Grade",
    "Judge",
    "JudgePanel",
    "Judged",
    "PanelGrades",
    "calibrate",
    "corrected_rate",
    "known_grades",
    "prediction_powered",
]
