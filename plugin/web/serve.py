#!/usr/bin/env python3
"""Serves plugin/web/pkg, which plugin/web/run has built, with the service that the example leaderboard asks.

The service is busy at first and fails on request, as that of plugin/examples/leaderboard/terminal.rs. With --check or
--picture FILE the page is opened in headless Chromium. Standard library only.
"""

import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
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


def open_in_chromium(url, picture):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("plugin/web: no Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        picture = picture or os.path.join(profile, "page.png")
        flags = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --window-size=960,420".split()
        command = [chromium, *flags, f"--user-data-dir={profile}/data", f"--screenshot={picture}", f"{url}?picture"]
        try:
            subprocess.run(command, timeout=120, check=True, capture_output=True)
        except subprocess.TimeoutExpired:
            sys.exit("plugin/web: the example did not end within 120 s")
    if SERVICE.report != EXPECTED:
        sys.exit(f"plugin/web: the page printed\n{SERVICE.report}\n\ninstead of\n{EXPECTED}")
    print("plugin/web: the example leaderboard ran in a page and printed what it prints natively")


def main():
    port = 8000 if len(sys.argv) == 1 else 0
    server = Server(("127.0.0.1", port), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    if len(sys.argv) == 1:
        print(url, flush=True)
        return server.serve_forever()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if sys.argv[1] == "--check":
        return open_in_chromium(url, None)
    if sys.argv[1] == "--picture" and len(sys.argv) == 3:
        return open_in_chromium(url, os.path.abspath(sys.argv[2]))
    return sys.exit(__doc__)


main()
