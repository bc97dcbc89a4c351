"""First weights from which a small decoder learns to bind within a minute of one core.

From usual first weights, heads that look a fixed number of tokens back and heads that match equal words take long to
appear. Here the first layer's heads begin as the former, all later ones as the latter, and values are copied;
what is done with them is left to training. Matching queries and keys, and copying values, are the start of Trockman and
Kolter (2023), "Mimetic Initialization of Self-Attention Layers"; the positional heads are added here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from explicate.errors import InputError
from explicate.runtime.seeds import derive_seed


@dataclass(frozen=True)
class BindingStart:
    """What `train_decoder(adapt=...)` takes so that training begins from such weights.

    All words share one direction, from which positional heads make their queries and keys. The later layers' heads
    match words in the subspace that the first layer's head of the same number copies.

    Parameters
    ----------
    seed : of the weights.
    back : heads of the first layer that look back, the first by one token, the second by two, and so on.
    spread : of the embeddings' entries. shared : length of the direction that all words share, over the rest of it.
    look, match, copied, written : gains of the positional heads, of queries and keys, of the first layer's values, and
        of all outputs.
    """

    seed: int = 0
    back: int = 4
    spread: float = 0.08
    shared: float = 0.5
    look: float = 2.0
    match: float = 1.0
    copied: float = 1.0
    written: float = 0.7

    def __call__(self, module: Any) -> Any:
        """The module with these first weights."""
        import torch

        config = module.config
        if config.num_attention_heads != config.num_key_value_heads or self.back > config.num_attention_heads:
            raise InputError(
                f"this start needs a key and value for each head, and at least {self.back} heads; the decoder has "
                f"{config.num_attention_heads} heads and {config.num_key_value_heads} keys and values"
            )
        heads, width = config.num_attention_heads, config.hidden_size
        rng = torch.Generator().manual_seed(derive_seed(self.seed, "binding start"))
        shared = torch.nn.functional.normalize(torch.randn(width, generator=rng), dim=0)

        def apart(weights: torch.Tensor) -> torch.Tensor:
            """Without the direction that all words share."""
            return weights - (weights @ shared)[:, None] * shared

        def subspace() -> torch.Tensor:
            return apart(torch.linalg.qr(torch.randn(width, width // heads, generator=rng))[0].T)

        with torch.no_grad():
            embedding = module.get_input_embeddings().weight
            own = apart(torch.randn(embedding.shape, generator=rng))
            embedding.copy_(self.spread * (own + self.shared * width**0.5 * shared))
            copied = [subspace() for _ in range(heads)]
            for layer, block in enumerate(module.base_model.layers):
                for head in range(heads):
                    part = slice(head * width // heads, (head + 1) * width // heads)
                    attention = block.self_attn
                    values = copied[head] if layer == 0 else subspace()
                    matched = subspace() if layer == 0 else copied[head]
                    attention.v_proj.weight[part] = (self.copied if layer == 0 else self.written) * values
                    attention.o_proj.weight[:, part] = self.written * values.T
                    attention.q_proj.weight[part] = self.match * matched
                    attention.k_proj.weight[part] = self.match * matched
                    if layer == 0 and head < self.back:
                        query, key = self._looking_back(head + 1, width // heads, float(rope_base(config)))
                        attention.q_proj.weight[part] = query[:, None] * shared
                        attention.k_proj.weight[part] = key[:, None] * shared
        return module

    def _looking_back(self, tokens: int, width: int, base: float) -> tuple[Any, Any]:
        """A query, and a key that after rotation is like it that many tokens back; the quickly turning pairs only."""
        import torch

        speeds = base ** (-torch.arange(0, width, 2) / width)
        turned = (speeds * tokens)[: max(1, 3 * width // 16)]
        query, key = torch.zeros(width), torch.zeros(width)
        query[: len(turned)] = self.look
        key[: len(turned)] = self.look * turned.cos()
        key[width // 2 : width // 2 + len(turned)] = self.look * turned.sin()
        return query, key


def rope_base(config: Any) -> float:
    """The base of a model's rotary positions."""
    return float(config.rope_parameters["rope_theta"])
