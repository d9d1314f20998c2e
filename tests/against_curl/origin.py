"""The origin server: a path for each kind of response, right or wrong."""

import base64
import gzip
import hashlib
import re
import socket
import time
import urllib.parse
import zlib

from .wire import Request

TEXT = b"The quick brown fox jumps over the lazy dog.\n"
BIG = bytes(range(256)) * 4096
FILE = b"".join(b"line %06d\n" % number for number in range(2000))
USER, PASSWORD = "ann", "s3cret"
NONCE = "5f2c0b9c"


def serve(peer):
    """Serves one connection."""
    peer.more()
    if peer.buffer[0] == 0x16:
        # A TLS handshake where none was expected.
        peer.send(reply(400, b"plain HTTP, please\n", "Connection: close"))
        return
    while True:
        line, headers = peer.head()
        path = urllib.parse.urlsplit(line.split(" ")[1]).path if " " in line else ""
        found = {name.lower(): value for name, value in headers}
        if found.get("expect", "").lower() == "100-continue":
            goes_on = expect(peer, path, line, headers)
            if goes_on is None:
                continue
            if not goes_on:
                return
        body, framing = peer.content(headers)
        request = Request(peer.server, peer.connection, line, headers, body, framing)
        peer.log.add(request)
        if not answer(peer, request):
            return


def expect(peer, path, line, headers):
    """What to do before content that is held back: read it, or not and wait for the next request
    (`None`), or close (`False`)."""
    if path == "/expect/refused":
        peer.log.add(Request(peer.server, peer.connection, line, headers, b"", "held back"))
        if peer.log.count("refused") == 1:
            peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
            return None
    elif path == "/expect/final":
        peer.log.add(Request(peer.server, peer.connection, line, headers, b"", "held back"))
        peer.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
        return False
    elif path != "/expect/silent":
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return True


def reply(status, body=b"", *lines, reason="Reason", version="1.1"):
    """A whole response with its length."""
    head = [f"HTTP/{version} {status} {reason}", *lines, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def chunked(*pieces, end=b"0\r\n\r\n", lines=()):
    head = "\r\n".join(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *lines, "", ""]).encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(it), it) for it in pieces) + end


def answer(peer, request):
    """Responds to a request. Returns `False` when the connection is over."""
    url = urllib.parse.urlsplit(request.target)
    path, query = url.path, urllib.parse.parse_qs(url.query, keep_blank_values=True)
    for pattern, handle in ROUTES:
        match = re.fullmatch(pattern, path)
        if match:
            outcome = handle(peer, request, query, *match.groups())
            break
    else:
        outcome = echo(peer, request, query)
    if isinstance(outcome, bytes):
        peer.send(strip_body(outcome) if request.method == "HEAD" else outcome)
        return b"\r\nConnection: close\r\n" not in outcome.split(b"\r\n\r\n")[0] + b"\r\n"
    return outcome is not False


def strip_body(response):
    return response.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"


def echo(peer, request, query):
    said = f"{request.method} {request.target} {request.framing} ".encode("latin-1")
    return reply(200, said + request.body[:200] + b"\n", "Content-Type: text/plain", reason="OK")


def redirect(peer, request, query, status):
    lines = [f"Location: {to}" for to in query.get("to", [])]
    return reply(int(status), b"moved\n", *lines, "Set-Cookie: hop=1; Path=/")


def chain(peer, request, query, left):
    if left == "0":
        return reply(200, b"arrived\n")
    return reply(302, b"", f"Location: /chain/{int(left) - 1}")


def cookies(peer, request, query):
    return reply(200, ("cookie: " + request.header("cookie", "none") + "\n").encode("latin-1"))


def set_cookies(peer, request, query):
    return reply(200, b"set\n", *[f"Set-Cookie: {it}" for it in query.get("c", [])])


def is_basic(request, user=USER, password=PASSWORD):
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return request.header("authorization") == f"Basic {token}"


def basic(peer, request, query):
    if is_basic(request):
        return reply(200, b"welcome\n")
    return reply(401, b"who?\n", 'WWW-Authenticate: Basic realm="r"')


def digest_fields(value):
    return {
        name: quoted or plain
        for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', value)
    }


def is_digest(request, algorithm):
    value = request.header("authorization", "")
    if not value.startswith("Digest "):
        return False
    fields = digest_fields(value)

    def hashed(text):
        name = {"MD5": "md5", "SHA-256": "sha256"}[algorithm]
        return hashlib.new(name, text.encode()).hexdigest()

    first = hashed(f"{USER}:r:{PASSWORD}")
    second = hashed(f"{request.method}:{fields.get('uri')}")
    middle = ":".join(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    right = hashed(f"{first}:{middle}:{second}")
    return fields.get("response") == right and fields.get("uri") == request.target


def digest(peer, request, query, algorithm):
    if is_digest(request, algorithm):
        return reply(200, b"welcome\n")
    challenge = f'Digest realm="r", nonce="{NONCE}", qop="auth", algorithm={algorithm}, opaque="o"'
    return reply(401, b"who?\n", f"WWW-Authenticate: {challenge}")


def both(peer, request, query):
    if is_digest(request, "MD5"):
        return reply(200, b"welcome\n")
    return reply(
        401,
        b"who?\n",
        'WWW-Authenticate: Basic realm="r"',
        f'WWW-Authenticate: Digest realm="r", nonce="{NONCE}", qop="auth", algorithm=MD5',
    )


def bearer(peer, request, query):
    right = request.header("authorization") == "Bearer t0ken"
    return reply(200, b"welcome\n") if right else reply(401, b"who?\n")


def slow(peer, request, query):
    time.sleep(float(query.get("s", ["3"])[0]))
    return reply(200, b"late\n")


def slow_body(peer, request, query):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
    time.sleep(3)
    peer.send(b"after")


def drip(peer, request, query):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
    for byte in b"drips\n":
        time.sleep(0.01)
        peer.send(bytes([byte]))


def cut(peer, request, query):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + TEXT)
    return False


def cut_chunked(peer, request, query):
    peer.send(chunked(TEXT, end=b"40\r\nonly this"))
    return False


def cut_head(peer, request, query):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    return False


def reset(peer, request, query):
    peer.reset()
    return False


def reset_body(peer, request, query):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + TEXT)
    time.sleep(0.3)
    peer.reset()
    return False


def until_close(peer, request, query, version):
    peer.send(f"HTTP/{version} 200 OK\r\nContent-Type: text/plain\r\n\r\n".encode() + TEXT)
    return False


def raw(data, closes=True):
    def handle(peer, request, query):
        peer.send(data)
        return not closes

    return handle


def zstd(content):
    header = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + header + content


# A stream of one raw block, written by hand: the standard library has no encoder.
BROTLI_HELLO = b"\x0b\x02\x80hello\x03"
GZIP_TEXT = gzip.compress(TEXT, mtime=0)
CODED = {
    "gzip": ("gzip", GZIP_TEXT),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "br": ("br", BROTLI_HELLO),
    "zstd": ("zstd", zstd(TEXT)),
    "double": ("deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0)),
    "broken": ("gzip", b"\x1f\x8b\x08\x00this is no gzip at all"),
    "short": ("gzip", GZIP_TEXT[:-12]),
    "unknown": ("sausage", TEXT),
    "identity": ("identity", TEXT),
}


def coded(peer, request, query, name):
    coding, content = CODED[name]
    return reply(200, content, f"Content-Encoding: {coding}", reason="OK")


def hints(peer, request, query):
    peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    return reply(200, b"hinted\n", reason="OK")


def retry(peer, request, query, status):
    if peer.log.count("retry") <= int(query.get("n", ["1"])[0]):
        after = [f"Retry-After: {it}" for it in query.get("after", [])]
        return reply(int(status), query.get("body", [""])[0].encode(), *after)
    return reply(200, b"at last\n", reason="OK")


def retry_reset(peer, request, query):
    if peer.log.count("retry") == 1:
        peer.reset()
        return False
    return reply(200, b"at last\n", reason="OK")


def ranges(peer, request, query):
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.header("range", ""))
    lines = ['ETag: "v1"', "Accept-Ranges: bytes"]
    if not match:
        return reply(200, FILE, *lines, reason="OK")
    first, last = match.groups()
    if first == "":
        start, end = len(FILE) - int(last), len(FILE) - 1
    else:
        start, end = int(first), min(int(last or len(FILE) - 1), len(FILE) - 1)
    if start >= len(FILE):
        return reply(416, b"no\n", *lines, f"Content-Range: bytes */{len(FILE)}")
    part = f"Content-Range: bytes {start}-{end}/{len(FILE)}"
    return reply(206, FILE[start : end + 1], *lines, part, reason="Partial")


def status(peer, request, query, code):
    if code in ("204", "304"):
        return f"HTTP/1.1 {code} Reason\r\n\r\n".encode()
    return reply(int(code), f"status {code}\n".encode())


def closing(peer, request, query):
    return reply(200, b"bye\n", "Connection: close", reason="OK")


def once(peer, request, query):
    """Promises to keep the connection but closes it: the next request meets a stale connection."""
    peer.send(reply(200, b"once\n", reason="OK"))
    return False


def refuse_upload(peer, request, query):
    return reply(413, b"too large\n", "Connection: close")


def headers(peer, request, query):
    names = [name for name, _ in request.headers]
    return reply(200, ("\n".join(sorted(name.lower() for name in names)) + "\n").encode())


ROUTES = [
    (r"/redirect/(\d+)", redirect),
    (r"/chain/(\d+)", chain),
    (r"/loop", lambda p, r, q: reply(302, b"", "Location: /loop")),
    (r"/cookies", cookies),
    (r"/cookies/set", set_cookies),
    (r"/basic", basic),
    (r"/digest/([A-Z0-9-]+)", digest),
    (r"/both", both),
    (r"/bearer", bearer),
    (r"/slow", slow),
    (r"/slow-body", slow_body),
    (r"/drip", drip),
    (r"/chunked", lambda p, r, q: chunked(TEXT, TEXT)),
    (r"/chunked-trailer", lambda p, r, q: chunked(TEXT, end=b"0\r\nX-Sum: 1\r\n\r\n")),
    (r"/chunked-bad", raw(chunked(TEXT, end=b"zz\r\n"))),
    (r"/cut", cut),
    (r"/cut-chunked", cut_chunked),
    (r"/cut-head", cut_head),
    (r"/nothing", lambda p, r, q: False),
    (r"/reset", reset),
    (r"/reset-body", reset_body),
    (r"/until-close/(1\.[01])", until_close),
    (r"/coded/(\w+)", coded),
    (r"/hints", hints),
    (r"/retry/(\d+)", retry),
    (r"/retry-reset", retry_reset),
    (r"/range/file\.txt", ranges),
    (r"/no-range/file\.txt", lambda p, r, q: reply(200, FILE, reason="OK")),
    (r"/status/(\d+)", status),
    (r"/close", closing),
    (r"/once", once),
    (r"/refuse", refuse_upload),
    (r"/headers", headers),
    (r"/binary", lambda p, r, q: reply(200, b"\x7fELF\0\1\2 not text", reason="OK")),
    (r"/quiet", lambda p, r, q: reply(200, b"quiet\n", reason="OK")),
    (r"/big", lambda p, r, q: reply(200, BIG, reason="OK")),
    (r"/hsts", lambda p, r, q: reply(200, b"secure\n", "Strict-Transport-Security: max-age=99")),
    (r"/raw/09", raw(b"no status line at all\n")),
    (r"/raw/status", raw(b"HTTP/1.1 abc OK\r\n\r\n")),
    (r"/raw/version", raw(b"HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n")),
    (r"/raw/colon", raw(b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\nhi")),
    (r"/raw/lf", raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi")),
    (r"/raw/fold", raw(b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nhi")),
    (r"/raw/lengths", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!")),
    (r"/raw/length", raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhi")),
    (r"/raw/reason", raw(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi")),
    (r"/raw/coding", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: sausage\r\n\r\nhi")),
    (r"/raw/huge-head", raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 400_000 + b"\r\n\r\n")),
]


def ipv6_works():
    try:
        probe = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        probe.bind(("::1", 0))
        probe.close()
        return True
    except OSError:
        return False
