"""explicate believe: which parts of a model's reasons the evidence bears out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explicate.cli.app import Json, Out, Seed, app, say
from explicate.cli.inputs import chosen
from explicate.errors import InputError

if TYPE_CHECKING:
    from explicate.core.kinds import Narrative
    from explicate.data.language.nle_tasks import ChoiceItem
    from explicate.models.chat import ChatModel

FILES = (".jsonl", ".csv")


@app.command()
def believe(
    chat: Annotated[
        str,
        typer.Argument(
            help="The chat model that gave the reasons: an address (http://127.0.0.1:8000/v1), a name in the zoo, a "
            "Hugging Face folder, or `package.module:object`."
        ),
    ],
    inputs: Annotated[
        str,
        typer.Argument(
            help='A .jsonl file of items (`{"idx": "1", "task": "review", "review": "...", "choices": [...]}`, with '
            '"answer" and "explanation" where they were given before), a data set\'s .csv with --task, or one text '
            "with --choices."
        ),
    ],
    choices: Annotated[str, typer.Option(help="Of one text: what it may be answered with, separated by commas.")] = "",
    answer: Annotated[
        str | None, typer.Option(help="Of one text: the answer that was given; default: it is asked.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Of one text: the reason that was given, with --answer.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Of one text: ecqa (a question) or review. Of a .csv: comve, ecqa or esnli.")
    ] = None,
    explanations: Annotated[
        Path | None, typer.Option(help="Reasons (.nc) that `explicate explain --method self-explanation` wrote.")
    ] = None,
    form: Annotated[
        str, typer.Option(help="Reasons to ask for: narrative, token-importance, counterfactual or chain-of-thought.")
    ] = "narrative",
    answers: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="What gave the answers, if not CHAT: another chat model, or `package.module:function` from texts to "
            "probabilities of the choices.",
        ),
    ] = None,
    rows: Annotated[str | None, typer.Option(help="Part of the items: 3, 0:20 or 1,5,9.")] = None,
    attribution: Annotated[
        str,
        typer.Option(
            help="A method for texts: kernel-shap, exact-shapley, feature-ablation ...; none for edits alone."
        ),
    ] = "kernel-shap",
    budget: Annotated[
        int, typer.Option(min=4, help="Coalitions of words that the attribution may ask about, per item.")
    ] = 64,
    insertions: Annotated[
        int,
        typer.Option(
            min=0, help="Words put in, per item: does the new reason name those that moved the answer? 0: none."
        ),
    ] = 10,
    least: Annotated[
        float, typer.Option(help="Log-odds of the answer that a word must be worth to count as a reason.")
    ] = 0.2,
    draws: Annotated[
        int,
        typer.Option(min=2, help="Replies to each question, of a model that gives no probabilities of its answers."),
    ] = 10,
    log: Annotated[str | None, typer.Option(help="A file that every call is logged to.")] = None,
    seed: Seed = 0,
    out: Out = Path("explicate-out/believe"),
    as_json: Json = False,
) -> None:
    """My model gave this reason: is it true? Marks each part of it as supported, contradicted, undecided or not tested.

    Every word of the input that a reason names is attributed (Shapley values of the answer's log-odds), and edited
    away; both are held against the words that the reason does not name. Beside them: what the reason leaves out,
    whether words put in that move the answer are named, and whether a simulated reader foretells the model better with
    the reason.

    Writes a page (report.html) and everything in it (beliefs.json).

    Example: `explicate believe http://127.0.0.1:8000/v1 items.jsonl`

    Example: `explicate believe smollm2-135m "The film was dull" --task review --choices negative,positive
    --answer positive --reason "The word dull decides."`
    """
    from explicate.evaluation.belief import Rule
    from explicate.evaluation.belief import believe as run
    from explicate.models.chat import open_chat
    from explicate.report.belief_table import belief_report
    from explicate.runtime.files import make_folder

    handle = open_chat(chat, **({} if log is None else {"log": log}))
    items, given = _asked(handle, inputs, choices, answer, reason, task, form)
    if explanations is not None:
        given = _written(explanations, given)
    if rows is not None:
        places = chosen(len(items), rows, "items")
        items = [items[place] for place in places]
        given = None if given is None else given.isel(sample=places)
    make_folder(out)
    table = run(
        handle,
        items,
        given,
        answers=None if answers is None else _answering(answers),
        form=form,  # type: ignore[arg-type]  # `SelfExplainer` refuses unknown ones
        attribution=None if attribution == "none" else attribution,
        budget=budget,
        insertions=insertions,
        rule=Rule(least=least),
        draws=draws,
        seed=seed,
    )
    page = belief_report(table, shlex.join(["explicate", *sys.argv[1:]])).save(out / "report.html")
    file = table.save(out / "beliefs.json")
    say({**table.to_dict(), "report": str(page), "file": str(file)}, [str(table), "", f"report: {page}"], as_json)


def _asked(
    chat: ChatModel,
    inputs: str,
    choices: str,
    answer: str | None,
    reason: str | None,
    task: str | None,
    form: str,
) -> tuple[list[ChoiceItem], Narrative | None]:
    """The items, and the reasons that were given with them."""
    from explicate.cli.explaining import listed
    from explicate.data.language.nle_tasks import ChoiceItem, read_items
    from explicate.evaluation.belief import read_reasons
    from explicate.evaluation.belief.reasons import letter_of
    from explicate.rationales import SelfExplainer

    explainer = SelfExplainer(form=form, chat=chat)  # type: ignore[arg-type]  # which refuses unknown forms
    if Path(inputs).suffix.lower() in FILES:
        alone = {"--choices": choices, "--answer": answer, "--reason": reason}
        wrong = next((name for name, value in alone.items() if value), None)
        if wrong is not None:
            raise InputError(f"{wrong} is for one text; the items of {inputs} have their own")
        items = read_items(inputs, task)  # type: ignore[arg-type]  # which refuses unknown tasks
        known = read_reasons(inputs, items)
        return items, None if known is None else explainer.given(items, *known)
    options = listed(choices)
    if len(options) < 2:
        raise InputError(
            "say what the text may be answered with: --choices negative,positive; or give a .jsonl file of items"
        )
    if task not in (None, "ecqa", "review"):
        raise InputError(f"one text is of the task ecqa (a question) or review, not {task!r}")
    item = ChoiceItem("text", task or "ecqa", (("review" if task == "review" else "question", inputs),), tuple(options))  # type: ignore[arg-type]
    if reason is None:
        if answer is not None:
            raise InputError("--answer says what --reason explains; give both, or neither to ask the model")
        return [item], None
    if answer is None:
        raise InputError("--reason explains an answer; say which: --answer")
    return [item], explainer.given([item], [letter_of(item, answer)], [reason])


def _written(path: Path, given: Any) -> Narrative:
    from explicate.core.kinds import Narrative

    if given is not None:
        raise InputError(f"the items bring reasons of their own; leave out --explanations {path}")
    return Narrative.load(path)


def _answering(text: str) -> Any:
    """A chat model, or the user's own function from texts to probabilities."""
    from explicate.models.chat import open_chat
    from explicate.models.loading import imported, is_import

    if is_import(text):
        found = imported(text)
        if callable(found):
            return found
    return open_chat(text)
