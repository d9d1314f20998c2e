#!/usr/bin/env python3
"""Runs `fetch` and curl with the same arguments and compares what they do.

    cargo build --example fetch --features full
    tests/fetch_against_curl.py [--fetch PROGRAM] [--curl PROGRAM] [--only WORD] [--report FILE]

Each case of `against_curl/cases.py` is one command line, given to both. They talk to nginx, to a server of
the script that records each request as it is on the wire, to proxies, and over TLS with a private
authority. The script compares the exit status, standard output, the status named on standard error, the
files left, and each request: its line, its header fields, its content, and the number of connections.
`against_curl/differences.py` lists the accepted differences, each with its reason. Any other difference
fails the run; so does a reason that no longer applies, if curl has the version that the reasons are for.

Needs Python 3, curl, nginx and openssl. Uses only loopback and leaves nothing behind.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from against_curl.cases import CASES  # noqa: E402
from against_curl.differences import CASES as ARGUED  # noqa: E402
from against_curl.differences import CURL  # noqa: E402
from against_curl.farm import Farm  # noqa: E402
from against_curl.report import markdown, table  # noqa: E402
from against_curl.runner import Runner, compare  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Result:
    """A case that was run, and its result."""

    def __init__(self, case, differences, argued, took):
        self.case = case
        self.took = took
        self.differences = differences
        self.argued = argued
        self.unargued = [name for name in differences if name not in argued]
        self.outdated = [
            name for name, reason in argued.items() if reason.always and name not in differences
        ]

    @property
    def verdict(self):
        if self.unargued:
            return "DIFFERS"
        if self.outdated:
            return "OUTDATED"
        return "argued" if self.argued else "alike"


def main():
    options = parse()
    # So that nginx is stopped and the folder removed whoever ends the run.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    for needed in ("nginx", "openssl", options.curl):
        if not (shutil.which(needed) or shutil.which(needed, path="/usr/sbin")):
            sys.exit(f"{needed} is needed and not there")
    fetch = os.path.abspath(options.fetch or built())
    began = time.monotonic()
    names = {case.name for case in CASES}
    unknown = [name for name in ARGUED if name not in names]
    if unknown:
        sys.exit(f"reasons for cases that are not there: {unknown}")
    results, skipped = [], []
    with tempfile.TemporaryDirectory(prefix="fetch-against-curl-") as folder:
        farm = Farm(folder)
        try:
            runner = Runner(farm, options.curl, fetch, folder)
            for case in CASES:
                if options.only and options.only not in case.name:
                    continue
                if "<H6>" in case.command and "H6" not in farm.places:
                    skipped.append((case.name, "this machine has no IPv6 loopback"))
                    continue
                started = time.monotonic()
                seen = {tool: runner.run(tool, case) for tool in ("curl", "fetch")}
                differences = compare(seen["curl"], seen["fetch"])
                result = Result(case, differences, ARGUED.get(case.name, {}), time.monotonic() - started)
                results.append(result)
                tell(result, seen, options.verbose)
        finally:
            farm.close()
    took = time.monotonic() - began
    print(table(results, skipped, took))
    if options.report:
        with open(options.report, "w") as file:
            file.write(markdown(results, skipped, version(options.curl)))
    # Another curl may have come round; that is no reason to fail.
    is_that_curl = version(options.curl) == CURL
    bad = [result for result in results if result.unargued or result.outdated and is_that_curl]
    sys.exit(1 if bad or not results else 0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fetch", help="the program; built by cargo if not given")
    parser.add_argument("--curl", default="curl", help="the curl to compare with")
    parser.add_argument("--only", help="only cases whose name has this in it")
    parser.add_argument("--report", help="write the results to this Markdown file")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what was argued, too")
    return parser.parse_args()


def built():
    """Builds the example and answers where it is."""
    command = ["cargo", "build", "--quiet", "--example", "fetch", "--features", "full"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    return os.path.join(target, "debug", "examples", "fetch")


def version(curl):
    said = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def tell(result, seen, verbose):
    """Shows what differs without a reason."""
    for name in result.outdated:
        print(f"{result.case.name}: {name} does not differ any more; take its reason out")
    shown = result.differences if verbose else result.unargued
    for name in shown:
        curl, fetch = result.differences[name]
        print(f"{result.case.name}: {name}\n    curl:  {curl!r}\n    fetch: {fetch!r}")
    if result.unargued:
        for tool, one in seen.items():
            print(f"    {tool} said: {one.full_stderr.strip()!r}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
