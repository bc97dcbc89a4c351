"""Language models, white box: Hugging Face causal models and BERT-shaped encoders, wrapped and never rewritten."""

from explicate.models.language.architectures import Architecture, Tap, register_architecture
from explicate.models.language.causal import LanguageModel
from explicate.models.language.encoder import TextEncoder
from explicate.models.language.fusion_in_decoder import FusionInDecoder

__all__ = ["Architecture", "FusionInDecoder", "LanguageModel", "Tap", "TextEncoder", "register_architecture"]
