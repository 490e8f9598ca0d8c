"""Who may use the page, checked on every request and socket, and the headers of every answer.

Other pages that are open in the same browser cannot use it: they can neither read an answer
(another origin), nor show it in a frame, nor open a socket (its origin is checked), nor reach it
under a name of their own that leads to this machine (the host is checked).
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
        "img-src 'self' blob:; media-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets in who may, and adds the headers.

    Args:
        app: what is guarded.
        host: that the server listens on.
        token: that a visitor has to know, None for none.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self.app = app
        self.token = token
        # With a token and all addresses, no list of names is known, and none is needed.
        self.hosts = None if host in EVERYWHERE and token else {*LOCAL, host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a socket, or turn it away."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = None
        if not self._host_fits(headers):
            answer = PlainTextResponse("this page is not served under this name", 421)
        elif not _origin_fits(scope, headers):
            answer = PlainTextResponse("another page may not use this one", 403)
        elif self.token is not None and not self._is(_cookie(scope, headers)):
            answer = self._stranger(scope)
        if answer is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, _with_headers(send))

    def _host_fits(self, headers: Headers) -> bool:
        if len(headers.getlist("host")) != 1:
            return False
        return self.hosts is None or _name(f"//{headers['host']}") in self.hosts

    def _stranger(self, scope: Scope) -> PlainTextResponse | RedirectResponse:
        """Return the answer to who has no cookie: one, for whoever knows the token."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["type"] == "http" and self._is(query.pop("token", [""])[0]):
            # Out of the address, and with it out of the browser's history.
            rest = urlencode(query, doseq=True)
            answer = RedirectResponse("/" + ("?" + rest if rest else ""), 303)
            answer.set_cookie(_cookie_name(scope), self.token, httponly=True, samesite="strict")
            return answer
        return PlainTextResponse("expected the address with the token that was printed once", 403)

    def _is(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())


def _origin_fits(scope: Scope, headers: Headers) -> bool:
    """Whether a request comes from this page, or from no page at all."""
    origin = headers.get("origin")
    if origin is not None:
        return _place(origin) == headers["host"].lower()
    # Of what a page asks for, browsers say whether it is another one's; opening it is fine.
    foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return not foreign or headers.get("sec-fetch-mode") == "navigate"


def _place(address: str) -> str | None:
    """Return the host and port of an address, None if it is none."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return None


def _name(address: str) -> str | None:
    """Return the host of an address without its port, None if it is none."""
    try:
        parts = urlsplit(address)
        return None if parts.port == 0 else parts.hostname
    except ValueError:  # also of a port that is no number
        return None


def _cookie_name(scope: Scope) -> str:
    # Browsers keep cookies by host alone: pages on several ports must not take each other's.
    return f"qmap-{(scope.get('server') or ('', 0))[1]}"


def _cookie(scope: Scope, headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(_cookie_name(scope))
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return with_headers
