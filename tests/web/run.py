#!/usr/bin/env python3
"""Runs the tests in tests/web/pkg, which tests/web/run has built, in a browser, and prints their results.

A browser is started once for most tests, and again for each that needs other settings (`Browser.sessions`).
"""

import json
import os
import shutil
import socket
import sys
import tempfile

import browsers
import server

LIMIT = float(os.environ.get("HTTPOLL_WEB_SECONDS", "240"))


def closed_port():
    """A port of loopback at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def run(kind, session, url, page, only):
    """Opens the page in a browser, and returns the report, which browser it was, and what it logged."""
    server.STATE.reported.clear()
    lacks = ",".join(session.lacks)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            browser = kind(folder, session)
        except browsers.Missing as missing:
            sys.exit(f"tests/web: {missing}")
        version = browser.version()
        server.STATE.set_quota = browser.set_quota
        browser.start(f"{url}&lacks={lacks}&only={only}", proxy=page)
        try:
            done = server.STATE.reported.wait(LIMIT)
        finally:
            browser.stop()
        if not done:
            print(browser.log()[-6000:], file=sys.stderr)
            sys.exit(f"tests/web: the page has not reported to {version} within {LIMIT:.0f} s")
        return json.loads(server.STATE.report), version, browser.console_lines()


def main():
    arguments = sys.argv[1:]
    kind = browsers.take_option(arguments)
    only = arguments[0] if arguments else ""
    shutil.copy(os.path.join(server.HERE, "index.html"), os.path.join(server.HERE, "pkg"))
    with open(os.path.join(server.HERE, "pkg", "asset.txt"), "w") as file:
        file.write("an asset")
    page, with_cors, without_cors = server.start(False), server.start(True), server.start(False)
    folder = os.path.join(server.HERE, "../../plugin/tests/certificate")
    https = server.start(False, [os.path.join(folder, name) for name in ("certificate.pem", "key.pem")])
    url = (
        f"http://127.0.0.1:{page}/index.html?cors=http://127.0.0.1:{with_cors}"
        f"&plain=http://127.0.0.1:{without_cors}&dead=http://127.0.0.1:{closed_port()}"
        f"&https=https://127.0.0.1:{https}"
    )
    cases, figures, logged, version, elsewhere = [], [], [], kind.name, set()
    for session in kind.sessions:
        if only not in session.only and session.only:
            continue
        report, version, console = run(kind, session, url, page, session.only or only)
        for case in report["cases"]:
            if "lacks" in case:
                case["reason"] = session.lacks[case["lacks"]]
            elif session.only:
                elsewhere.add(case["name"])
            case["title"] = f"{case['name']} {session.title}".strip()
            cases.append(case)
        figures += report["figures"]
        logged += console
    # What one session skips, another one may have run.
    cases = [case for case in cases if "reason" not in case or case["name"] not in elsewhere]
    failed, skipped = 0, 0
    for case in cases:
        error, reason = case["error"], case.get("reason")
        failed += error is not None
        skipped += reason is not None
        result = "FAILED" if error is not None else "SKIPPED" if reason is not None else "ok"
        print(f"test {case['title']} ... {result} ({case['milliseconds']:.0f} ms)")
        if error is not None or reason is not None:
            print(f"    {error or reason}")
    for line in figures:
        print(line)
    if failed:
        print("\n".join(logged)[-4000:], file=sys.stderr)
    print(f"{version}: {len(cases) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not cases else 0)


main()
