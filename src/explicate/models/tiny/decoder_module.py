"""The modules behind `explicate.models.tiny.decoder`; importing this imports torch and transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel
from transformers.models.llama.modeling_llama import LlamaMLP

if TYPE_CHECKING:
    from explicate.models.tiny.decoder import Decoder


class DecoderConfig(LlamaConfig):  # type: ignore[misc]
    """Llama's configuration with what a `Decoder` may do without."""

    model_type = "explicate_decoder"

    mlp_widths: list[int] | None = None
    learned_positions: bool = False
    with_norms: bool = True


class NoMlp(torch.nn.Module):
    """Writes nothing to the stream; its sites are there, and zero."""

    def __init__(self) -> None:
        super().__init__()
        self.down_proj = torch.nn.Identity()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Zeros of the shape of `states`."""
        found: torch.Tensor = self.down_proj(torch.zeros_like(states))
        return found


class NoRotation(torch.nn.Module):
    """Stands where the rotation is computed, and turns nothing."""

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width

    def forward(self, states: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of no angle, (sample, token, head width)."""
        ones = states.new_ones((*position_ids.shape, self.head_width))
        return ones, torch.zeros_like(ones)


class DecoderModel(LlamaModel):  # type: ignore[misc]
    """Llama's blocks, with learned positions, without norms or without some MLPs as the configuration says."""

    config_class = DecoderConfig

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.learned_positions = None
        if config.learned_positions:
            self.learned_positions = torch.nn.Embedding(config.max_position_embeddings, config.hidden_size)
            turning: Any = NoRotation(config.hidden_size // config.num_attention_heads)
            self.rotary_emb = turning
        for block, width in zip(self.layers, config.mlp_widths or (), strict=True):
            if width == 0:
                block.mlp = NoMlp()
            elif width != config.intermediate_size:
                own = LlamaConfig(**{**config.to_dict(), "intermediate_size": width})
                block.mlp = LlamaMLP(own)
            if not config.with_norms:
                block.input_layernorm = torch.nn.Identity()
                block.post_attention_layernorm = torch.nn.Identity()
        if not config.with_norms:
            none: Any = torch.nn.Identity()
            self.norm = none
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        **options: Any,
    ) -> Any:
        """As Llama's; learned positions are added to the embeddings."""
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        if self.learned_positions is not None:
            if position_ids is None:
                start = past_key_values.get_seq_length() if past_key_values is not None else 0
                columns = torch.arange(inputs_embeds.shape[1], device=inputs_embeds.device)
                position_ids = (start + columns)[None]
            inputs_embeds = inputs_embeds + self.learned_positions(position_ids)
        return super().forward(
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **options,
        )


class DecoderForCausalLM(LlamaForCausalLM):  # type: ignore[misc]
    """A `DecoderModel` and its unembedding."""

    config_class = DecoderConfig

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.model = DecoderModel(config)
        self.post_init()


def module_of(decoder: Decoder) -> Any:
    """An untrained module of this shape."""
    end = decoder.ids[decoder.end] if decoder.end else None
    common: dict[str, Any] = {
        "vocab_size": len(decoder.ids),
        "hidden_size": decoder.width,
        "intermediate_size": max(*decoder.mlp_widths, 1),
        "num_hidden_layers": decoder.layers,
        "num_attention_heads": decoder.heads,
        "num_key_value_heads": decoder.key_value_heads or decoder.heads,
        "max_position_embeddings": decoder.context,
        "initializer_range": decoder.width**-0.5,
        "tie_word_embeddings": decoder.tied,
        "pad_token_id": decoder.ids["<pad>"],
        "bos_token_id": None,
        "eos_token_id": end,
    }
    if decoder.standard:
        return LlamaForCausalLM(LlamaConfig(**common))
    config = DecoderConfig(
        **common,
        mlp_widths=list(decoder.mlp_widths),
        learned_positions=decoder.positions == "learned",
        with_norms=decoder.norm,
    )
    return DecoderForCausalLM(config)
