#!/usr/bin/env python3
"""Event streams and requests through nginx with its default settings, to the example `serve`.

Every stream must get every event, in order and soon after it was sent, and no request may fail.
Needs nginx (Debian: apt-get install nginx-light). Everything listens on 127.0.0.1.

    cargo build --example serve --features full
    tests/serve_behind_nginx.py [--streams 300] [--seconds 30] [--serve target/debug/examples/serve]
"""

import argparse
import asyncio
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
}}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def get(port, path):
    """The head of a response and the rest of its stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return head, reader, writer


async def stream(port, seconds, results):
    """Reads an event stream; notes the numbers of its ticks."""
    head, reader, writer = await get(port, "/sse")
    ticks = []
    results.append((head.split()[1], ticks))
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            chunk = await asyncio.wait_for(reader.read(4096), left)
            if not chunk:
                ticks.append("end of stream")
                break
            ticks.extend(int(tick) for tick in re.findall(rb"data: tick (\d+)", chunk))
    except asyncio.TimeoutError:
        pass
    writer.close()


async def requests(port, seconds, statuses):
    """A request every 20 ms beside the streams."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        head, _, writer = await get(port, "/echo")
        statuses.append(head.split()[1])
        writer.close()
        await asyncio.sleep(0.02)


async def run(options, port):
    results, statuses = [], []
    tasks = [stream(port, options.seconds, results) for _ in range(options.streams)]
    await asyncio.gather(*tasks, requests(port, options.seconds, statuses))
    bad = [status for status, _ in results if status != "200"]
    wanted = options.seconds * 2 - 4
    gaps = [
        ticks
        for _, ticks in results
        if len(ticks) < wanted or ticks != list(range(ticks[0], ticks[0] + len(ticks)))
    ]
    failed = [status for status in statuses if status != "200"]
    print(
        f"{len(results)} streams, {sum(len(ticks) for _, ticks in results)} events; "
        f"{len(bad)} refused, {len(gaps)} with gaps; {len(statuses)} requests, {len(failed)} failed"
    )
    return not (bad or gaps or failed) and len(results) == options.streams


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--serve", default="target/debug/examples/serve")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        upstream, port = free_port(), free_port()
        config = pathlib.Path(folder, "nginx.conf")
        config.write_text(CONFIG.format(folder=folder, port=port, upstream=upstream))
        serve = subprocess.Popen(
            [options.serve, "--port", str(upstream), "--root", folder], stdout=subprocess.PIPE
        )
        serve.stdout.readline()
        nginx = subprocess.Popen(["nginx", "-c", str(config), "-e", f"{folder}/error.log"])
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            is_good = asyncio.run(run(options, port))
        finally:
            nginx.terminate()
            serve.terminate()
            nginx.wait()
            serve.wait()
        errors = pathlib.Path(folder, "error.log").read_text()
        sys.stdout.write(errors[:2000])
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
