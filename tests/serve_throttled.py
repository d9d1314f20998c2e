#!/usr/bin/env python3
"""A slow, steady download from the example `serve` beside many busy clients.

One client reads a file of 60 MB at 100 kB/s for five minutes, others make requests meanwhile. The
download must not be cut, and every request must get its response. Everything is on 127.0.0.1.

    cargo build --example serve --features full
    tests/serve_throttled.py [--seconds 300] [--rate 100000] [--others 200]
        [--serve target/debug/examples/serve]
"""

import argparse
import asyncio
import pathlib
import subprocess
import sys
import tempfile
import time

SIZE = 60_000_000


async def download(port, options):
    """Reads at the rate; returns how much, and whether the connection was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(b"GET /files/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
    began, read = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < options.seconds and read < SIZE:
        if read < elapsed * options.rate:
            chunk = await reader.read(options.rate // 20)
            if not chunk:
                return read, True
            read += len(chunk)
        else:
            await asyncio.sleep(0.02)
    writer.close()
    return read, False


async def other(port, options, counts):
    """A client that keeps its connection and makes a request every second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        writer.write(b"GET /files/small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1000)
        counts.append(head.startswith(b"HTTP/1.1 200"))
        await asyncio.sleep(1)
    writer.close()


async def run(port, options):
    counts = []
    others = [other(port, options, counts) for _ in range(options.others)]
    (read, cut), *failures = await asyncio.gather(
        download(port, options), *others, return_exceptions=True
    )
    failures = [failure for failure in failures if failure is not None]
    print(
        f"read {read} bytes in {options.seconds} s, {'cut' if cut else 'not cut'}; "
        f"{len(counts)} other requests by {options.others} clients, "
        f"{counts.count(False) + len(failures)} failed"
    )
    return not cut and all(counts) and not failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--others", type=int, default=200)
    parser.add_argument("--serve", default="target/debug/examples/serve")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "large.bin").write_bytes(b"x" * SIZE)
        pathlib.Path(folder, "small.txt").write_bytes(b"y" * 1000)
        serve = subprocess.Popen(
            [options.serve, "--port", "0", "--root", folder], stdout=subprocess.PIPE, text=True
        )
        port = int(serve.stdout.readline().strip().rstrip("/").rsplit(":", 1)[1])
        try:
            is_good = asyncio.run(run(port, options))
        finally:
            serve.terminate()
            serve.wait()
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
