"""Training: changing what a model does, so that it can be explained what changed."""

from explicate.training.answer_tuning import AnswerTuning, answer_loss

__all__ = ["AnswerTuning", "answer_loss"]
