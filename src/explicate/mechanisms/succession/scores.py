"""Successor scores: how often a head's circuit answers a word of an ordered list with the next one.

The share of words whose successor has the largest logit *among the words of the same task and form*. Beside it stand
two rivals measured on the same words - copying and counting backwards - and chance. Source: Gould, Ong, Ogden, Conmy
(2023), "Successor Heads", section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.cost import measure
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.core.sites import Site
from explicate.data.language.succession import SuccessionDataset
from explicate.errors import InputError
from explicate.mechanisms.weights import TokenState, effective_ov
from explicate.models.language import LanguageModel
from explicate.runtime.statistics import Interval, proportion_interval

if TYPE_CHECKING:
    import pandas as pd

CUT_OFF = 0.5
"""Above it a head counts as a successor head."""


@register("successor-report", "kinds")
class SuccessorReport(Effects):
    """Which words each head answers with their successor.

    Variables
    ---------
    effect : (sample, layer, head), 1 where the successor wins. Samples are the words that have one.
    copying, predecessor : alike, 1 where the word itself wins, or the one before it.
    answer : (sample, layer, head), the winning word's number in the data set; -1 where several have the same logit.
    base_score : (sample,), what guessing gives: one over the number of words in the task.
    task, text, index : (sample,), of the word; `item` is its number in the data set, `successor` the next one's.
    """

    kind: ClassVar[str] = "successor-report"

    @property
    def score(self) -> xr.DataArray:
        """Successor score of each head (layer, head)."""
        return self.data["effect"].mean("sample")

    @property
    def chance(self) -> float:
        """What guessing gives, on average over the words."""
        return float(self.data["base_score"].mean())

    @property
    def best(self) -> Site:
        """The head of the highest score."""
        return self.strongest(1)[0]

    def of(self, head: Site) -> Floats:
        """1 and 0 for each word (sample,) of one head."""
        return np.asarray(self.data["effect"].sel(layer=head.layer, head=head.head).values)

    def interval(self, head: Site, seed: int = 0) -> Interval:
        """A head's score with its 95 % interval, by bootstrap over the words."""
        return proportion_interval(self.of(head), seed=seed)

    def rivals(self, head: Site) -> dict[str, float]:
        """A head's copying and predecessor scores on the same words."""
        own = self.data.sel(layer=head.layer, head=head.head)
        return {name: float(own[name].mean()) for name in ("copying", "predecessor")}

    def runner_up(self) -> tuple[Site, float]:
        """The second-best head and its score."""
        second = self.strongest(2)[-1]
        return second, float(self.of(second).mean())

    def successor_heads(self, cut_off: float = CUT_OFF) -> list[Site]:
        """The heads whose score is above the cut-off, best first."""
        return [site for site in self.strongest(self.score.size) if self.of(site).mean() > cut_off]

    def per_task(self, head: Site) -> pd.DataFrame:
        """One row per task: words, score, the rivals, chance."""
        own = self.data.sel(layer=head.layer, head=head.head)
        columns = {"score": "effect", "copying": "copying", "predecessor": "predecessor", "chance": "base_score"}
        frame = own[list(columns.values())].to_dataframe()[list(columns.values())]
        frame.columns = list(columns)
        frame["task"] = self.data["task"].values
        grouped = frame.groupby("task", sort=False)
        return grouped.mean().assign(words=grouped.size()).reset_index()

    def confusion(self, head: Site) -> pd.DataFrame:
        """How often each step from a word to the answer was made: 1 is the successor, 0 the word itself."""
        import pandas as pd

        own = self.data.sel(layer=head.layer, head=head.head)
        answers = own["answer"].values
        steps = np.where(answers >= 0, np.asarray(self.data.attrs["indices"])[answers] - own["index"].values, 0)
        names = np.where(answers >= 0, steps.astype(str), "none")
        return pd.crosstab(pd.Series(self.data["task"].values, name="task"), pd.Series(names, name="step"))


@dataclass(frozen=True)
class SuccessorScores(Parameterised):
    """Score every head of a model.

    Parameters
    ----------
    state : what the heads read of a word; see `explicate.mechanisms.weights.token_states`.
    """

    name: ClassVar[str] = "successor-scores"

    state: TokenState = "mlp0"

    def run(self, model: LanguageModel, data: SuccessionDataset) -> SuccessorReport:
        """Score all heads on all words that have a successor.

        Parameters
        ----------
        data : words as the model's tokens.

        Raises
        ------
        CapabilityError : the first block has no MLP and the state is made of its output.
        """
        following, before = data.next_to(), data.next_to(-1)
        samples = np.flatnonzero(following >= 0)
        if not len(samples):
            raise InputError("no word of the data set has a successor")
        with measure() as cost:
            logits = effective_ov(model, data.ids, state=self.state)
        answer = np.moveaxis(_answers(data, logits), -1, 0)[samples]
        sizes = np.array([len(task.items) for task in data.tasks])[data.task_of[samples]]
        dims = ("sample", "layer", "head")
        labels = [data.tasks[number].name for number in data.task_of[samples]]
        per_sample: dict[str, Any] = {
            "task": np.array(labels, dtype=object),
            "text": np.array([data.texts[item] for item in samples], dtype=object),
            "index": data.indices[samples],
            "item": samples,
            "successor": following[samples],
            "base_score": 1 / sizes,
            "inputs": data.ids[samples],
        }
        found = xr.Dataset(
            {
                "effect": (dims, _same(data, answer, following[samples])),
                "copying": (dims, _same(data, answer, samples)),
                "predecessor": (dims, _same(data, answer, before[samples])),
                "answer": (dims, answer),
                **{name: (("sample",), values) for name, values in per_sample.items()},
            },
            coords={"layer": np.arange(answer.shape[1]), "head": np.arange(answer.shape[2])},
            attrs={
                "part": "head_out",
                "metric": f"share of successors ({self.state})",
                "unit": "share of words answered with their successor",
                "indices": data.indices,
                "model_kind": "text",
            },
        )
        found = found.assign(target_name=(("sample",), per_sample["text"]))
        return SuccessorReport(found, Provenance.of(self, model, data.ids, cost))


def successor_scores(
    model: LanguageModel, data: SuccessionDataset | None = None, *, state: TokenState = "mlp0"
) -> SuccessorReport:
    """How often each head's circuit answers a word with its successor: `successor_scores(model).plot()`.

    Parameters
    ----------
    data : words as the model's tokens; default: the eight tasks of `SuccessionDataset`.
    state : what the heads read; see `explicate.mechanisms.weights.token_states`.
    """
    return SuccessorScores(state).run(model, data or SuccessionDataset.build(model))


def recurrence(
    models: Mapping[str, LanguageModel],
    data: Mapping[str, SuccessionDataset] | None = None,
    states: Sequence[TokenState] = ("mlp0",),
) -> pd.DataFrame:
    """The best head of each of several models, or of one at several steps of its training: a row each.

    Parameters
    ----------
    data : name of a model -> its words; default: the eight tasks.
    states : a row for each.
    """
    import pandas as pd

    rows = []
    for name, model in models.items():
        words = data[name] if data else SuccessionDataset.build(model)
        for state in states:
            report = SuccessorScores(state).run(model, words)
            interval = report.interval(report.best)
            second, score = report.runner_up()
            layers = report.score.median("head")
            others = [float(layers[layer]) for layer in range(len(layers)) if layer != report.best.layer]
            rows.append(
                {
                    "model": name,
                    "state": state,
                    "head": str(report.best),
                    "score": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                    **report.rivals(report.best),
                    "runner_up": str(second),
                    "runner_up_score": score,
                    "highest_median_of_other_layers": max(others, default=float("nan")),
                    "chance": report.chance,
                    "words": len(report),
                }
            )
    return pd.DataFrame(rows)


def winners(data: SuccessionDataset, logits: Floats, task: int) -> Array:
    """The number of the word with the largest logit (..., item of the task); -1 where another token has the same."""
    rows = np.flatnonzero(data.task_of == task)
    best = logits.argmax(axis=-1)
    top = np.take_along_axis(logits, best[..., None], axis=-1)
    ids = data.ids[rows]
    tied = ((logits == top) & (ids != ids[best][..., None])).any(axis=-1)
    return np.where(tied, -1, rows[best])


def _answers(data: SuccessionDataset, logits: Floats) -> Array:
    """Number of each item's winning word (layer, head, item) from logits (layer, head, item, item)."""
    found = np.empty(logits.shape[:-1], dtype=np.int64)
    for task in range(len(data.tasks)):
        rows = np.flatnonzero(data.task_of == task)
        found[..., rows] = winners(data, logits[..., rows[:, None], rows], task)
    return found


def _same(data: SuccessionDataset, answer: Array, wanted: Array) -> Floats:
    """1 where the answer's token is the wanted word's; words that are not there (-1) are never the answer."""
    both: Masks = (answer >= 0) & (wanted >= 0)[:, None, None]
    return np.asarray(both & (data.ids[answer] == data.ids[wanted][:, None, None]), dtype=float)
