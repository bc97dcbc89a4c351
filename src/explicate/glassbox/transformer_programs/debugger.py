"""Stepping through a program on one input: a variable at a time, with breakpoints and watch-points."""

from __future__ import annotations

import cmd
from collections.abc import Sequence
from typing import TextIO

from explicate.errors import UnknownNameError
from explicate.glassbox.transformer_programs.program import Program
from explicate.glassbox.transformer_programs.steps import Value
from explicate.glassbox.transformer_programs.wording import decision_lines, step_lines, step_text

HELP = """next (or Enter): compute the next variable      continue: on to a breakpoint or the end
break NAME: stop before NAME is computed        watch NAME VALUE: stop where NAME has VALUE somewhere
print NAME: a variable computed so far          rule NAME: what a step does, in words
where: what is next                             quit"""


class Debugger(cmd.Cmd):
    """A prompt that steps through a program.

    Parameters
    ----------
    tokens : the input. stdin, stdout : where commands come from and answers go; the terminal if not given.
    """

    prompt = "(step) "

    def __init__(
        self, program: Program, tokens: Sequence[str], stdin: TextIO | None = None, stdout: TextIO | None = None
    ) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = stdin is None
        self.program = program
        self.trace = program.trace([tokens])
        self.order = list(self.trace.values)
        self.done = 0
        self.breakpoints: set[str] = set()
        self.watched: list[tuple[str, str]] = []
        self.intro = f"{len(self.order)} variables on {' '.join(tokens)}; help says what can be typed"

    @property
    def finished(self) -> bool:
        """Whether all variables are computed."""
        return self.done == len(self.order)

    def do_next(self, _: str = "") -> bool:
        """Compute the next variable."""
        if self.finished:
            self._say(["all variables are computed", *decision_lines(self.trace)])
            return False
        self._say(step_lines(self.trace, self.order[self.done]))
        self.done += 1
        if self.finished:
            self._say(["", *decision_lines(self.trace)])
        return False

    def do_continue(self, _: str = "") -> bool:
        """On to a breakpoint, a watch-point or the end."""
        while not self.finished:
            self.do_next()
            name = self.order[self.done - 1]
            hits = [value for watched, value in self.watched if watched == name and value in self._texts(name)]
            if hits:
                self._say([f"watch: {name} is {hits[0]}"])
                return False
            if not self.finished and self.order[self.done] in self.breakpoints:
                self._say([f"before {self.order[self.done]}"])
                return False
        return False

    def do_break(self, name: str) -> bool:
        """Stop before a variable is computed."""
        if self._known(name):
            self.breakpoints.add(name)
        return False

    def do_watch(self, text: str) -> bool:
        """Stop where a variable has a value somewhere."""
        name, _, value = text.partition(" ")
        if self._known(name):
            self.watched.append((name, value))
        return False

    def do_print(self, name: str) -> bool:
        """A variable that is computed."""
        if self._known(name):
            there = name in self.order[: self.done]
            self._say(step_lines(self.trace, name) if there else [f"{name} is not computed yet"])
        return False

    def do_rule(self, name: str) -> bool:
        """What a step does."""
        if self._known(name):
            try:
                self._say([step_text(self.program, self.program.step(name))])
            except UnknownNameError:
                self._say([f"{name} is an input"])
        return False

    def do_where(self, _: str = "") -> bool:
        """What is next."""
        self._say([f"next: {self.order[self.done]}" if not self.finished else "at the end"])
        return False

    def do_quit(self, _: str = "") -> bool:
        """Leave."""
        return True

    do_EOF = do_quit
    do_n, do_c, do_p, do_b, do_w, do_q = do_next, do_continue, do_print, do_break, do_watch, do_quit

    def do_help(self, arg: str) -> None:
        """What can be typed."""
        self._say([HELP])

    def emptyline(self) -> bool:
        """Enter alone goes on."""
        return self.do_next()

    def default(self, line: str) -> None:
        """A line that is no command."""
        self._say([f"{line.split()[0]!r} is no command", HELP])

    def _known(self, name: str) -> bool:
        if name not in self.order:
            self._say([f"no variable {name!r}; there are {', '.join(self.order)}"])
        return name in self.order

    def _texts(self, name: str) -> list[str]:
        values: list[Value] = self.trace.names(name)
        return list(map(str, values))

    def _say(self, lines: Sequence[str]) -> None:
        self.stdout.write("\n".join(lines) + "\n")
