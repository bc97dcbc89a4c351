"""Weights rounded as a quantised model would hold them, for a while: what quantisation does, on any processor.

    with model.intervene(fake_quant(model, bits=8)):
        model.logits("The capital of France is")

The arithmetic stays in 32-bit floats, so this shows what the rounded weights do, not what integer kernels add to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from explicate.core.interventions import Edit, Together
from explicate.errors import InputError

if TYPE_CHECKING:
    from explicate.models.language.token_model import TokenModel

BITS = (4, 8, 16, 32)
Per = Literal["channel", "tensor"]


@dataclass(frozen=True, eq=False)
class Quantise(Edit):
    """Round a weight matrix: symmetric, steps of its largest absolute value; with 16 bits to the nearest bfloat16.

    Parameters
    ----------
    bits : 4, 8 or 16.
    per : whether each output "channel" (row) has its own step, or the whole "tensor" one.
    """

    bits: int = 8
    per: Per = "channel"

    def apply(self, activation: Any) -> Any:
        if self.bits == 16:
            import torch

            return activation.to(torch.bfloat16).to(activation.dtype)
        most = 2 ** (self.bits - 1) - 1
        sizes = activation.abs()
        largest = sizes.amax(dim=-1, keepdim=True) if self.per == "channel" else sizes.amax()
        step = (largest / most).clamp(min=1e-30)
        return (activation / step).round() * step


def fake_quant(model: TokenModel, bits: int = 8, per: Per = "channel") -> Together:
    """Interventions that round the weights of all linear maps but the unembedding, as LLM.int8() leaves that as it is.

    With 16 bits every weight becomes a bfloat16; with 32 nothing is changed.

    Source: Dettmers et al. (2022), "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", for absmax
    rounding by rows (without its outlier columns).
    """
    import torch

    if bits not in BITS:
        raise InputError(f"bits is {bits}; use one of {', '.join(map(str, BITS))}")
    if per not in ("channel", "tensor"):
        raise InputError(f"per {per!r} is unknown; use 'channel' or 'tensor'")
    if bits == 32:
        return Together(())
    if bits == 16:
        return Together(tuple(Quantise(name, bits=16) for name, _ in model.module.named_parameters()))
    last = getattr(model.module, "get_output_embeddings", lambda: None)()
    names = [
        f"{name}.weight"
        for name, module in model.module.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not last
    ]
    return Together(tuple(Quantise(name, bits=bits, per=per) for name in names))
