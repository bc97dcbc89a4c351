"""Language models, white box: Hugging Face causal models and BERT-shaped encoders, wrapped and never rewritten."""

from explicate.models.language.architectures import Architecture, Tap, register_architecture
from explicate.models.language.causal import LanguageModel
from explicate.models.language.encoder import TextEncoder

__all__ = ["Architecture", "LanguageModel", "Tap", "TextEncoder", "register_architecture"]
