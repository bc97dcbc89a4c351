"""Karel, a language of small programs whose meaning is exactly defined: worlds, programs, semantics, texts, tasks."""

from explicate.data.language.karel.corpus import SMALL, ProgramCorpus
from explicate.data.language.karel.encodings import Cells, Compact, Encoding
from explicate.data.language.karel.features import FEATURES, feature
from explicate.data.language.karel.files import read_tasks, write_tasks
from explicate.data.language.karel.interpreter import Karel
from explicate.data.language.karel.programs import parse, text_of
from explicate.data.language.karel.semantics import ACTIONS, ALTERNATIVES, ORIGINAL, Semantics, alternative
from explicate.data.language.karel.shortest import shortest_program
from explicate.data.language.karel.tasks import Tasks, TaskSource
from explicate.data.language.karel.worlds import Setting, Worlds, read_worlds

__all__ = [
    "ACTIONS",
    "ALTERNATIVES",
    "FEATURES",
    "ORIGINAL",
    "SMALL",
    "Cells",
    "Compact",
    "Encoding",
    "Karel",
    "ProgramCorpus",
    "Semantics",
    "Setting",
    "TaskSource",
    "Tasks",
    "Worlds",
    "alternative",
    "feature",
    "parse",
    "read_tasks",
    "read_worlds",
    "shortest_program",
    "text_of",
    "write_tasks",
]
