"""The paper's experiments by name, each one call of `detect`; models are compared by `similarity`.

Source: Simhi et al. (2024), arXiv 2410.22071, sections 4 to 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explicate.benchmarks.wack.dataset import PROBED, Label
from explicate.benchmarks.wack.detection import Examples, ProbePlan, detect

if TYPE_CHECKING:
    import pandas as pd

ERRORS: tuple[Label, ...] = ("correct", "HK+")
"""What is told apart where ignorance plays no part."""


def three_way(examples: Examples, plan: ProbePlan = ProbePlan()) -> pd.DataFrame:
    """Correct, HK+ and HK- told apart, and each pair of them."""
    return detect(examples, {"specific": examples}, labels=PROBED, plan=plan)


def transfer(other: Examples, test: Examples, plan: ProbePlan = ProbePlan()) -> pd.DataFrame:
    """Correct against HK+ in one setting, learned there ("same setting") or in the other ("other setting").

    Questions that are tested are left out of both.
    """
    return detect(test, {"same setting": test, "other setting": other}, labels=ERRORS, plan=plan)


def specific_against_generic(specific: Examples, generic: Examples, plan: ProbePlan = ProbePlan()) -> pd.DataFrame:
    """Correct against HK+ of the model's own, learned from its own ("specific") or from the generic set ("generic")."""
    return detect(specific, {"specific": specific, "generic": generic}, labels=ERRORS, plan=plan)


def before_the_answer(pre: Examples, post: Examples, generic: Examples, plan: ProbePlan = ProbePlan()) -> pd.DataFrame:
    """Correct against HK+ before the answer, learned before it, after it, or from the generic set.

    Parameters
    ----------
    pre, post : the model's own examples before and after the answer. generic : after the answer.
    """
    sources = {"pre-answer specific": pre, "post-answer generic": generic, "post-answer specific": post}
    return detect(pre, sources, labels=ERRORS, plan=plan)
