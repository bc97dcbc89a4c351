"""Models with random weights, which convert like trained ones, and one that was trained."""

import numpy as np
import pytest

pytest.importorskip("torch")

from explicate.data.language.sequence_tasks import TASKS
from explicate.glassbox.transformer_programs import TransformerProgram, TransformerProgramConfig

WORDS = ("<s>", "a", "b", 'c"', "d'")


def random_model(seed=0, words=WORDS, tags=("x", "y", "z"), context=7, **shape):
    """A model whose choices are all at random; its MLPs and classifier too."""
    import torch

    from explicate.models.tiny.programs.module import ProgramModule

    config = TransformerProgramConfig(**shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = ProgramModule(config, len(words), len(tags), context)
        with torch.no_grad():
            for block in module.blocks:
                for mlps in (block.mlps, block.number_mlps):
                    if mlps is not None:
                        mlps.first.mul_(3)
                if block.heads is not None:
                    block.heads.offsets.normal_(0, 5)
    return TransformerProgram(config, tuple(words), tuple(tags), context, module.eval())


def random_inputs(words=WORDS, context=7, each=60, seed=0):
    """Sequences of every length."""
    rng = np.random.default_rng(seed)
    return [
        [words[i] for i in rng.integers(len(words), size=length)]
        for length in range(1, context + 1)
        for _ in range(each)
    ]


@pytest.fixture(scope="session")
def counter():
    """A program that counts its first symbols: trained for a second, good but not perfect."""
    from dataclasses import replace

    from explicate.glassbox.transformer_programs import RECIPE

    rows = TASKS["hist"].examples(900, seed=0)
    config = TransformerProgramConfig(layers=1, categorical_heads=1, numeric_heads=1, categorical_mlps=0, hidden=16)
    return TransformerProgram.train(rows, config, replace(RECIPE, epochs=40, batch=128), cache=False), rows
