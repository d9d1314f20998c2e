"""The servers of the browser tests: one that the page comes from, and two of other origins, with and without CORS.

Every server has the same paths. The page's server also takes the report of the page at /report. Standard library only.
"""

import base64
import gzip
import hashlib
import http.server
import json
import os
import socketserver
import ssl
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm"}


class State:
    """What the servers saw, and the report of the page."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}
        self.aborted = set()
        self.ranges = {}
        # How much of the content under a key may be read.
        self.allowed = {}
        self.may_read = threading.Condition()
        # Sets the quota of an origin in the browser; run.py knows how.
        self.set_quota = lambda host, bytes_: "no browser"
        self.report = None
        # The reports of pages inside of the page, each under a key of its own.
        self.framed = {}
        self.reported = threading.Event()

    def count(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


STATE = State()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cors = False

    def log_message(self, *_):
        pass

    def parse_request(self):
        """To a browser that takes this for a proxy, the target is a URL; the host in it is this server."""
        parsed = super().parse_request()
        if parsed and self.path.startswith("http://"):
            self.path = "/" + self.path.split("/", 3)[3]
        return parsed

    def common(self, extra=()):
        # Each URL may ask for a response without permission.
        if self.cors and "cors=no" not in self.path:
            self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
            self.send_header("Access-Control-Allow-Credentials", "true")
            self.send_header("Access-Control-Expose-Headers", "X-Seen, ETag")
        for name, value in extra:
            self.send_header(name, value)

    def respond(self, status, content=b"", *extra, content_type="text/plain"):
        if isinstance(content, str):
            content = content.encode()
        self.send_response(status)
        self.common(extra)
        self.send_header("Content-Type", content_type)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_OPTIONS(self):
        STATE.count("OPTIONS " + self.path.split("?")[0])
        self.send_response(204)
        if self.cors:
            self.common(
                [
                    ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, PATCH"),
                    ("Access-Control-Allow-Headers", self.headers.get("Access-Control-Request-Headers", "")),
                ]
            )
        self.end_headers()

    def read_content(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/gated":
            return self.gated(query)
        content = self.read_content()
        handler = getattr(self, "path_" + url.path.strip("/").replace("-", "_").replace("/", "_"), None)
        try:
            if handler:
                handler(query, content)
            else:
                self.file(url.path, query)
        except (BrokenPipeError, ConnectionResetError):
            if "key" in query:
                STATE.count("aborted " + query["key"])
                with STATE.lock:
                    STATE.aborted.add(query["key"])
            self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def gated(self, query):
        """Reads the content only as far as /allow says for this key. When more than all is allowed, it responds with how
        much it was."""
        key, length, read = query["key"], int(self.headers["Content-Length"]), 0
        try:
            while True:
                with STATE.may_read:
                    if not STATE.may_read.wait_for(lambda: STATE.allowed.get(key, 0) > read, 25):
                        raise ConnectionResetError
                    most = STATE.allowed[key] - read
                if read == length:
                    break
                piece = self.rfile.read(min(most, length - read, 1 << 16))
                if not piece:
                    raise ConnectionResetError
                read += len(piece)
            self.respond(200, str(read))
        except (BrokenPipeError, ConnectionResetError):
            with STATE.lock:
                STATE.aborted.add(key)
            self.close_connection = True

    def file(self, path, query):
        """A file of the page. `policy` is the Content-Security-Policy that it comes with."""
        # The pages of the service worker are the same as the others.
        name = path.removeprefix("/controlled").lstrip("/") or "index.html"
        full = os.path.normpath(os.path.join(HERE, "pkg", name))
        if not full.startswith(os.path.join(HERE, "pkg")) or not os.path.isfile(full):
            return self.respond(404, "no such path")
        with open(full, "rb") as file:
            kind = TYPES.get(os.path.splitext(full)[1], "application/octet-stream")
            policy = [("Content-Security-Policy", query["policy"])] if "policy" in query else []
            return self.respond(200, file.read(), *policy, content_type=kind)

    # Paths of the tests.

    def path_hello(self, query, content):
        self.respond(200, "hello")

    def path_echo(self, query, content):
        """The request as JSON: method, path, headers, length and digest of the content."""
        self.respond(
            200,
            json.dumps(
                {
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "length": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "text": content[:2000].decode("utf-8", "replace"),
                }
            ),
            ("X-Seen", "yes"),
            content_type="application/json",
        )

    def path_status(self, query, content):
        self.respond(int(query["code"]), "status " + query["code"])

    def path_obs_text(self, query, content):
        """A field with bytes beyond ASCII (RFC 9110 §5.5), here UTF-8."""
        self.respond(200, "", ("X-Seen", "café".encode().decode("latin-1")), ("ETag", '"é"'.encode().decode("latin-1")))

    def path_service_worker(self, query, content):
        """A service worker that refuses one path."""
        script = (
            "onfetch = event => {"
            " if (new URL(event.request.url).pathname === '/refused') event.respondWith(Response.error());"
            "};"
        )
        self.respond(200, script, content_type="text/javascript")

    def path_vanish(self, query, content):
        """No response at all."""
        STATE.count("vanish " + query["key"])
        self.close_connection = True

    def path_nothing(self, query, content):
        self.respond(204)

    def path_gzip(self, query, content):
        packed = gzip.compress(b"a" * 100_000)
        self.respond(200, packed, ("Content-Encoding", "gzip"))

    def path_redirect(self, query, content):
        self.respond(int(query.get("code", 302)), "", ("Location", query["to"]))

    def path_bytes(self, query, content):
        """So many bytes, which are a function of their position."""
        total = int(query["count"])
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(total))
        self.end_headers()
        block = bytes(i % 251 for i in range(251 * 256))
        sent = 0
        while sent < total:
            piece = block[: min(len(block), total - sent)]
            self.wfile.write(piece)
            sent += len(piece)

    def path_trailers(self, query, content):
        """An interim response, then chunks and a trailer."""
        self.wfile.write(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            b"7\r\ncontent\r\n0\r\nX-Sum: 7\r\n\r\n"
        )

    def path_ranged(self, query, content):
        """Bytes with a validator and ranges. The first response under `key` is cut after `cut` bytes, or stops for
        a while after `stall` bytes."""
        total, key = int(query["count"]), query.get("key", "")
        with STATE.lock:
            asked = STATE.ranges.setdefault(key, [])
            is_first = not asked
            asked.append(self.headers.get("Range", ""))
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range", '"v1"') == '"v1"':
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.common([("ETag", '"v1"')])
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(total - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        block = bytes(i % 251 for i in range(251))
        whole = (block * (total // 251 + 1))[start:total]
        if "stall" in query and is_first:
            self.wfile.write(whole[: int(query["stall"])])
            self.wfile.flush()
            time.sleep(8)
        elif "cut" in query and is_first:
            self.wfile.write(whole[: int(query["cut"])])
            self.wfile.flush()
            time.sleep(0.3)
            self.close_connection = True
        else:
            self.wfile.write(whole)

    def path_ranges(self, query, content):
        """The `Range` of each request for `/ranged` under this key."""
        with STATE.lock:
            self.respond(200, json.dumps(STATE.ranges.get(query["key"], [])), content_type="application/json")

    def path_quota(self, query, content):
        """Sets how much the page may store; without `bytes` as before."""
        bytes_ = int(query["bytes"]) if query.get("bytes") else None
        self.respond(200, STATE.set_quota(self.headers.get("Host"), bytes_))

    def path_slow(self, query, content):
        """Sends a byte, waits, sends the next one. The begin and an abort by the page are noted under `key`."""
        STATE.count("slow " + query.get("key", ""))
        count, pause = int(query.get("count", 5)), float(query.get("pause", 0.05))
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(count))
        self.end_headers()
        for _ in range(count):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(pause)

    def path_late(self, query, content):
        """No head before `pause` seconds have passed."""
        time.sleep(float(query.get("pause", 2)))
        self.respond(200, "late")

    def path_cut(self, query, content):
        """Announces more than it sends."""
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 300)
        self.wfile.flush()
        # With an error a browser throws away what lies in its stream, so the page must read first.
        time.sleep(0.3)
        self.close_connection = True

    def path_flaky(self, query, content):
        """Fails with 503 until it was asked `fails` times under `key`."""
        seen = STATE.count("flaky " + query["key"])
        if seen <= int(query.get("fails", 2)):
            return self.respond(503, "not yet")
        return self.respond(200, f"after {seen}")

    def path_count(self, query, content):
        """How often something was seen."""
        with STATE.lock:
            self.respond(200, str(STATE.counts.get(query["key"], 0)))

    def path_held(self, query, content):
        """Sends a byte, and another one when /allow lets it."""
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"x")
        self.wfile.flush()
        with STATE.may_read:
            if not STATE.may_read.wait_for(lambda: query["key"] in STATE.allowed, 25):
                raise ConnectionResetError
        self.wfile.write(b"x")

    def path_allow(self, query, content):
        """Lets /gated read so many bytes of the content under this key."""
        with STATE.may_read:
            STATE.allowed[query["key"]] = int(query["bytes"])
            STATE.may_read.notify_all()
        self.respond(200)

    def path_endless(self, query, content):
        """Content without an end, a piece every few milliseconds."""
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"x" * 10_000)
            time.sleep(0.01)

    def path_framed(self, query, content):
        with STATE.lock:
            STATE.framed[query["key"]] = content
        self.respond(200)

    def path_framed_report(self, query, content):
        with STATE.lock:
            self.respond(200, STATE.framed.get(query["key"], b""))

    def path_aborted(self, query, content):
        with STATE.lock:
            self.respond(200, "yes" if query["key"] in STATE.aborted else "no")

    def path_cached(self, query, content):
        """A response that may be kept, with a validator; its content says how often it was made."""
        made = STATE.count("cached " + query["key"])
        if self.headers.get("If-None-Match") == '"v1"':
            return self.respond(304, "", ("ETag", '"v1"'), ("Cache-Control", "max-age=0"))
        age = query.get("age", "100")
        return self.respond(200, f"made {made}", ("ETag", '"v1"'), ("Cache-Control", f"max-age={age}"))

    def path_cookie_set(self, query, content):
        self.respond(200, "set", ("Set-Cookie", "flavour=oat; Path=/; SameSite=Lax"))

    def path_basic(self, query, content):
        """Basic credentials without a challenge, for which a browser would ask the player."""
        wanted = "Basic " + base64.b64encode(b"ada:secret").decode()
        if self.headers.get("Authorization") == wanted:
            return self.respond(200, "welcome")
        return self.respond(403, "no")

    def path_events(self, query, content):
        """An event stream: two events, then the end; after a reconnect two more."""
        last = int(self.headers.get("Last-Event-ID") or 0)
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in (last + 1, last + 2):
            self.wfile.write(f"retry: 20\nid: {number}\ndata: event {number}\n\n".encode())
        self.wfile.flush()
        self.close_connection = True

    def path_lines(self, query, content):
        """Lines of JSON, sent in pieces that end inside of lines, and a last line that `end` gives."""
        self.send_response(200)
        self.common()
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in ('{"number":1}\n{"num', 'ber":2}\r\n\n', query.get("end", "")):
            self.wfile.write(piece.encode())
            self.wfile.flush()
            time.sleep(0.05)
        self.close_connection = True

    def path_ws(self, query, content):
        """A WebSocket (RFC 6455) that sends back what it gets, and understands a few words."""
        serve_web_socket(self)

    def path_report(self, query, content):
        STATE.report = content.decode()
        self.respond(204)
        STATE.reported.set()


def serve_web_socket(handler):
    key = handler.headers.get("Sec-WebSocket-Key")
    if not key:
        return handler.respond(400, "no WebSocket")
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
    handler.send_response(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Sec-WebSocket-Accept", accept)
    offered = handler.headers.get("Sec-WebSocket-Protocol", "")
    if offered:
        handler.send_header("Sec-WebSocket-Protocol", offered.split(",")[0].strip())
    handler.end_headers()
    handler.close_connection = True

    def frame(opcode, payload):
        head = bytes([0x80 | opcode])
        if len(payload) < 126:
            head += bytes([len(payload)])
        elif len(payload) < 1 << 16:
            head += bytes([126]) + len(payload).to_bytes(2, "big")
        else:
            head += bytes([127]) + len(payload).to_bytes(8, "big")
        handler.wfile.write(head + payload)
        handler.wfile.flush()

    message, kind = b"", 0
    while True:
        start = handler.rfile.read(2)
        if len(start) < 2:
            return None
        is_last = start[0] & 0x80
        opcode, length = start[0] & 0x0F, start[1] & 0x7F
        if length == 126:
            length = int.from_bytes(handler.rfile.read(2), "big")
        elif length == 127:
            length = int.from_bytes(handler.rfile.read(8), "big")
        mask = handler.rfile.read(4)
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(handler.rfile.read(length)))
        if opcode == 9:
            STATE.count("pings")
        if opcode == 8:
            frame(8, payload[:2])
            return None
        # Chromium sends long messages in fragments.
        message, kind = message + payload, opcode or kind
        if not is_last:
            continue
        opcode, payload, message = kind, message, b""
        if payload == b"close please":
            frame(8, (4001).to_bytes(2, "big") + b"as you wish")
            handler.rfile.read(2)
            return None
        if payload == b"vanish":
            return None
        if opcode in (1, 2):
            frame(opcode, payload)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def start(cors, certificate=None):
    """Starts a server on a free port of loopback and returns the port. `certificate`: the files of a certificate and its
    key, for https."""
    kind = type("Handler", (Handler,), {"cors": cors})
    server = Server(("127.0.0.1", 0), kind)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
