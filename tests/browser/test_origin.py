"""Goal: what a browser says of the page that opens a WebSocket decides whether it opens.

Method: Chromium on pages of several origins; each tries one WebSocket to Holdfast, which names the
origins that may.
"""

import pytest
from holdfast_test.edge import edge, running_edge
from holdfast_test.peers import echo_websocket

__all__ = ["edge", "running_edge"]

OPENS = """new Promise((resolve) => {{
  const socket = new WebSocket('ws://{host}:{port}/origin');
  socket.onopen = () => {{ resolve(true); socket.close(); }};
  socket.onerror = () => resolve(false);
}})"""


def opens(browser, page, host, port):
    """Whether a page may open a WebSocket to a host."""
    return browser.open(page.format(port=port)).evaluate(OPENS.format(host=host, port=port))


@pytest.mark.parametrize(
    ("allowed", "page", "host", "passes"),
    [
        ("http://127.0.0.1:{port}", "http://127.0.0.1:{port}/none", "127.0.0.1", True),
        ("http://127.0.0.1:{port}", "http://localhost:{port}/none", "127.0.0.1", False),
        ("http://127.0.0.1:1", "http://127.0.0.1:{port}/none", "127.0.0.1", False),
        ("same-origin", "http://localhost:{port}/none", "localhost", True),
        ("same-origin", "http://localhost:{port}/none", "127.0.0.1", False),
        ("http://*.localhost:{port}", "http://a.localhost:{port}/none", "127.0.0.1", True),
        ("http://*.localhost:{port}", "http://a.b.localhost:{port}/none", "127.0.0.1", False),
    ],
)
def test_which_pages_open_a_websocket(edge, browser, allowed, page, host, passes):
    backend = edge.backend(echo_websocket)
    route = edge.route(
        backend, paths=("/origin",), host="", allowed_origins=allowed.format(port=edge.http)
    )
    try:
        assert opens(browser, page, host, edge.http) == passes
        assert len(backend.connections) == passes
    finally:
        route.delete()
