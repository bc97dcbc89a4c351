"""Ready networks: trained on Odeen when they are first asked for, and read from the user's cache after that."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Literal

from explicate.data.odeen import ODEEN_PAPER, ODEEN_SMALL, OdeenSplit, Phenomena
from explicate.errors import InputError
from explicate.glassbox.explanatory.baselines import EmpiricistBaseline
from explicate.glassbox.explanatory.conjectures import GENERATOR_RECIPE, PAPER_GENERATOR_RECIPE, ConjectureGenerator
from explicate.glassbox.explanatory.interpreter import (
    INTERPRETER_RECIPE,
    PAPER_INTERPRETER_RECIPE,
    RuleInterpreter,
)
from explicate.glassbox.explanatory.network import CriticalRationalistNetwork
from explicate.glassbox.explanatory.shapes import (
    PAPER_GENERATOR,
    PAPER_INTERPRETER,
    SMALL_INTERPRETER,
    SMALL_SHAPE,
    NetworkShape,
)
from explicate.glassbox.explanatory.words import Words
from explicate.models.tiny.descent import DecoderRecipe


@dataclass(frozen=True)
class Configuration:
    """Data, sizes and trainings of a Critical Rationalist Network and its rivals.

    Parameters
    ----------
    split : the phenomena. interpreter, generator : sizes; the rivals have the generator's.
    interpreter_recipe, generator_recipe : trainings; the rivals have the generator's.
    """

    split: OdeenSplit = ODEEN_SMALL
    interpreter: NetworkShape = SMALL_INTERPRETER
    generator: NetworkShape = SMALL_SHAPE
    interpreter_recipe: DecoderRecipe = INTERPRETER_RECIPE
    generator_recipe: DecoderRecipe = GENERATOR_RECIPE

    def seeded(self, seed: int) -> Configuration:
        """The same with other draws: of the data, the first weights and the batches."""
        return dataclasses.replace(
            self,
            split=dataclasses.replace(self.split, seed=seed),
            interpreter_recipe=dataclasses.replace(self.interpreter_recipe, seed=seed),
            generator_recipe=dataclasses.replace(self.generator_recipe, seed=seed),
        )

    def phenomena(self) -> dict[str, Phenomena]:
        """The parts "training", "validation" and "test"; the last drawn ones are kept."""
        return _drawn(self.split)

    def words(self) -> Words:
        """The words of the training rules."""
        return Words.of(self.phenomena()["training"].rules)

    def trained_interpreter(self) -> RuleInterpreter:
        """The interpreter."""
        data = self.phenomena()
        return RuleInterpreter.train(
            data["training"], data["validation"], shape=self.interpreter, recipe=self.interpreter_recipe
        )

    def trained_generator(self) -> ConjectureGenerator:
        """The conjecture generator."""
        data = self.phenomena()
        return ConjectureGenerator.train(
            data["training"],
            data["validation"],
            shape=self.generator,
            recipe=self.generator_recipe,
            size=self.split.table,
        )

    def trained_rival(self, empiricist: Literal["rules", "labels"]) -> EmpiricistBaseline:
        """An empiricist; the conscious one is `EmpiricistBaseline("conscious", trained_generator())`."""
        data = self.phenomena()
        return EmpiricistBaseline.train(
            empiricist,
            data["training"],
            data["validation"],
            shape=self.generator,
            recipe=self.generator_recipe,
            size=self.split.table,
        )

    def network(
        self, beam: int = 300, *, find_nearest: bool = True, allow_noise: bool = False
    ) -> CriticalRationalistNetwork:
        """The Critical Rationalist Network; trains what is not in the cache."""
        generator, interpreter = self.trained_generator(), self.trained_interpreter()
        return CriticalRationalistNetwork(generator, interpreter, beam, find_nearest, allow_noise)


SMALL = Configuration()
"""For one processor core: rules without connectives, a quarter of an hour."""

PAPER = Configuration(ODEEN_PAPER, PAPER_INTERPRETER, PAPER_GENERATOR, PAPER_INTERPRETER_RECIPE, PAPER_GENERATOR_RECIPE)
"""The paper's, for machines with an accelerator's patience."""

_CONFIGURATIONS = {"small": SMALL, "paper": PAPER}


def odeen_network(
    name: str = "small",
    *,
    seed: int = 0,
    beam: int = 300,
    find_nearest: bool = True,
    allow_noise: bool = False,
) -> CriticalRationalistNetwork:
    """A ready network for Odeen; the first call trains it, which takes a quarter of an hour (or, "paper", days).

    Parameters
    ----------
    seed : of its data and training. The rest as in `CriticalRationalistNetwork`.
    """
    if name not in _CONFIGURATIONS:
        raise InputError(f"no configuration named {name!r}; there are {', '.join(_CONFIGURATIONS)}")
    configuration = _CONFIGURATIONS[name].seeded(seed)
    return configuration.network(beam, find_nearest=find_nearest, allow_noise=allow_noise)


@cache
def _drawn(split: OdeenSplit) -> dict[str, Phenomena]:
    return split.draw()
