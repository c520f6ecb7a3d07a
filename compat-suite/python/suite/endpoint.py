"""An HTTP endpoint for subscriptions: it keeps what is posted to it, and answers as it is told."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from suite.clients import get

PATIENCE = 10  # seconds in which a delivery must come


class Post:
    """One request: path, headers (names in lower case), body, and that parsed as JSON."""

    def __init__(self, path, headers, body):
        self.path = path
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body.decode()

    @property
    def message(self):
        """The body, parsed."""
        return json.loads(self.body)


class HttpEndpoint:
    """Listens on a port of 127.0.0.1 until it is closed."""

    def __init__(self):
        self._posts = queue.Queue()
        self._statuses = queue.Queue()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = endpoint._next_status()
                endpoint._posts.put(Post(self.path, self.headers, body))
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/sns"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _next_status(self):
        try:
            return self._statuses.get_nowait()
        except queue.Empty:
            return 200

    def answer(self, *statuses):
        """Answers the next posts with these; those after them with 200."""
        for status in statuses:
            self._statuses.put(status)

    def next(self, kind=None):
        """The next post, waiting for it; `kind`: its x-amz-sns-message-type must be this one."""
        post = self._posts.get(timeout=PATIENCE)
        assert kind is None or post.headers["x-amz-sns-message-type"] == kind, post.headers
        return post

    def confirm(self):
        """Waits for the confirmation and visits its SubscribeURL; returns the answer to that."""
        return get(self.next("SubscriptionConfirmation").message["SubscribeURL"])

    @property
    def is_silent(self):
        """Whether nothing has come that nobody looked at."""
        return self._posts.empty()

    def close(self):
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
