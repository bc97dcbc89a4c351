"""explicate study: make the files of a simulation study, let simulated readers take it, and sum up answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from explicate.cli.app import Json, Seed, app, say
from explicate.cli.explaining import listed
from explicate.cli.serving import ANSWERS

study_app = typer.Typer(
    name="study",
    no_args_is_help=True,
    help="Simulation studies: do explanations help a reader predict what a model will do? `explicate serve` lets "
    "people take one in a browser.",
)
app.add_typer(study_app)
Study = Annotated[Path, typer.Argument(help="A study's folder, or the study.json in it.")]
Answers = Annotated[Path | None, typer.Option(help="Folder of the answers; default: explicate-out/answers/STUDY.")]
PEOPLE = {"categorical-adult": ("person", "A computer system guesses from the details of a person, as a census asked "
                                "for them in 1994, whether they earned more or less than 50,000 dollars a year. You "
                                "will learn to predict its answers.")}  # fmt: skip


@study_app.command("make")
def make(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    table: Annotated[
        str, typer.Option(help="A built-in table of two classes (categorical-adult, german-credit, compas), or a CSV.")
    ] = "categorical-adult",
    sentences: Annotated[
        Path | None,
        typer.Option(help="Instead of a table, film reviews: the folder of rt-polarity, or vaderSentiment's archive."),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(help="With --sentences: word vectors, GloVe's text or word2vec's .bin."),
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="Of a CSV: the column that is predicted.")] = None,
    methods: Annotated[
        str, typer.Option(help="lime, anchor, decision-boundary, prototype, composite, omission; separated by commas.")
    ] = "lime,anchor,decision-boundary,prototype,composite",
    learning: Annotated[int, typer.Option(help="Cases to learn from.")] = 16,
    forward: Annotated[int, typer.Option(help="New cases to predict; 0 leaves the test out.")] = 32,
    counterfactual: Annotated[int, typer.Option(help="Changed cases to predict; 0 leaves the test out.")] = 32,
    kind: Annotated[str, typer.Option(help="csv or xlsx.")] = "csv",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a model on a table or on sentences, explain cases by each method, and write all files that readers need.

    `learning-*`, `forward-*` and `counterfactual-*` are for readers; the two `*-master` files hold the truth. A page to
    print is made for each method. `explicate serve --study FOLDER` shows the study in a browser.

    Example: `explicate study make adult-study`
    """
    from explicate.evaluation.simulatability.batches import BatchSizes
    from explicate.evaluation.simulatability.kit import save_study
    from explicate.evaluation.simulatability.tables import adult_parts, table_parts, table_study, train_study_models
    from explicate.report.simulation_forms import save_forms

    names = tuple(listed(methods))
    if sentences is not None:
        made, accuracy = _of_sentences(sentences, vectors, names, (learning, forward, counterfactual), seed)
    else:
        sizes = BatchSizes(learning, forward, counterfactual)
        parts = adult_parts(seed) if table == "categorical-adult" else table_parts(_table(table, label), seed)
        models = train_study_models(parts, names, seed=seed)
        thing, introduction = PEOPLE.get(table, ("case", ""))
        texts = {"thing": thing} | ({"introduction": introduction} if introduction else {})
        made = table_study(parts, models, names, sizes=sizes, seed=seed, **texts)
        accuracy = models.accuracy
    save_study(made, folder, kind, seed)  # type: ignore[arg-type]  # another kind is refused by name
    forms = save_forms(made, folder, seed)
    say(
        {"folder": str(folder), "accuracy": accuracy, "methods": list(names), "forms": [str(p) for p in forms]},
        [
            f"study: {folder}",
            *(f"accuracy on balanced test rows, {name}: {value:.1%}" for name, value in accuracy.items()),
            f"pages to print: {', '.join(path.name for path in forms)}",
            f"for people: explicate serve --study {folder}",
        ],
        as_json,
    )


@study_app.command("simulate")
def simulate_readers(
    study: Study,
    out: Annotated[Path, typer.Option(help="CSV file of the answers; every line says that the reader is simulated.")],
    slips: Annotated[float, typer.Option(help="Share of answers given wrong by mistake.")] = 0.0,
    readers: Annotated[int, typer.Option(min=1, help="Simulated readers of each method.")] = 1,
    chat: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A chat model reads instead: smollm2-135m, a folder, a URL."),
    ] = None,
    likelier: Annotated[bool, typer.Option(help="With --chat: the likelier class, not the reply.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Let programs take the study: a bound on what the texts afford, not what people do.

    By default they obey a fixed rule for each method; with --chat a chat model is asked with the pages that people see.

    Example: `explicate study simulate adult-study --out simulated.csv`
    """
    from explicate.evaluation.simulatability import answers_csv, load_study, simulate
    from explicate.runtime.files import write_text

    loaded = load_study(study)
    reads: dict[str, Any] = {}
    if chat is not None:
        from explicate.evaluation.simulatability.chat_reader import ChatReader
        from explicate.models.chat import open_chat

        reader = ChatReader(open_chat(chat), loaded.thing, likelier=likelier)
        reads = {"reader": reader, "before": reader}
    answers = [
        answer
        for method in loaded.methods
        for number in range(readers)
        for answer in simulate(
            loaded, method, participant=f"simulated-{method}-{number}", slips=slips, seed=seed + number, **reads
        )
    ]
    write_text(out, answers_csv(answers))
    say({"answers": len(answers), "file": str(out)}, [f"{len(answers)} answers of simulated readers: {out}"], as_json)


@study_app.command("answers")
def export_answers(
    study: Study,
    answers: Answers = None,
    out: Annotated[Path, typer.Option(help="File to write: .csv or .json.")] = Path("answers.csv"),
    as_json: Json = False,
) -> None:
    """Write what people answered in the browser as one CSV or JSON file; works while the server runs.

    Example: `explicate study answers adult-study --out answers.csv`
    """
    from explicate.errors import InputError
    from explicate.evaluation.simulatability import answers_csv, answers_json
    from explicate.runtime.files import write_json, write_text

    found = _people(study, answers)[1]
    if out.suffix not in (".csv", ".json"):
        raise InputError(f"{out}: answers are written as .csv or .json")
    if out.suffix == ".json":
        write_json(out, answers_json(found))
    else:
        write_text(out, answers_csv(found))
    readers = len({one.participant for one in found})
    lines = [f"{len(found)} answers of {readers} readers: {out}"]
    say({"answers": len(found), "readers": readers, "file": str(out)}, lines, as_json)


@study_app.command("analyse")
def analyse(
    study: Study,
    answers: Answers = None,
    file: Annotated[Path | None, typer.Option(help="Answers from a CSV file instead, such as simulated ones.")] = None,
    rounds: Annotated[int, typer.Option(min=100, help="Rounds of the bootstrap.")] = 10_000,
    report: Annotated[Path | None, typer.Option(help="Also write the table as an HTML report.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Accuracy before and after explanations by method and test, with 95 % intervals, p values and power.

    Example: `explicate study analyse adult-study --file simulated.csv --report simulated.html`
    """
    from explicate.evaluation.simulatability import load_study
    from explicate.evaluation.simulatability.analysis import summary
    from explicate.evaluation.simulatability.kit import read_answers

    if file is None:
        loaded, found = _people(study, answers)
    else:
        loaded = load_study(study)
        found = read_answers(loaded, file)
    result = summary(found, loaded, rounds=rounds, seed=seed)
    lines = result.lines()
    if report is not None:
        from explicate.report.simulation_report import simulation_report

        command = f"explicate study analyse {study}" + (f" --file {file}" if file else "")
        lines.append(f"report: {simulation_report(result, loaded, command).save(report)}")
    say(result.to_dict(), lines, as_json)


def _of_sentences(
    place: Path, vectors: Path | None, methods: tuple[str, ...], items: tuple[int, int, int], seed: int
) -> tuple[Any, dict[str, float]]:
    """A study of film reviews, and the accuracy of its models."""
    from explicate.data.language.review_sentences import in_parts, review_sentences
    from explicate.evaluation.simulatability.batches import BatchSizes
    from explicate.evaluation.simulatability.sentences import EDITS, sentence_study, train_sentence_models
    from explicate.models.tiny.sentences import SentenceRecipe

    parts = in_parts(review_sentences(place), seed=seed)
    models = train_sentence_models(parts, methods, recipe=SentenceRecipe(vectors=vectors, seed=seed))
    sizes = BatchSizes(*items, edits=EDITS)
    made = sentence_study(
        models.explainer(), parts[1], parts[2], methods, sizes=sizes, seed=seed,
        introduction="A computer system guesses whether a sentence of a film review praises or blames. You will learn "
        "to predict its answers.",
    )  # fmt: skip
    return made, models.accuracy


def _people(study: Path, answers: Path | None) -> tuple[Any, list[Any]]:
    from explicate.errors import InputError
    from explicate.evaluation.simulatability import load_study
    from explicate.web.sessions import Sessions

    loaded = load_study(study)
    folder = answers or ANSWERS / (study.parent if study.is_file() else study).resolve().name
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; name the one of the answers with --answers")
    return loaded, Sessions(loaded, folder).answers()


def _table(name: str, label: str | None) -> Any:
    from explicate.data.tables import table, table_from_file
    from explicate.errors import InputError

    if not Path(name).suffix:
        return table(name)
    if label is None:
        raise InputError(f"{name}: say which column is predicted: --label COLUMN")
    return table_from_file(name, label)
