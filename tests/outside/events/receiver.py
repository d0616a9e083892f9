"""An operator's system: verifies each event with the published library, and remembers it."""

import http.server
import threading

from standardwebhooks import Webhook, WebhookVerificationError


class Receiver:
    def __init__(self):
        self.secret, self.status, self.events, self.refused = None, 204, [], 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.receive(dict(self.headers), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def receive(self, headers, body):
        try:
            event = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            print(f"    not verified: {error}")
            self.refused += 1
            return 401
        if self.status == 204:
            headers = {name.lower(): value for name, value in headers.items()}
            self.events.append((headers["webhook-id"], event))
        return self.status

    def types(self, member=None):
        return [event["type"] for _, event in self.events if event["data"].get("member_id") == member]
