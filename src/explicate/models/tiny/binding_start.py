"""First weights from which a small decoder learns to bind within seconds.

From usual first weights it takes tens of minutes of one core until heads appear that look a fixed number of tokens
back, and heads that match words. Here they are there from the start, for every pair of distances: the first layer's
heads carry what stands one, two, ... tokens back; each later head looks for the word that one of them carries, and
passes on what another of them carried there. Which of them serve a task, and how they work together, is left to
training. That queries and keys match and that values copy is the start of Trockman and Kolter (2023), "Mimetic
Initialization of Self-Attention Layers"; the distances are added here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from explicate.errors import InputError
from explicate.runtime.seeds import derive_seed


@dataclass(frozen=True)
class BindingStart:
    """What `train_decoder(adapt=...)` takes so that training begins from such weights.

    All words share one direction, from which the first layer's heads make their queries and keys.

    Parameters
    ----------
    seed : of the weights.
    back : heads of the first layer that look back, the first by one token, the second by two, and so on.
    spread : of the embeddings' entries. shared : length of the direction that all words share, over the rest of it.
    look, match : gains of queries and keys in the first layer, and in later ones.
    moved, written : gains of the outputs there.
    """

    seed: int = 0
    back: int = 4
    spread: float = 0.2
    shared: float = 0.5
    look: float = 2.0
    match: float = 3.0
    moved: float = 1.0
    written: float = 0.4

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
            words = apart(torch.randn(embedding.shape, generator=rng))
            embedding.copy_(self.spread * (words + self.shared * width**0.5 * shared))
            slow = (torch.arange(width // heads) % (width // heads // 2) >= self._quick(width // heads)).float()
            own = [subspace() for _ in range(self.back)]
            moved = [subspace() for _ in range(self.back)]
            for layer, block in enumerate(module.base_model.layers):
                for head in range(heads):
                    part = slice(head * width // heads, (head + 1) * width // heads)
                    attention = block.self_attn
                    if layer == 0 and head < self.back:
                        query, key = self._looking_back(head + 1, width // heads, rope_base(config))
                        attention.q_proj.weight[part] = query[:, None] * shared
                        attention.k_proj.weight[part] = key[:, None] * shared
                        attention.v_proj.weight[part] = own[head]
                        attention.o_proj.weight[:, part] = self.moved * moved[head].T
                    elif layer > 0:
                        number = (layer - 1) * heads + head
                        asked, taken = number // self.back % self.back, number % self.back
                        attention.q_proj.weight[part] = self.match * slow[:, None] * moved[asked]
                        attention.k_proj.weight[part] = self.match * slow[:, None] * own[asked]
                        attention.v_proj.weight[part] = moved[taken]
                        attention.o_proj.weight[:, part] = self.written * own[taken].T
        return module

    def _looking_back(self, tokens: int, width: int, base: float) -> tuple[Any, Any]:
        """A query, and a key that after rotation is like it that many tokens back; the quickly turning pairs only."""
        import torch

        speeds = base ** (-torch.arange(0, width, 2) / width)
        turned = (speeds * tokens)[: self._quick(width)]
        query, key = torch.zeros(width), torch.zeros(width)
        query[: len(turned)] = self.look
        key[: len(turned)] = self.look * turned.cos()
        key[width // 2 : width // 2 + len(turned)] = self.look * turned.sin()
        return query, key

    def _quick(self, width: int) -> int:
        """How many pairs of a head's entries turn quickly: they tell neighbours apart, the others words."""
        return max(1, 3 * width // 16)


def rope_base(config: Any) -> float:
    """The base of a model's rotary positions."""
    return float(config.rope_parameters["rope_theta"])
