"""Dose and response: what a direction does to the next token at each strength, and what it costs elsewhere.

Choose the strength on one half of the data and test it on the other: of twenty strengths one always looks better.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.kinds import Direction, DoseResponse
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.evaluation.distribution_shift import divergence, entropy
from explicate.mechanisms.results import prompts
from explicate.mechanisms.steering import relative_sizes, steer, swept_strengths
from explicate.mechanisms.steering.interventions import Where
from explicate.models.language import LanguageModel
from explicate.models.language.tokens import ABSENT
from explicate.runtime.statistics import Interval, mcnemar, paired_difference, proportion_interval

if TYPE_CHECKING:
    import torch

GRID = tuple(round(-1 + 0.1 * step, 1) for step in range(21))
"""From -1 to 1 in steps of 0.1, the paper's figures."""
NORMED = 64  # prompts on which the length of activations is measured where a direction does not say it

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class StrengthSweep(Parameterised):
    """Add a direction at each of many strengths.

    Parameters
    ----------
    strengths : see `GRID`; 0 is the untouched model.
    tokens, keep_norm : see `steer`.
    """

    name: ClassVar[str] = "strength-sweep"

    strengths: tuple[float, ...] = GRID
    tokens: Where = "all"
    keep_norm: bool = False

    def run(
        self,
        model: LanguageModel,
        inputs: Any,
        direction: Direction,
        *,
        answers: Sequence[Any] | None = None,
        correct: Sequence[int | str] | None = None,
        neutral: Sequence[str] = (),
    ) -> DoseResponse:
        """Measure it.

        Parameters
        ----------
        inputs : prompts. direction : all its sites are steered at once.
        answers : texts or token ids that are possible, the same for all prompts, or a list for each; of each its first
            token counts.
        correct : the right one of each prompt, as text or as place among the answers.
        neutral : texts of at least four tokens that have nothing to do with the task, to see what else changes: the
            divergence is that of the token after each text's first half, the loss is that of its second half.

        Raises
        ------
        InputError : answers whose first tokens coincide; a strength that is no number.
        """
        import torch

        ids = prompts(model, inputs)
        tokens = None if answers is None else answer_tokens(model, answers, len(ids))
        right = None if tokens is None or correct is None else _places(model, answers, correct, len(ids))
        chosen = None if tokens is None else torch.as_tensor(tokens)

        def figures(before: torch.Tensor, after: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
            found = [divergence(before, after), entropy(after), after.argmax(-1).to(after.dtype)]
            columns = torch.stack(found, dim=-1)
            if chosen is None:
                return columns
            shares = after.gather(-1, chosen.to(after.device)[samples]).exp()
            return torch.cat([columns, shares], dim=-1)

        with measure() as cost:
            found = swept_strengths(
                model, ids, direction, self.strengths, figures, tokens=self.tokens, keep_norm=self.keep_norm
            )
            sizes = relative_sizes(_with_lengths(direction, model, ids), list(self.strengths))
            others = self._neutral(model, direction, neutral)
        values = found.values
        values[np.asarray(self.strengths) == 0, :, 0] = 0.0  # nothing was changed, so rounding is all there could be
        both = ("strength", "sample")
        data = xr.Dataset(
            {
                "divergence": (both, values[..., 0]),
                "entropy": (both, values[..., 1]),
                "top": (both, values[..., 2].astype(np.int64)),
                "relative_size": (("strength", "site"), sizes),
            },
            coords={"strength": list(self.strengths), "site": [str(site) for site in direction.sites]},
            attrs={
                "direction": f"{direction.data.attrs.get('how', '')} ({direction.provenance.method})",
                "tokens": self.tokens,
                "way": found.way,
                "drift": found.drift,
                "forwards": round(found.forwards, 3),
            },
        )
        if tokens is not None:
            data["answer_mass"] = (("strength", "sample", "answer"), values[..., 3:])
            data["answer_token"] = (("sample", "answer"), tokens)
        if right is not None:
            data["correct"] = (("sample",), right)
        for name, figures_of_texts in others.items():
            data[name] = (("strength", "text"), figures_of_texts)
        return DoseResponse(data, Provenance.of(self, model, ids, cost))

    def _neutral(self, model: LanguageModel, direction: Direction, texts: Sequence[str]) -> dict[str, Floats]:
        """Nats a token of each text's second half, and the divergence of its first token: (strength, text) each."""
        if not texts:
            return {}
        beginnings, ends = _halves(model, texts)
        losses = []
        for strength in self.strengths:
            with model.intervene(steer(direction, strength, tokens=self.tokens, keep_norm=self.keep_norm)):
                losses.append([-float(values.mean()) for values in model.log_probabilities(beginnings, ends)])

        def figures(before: torch.Tensor, after: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
            return divergence(before, after)[..., None]

        options: dict[str, Any] = {"tokens": self.tokens, "keep_norm": self.keep_norm}
        ids = model.encode(beginnings)
        shifts = swept_strengths(model, ids, direction, self.strengths, figures, **options).values[..., 0]
        shifts[np.asarray(self.strengths) == 0] = 0.0
        return {"neutral_loss": np.array(losses), "neutral_divergence": shifts}


def dose_response(
    model: LanguageModel,
    inputs: Any,
    direction: Direction,
    strengths: Sequence[float] = GRID,
    *,
    answers: Sequence[Any] | None = None,
    correct: Sequence[int | str] | None = None,
    neutral: Sequence[str] = (),
    tokens: Where = "all",
    keep_norm: bool = False,
) -> DoseResponse:
    """What a direction does at each strength; see `StrengthSweep`. Print `.to_frame()`, or draw `.plot()`."""
    method = StrengthSweep(tuple(float(strength) for strength in strengths), tokens, keep_norm)
    return method.run(model, inputs, direction, answers=answers, correct=correct, neutral=neutral)


def _halves(model: LanguageModel, texts: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
    """The first and the second halves of texts, as ids."""
    halves = []
    for row in model.encode(list(texts)):
        text = row[row != ABSENT]
        if len(text) < 4:
            raise InputError(f"a neutral text of {len(text)} tokens is too short; give at least 4")
        halves.append((text[: len(text) // 2].tolist(), text[len(text) // 2 :].tolist()))
    return [beginning for beginning, _ in halves], [end for _, end in halves]


# -- choosing and testing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice(Generic[Name]):
    """A direction and a strength, chosen on validation prompts.

    Attributes
    ----------
    name, strength : which. accuracy : its validation accuracy. plain : that of strength 0.
    """

    name: Name
    strength: float
    accuracy: float
    plain: float


def chosen_strength(responses: Mapping[Name, DoseResponse]) -> Choice[Name]:
    """The most accurate strength of all responses; of equals the one with the smallest mean divergence.

    Strength 0 is among the candidates, so that nothing is changed where nothing helps.
    """
    best: tuple[float, float] | None = None
    found: tuple[Name, float] | None = None
    for name, response in responses.items():
        accuracy, price = response.right.mean(axis=1), response["divergence"].values.mean(axis=1)
        for strength, value, cost in zip(response.strengths, accuracy, price, strict=True):
            if best is None or (value, -cost) > best:
                best, found = (float(value), -float(cost)), (name, float(strength))
    if best is None or found is None:
        raise InputError("no responses to choose from")
    first = responses[found[0]]
    return Choice(found[0], found[1], best[0], float(first.right[first.place(0.0)].mean()))


@dataclass(frozen=True)
class Tested:
    """One strength against strength 0 on the same prompts.

    Attributes
    ----------
    accuracy, plain : with their 95 % intervals. difference : paired. p : McNemar's exact test of the flips.
    gained, lost : samples from wrong to right, and from right to wrong.
    """

    accuracy: Interval
    plain: Interval
    difference: Interval
    p: float
    gained: int
    lost: int


def against_plain(response: DoseResponse, strength: float, clusters: Sequence[Any] | None = None) -> Tested:
    """Test a strength that was chosen on other prompts.

    Parameters
    ----------
    clusters : which samples belong together (questions about one story); each stands alone where not given.
    """
    after = response.right[response.place(strength)].astype(float)
    before = response.right[response.place(0.0)].astype(float)
    gained, lost = response.flips(strength)
    return Tested(
        proportion_interval(after, clusters=clusters),
        proportion_interval(before, clusters=clusters),
        paired_difference(after, before, clusters=clusters),
        mcnemar(before, after),
        gained,
        lost,
    )


# -- answers -----------------------------------------------------------------------------------------------------------


def answer_tokens(model: LanguageModel, answers: Sequence[Any], count: int) -> Array:
    """First tokens of the answers, with their leading space: (sample, answer).

    Raises
    ------
    InputError : two answers of a prompt begin with the same token, so that neither could be told from the other.
    """
    each = [answers] * count if not _nested(answers) else list(answers)
    if len(each) != count or len({len(own) for own in each}) != 1:
        raise InputError(
            f"answers for {len(each)} of {count} prompts; give one list for all, or as many for each prompt"
        )
    known: dict[Any, int] = {}
    found = np.array([[_first(model, answer, known) for answer in own] for own in each], dtype=np.int64)
    for own, row in zip(each, found, strict=True):
        if len(np.unique(row)) < len(row):
            same = [str(answer) for answer, token in zip(own, row, strict=True) if (row == token).sum() > 1]
            raise InputError(f"the answers {', '.join(same)} begin with the same token; choose others")
    return found


def _first(model: LanguageModel, answer: Any, known: dict[Any, int]) -> int:
    if not isinstance(answer, str):
        return int(answer)
    if answer not in known:
        ids = model.tokenizer(" " + answer.strip(), add_special_tokens=False)["input_ids"]
        if not len(ids):
            raise InputError(f"the answer {answer!r} has no token")
        known[answer] = int(ids[0])
    return known[answer]


def _nested(answers: Sequence[Any]) -> bool:
    return bool(len(answers)) and not isinstance(answers[0], str) and np.ndim(answers[0]) == 1


def _places(model: LanguageModel, answers: Any, correct: Sequence[int | str], count: int) -> Array:
    if len(correct) != count:
        raise InputError(f"{len(correct)} right answers for {count} prompts")
    each = [list(answers)] * count if not _nested(answers) else [list(own) for own in answers]
    found = []
    for own, right in zip(each, correct, strict=True):
        if isinstance(right, str) and right not in own:
            raise InputError(f"the right answer {right!r} is not among {', '.join(map(str, own))}")
        place = own.index(right) if isinstance(right, str) else int(right)
        if not 0 <= place < len(own):
            raise InputError(f"the right answer's place {place} is outside the {len(own)} answers")
        found.append(place)
    return np.array(found, dtype=np.int64)


def _with_lengths(direction: Direction, model: LanguageModel, ids: Array) -> Direction:
    """The direction, with the typical length of the activations at its sites, at the prompts' last tokens."""
    if "typical_length" in direction.data:
        return direction
    wanted = [Site(site.kind, site.layer, site.head, (-1,)) for site in direction.sites]
    seen = model.capture(ids[:NORMED], wanted)
    lengths = [float(np.linalg.norm(seen[site], axis=-1).mean()) for site in wanted]
    return Direction(direction.data.assign(typical_length=(("site",), lengths)), direction.provenance)
