"""Low-rank adapters for small decoders: a few weights are trained, then merged into the model's own.

Source: Hu et al. (2022), "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1; the adapters are `peft`'s.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from explicate.errors import InputError, MissingDependencyError
from explicate.models.language import LanguageModel
from explicate.models.tiny.language import Trained


@dataclass(frozen=True)
class LowRankAdapters:
    """What `train_decoder(adapt=...)` takes so that adapters alone are trained.

    Parameters
    ----------
    rank : of each adapter. scale : by which its output is multiplied, over the rank.
    modules : the maps that get one.
    """

    rank: int = 16
    scale: int = 32
    modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

    def __call__(self, module: Any) -> Any:
        """The module with adapters; its own weights are frozen."""
        return with_adapters(module, rank=self.rank, scale=self.scale, modules=self.modules)


def with_adapters(
    module: Any, *, rank: int, scale: int, modules: Sequence[str], dropout: float = 0.0, seed: int = 0
) -> Any:
    """A module with adapters, their first values drawn with the seed; its own weights are frozen.

    Raises
    ------
    InputError : the module has no such maps.
    """
    import torch

    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingDependencyError("low-rank adapters need peft: pip install 'explicate[adapters]'") from error
    config = LoraConfig(r=rank, lora_alpha=scale, lora_dropout=dropout, target_modules=list(modules), bias="none")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a name in transformers that peft still uses
        torch.manual_seed(seed)
        try:
            return get_peft_model(module, config)
        except ValueError as error:
            raise InputError(
                f"{type(module).__name__} has no modules {', '.join(modules)} that adapters fit"
            ) from error


def merged(trained: Trained) -> LanguageModel:
    """A handle on the decoder with its adapters added into its own weights: a plain model of the same shape."""
    module = trained.model.module.merge_and_unload()
    return trained.decoder.handle(module.eval(), trained.model.name)
