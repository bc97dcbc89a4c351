"""A simulation study as a small web site on loopback: consent, learning and test pages, and the answers as files.

It trusts nobody: every form is checked, carries a secret of the browser that it was made for and must come from a page
of this server; bodies are small; everything that is shown is escaped; pages hold no script and load nothing from
elsewhere. It works without JavaScript. Readers have no names and no accounts: a random token in a cookie is all that
ties a browser to its place in the study.
"""

from __future__ import annotations

import functools
import hmac
import secrets
import socket
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from explicate.errors import ExplicateError, InputError, MissingDependencyError, first_line
from explicate.evaluation.simulatability.answers import answers_csv, answers_json
from explicate.evaluation.simulatability.layout import SENTENCE, read_case, read_edits
from explicate.evaluation.simulatability.study import RATING_QUESTION, RATINGS, Shown
from explicate.report.document import page_environment
from explicate.web.sessions import Introduction, Session, Sessions, form_secret, new_token

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
    from pydantic import BaseModel, ConfigDict, Field, ValidationError

    from explicate.models.chat.server import HOSTS, foreign
except ImportError as error:
    raise MissingDependencyError("serving a study needs FastAPI and uvicorn: pip install 'explicate[web]'") from error

MOST_BYTES = 4096  # of a form
MOST_FIELDS = 8
DAYS = 30  # that a browser keeps its place
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # "no-referrer" would hide the origin of our own forms from us
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Fields = TypeVar("Fields", bound=BaseModel)


class StartForm(BaseModel):
    """Consent."""

    model_config = ConfigDict(extra="forbid")
    secret: str = Field(max_length=64)
    consent: str = Field(pattern="^yes$")


class ResumeForm(BaseModel):
    """The code of a reader who comes back with another browser."""

    model_config = ConfigDict(extra="forbid")
    secret: str = Field(max_length=64)
    code: str = Field(max_length=64)


class AnswerForm(BaseModel):
    """What a page asked for; `page` is its number."""

    model_config = ConfigDict(extra="forbid")
    secret: str = Field(max_length=64)
    page: int = Field(ge=0, le=1_000_000)
    answer: str = Field(default="", max_length=200)
    rating: int | None = Field(default=None, ge=RATINGS[0], le=RATINGS[1])


class WithdrawForm(BaseModel):
    """Withdrawal."""

    model_config = ConfigDict(extra="forbid")
    secret: str = Field(max_length=64)
    confirm: str = Field(pattern="^yes$")


class _RefusedError(ExplicateError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_study_app(sessions: Sessions, export_key: str | None = None) -> FastAPI:
    """The application.

    Parameters
    ----------
    sessions : the study, and who takes part in it.
    export_key : must be given as `?key=` to download `/answers.csv` and `/answers.json`; None offers no download.
    """
    app = FastAPI(title="explicate study", docs_url=None, redoc_url=None, openapi_url=None)
    cookie = f"study_{sessions.key[:12]}"

    @app.middleware("http")
    async def guarded(request: Request, forward: Any) -> Response:
        problem = foreign(request.headers.get("host"), request.headers.get("origin")) or _other_site(request)
        if problem:
            response: Response = PlainTextResponse(problem, 403)
        elif len(request.url.path) + len(request.url.query) > MOST_BYTES:
            response = PlainTextResponse("the address is too long", 414)
        else:
            response = await forward(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(_RefusedError)
    async def refused(request: Request, error: _RefusedError) -> Response:
        return _page("problem", sessions, status=error.status, problem=str(error))

    @app.exception_handler(ExplicateError)
    async def failed(request: Request, error: ExplicateError) -> Response:
        problem = "The study cannot go on; please tell the person who invited you."
        return _page("problem", sessions, status=500, problem=problem)

    @app.exception_handler(404)
    async def missing(request: Request, error: Exception) -> Response:
        return _page("problem", sessions, status=404, problem="There is no such page.")

    def token_of(request: Request) -> str | None:
        return request.cookies.get(cookie)

    def session_of(request: Request) -> Session:
        session = sessions.find(token_of(request))
        if session is None:
            raise _RefusedError(403, "This browser has no place in the study yet. Please begin at the first page.")
        return session

    async def form(request: Request, kind: type[Fields]) -> Fields:
        fields = await _fields(request, kind)
        token = token_of(request) or ""
        if not hmac.compare_digest(form_secret(token).encode(), fields.secret.encode()):  # type: ignore[attr-defined]
            raise _RefusedError(403, "This form was not made for this browser. Please load the page again.")
        return fields

    def keep(response: Response, token: str) -> Response:
        response.set_cookie(cookie, token, max_age=DAYS * 86_400, httponly=True, samesite="lax", path="/")
        return response

    @app.get("/style.css")
    def style() -> Response:
        return Response(_style(), media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    @app.get("/")
    def begin(request: Request) -> Response:
        if sessions.find(token_of(request)) is not None:
            return RedirectResponse("/page", 303)
        token = token_of(request)
        fresh = token if token and len(token) == len(new_token()) else new_token()
        return keep(_page("consent", sessions, secret=form_secret(fresh)), fresh)

    @app.post("/start")
    async def start(request: Request) -> Response:
        await form(request, StartForm)
        try:
            sessions.start(token_of(request) or "")
        except InputError as error:
            raise _RefusedError(400, first_line(error)) from error
        return RedirectResponse("/page", 303)

    @app.post("/resume")
    async def resume(request: Request) -> Response:
        fields = await form(request, ResumeForm)
        code = fields.code.strip()
        if sessions.find(code) is None:
            raise _RefusedError(403, "There is no reader with this code. Please check it, or begin anew.")
        return keep(RedirectResponse("/page", 303), code)

    @app.get("/page")
    def page(request: Request) -> Response:
        if sessions.find(token_of(request)) is None:
            return RedirectResponse("/", 303)
        session = session_of(request)
        sessions.show(session)
        return _at(session, sessions, token_of(request) or "")

    @app.post("/answer")
    async def answer(request: Request) -> Response:
        fields = await form(request, AnswerForm)
        session = session_of(request)
        try:
            sessions.answer(session, fields.page, fields.answer, fields.rating)
        except InputError as error:
            return _at(session, sessions, token_of(request) or "", problem=first_line(error), status=400)
        return RedirectResponse("/page", 303)

    @app.post("/withdraw")
    async def withdraw(request: Request) -> Response:
        await form(request, WithdrawForm)
        sessions.withdraw(session_of(request))
        response = _page("withdrawn", sessions)
        response.delete_cookie(cookie, path="/")
        return response

    @app.get("/answers.{kind}")
    def export(request: Request, kind: str) -> Response:
        given = request.query_params.get("key", "")
        if export_key is None or not hmac.compare_digest(export_key.encode(), given.encode()):
            raise _RefusedError(403, "The answers need the key that the server printed when it began.")
        if kind == "csv":
            headers = {"Content-Disposition": 'attachment; filename="answers.csv"'}
            return Response(answers_csv(sessions.answers()), media_type="text/csv; charset=utf-8", headers=headers)
        if kind == "json":
            return JSONResponse(answers_json(sessions.answers()))
        raise _RefusedError(404, "There is no such page.")

    return app


def serve_study(sessions: Sessions, listening: socket.socket, export_key: str | None = None) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    listening : a bound socket of this machine's own loopback.

    Raises
    ------
    InputError : the socket can be reached from elsewhere.
    """
    import uvicorn

    host = listening.getsockname()[0]
    if host not in HOSTS:
        raise InputError(f"{host} is not loopback; a study is served on {', '.join(HOSTS)} only")
    app = make_study_app(sessions, export_key)
    config = uvicorn.Config(app, log_level="warning", server_header=False, limit_concurrency=256)
    uvicorn.Server(config).run(sockets=[listening])


def new_export_key() -> str:
    """A secret that opens the download of the answers."""
    return secrets.token_urlsafe(12)


async def _fields(request: Request, kind: type[Fields]) -> Fields:
    """The fields of a form; anything that is not exactly what the page has is refused."""
    content = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content != "application/x-www-form-urlencoded":
        raise _RefusedError(415, "This address takes the study's own forms only.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise _RefusedError(413, "The form is too long.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _RefusedError(400, "A field of the form occurs twice.")
        return kind.model_validate(found)
    except ValidationError as error:
        name = ".".join(str(part) for part in error.errors()[0]["loc"]) or "form"
        raise _RefusedError(400, f"The field {name!r} of the form is not as it should be.") from error
    except ValueError as error:
        raise _RefusedError(400, "The form cannot be read.") from error


def _other_site(request: Request) -> str:
    """Why a request that changes something does not come from a page of this very server, or an empty text."""
    if request.method in ("GET", "HEAD"):
        return ""
    origin, host = request.headers.get("origin"), request.headers.get("host")
    if origin is not None and urlsplit(origin).netloc != host:
        return "forms of other pages are refused"
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "forms of other pages are refused"
    return ""


def _at(session: Session, sessions: Sessions, token: str, *, problem: str = "", status: int = 200) -> Response:
    """The page that a reader is at."""
    page = session.page
    common: dict[str, Any] = {
        "secret": form_secret(token),
        "code": token,
        "place": session.place,
        "of": len(session.pages),
    }
    if page is None:
        return _page("done", sessions, **common)
    if isinstance(page, Introduction):
        return _page("introduction", sessions, part=page, **common)
    return _page("case", sessions, status=status, shown=page, problem=problem, rows=case_rows(page),
                 blocks=blocks(page.explanation or ""), **common)  # fmt: skip


def case_rows(page: Shown) -> list[tuple[str, str, str]]:
    """Feature, value and new value (empty where it is not changed) of a case; one row of a sentence, none of others."""
    case, changes = read_case(page.context), read_edits(page.perturbation or "")
    if case.sentence:
        after = " ".join(case.changed(changes).values.values())
        return [(SENTENCE, " ".join(case.values.values()), after if changes else "")]
    if len(case.values) != len(page.context.splitlines()):
        return []
    edits = {edit.feature: edit.new for edit in changes}
    return [(name, value, edits.get(name, "")) for name, value in case.values.items()]


def blocks(text: str) -> list[tuple[str, list[list[str]]]]:
    """An explanation as parts to lay out: "table" (rows of two cells), "heading" or "lines" (one cell each)."""
    found: list[tuple[str, list[list[str]]]] = []
    for line in text.splitlines():
        kind, cells = "lines", [line]
        if line.startswith("== "):
            kind, cells = "heading", [line.strip("= ")]
        elif " | " in line:
            kind, cells = "table", [part.strip() for part in line.rsplit(" | ", 1)]
        if found and found[-1][0] == kind:
            found[-1][1].append(cells)
        else:
            found.append((kind, [cells]))
    return found


@functools.cache
def _environment() -> Any:
    import jinja2

    shared = page_environment()
    return shared.overlay(loader=jinja2.ChoiceLoader([jinja2.PackageLoader("explicate.web"), shared.loader]))


@functools.cache
def _style() -> str:
    return "".join(str(_environment().get_template(name).render()) for name in ("page.css", "study.css"))


def _page(name: str, sessions: Sessions, *, status: int = 200, **values: Any) -> HTMLResponse:
    values |= {"study": sessions.study, "ratings": range(RATINGS[0], RATINGS[1] + 1), "question": RATING_QUESTION}
    return HTMLResponse(_environment().get_template(f"{name}.html").render(values), status)
