"""explicate serve-model: a language model; explicate serve: a study with people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explicate.cli.app import Json, app, say

if TYPE_CHECKING:
    import socket

ANSWERS = Path("explicate-out/answers")


@app.command("serve-model")
def serve_model(
    model: Annotated[
        str,
        typer.Argument(
            help="A causal language model: a Hugging Face folder, a name in the zoo (`smollm2-135m`), or "
            "`package.module:object` of your own code, which may hold interventions or be a chat handle."
        ),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8000,
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or bfloat16 and int8: faster, other replies; the agreement is measured and printed."
        ),
    ] = "float32",
    template: Annotated[
        str | None,
        typer.Option(help="plain for a base model without a chat template: messages are sent as they are."),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="File that gets one JSON line per call.")] = None,
    as_json: Json = False,
) -> None:
    """Serve a local model to any OpenAI client, on loopback only, until interrupted.

    Requests of several clients share batches. Greedy replies are those of the model alone; log-probabilities, seeds and
    stop texts work; streaming sends the finished reply in pieces. What cannot be done is refused, never ignored: other
    fields, and conversations longer than the model's window.

    Example: `explicate serve-model smollm2-135m --port 8000`, then in another terminal, or in any program with the
    `openai` client:

    `python -c "from explicate.models.chat import open_chat; print(open_chat('http://127.0.0.1:8000/v1').reply('Hi').text)"`

    No key is asked for: do not forward the port to other machines. Requests that name another host, or come from a page
    of another site, are refused.
    """
    from explicate.models.chat import open_chat
    from explicate.models.chat.server import HOSTS, serve

    options = {"precision": precision, "template": template, "log": log}
    chat = open_chat(model, **{key: value for key, value in options.items() if value not in (None, "float32")})
    chat.cache = None  # clients keep replies, if they want to
    with _bound(port) as probe:
        port = probe.getsockname()[1]
    address = f"http://{HOSTS[0]}:{port}/v1"
    say({"address": address, "model": chat.name}, [f"{chat.name} at {address} (Ctrl-C ends it)"], as_json)
    serve(chat, HOSTS[0], port)


@app.command("serve")
def serve_pages(
    study: Annotated[
        Path,
        typer.Option(
            help="A folder that `explicate study make` wrote, or the study.json in it. Readers see one explanation "
            "method each; the truth never reaches the browser."
        ),
    ],
    answers: Annotated[
        Path | None,
        typer.Option(help="Folder for the answers, one file a reader; default: explicate-out/answers/STUDY."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8000,
    as_json: Json = False,
) -> None:
    """Let people take a simulation study in a browser on this machine, until interrupted.

    Consent, learning, tests and ratings, page by page, with the time that each takes. Who closes the page goes on where
    they stopped, also after this command was stopped and started again. Answers are on the disk before the next page is
    shown. They are downloaded as CSV or JSON from the addresses that are printed, or with `explicate study answers`.

    Example: `explicate study make adult-study --table categorical-adult`, then `explicate serve --study adult-study`

    Only browsers on this machine are answered; forms of other pages are refused.
    """
    from explicate.evaluation.simulatability import load_study
    from explicate.models.chat.server import HOSTS
    from explicate.runtime import log
    from explicate.web.sessions import Sessions
    from explicate.web.study_server import new_export_key, serve_study

    loaded = load_study(study)
    folder = answers or ANSWERS / (study.parent if study.is_file() else study).resolve().name
    waiting = f"{folder}: another server keeps its answers there; waiting for it to end"
    with log.locked(folder / "server.lock", waiting=waiting), _bound(port) as listening:
        listening.listen()  # browsers that come before the server is ready wait
        sessions, key = Sessions(loaded, folder), new_export_key()
        address = f"http://{HOSTS[0]}:{listening.getsockname()[1]}"
        download = {kind: f"{address}/answers.{kind}?key={key}" for kind in ("csv", "json")}
        say(
            {"address": address, "answers": str(folder), "readers": len(sessions), **download},
            [
                f"{loaded.title} at {address} (Ctrl-C ends it; readers: {len(sessions)} so far)",
                f"answers: {folder}; download, not for readers: {download['csv']}",
            ],
            as_json,
        )
        serve_study(sessions, listening, key)


def _bound(port: int) -> socket.socket:
    """A socket on loopback at the port, if nobody has it; at a free one for 0."""
    import socket

    from explicate.errors import OutputError
    from explicate.models.chat.server import HOSTS

    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOSTS[0], port))
    except OSError as error:
        found.close()
        raise OutputError(f"port {port} is taken ({error.strerror}); choose another with --port") from error
    return found
