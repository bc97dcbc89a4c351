"""Low-rank adapters for small decoders: a few weights are trained, then merged into the model's own.

Source: Hu et al. (2022), "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1; the adapters are `peft`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from explicate.errors import MissingDependencyError
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
        import torch

        try:
            from peft import LoraConfig, get_peft_model
        except ImportError as error:
            raise MissingDependencyError("low-rank adapters need peft: pip install 'explicate[adapters]'") from error
        config = LoraConfig(r=self.rank, lora_alpha=self.scale, target_modules=list(self.modules), bias="none")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return get_peft_model(module, config)


def merged(trained: Trained) -> LanguageModel:
    """A handle on the decoder with its adapters added into its own weights: a plain model of the same shape."""
    module = trained.model.module.merge_and_unload()
    return trained.decoder.handle(module.eval(), trained.model.name)
