"""Does a model that was trained on programs represent what they mean? A study over its checkpoints.

    corpus = ProgramCorpus()
    decoder = Decoder(corpus.encoding.vocabulary, layers=4, width=96, mlp_width=256, context=64, end="end")
    trained = train_decoder(decoder, corpus, DecoderRecipe(steps=4000, learning_rate=3e-3, checkpoints=(0, 500, 1500)))
    models = {step: trained.at(step) for step in trained.kept}
    report = ProgramSemantics().run(models, corpus, corpus.held_out(5000, seed=0), untrained=models[0])

Source: Jin, Rinard (2023), "Evidence of Meaning in Language Models Trained on Programs", arXiv 2305.11169.
"""

from explicate.benchmarks.program_semantics.baselines import program_prefix, projected, token_counts, true_state
from explicate.benchmarks.program_semantics.report import regression, report_of
from explicate.benchmarks.program_semantics.study import ProgramSemantics
from explicate.benchmarks.program_semantics.writing import Written, states_for, surprises, write_programs

__all__ = [
    "ProgramSemantics",
    "Written",
    "program_prefix",
    "projected",
    "regression",
    "report_of",
    "states_for",
    "surprises",
    "token_counts",
    "true_state",
    "write_programs",
]
