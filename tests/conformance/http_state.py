#!/usr/bin/env python3
"""Runs the cookie tables of the http-state working group against `fetch`, or against curl.

    git clone https://github.com/abarth/http-state
    cargo build --release --example fetch --features full
    python3 tests/conformance/http_state.py http-state target/release/examples/fetch

Each case is a response that sets cookies and redirects. The request after it must have the expected `Cookie`
field. It prints each case that differs, and the counts. A third argument runs only the cases that begin with it.
"""

import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading

HOSTS = ["example.org", "home.example.org", "home.example.org.", "sibling.example.org",
         "subdomain.home.example.org", "sibling.home.example.org"]
# The port is in the tables.
PORT = 8888


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cases = pathlib.Path()
    received = {}

    def do_GET(self):
        path, _, case = self.path.partition("?")
        if path.startswith("/cookie-parser-result"):
            Handler.received[case] = self.headers.get("Cookie", "")
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        head = (self.cases / f"{case}-test").read_bytes().replace(b"\r\n", b"\n").rstrip(b"\n")
        lines = head.split(b"\n") if head else []
        if not any(line.lower().startswith(b"location:") for line in lines):
            lines.append(b"Location: /cookie-parser-result?" + case.encode())
        lines.append(b"Content-Length: 0")
        self.wfile.write(b"HTTP/1.1 302 Found\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")

    def log_message(self, *_):
        pass


def expected(case):
    lines = (Handler.cases / f"{case}-expected").read_text("utf-8", "surrogateescape").splitlines()
    return next((line[len("Cookie:"):].strip() for line in lines if line.startswith("Cookie:")), "")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    Handler.cases = pathlib.Path(sys.argv[1]) / "tests" / "data" / "parser"
    program, begin = sys.argv[2], (sys.argv + [""])[3]
    cases = sorted(path.name[:-len("-test")] for path in Handler.cases.glob(f"{begin}*-test"))
    if not cases:
        sys.exit(f"no cases in {Handler.cases}")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    resolve = [word for host in HOSTS for word in ("--resolve", f"{host}:{PORT}:127.0.0.1")]
    differs = 0
    for case in cases:
        with tempfile.NamedTemporaryFile() as jar:
            url = f"http://home.example.org:{PORT}/cookie-parser?{case}"
            subprocess.run([program, "-sL", "-c", jar.name, *resolve, url], timeout=60, check=False)
        # A byte above 127 arrives as Latin-1 and stands in the tables as UTF-8.
        got = Handler.received.get(case, "no request").encode("latin-1", "replace").decode("utf-8", "surrogateescape")
        if got != expected(case):
            differs += 1
            print(f"{case}: expected {expected(case)!r}, got {got!r}")
    print(f"{len(cases) - differs} of {len(cases)} as in the tables")


main()
