"""A web server that tells of a file, and sends none of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def stalling() -> Iterator[tuple[str, threading.Event]]:
    """Give the file's URL, and what is set once somebody waits for its bytes."""
    asked, over = threading.Event(), threading.Event()

    class Stalls(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            there = self.path.endswith(".xentrace")
            self.send_response(200 if there else 404)
            self.send_header("Content-Length", "1000000" if there else "0")
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()

        def do_GET(self) -> None:
            asked.set()
            over.wait()

        def log_message(self, *_about: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stalls)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/slow.xentrace", asked
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
