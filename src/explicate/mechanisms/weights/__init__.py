"""Weight-space views of attention heads: folded norms, factors, rank-one components, how well heads fit together."""

from explicate.mechanisms.weights.composition import (
    CompositionScores,
    Reading,
    Scores,
    component_scores,
    composition_score,
    composition_scores,
    random_spread,
)
from explicate.mechanisms.weights.effective_ov import TokenState, effective_ov, head_outputs, token_states
from explicate.mechanisms.weights.folding import fold_norms
from explicate.mechanisms.weights.heads import HeadWeights
from explicate.mechanisms.weights.layouts import BlockMaps, WeightLayout, block_maps, register_weight_layout
from explicate.mechanisms.weights.low_rank import Components, LowRank

__all__ = [
    "BlockMaps",
    "Components",
    "CompositionScores",
    "HeadWeights",
    "LowRank",
    "Reading",
    "Scores",
    "TokenState",
    "WeightLayout",
    "block_maps",
    "component_scores",
    "composition_score",
    "composition_scores",
    "effective_ov",
    "fold_norms",
    "head_outputs",
    "random_spread",
    "register_weight_layout",
    "token_states",
]
