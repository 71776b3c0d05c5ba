"""The web app's process where it is deployed: on $PORT, for IPv4 and IPv6, until SIGTERM.

`uvicorn --host ::` listens on IPv6 alone, because asyncio says so of its sockets; so the socket is made here.
"""

import os
import socket
from collections.abc import Mapping

import uvicorn

from examples.agent_tasks.app import create_app

GRACE = 10
"""Seconds for the requests in hand; platforms must give more before they kill."""


def listen(port: int) -> socket.socket:
    """Listen on every address of this machine."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))  # "" is 0.0.0.0


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in hand."""
    config = uvicorn.Config(
        create_app(environ),
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
        proxy_headers=bool(environ.get("FORWARDED_ALLOW_IPS")),  # nobody is believed unless a proxy is named
    )
    with listen(int(environ.get("PORT") or 8000)) as door:
        uvicorn.Server(config).run(sockets=[door])


if __name__ == "__main__":
    main()
