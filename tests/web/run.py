#!/usr/bin/env python3
"""Runs the tests in tests/web/pkg, which tests/web/run has built, in headless Chromium, and prints their results."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

import devtools
import server

LIMIT = float(os.environ.get("HTTPOLL_WEB_SECONDS", "240"))


def closed_port():
    """A port of loopback at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def main():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("tests/web: no Chromium")
    shutil.copy(os.path.join(server.HERE, "index.html"), os.path.join(server.HERE, "pkg"))
    with open(os.path.join(server.HERE, "pkg", "asset.txt"), "w") as file:
        file.write("an asset")
    page, with_cors, without_cors = server.start(False), server.start(True), server.start(False)
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    url = (
        f"http://127.0.0.1:{page}/index.html?cors=http://127.0.0.1:{with_cors}"
        f"&plain=http://127.0.0.1:{without_cors}&dead=http://127.0.0.1:{closed_port()}&only={only}"
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
            "--disable-background-networking --disable-component-update --disable-sync "
            "--disable-background-timer-throttling --disable-renderer-backgrounding "
            "--enable-logging=stderr --v=0"
        ).split()
        # A page from there is not secure, unlike one from loopback.
        flags.append("--host-resolver-rules=MAP insecure.test 127.0.0.1")
        log = open(os.path.join(profile, "log"), "w+")
        browser = subprocess.Popen(
            [chromium, *flags, f"--user-data-dir={profile}/data", "--remote-debugging-port=0", url],
            stdout=log,
            stderr=log,
        )
        server.STATE.set_quota = lambda host, bytes_: devtools.set_quota(f"{profile}/data", host, bytes_)
        try:
            done = server.STATE.reported.wait(LIMIT)
        finally:
            browser.terminate()
            try:
                browser.wait(10)
            except subprocess.TimeoutExpired:
                browser.kill()
        if not done:
            log.seek(0)
            print(log.read()[-6000:], file=sys.stderr)
            sys.exit(f"tests/web: the page has not reported within {LIMIT:.0f} s")
        console = [line for line in open(log.name) if "CONSOLE" in line]
    report = json.loads(server.STATE.report)
    failed = 0
    for case in report["cases"]:
        error = case["error"]
        failed += error is not None
        print(f"test {case['name']} ... {'ok' if error is None else 'FAILED'} ({case['milliseconds']:.0f} ms)")
        if error is not None:
            print(f"    {error}")
    for line in report["figures"]:
        print(line)
    if failed:
        print("".join(console)[-4000:], file=sys.stderr)
    print(f"{len(report['cases']) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not report["cases"] else 0)


main()
