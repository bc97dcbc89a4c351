"""Channels between heads: found by weights, checked by effect, walked through, steered along, edited.

Source: Merullo, Eickhoff, Pavlick (2024), "Talking Heads: Understanding Inter-layer Communication in Transformer
Language Models".
"""

from explicate.mechanisms.channels.attention_of import attention_under
from explicate.mechanisms.channels.causal_scores import (
    Agreement,
    CausalScores,
    agreement,
    direct_scores,
    total_scores,
)
from explicate.mechanisms.channels.channel import Channel, ChannelSubspace, channels
from explicate.mechanisms.channels.edit import GAMMAS, channel_edit, keep_only, read_edit
from explicate.mechanisms.channels.naming import NamedHeads, name_heads
from explicate.mechanisms.channels.natural_text import Written, most_written, share_repeated
from explicate.mechanisms.channels.rerun import Rerun, rerun
from explicate.mechanisms.channels.search import ChannelSearch
from explicate.mechanisms.channels.steering import (
    IndexSteering,
    LaundryListResult,
    best_subspace,
    measured_lists,
    steer_by_index,
    try_steering,
)
from explicate.mechanisms.channels.traverse import Traverse, grid, traverse

__all__ = [
    "GAMMAS",
    "Agreement",
    "CausalScores",
    "Channel",
    "ChannelSearch",
    "ChannelSubspace",
    "IndexSteering",
    "LaundryListResult",
    "NamedHeads",
    "Rerun",
    "Traverse",
    "Written",
    "agreement",
    "attention_under",
    "best_subspace",
    "channel_edit",
    "channels",
    "direct_scores",
    "grid",
    "keep_only",
    "measured_lists",
    "most_written",
    "name_heads",
    "read_edit",
    "rerun",
    "share_repeated",
    "steer_by_index",
    "total_scores",
    "traverse",
    "try_steering",
]
