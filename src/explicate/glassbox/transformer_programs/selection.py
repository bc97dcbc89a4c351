"""Several seeds, of which the best on validation data is taken: programs differ a lot from seed to seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from explicate.data.language.tagged import Tagged
from explicate.errors import InputError
from explicate.glassbox.transformer_programs.analysis import accuracy
from explicate.glassbox.transformer_programs.model import RECIPE, TransformerProgram
from explicate.models.tiny.programs import TransformerProgramConfig
from explicate.models.tiny.training import Recipe


@dataclass(frozen=True, eq=False)
class Selection:
    """Models of several seeds.

    Attributes
    ----------
    models : seed -> model. validation : seed -> token accuracy on the validation data.
    """

    models: dict[int, TransformerProgram]
    validation: dict[int, float]

    @property
    def seed(self) -> int:
        """The seed with the highest validation accuracy, the first of several."""
        return max(self.validation, key=lambda one: self.validation[one])

    @property
    def best(self) -> TransformerProgram:
        """The model of that seed."""
        return self.models[self.seed]


def best_of(
    training: Sequence[Tagged],
    validation: Sequence[Tagged],
    config: TransformerProgramConfig | None = None,
    recipe: Recipe = RECIPE,
    seeds: Sequence[int] = range(5),
    **options: Any,
) -> Selection:
    """Train with each seed and measure on validation data; what was chosen on them is measured on others.

    Parameters
    ----------
    options : as `TransformerProgram.train` takes them.

    Raises
    ------
    InputError : no seeds, or no validation data.
    """
    if not seeds or not validation:
        raise InputError(f"{len(seeds)} seeds and {len(validation)} validation sequences; give at least one of each")
    models = {
        seed: TransformerProgram.train(training, config, dataclasses.replace(recipe, seed=seed), **options)
        for seed in seeds
    }
    return Selection(models, {seed: accuracy(model.program, validation) for seed, model in models.items()})
