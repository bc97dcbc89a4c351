"""Tracing a fact: where an answer is restored from, from where the last token reads it, and when it is there."""

from explicate.mechanisms.tracing.causal_tracing import PLACES, CausalTracing, causal_trace, subject_spans
from explicate.mechanisms.tracing.extraction import Extraction, extraction_rate
from explicate.mechanisms.tracing.information_flow import InformationFlow, information_flow
from explicate.mechanisms.tracing.knockout import AttentionKnockout, Cut, cuts, knock_out_attention
from explicate.mechanisms.tracing.summary import Peak, TraceSummary, summed_up

__all__ = [
    "PLACES",
    "AttentionKnockout",
    "CausalTracing",
    "Cut",
    "Extraction",
    "InformationFlow",
    "Peak",
    "TraceSummary",
    "causal_trace",
    "cuts",
    "extraction_rate",
    "information_flow",
    "knock_out_attention",
    "subject_spans",
    "summed_up",
]
