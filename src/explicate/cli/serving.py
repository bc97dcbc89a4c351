"""explicate serve-model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from explicate.cli.app import Json, app, say


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
    import socket

    from explicate.errors import OutputError
    from explicate.models.chat import open_chat
    from explicate.models.chat.server import HOSTS, serve

    options = {"precision": precision, "template": template, "cache": False, "log": log}
    chat = open_chat(model, **{key: value for key, value in options.items() if value not in (None, "float32")})
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOSTS[0], port))
        except OSError as error:
            raise OutputError(f"port {port} is taken ({error.strerror}); choose another with --port") from error
        port = probe.getsockname()[1]
    address = f"http://{HOSTS[0]}:{port}/v1"
    say({"address": address, "model": chat.name}, [f"{chat.name} at {address} (Ctrl-C ends it)"], as_json)
    serve(chat, HOSTS[0], port)
