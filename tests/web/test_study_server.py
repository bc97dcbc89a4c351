"""The study's server trusts nobody: each request that a page would not send is refused and leaves no trace."""

import json
import socket
import threading
from urllib.parse import urlencode

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")

from starlette.testclient import TestClient

from explicate.errors import FileFormatError, InputError
from explicate.evaluation.simulatability.study import Shown
from explicate.web.sessions import Sessions, form_secret, new_token, participant_of
from explicate.web.study_server import MOST_BYTES, case_rows, make_study_app, serve_study

BASE = "http://127.0.0.1:8000"
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": BASE}


@pytest.fixture
def sessions(small_study, tmp_path):
    return Sessions(small_study, tmp_path / "answers")


@pytest.fixture
def client(sessions):
    with TestClient(make_study_app(sessions, "the-key"), base_url=BASE, follow_redirects=False) as found:
        yield found


def begun(client, sessions):
    """A browser with a place in the study: its token and the secret of its forms."""
    client.get("/")
    token = next(iter(client.cookies.jar)).value
    secret = form_secret(token)
    response = client.post("/start", content=urlencode({"secret": secret, "consent": "yes"}), headers=FORM)
    assert (response.status_code, response.headers["location"]) == (303, "/page")
    return token, secret


def post(client, path, headers=FORM, **fields):
    return client.post(path, content=urlencode(fields), headers=headers)


def test_every_answer_has_the_headers_that_keep_a_page_to_itself(client):
    for path in ("/", "/style.css", "/nowhere", "/answers.csv"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    cookie = client.get("/").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"host": "evil.example"}, "Host"),
        ({"origin": "http://evil.example"}, "other sites"),
        ({"origin": "http://127.0.0.1:9999"}, "other pages"),
        ({"origin": "null"}, "other sites"),
        ({"sec-fetch-site": "cross-site"}, "other pages"),
        ({"sec-fetch-site": "same-site"}, "other pages"),
    ],
)
def test_requests_of_other_sites_are_refused(client, sessions, headers, words):
    _, secret = begun(client, sessions)
    response = post(client, "/answer", {**FORM, **headers}, secret=secret, page=0)
    assert response.status_code == 403
    assert words in response.text
    assert next(iter(sessions._known.values())).place == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("secret=x&page=0", 403),  # the form of another browser
        ("page=0", 400),
        ("secret={s}&page=-1", 400),
        ("secret={s}&page=1e3", 400),
        ("secret={s}&page=0&page=0", 400),
        ("secret={s}&page=0&more=1", 400),
        ("secret={s}&page=0&rating=9", 400),
        ("secret={s}&page=0&answer=" + "x" * 201, 400),
        ("secret={s}&page=0&answer=%ff", 400),
        ("secret={s}&page=0;rm", 400),
        ("=&=&=&=&=&=&=&=&=&=", 400),
        ("", 400),
        ("x" * (MOST_BYTES + 1), 413),
    ],
)
def test_forms_that_no_page_sends_are_refused(client, sessions, body, status):
    _, secret = begun(client, sessions)
    response = client.post("/answer", content=body.replace("{s}", secret), headers=FORM)
    assert response.status_code == status
    assert next(iter(sessions._known.values())).place == 0


def test_other_kinds_of_bodies_and_methods_are_refused(client, sessions):
    _, secret = begun(client, sessions)
    fields = {"secret": secret, "page": 0}
    assert client.post("/answer", json=fields, headers={"origin": BASE}).status_code == 415
    assert client.get("/answer").status_code == 405
    assert client.put("/page", content=b"x", headers=FORM).status_code == 405
    assert client.get("/" + "x" * (MOST_BYTES + 1)).status_code == 414


@pytest.mark.parametrize("path", ["/../study.json", "/%2e%2e/forward-master.csv", "/answers.xlsx?key=the-key",
                                  "/answers.csv", "/answers.csv?key=", "/answers.json?key=wrong", "/docs"])  # fmt: skip
def test_no_path_leads_to_files_or_to_the_answers_without_the_key(client, path):
    response = client.get(path)
    assert response.status_code in (403, 404)
    assert "Ulm" not in response.text


def test_a_form_sent_twice_counts_once_and_wrong_answers_count_nothing(client, sessions):
    _, secret = begun(client, sessions)
    session = next(iter(sessions._known.values()))
    for _ in range(6):  # to the first prediction
        client.get("/page")
        post(client, "/answer", secret=secret, page=session.place)
    assert session.place == 6
    assert post(client, "/answer", secret=secret, page=6).status_code == 400  # no answer
    assert "please choose" in post(client, "/answer", secret=secret, page=6, answer="maybe").text
    assert "does not ask" in post(client, "/answer", secret=secret, page=6, answer="yes", rating=3).text
    assert session.place == 6
    assert post(client, "/answer", secret=secret, page=6, answer="yes").status_code == 303
    assert post(client, "/answer", secret=secret, page=6, answer="no").status_code == 303
    assert session.place == 7
    found = sessions.answers()
    assert [(one.item, one.answer) for one in found] == [("forward-0", "yes")]
    rows = client.get("/answers.json", params={"key": "the-key"}).json()
    assert rows[0]["item"] == "forward-0"
    assert "truth" not in rows[0]


def test_two_windows_that_answer_at_once_leave_one_answer(small_study, tmp_path):
    sessions = Sessions(small_study, tmp_path)
    session = sessions.start(new_token())
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(sessions.answer(session, 0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert Sessions(small_study, tmp_path).find("x") is None
    assert Sessions(small_study, tmp_path)._known[session.participant].place == 1


def test_readers_are_dealt_evenly_to_methods_and_tokens_are_not_on_the_disk(small_study, tmp_path):
    sessions = Sessions(small_study, tmp_path)
    tokens = [new_token() for _ in range(10)]
    methods = [sessions.start(token).method for token in tokens]
    assert sorted(methods) == ["lime"] * 5 + ["other"] * 5
    content = "".join(path.read_text() for path in tmp_path.iterdir())
    assert not any(token in content for token in tokens)
    assert sessions.find(tokens[3]).participant == participant_of(tokens[3])
    for bad in (None, "", "x" * 27 + "/", "../../etc/passwd", "é" * 27):
        assert sessions.find(bad) is None


def test_time_is_counted_from_the_last_showing_and_torn_lines_are_dropped(small_study, tmp_path):
    now = [100.0]
    sessions = Sessions(small_study, tmp_path, clock=lambda: now[0])
    token = new_token()
    session = sessions.start(token)
    for place in range(6):
        sessions.answer(session, place)
    sessions.show(session)
    now[0] += 3600  # a long break
    again = Sessions(small_study, tmp_path, clock=lambda: now[0])
    session = again.find(token)
    again.show(session)
    now[0] += 2.5
    again.answer(session, 6, "no")
    (answer,) = again.answers()
    assert (answer.seconds, answer.times_shown) == (2.5, 2)
    path = tmp_path / f"reader-{session.participant}.jsonl"
    with path.open("a") as file:
        file.write('{"event": "answer", "pla')  # a kill in the middle of a write
    assert Sessions(small_study, tmp_path).find(token).place == 7


def test_files_of_another_study_and_damaged_ones_are_refused_by_name(small_study, tmp_path):
    from dataclasses import replace

    sessions = Sessions(small_study, tmp_path)
    session = sessions.start(new_token())
    with pytest.raises(FileFormatError, match="another study"):
        Sessions(replace(small_study, title="Other"), tmp_path)
    path = tmp_path / f"reader-{session.participant}.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, json.dumps({"event": "answer", "place": 4})]) + "\n")
    with pytest.raises(FileFormatError, match=r"reader-.*out of order"):
        Sessions(small_study, tmp_path)
    path.write_text("\n".join([*lines, json.dumps({"event": "answer"})]) + "\n")
    with pytest.raises(FileFormatError, match="damaged"):
        Sessions(small_study, tmp_path)


def test_markup_in_texts_is_shown_as_text(client, sessions, small_study):
    _, secret = begun(client, sessions)
    session = next(iter(sessions._known.values()))
    pages = []
    for _ in range(len(session.pages)):
        pages.append(client.get("/page").text)
        page = session.page
        asks = getattr(page, "asks", ())
        given = {"answer": "yes"} if "answer" in asks else {}
        given |= {"rating": 1} if "rating" in asks else {}
        assert post(client, "/answer", secret=secret, page=session.place, **given).status_code == 303
    assert session.page is None
    assert "<script" not in "".join(pages)
    assert "&lt;script&gt;" in "".join(pages)


def test_only_loopback_is_served(sessions):
    with socket.socket() as open_to_all:
        open_to_all.bind(("0.0.0.0", 0))
        with pytest.raises(InputError, match="not loopback"):
            serve_study(sessions, open_to_all)


def test_a_sentence_is_one_row_and_its_change_the_whole_new_sentence():
    edits = "Word 2 : dull --> moving\nWord 3 : film --> play"
    page = Shown("1", "counterfactual", "pre", "Sentence : a dull film : really", perturbation=edits)
    assert case_rows(page) == [("Sentence", "a dull film : really", "a moving play : really")]
    assert case_rows(Shown("1", "forward", "pre", "Sentence : a b")) == [("Sentence", "a b", "")]
    assert case_rows(Shown("1", "forward", "pre", "Age : old\nSex : x", perturbation="Age : old --> young")) == [
        ("Age", "old", "young"), ("Sex", "x", ""),
    ]  # fmt: skip
    assert case_rows(Shown("1", "forward", "pre", "free text")) == []
