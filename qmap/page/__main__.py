"""Play with, watch and compare agents in the browser: `python -m qmap.page [RUN | CKPT | RESULTS]`.

The page is served to this machine alone, unless another --host is asked for, which needs --token.
"""

from __future__ import annotations

import getpass
import importlib.util
import secrets
import socket
from collections.abc import Sequence

from qmap.page.results import Results
from qmap.shipped import names, place
from qmap.utils.command_line import OneLineParser, run
from qmap.utils.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NEEDED = ("starlette", "uvicorn", "websockets")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UserError: an argument cannot be used, or a library is missing.
    """
    options = _parser().parse_args(arguments)
    if not 0 <= options.port < 2**16:
        raise UserError(f"--port is {options.port}, expected 0 to 65535; 0 takes a free one")
    if options.host not in LOOPBACK and not options.token:
        raise UserError(
            f"--host {options.host} lets other machines in: expected --token too, or no --host "
            "and a forwarded SSH port"
        )
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(
            f"the page needs {', '.join(missing)}: expected an installation with "
            "pip install 'qmap[page]', or -e '.[page]' in a clone"
        )
    results = Results.of(place(options.place))
    token = secrets.token_urlsafe(24) if options.token else None
    listener = _listen(options.host, options.port)
    from qmap.page.server import serve

    with listener:
        _tell(options.host, listener.getsockname()[1], token)
        serve(results, listener, options.host, token)


def _tell(host: str, port: int, token: str | None) -> None:
    """Say where the page is, and how to reach it over SSH."""
    query = f"/?token={token}" if token else "/"
    address = f"[{host}]" if ":" in host else host
    print(f"http://{address}:{port}{query}")
    if host in LOOPBACK:
        there = f"{getpass.getuser()}@{socket.gethostname()}"
        # The tunnel ends on this machine, where "localhost" may be either of two addresses.
        print(
            f"from another machine: ssh -N -L {port}:{address}:{port} {there}, "
            f"then http://localhost:{port}{query}",
            flush=True,
        )
    else:
        print("not encrypted: whoever reads along on the network reads the token", flush=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot listen on {host}, port {port}: {reason}; expected a free --port, 0 finds one"
        ) from error


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m qmap.page",
        description="Play with, watch and compare agents in the browser.",
    )
    parser.add_argument(
        "place",
        metavar="RUN|CKPT|RESULTS",
        nargs="?",
        default="qmap_results",
        help="a run's folder, RUN/tensorflow/step_N.ckpt, a folder of results (qmap_results), or "
        f"an agent that ships: {', '.join(names())}",
    )
    parser.add_argument("--port", type=int, default=8080, help="0 finds a free one (default 8080)")
    parser.add_argument(
        "--host", default=LOOPBACK[0], help="address to listen on (default 127.0.0.1); see --token"
    )
    parser.add_argument(
        "--token", action="store_true", help="let in only who knows a token that is printed once"
    )
    return parser


if __name__ == "__main__":
    run(main)
