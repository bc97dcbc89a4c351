"""A control for successor heads: without the head, does the successor come out of the representation anyway?

An affine map from what the head reads to the last state, fitted by ridge regression on running text, and then the
model's own norm and unembedding: a lens in the manner of Belrose et al. (2023), "Eliciting Latent Predictions from
Transformers with the Tuned Lens", in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.sites import Site
from explicate.mechanisms.results import prompts
from explicate.mechanisms.succession.heads import SuccessorHead
from explicate.mechanisms.succession.scores import winners
from explicate.models.language import LanguageModel


@dataclass(frozen=True, eq=False)
class AffineLens:
    """A state as the last state that it becomes: x weight + bias.

    Attributes
    ----------
    weight : (width, width). bias : (width,). explained : share of the last states' variance, on the texts of the fit.
    """

    weight: Floats
    bias: Floats
    explained: float

    def __call__(self, states: Floats) -> Floats:
        """States (..., width) as last states."""
        return np.asarray(states @ self.weight + self.bias)


def affine_lens(model: LanguageModel, texts: Any, site: str = "L0.mlp_out", penalty: float = 1e-3) -> AffineLens:
    """Fit a lens at a site on all tokens of texts.

    Parameters
    ----------
    penalty : of the ridge regression, relative to the mean variance of the states.
    """
    ids = prompts(model, texts)
    start, end = Site.parse(site), Site("resid_post", model.layer_count - 1)
    seen = model.capture(ids, [start, end])
    there = ids >= 0
    before, after = (seen[each][there].astype(np.float64) for each in (start, end))
    middle, goal = before.mean(axis=0), after.mean(axis=0)
    centred = before - middle
    gram = centred.T @ centred
    gram += penalty * np.trace(gram) / len(gram) * np.eye(len(gram))
    weight = np.linalg.solve(gram, centred.T @ (after - goal))
    error = ((after - goal - centred @ weight) ** 2).sum()
    return AffineLens(weight, goal - middle @ weight, float(1 - error / ((after - goal) ** 2).sum()))


def lens_successors(lens: AffineLens, head: SuccessorHead) -> dict[str, float]:
    """How often the successor comes out of a word's representation through the lens alone.

    Returns
    -------
    "vocabulary" : the share of words whose successor has the largest logit of all tokens. "task" : of the words of its
    task. "itself" : as "task", for the word itself.
    """
    data, following = head.data, head.data.next_to()
    items = np.flatnonzero(following >= 0)
    normed = head.circuit.normed(lens(head.inputs[items]))
    logits = normed @ head.circuit.unembedding.T
    answers = np.empty(len(items), dtype=np.int64)
    for task in np.unique(data.task_of[items]):
        own = data.task_of[items] == task
        rows = np.flatnonzero(data.task_of == task)
        answers[own] = winners(data, logits[own][:, data.ids[rows]], int(task))
    return {
        "vocabulary": float((logits.argmax(axis=1) == data.ids[following[items]]).mean()),
        "task": float(head.is_word(answers, following[items]).mean()),
        "itself": float(head.is_word(answers, items).mean()),
    }
