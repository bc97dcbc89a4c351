"""Forms to print: a study on paper, one page of HTML for each method, in the order in which it is taken."""

from __future__ import annotations

from pathlib import Path

from explicate.evaluation.simulatability.study import RATING_QUESTION, RATINGS, SimulationStudy
from explicate.report.document import page_environment
from explicate.runtime.files import make_folder, write_text


def simulation_form(study: SimulationStudy, method: str, seed: int = 0) -> str:
    """All that one reader of a method sees, with places to tick; it holds no truth that the test does not show."""
    parts = [
        (test.name, phase, test.shown(phase, method, seed)) for test in study.tests for phase in test.phases
    ]  # fmt: skip
    return page_environment().get_template("simulation_form.html").render(
        study=study, parts=parts, ratings=range(RATINGS[0], RATINGS[1] + 1), question=RATING_QUESTION
    )  # fmt: skip


def save_forms(study: SimulationStudy, folder: str | Path, seed: int = 0) -> list[Path]:
    """Write `form-METHOD.html` for each method."""
    folder = make_folder(folder)
    return [
        write_text(folder / f"form-{method}.html", simulation_form(study, method, seed)) for method in study.methods
    ]
