"""A program as a Python file that needs nothing but Python: predicates, attention calls, tables, classifier weights.

The text is as formatters and type checkers want it: `ruff format --check` and `mypy --strict` pass on it.
"""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.glassbox.transformer_programs import runtime
from explicate.glassbox.transformer_programs.steps import Head, Lookup, Step, Value, Variable

if TYPE_CHECKING:
    from explicate.glassbox.transformer_programs.program import Program

LINE = 88  # the common formatters' default

DOCSTRING = '''"""A Transformer Program: {tags} for sequences of {least} to {context} tokens.

Converted exactly from a trained model. It needs nothing but Python:

    python FILE.py TOKEN TOKEN ...          prints the tags
    python -m pdb FILE.py TOKEN TOKEN ...   steps through it (break run, next, p NAME)
"""
'''
INLINE = "READ = read_weights(WEIGHTS.splitlines())"
OUTSIDE = """with open(Path(__file__).with_suffix(".csv"), encoding="utf-8", newline="") as file:
    READ = read_weights(file.read().splitlines())"""
CLASSIFY = '''def logits(variables: dict[str, Sequence[Value]], place: int) -> list[float]:
    """The sum of the weights of all variables at one position."""
    total = [0.0] * len(TAGS)
    for name in FEATURES:
        value = variables[name][place]
        if name in NUMBERS:
            row = [int(value) * weight for weight in READ[name, ""]]
        else:
            row = READ[name, str(value)]
        total = [one + other for one, other in zip(total, row)]
    return total
'''
EACH = "    return [TAGS[x.index(max(x))] for x in [logits(variables, i) for i in positions]]"
POOLED = """    total = [0.0] * len(TAGS)
    for i in positions:
        total = [one + other for one, other in zip(total, logits(variables, i))]
    mean = [one / len(tokens) for one in total]
    return [TAGS[mean.index(max(mean))], *[None] * (len(tokens) - 1)]"""
MAIN = """if __name__ == "__main__":
    print(*run(sys.argv[1:]))
"""


def python_source(program: Program, *, inline: bool = True, unreachable: bool = False) -> str:
    """The file's text.

    Parameters
    ----------
    inline : whether the classifier's weights stand in the file; else it reads them from the CSV file of its own name
        (see `weights_csv`).
    unreachable : keep table rows for values that cannot occur.
    """
    writer = _Writer(program, unreachable)
    used = writer.runtime_names()
    imports = ["from __future__ import annotations\n\nimport csv\nimport sys"]
    callables = "Callable, " if used & {"select", "select_closest", "select_first", "select_preferred"} else ""
    imports.append(f"from collections.abc import {callables}Sequence")
    if not inline:
        imports.append("from pathlib import Path")
    tags = "one class" if program.pooled else "tags"
    head = DOCSTRING.format(tags=tags, least=1, context=program.context) + "\n" + "\n".join(imports)
    constants = [
        "Value = str | int",
        _assigned("TAGS", "[str]", program.tags),
        _assigned("VOCABULARY", "[str]", program.vocabulary),
        f"CONTEXT = {program.context}",
        _assigned("FEATURES", "[str]", list(program.weights)),
        _assigned("NUMBERS", "[str]", [name for name in program.weights if program.variables[name].numeric]),
    ]
    library = [_source_of(name) for name in _LIBRARY if name in used]
    functions = [writer.function(step) for step in program.steps]
    weights = [f'WEIGHTS = """\\\n{_escaped(weights_csv(program, unreachable))}"""', INLINE] if inline else [OUTSIDE]
    blocks = [
        head,
        "\n".join(constants),
        *library,
        *writer.tables(),
        *(text for text in functions if text),
        "\n".join(weights),
        CLASSIFY.rstrip(),
        writer.run(),
        MAIN.rstrip(),
    ]
    return _joined(blocks)


def weights_csv(program: Program, unreachable: bool = False) -> str:
    """The classifier's weights, a row for each value of each variable: feature, value, and a column for each tag."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["feature", "value", *program.tags])
    for name, rows in program.weights.items():
        own = program.variables[name]
        if own.numeric:
            table.writerow([name, "", *map(repr, rows[0].tolist())])
            continue
        for code in range(own.size) if unreachable else own.reachable:
            table.writerow([name, own.values[code], *map(repr, rows[code].tolist())])
    return out.getvalue()


_LIBRARY = (
    "visible", "select_closest", "select_first", "select_preferred", "select_highest", "aggregate", "select",
    "aggregate_sum", "read_weights", "known_tokens",
)  # fmt: skip


class _Writer:
    """Writes the parts that differ from program to program."""

    def __init__(self, program: Program, unreachable: bool) -> None:
        self.program, self.unreachable = program, unreachable
        bad = [token for token in program.vocabulary if "\n" in token or "\r" in token]
        if bad:
            raise InputError(f"the token {bad[0]!r} has a line break in it, which the table of weights cannot hold")

    def runtime_names(self) -> set[str]:
        """Functions of the runtime that the program calls."""
        used = {"read_weights", "known_tokens"}
        for step in self.program.steps:
            if isinstance(step, Head):
                used |= {_selector(step), "aggregate_sum" if step.counts else "aggregate", "visible"}
        return used

    def tables(self) -> list[str]:
        """Dictionaries that steps read: embeddings, preferences for offsets, scores."""
        found = []
        program = self.program
        if program.embeddings is not None:
            rows = [f"    {_quoted(word)}: {_tuple(codes)}," for word, codes in
                    zip(program.vocabulary, program.embeddings.tolist(), strict=True)]  # fmt: skip
            found.append("\n".join(["EMBEDDINGS: dict[str, tuple[int, ...]] = {", *rows, "}"]))
        for step in program.steps:
            if isinstance(step, Head) and not step.counts and (step.offsets is not None or step.scores is not None):
                reach = program.context - 1
                liked = [0.0] * (2 * reach + 1) if step.offsets is None else step.offsets.tolist()
                rows = [f"    {place - reach}: {value!r}," for place, value in enumerate(liked)]
                found.append("\n".join([f"{step.name.upper()}_OFFSETS: dict[int, float] = {{", *rows, "}"]))
            if isinstance(step, Head) and step.scores is not None:
                found.append(self._scores(step))
        return found

    def function(self, step: Step) -> str:
        """The predicate of a head, or the table of an MLP."""
        if isinstance(step, Lookup):
            return self._lookup(step)
        return "" if step.scores is not None else self._predicate(step)

    def run(self) -> str:
        """The function that computes all variables in order, one a line."""
        program = self.program
        pooled = program.pooled
        lines = [
            f"def run(given: Sequence[str]) -> list[{'str | None' if pooled else 'str'}]:",
            '    """The tags of some tokens, one for each."""',
            "    tokens = known_tokens(given, VOCABULARY, CONTEXT)",
            "    positions = list(range(len(tokens)))",
            "    ones = [1] * len(tokens)",
        ]
        names = [name for name in program.variables if name not in {step.name for step in program.steps}]
        lines += [f"    {name} = [EMBEDDINGS[token][{place}] for token in tokens]" for place, name in
                  enumerate(name for name in names if name.startswith("embedding_"))]  # fmt: skip
        lines += [self._call(step) for step in program.steps]
        entries = [f"        {_quoted(name)}: {name}," for name in program.weights]
        lines += ["    variables: dict[str, Sequence[Value]] = {", *entries, "    }"]
        return "\n".join([*lines, POOLED if pooled else EACH])

    def _call(self, step: Step) -> str:
        name = step.name
        if isinstance(step, Lookup):
            values = ", ".join(f"{given}[i]" for given in step.inputs)
            line = f"    {name} = [{name}_table({values}) for i in positions]"
            broken = f"    {name} = [\n        {name}_table({values}) for i in positions\n    ]"
            return line if len(line) <= LINE else broken
        arguments = [step.key, step.query]
        arguments.append(f"{name.upper()}_SCORES" if step.scores is not None else f"{name}_predicate")
        if _selector(step) in ("select_preferred", "select_highest"):
            arguments.append(f"{name.upper()}_OFFSETS")
        arguments += ["causal=True"] if self.program.causal else []
        places = f"{name}_places"
        call = f"    {places} = {_selector(step)}({', '.join(arguments)})"
        if len(call) > LINE:
            call = f"    {places} = {_selector(step)}(\n        {', '.join(arguments)}\n    )"
        return f"{call}\n    {name} = {'aggregate_sum' if step.counts else 'aggregate'}({places}, {step.value})"

    def _codes(self, variable: Variable) -> Sequence[int]:
        return range(variable.size) if variable.numeric or self.unreachable else variable.reachable

    def _predicate(self, head: Head) -> str:
        query, key = self.program.variables[head.query], self.program.variables[head.key]
        groups: dict[int, list[int]] = {}
        for code in self._codes(query):
            groups.setdefault(int(head.predicate[code]), []).append(code)
        lines = [
            f"def {head.name}_predicate(query: Value, key: Value) -> bool:",
            f'    """Which {key.name} (key) a value of {query.name} (query) looks for."""',
        ]
        for wanted, codes in groups.items():
            lines += _tested("query", [query.values[code] for code in codes], 1)
            lines.append(f"        return key == {_quoted(key.values[wanted])}")
        return "\n".join([*lines, "    return False"])

    def _scores(self, head: Head) -> str:
        assert head.scores is not None
        query, key = self.program.variables[head.query], self.program.variables[head.key]
        lines = [f"{head.name.upper()}_SCORES: dict[Value, dict[Value, float]] = {{"]
        for code in self._codes(query):
            cells = [f"        {_quoted(key.values[c])}: {head.scores[code, c].item()!r}," for c in self._codes(key)]
            lines += [f"    {_quoted(query.values[code])}: {{", *cells, "    },"]
        return "\n".join([*lines, "}"])

    def _lookup(self, lookup: Lookup) -> str:
        known = [self.program.variables[name] for name in lookup.inputs]
        rows = [list(self._codes(variable)) for variable in known]
        written = [self.program.variables[lookup.name].values[code] for code in range(self.program.width)]
        letters = ("first", "second")[: len(known)]
        types = ["int" if variable.numeric else "Value" for variable in known]
        kinds = ", ".join(f"{letter}: {kind}" for letter, kind in zip(letters, types, strict=True))
        lines = [
            f"def {lookup.name}_table({kinds}) -> int:",
            f'    """What stands for {" and ".join(lookup.inputs)}."""',
        ]
        for letter, variable in zip(letters, known, strict=True):
            if variable.numeric:
                lines += [
                    f"    if not 0 <= {letter} <= {variable.most}:",
                    f'        raise ValueError(f"{variable.name} is {{{letter}}}, beyond the table")',
                ]
        table = lookup.table if len(known) == 2 else lookup.table[None]
        if len(known) == 1:
            lines += _branches(known[0], letters[0], rows[0], table[0], written, 1)
        else:
            lines += self._two(known, rows, table, written)
        return "\n".join(lines)

    def _two(self, known: list[Variable], rows: list[list[int]], table: Array, written: list[Value]) -> list[str]:
        """Values of the first input whose rows are alike stand together; the largest group is the last."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for code in rows[0]:
            alike.setdefault(tuple(table[code][rows[1]].tolist()), []).append(code)
        groups = sorted(alike.values(), key=len)
        lines = []
        for codes in groups[:-1]:
            lines += _tested("first", [_value(known[0], code) for code in codes], 1)
            lines += _branches(known[1], "second", rows[1], table[codes[0]], written, 2)
        return [*lines, *_branches(known[1], "second", rows[1], table[groups[-1][0]], written, 1)]


def _branches(
    variable: Variable, letter: str, codes: Sequence[int], row: Array, written: Sequence[Value], depth: int
) -> list[str]:
    """`if` for each value that is written but the most common, which is the final `return`."""
    groups: dict[int, list[int]] = {}
    for code in codes:
        groups.setdefault(int(row[code]), []).append(code)
    common = max(groups, key=lambda key: len(groups[key]))
    lines = []
    for code, given in groups.items():
        if code != common:
            lines += _tested(letter, [_value(variable, one) for one in given], depth)
            lines.append(f"{'    ' * (depth + 1)}return {_quoted(written[code])}")
    return [*lines, f"{'    ' * depth}return {_quoted(written[common])}"]


def _tested(letter: str, values: Sequence[Value], depth: int) -> list[str]:
    """`if letter in {...}:`, as formatters break it; runs of numbers as a range."""
    indent = "    " * depth
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(values) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return [f"{indent}if {letter} in range({numbers[0]}, {numbers[-1] + 1}):"]
    if len(values) == 1:
        return [f"{indent}if {letter} == {_quoted(values[0])}:"]
    line = f"{indent}if {letter} in {{{', '.join(map(_quoted, values))}}}:"
    if len(line) <= LINE:
        return [line]
    return [f"{indent}if {letter} in {{", *(f"{indent}    {_quoted(value)}," for value in values), f"{indent}}}:"]


def _assigned(name: str, kind: str, values: Iterable[Value]) -> str:
    """A list constant, as formatters break it."""
    given = list(map(_quoted, values))
    line = f"{name}: list{kind} = [{', '.join(given)}]"
    return line if len(line) <= LINE else "\n".join([f"{name}: list{kind} = [", *(f"    {one}," for one in given), "]"])


def _quoted(value: Value) -> str:
    """A literal, with the quotes that formatters want."""
    if isinstance(value, int):
        return str(value)
    if '"' in value or not value.isprintable():
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def _value(variable: Variable, code: int) -> Value:
    return code if variable.numeric else variable.values[code]


def _tuple(codes: Sequence[int]) -> str:
    return f"({', '.join(map(str, codes))}{',' if len(codes) == 1 else ''})"


def _selector(head: Head) -> str:
    if head.counts:
        return "select"
    if head.scores is not None:
        return "select_highest"
    return {"closest": "select_closest", "first": "select_first", "offsets": "select_preferred"}[head.preference]


def _source_of(name: str) -> str:
    return inspect.getsource(getattr(runtime, name)).rstrip()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _joined(blocks: Sequence[str]) -> str:
    """Blocks with two empty lines around functions and one between the rest."""
    text = blocks[0]
    for before, block in pairwise(blocks):
        apart = "\n\n\n" if "def " in (before[:4], block[:4]) or block.startswith("if __name__") else "\n\n"
        text += apart + block
    return text + "\n"
