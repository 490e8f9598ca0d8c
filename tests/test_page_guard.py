from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asgi import Answer, Page, ask

pytest.importorskip("starlette", reason="starlette is not installed: pip install -e '.[test]'")

from qmap.page.__main__ import main
from qmap.page.results import Results
from qmap.page.server import make_app
from qmap.utils.errors import UserError

TOKEN = "a-token-for-tests"


def app_of(results: Path, token: str | None = None, host: str = "127.0.0.1") -> Any:
    return make_app(Results.of(results), host, token)


def get(app: Any, path: str, query: str = "", **headers: str) -> Answer:
    return asyncio.run(ask(app, path, query=query, **headers))


def is_let_in(app: Any, **headers: str) -> bool:
    async def knock() -> bool:
        async with Page(app, **headers) as page:
            return page.accepted

    return asyncio.run(knock())


@pytest.mark.parametrize("address", ["/", "/static/app.js", "/runs", "/nothing", "/files/x.mp4"])
def test_every_answer_keeps_other_pages_away(tmp_path: Path, address: str) -> None:
    headers = get(app_of(tmp_path), address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:8080"])
def test_this_machine_is_let_in_under_its_own_names(tmp_path: Path, host: str) -> None:
    app = app_of(tmp_path)
    assert get(app, "/", host=host).status == 200
    assert is_let_in(app, host=host, origin=f"http://{host}")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "a:b", "@"])
def test_a_foreign_name_that_leads_here_is_turned_away(tmp_path: Path, host: str) -> None:
    app = app_of(tmp_path)
    assert get(app, "/runs", host=host).status == 421
    assert not is_let_in(app, host=host, origin=f"http://{host}")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://["},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_another_page_gets_no_answer_and_no_socket(tmp_path: Path, headers: dict[str, str]) -> None:
    app = app_of(tmp_path)
    assert get(app, "/runs", **headers).status == 403
    assert not is_let_in(app, **headers)
    assert is_let_in(app)


def test_a_link_from_another_page_may_open_this_one(tmp_path: Path) -> None:
    headers = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert get(app_of(tmp_path), "/", **headers).status == 200


def test_the_token_is_asked_for_once_and_stays_in_no_address(tmp_path: Path) -> None:
    app = app_of(tmp_path, TOKEN)
    for path in ("/", "/static/app.js", "/runs", "/files/x.mp4", "/play/socket", "/nothing"):
        for query in ("", "token=wrong", "token=", "token=%ff"):
            assert get(app, path, query).status == 403, (path, query)
    assert not is_let_in(app)
    answer = get(app, "/", f"token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    words = answer.headers["set-cookie"].lower()
    assert "httponly" in words
    assert "samesite=strict" in words
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert get(app, "/runs", cookie=cookie).status == 200
    assert is_let_in(app, cookie=cookie)
    # Not that of a page on another port of this machine.
    assert not is_let_in(app, cookie=cookie.replace("8080", "8081"))


@pytest.mark.parametrize("cookie", ["qmap-8080=wrong", "qmap-8080=", "=;=", "qmap-8080=\xff"])
def test_a_wrong_cookie_is_no_token(tmp_path: Path, cookie: str) -> None:
    app = app_of(tmp_path, TOKEN)
    assert get(app, "/runs", cookie=cookie).status == 403
    assert not is_let_in(app, cookie=cookie)


def test_all_addresses_are_for_who_knows_the_token_alone(tmp_path: Path) -> None:
    app, host = app_of(tmp_path, TOKEN, "0.0.0.0"), "server.example:8080"
    assert get(app, "/runs", host=host).status == 403
    assert get(app, "/", f"token={TOKEN}", host=host).status == 303


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "expected --token"),
        (["--port", "70000"], "expected 0 to 65535"),
        (["nowhere"], "there is no nowhere"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qmap_results").mkdir()
    with pytest.raises(UserError, match=words) as caught:
        main(arguments)
    assert "\n" not in str(caught.value)


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1, port {port}"):
            main([str(tmp_path), "--port", str(port)])


def test_it_says_how_to_reach_it_over_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("qmap.page.server.serve", lambda *arguments: None)
    main([str(tmp_path), "--port", "0", "--token"])
    here, elsewhere = capsys.readouterr().out.splitlines()
    assert here.startswith("http://127.0.0.1:")
    port = here.split(":")[2].split("/")[0]
    assert f"ssh -N -L {port}:127.0.0.1:{port} " in elsewhere
    assert here.count("?token=") == elsewhere.count("?token=") == 1
