"""Tracing where information flows: cutting attention between tokens."""

from explicate.mechanisms.tracing.knockout import AttentionKnockout, Cut, knock_out_attention

__all__ = ["AttentionKnockout", "Cut", "knock_out_attention"]
