#!/usr/bin/env python3
"""Serves plugin/web/pkg, which plugin/web/run has built, with the service that the example leaderboard asks.

The service is busy at first and fails on request, as that of plugin/examples/leaderboard/terminal.rs. With --check or
--picture FILE the page is opened in a browser without a window: Chromium, or that of --browser firefox or webkit (which
takes no pictures). Standard library only.
"""

import http.server
import json
import os
import socketserver
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tests/web"))
# Only now is it found.
import browsers  # noqa: E402

LIMIT = 120
FILES = {
    "/": ("index.html", "text/html"),
    "/leaderboard.js": ("pkg/leaderboard.js", "text/javascript"),
    "/leaderboard_bg.wasm": ("pkg/leaderboard_bg.wasm", "application/wasm"),
}
# What the example prints, in this order.
EXPECTED = """submitting 184250 points of Ada
leaderboard: Bob 171900
leaderboard: Ada 184250, Bob 171900
the server fails from now on
leaderboard: Ada 184250, Bob 171900 (saved copy)
the player leaves
no request is left"""
PIXEL = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


class Service:
    def __init__(self):
        self.scores = [{"player": "Bob", "points": 171_900}]
        self.posts = 0
        self.is_failing = False
        self.report = None
        self.ended = threading.Event()


SERVICE = Service()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def respond(self, status, content=b"", kind="text/plain", fields=()):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/scores":
            if SERVICE.is_failing:
                return self.respond(500, b"out of order")
            scores = json.dumps(SERVICE.scores).encode()
            return self.respond(200, scores, "application/json", [("Cache-Control", "max-age=0")])
        if path == "/ended":
            SERVICE.ended.wait()
            return self.respond(200, PIXEL, "image/svg+xml")
        if path not in FILES:
            return self.respond(404)
        name, kind = FILES[path]
        with open(os.path.join(HERE, name), "rb") as file:
            return self.respond(200, file.read(), kind)

    def do_POST(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/fail":
            SERVICE.is_failing = True
            return self.respond(200)
        if self.path == "/report":
            SERVICE.report = content.decode()
            SERVICE.ended.set()
            return self.respond(200)
        if self.path != "/scores":
            return self.respond(404)
        SERVICE.posts += 1
        if SERVICE.posts == 1:
            return self.respond(503, fields=[("Retry-After", "1")])
        if self.headers.get("Authorization") != "Bearer token-of-ada":
            return self.respond(401)
        SERVICE.scores.append(json.loads(content))
        SERVICE.scores.sort(key=lambda score: -score["points"])
        return self.respond(201)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def open_in(kind, url, picture):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            browser = kind(folder)
        except browsers.Missing as missing:
            sys.exit(f"plugin/web: {missing}")
        try:
            if picture:
                browser.take_picture(f"{url}?picture", picture, (960, 420), LIMIT)
            else:
                browser.start(url)
                SERVICE.ended.wait(LIMIT)
        finally:
            browser.stop()
        if not SERVICE.ended.is_set():
            print(browser.log()[-6000:], file=sys.stderr)
            sys.exit(f"plugin/web: the example did not end within {LIMIT} s")
        version = browser.version()
    if SERVICE.report != EXPECTED:
        sys.exit(f"plugin/web: the page printed\n{SERVICE.report}\n\ninstead of\n{EXPECTED}")
    print(f"plugin/web: the example leaderboard ran in a page of {version} and printed what it prints natively")


def main():
    arguments = sys.argv[1:]
    kind = browsers.take_option(arguments)
    port = 0 if arguments else 8000
    server = Server(("127.0.0.1", port), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    if not arguments:
        print(url, flush=True)
        return server.serve_forever()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if arguments == ["--check"]:
        return open_in(kind, url, None)
    if arguments[0] == "--picture" and len(arguments) == 2:
        return open_in(kind, url, os.path.abspath(arguments[1]))
    return sys.exit(__doc__)


main()
