"""An HTTP proxy that forwards and tunnels, and a SOCKS 5 proxy (RFC 1928, RFC 1929)."""

import base64
import socket
import struct
import threading
import urllib.parse

from .wire import Gone, Request

USER, PASSWORD = "pat", "pr0xy"


def http_proxy(wants_login=False, refuses=None):
    """A proxy that opens tunnels, and answers what it is to forward by itself."""

    def serve(peer):
        while True:
            line, headers = peer.head()
            method, target, _ = line.split(" ", 2)
            if method == "CONNECT":
                peer.log.add(Request(peer.server, peer.connection, line, headers, b"", "none"))
            body, framing = (b"", "none") if method == "CONNECT" else peer.content(headers)
            if method != "CONNECT":
                peer.log.add(Request(peer.server, peer.connection, line, headers, body, framing))
            found = {name.lower(): value for name, value in headers}
            token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if wants_login and found.get("proxy-authorization") != f"Basic {token}":
                challenge = b'Proxy-Authenticate: Basic realm="p"\r\n'
                peer.send(b"HTTP/1.1 407 Login\r\n" + challenge + b"Content-Length: 3\r\n\r\nno\n")
                if method == "CONNECT":
                    return
                continue
            if refuses:
                peer.send(f"HTTP/1.1 {refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                far = socket.create_connection((local(host), int(port)), timeout=10)
                peer.send(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
                splice(peer, far)
                return
            said = f"proxied {method} {target}\n".encode("latin-1")
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\n\r\n"
            peer.send(head.encode() + (b"" if method == "HEAD" else said))

    return serve


def socks_proxy(wants_login=False, reply_code=0):
    def serve(peer):
        version, count = peer.exactly(2)
        methods = peer.exactly(count)
        if version != 5:
            return
        if wants_login:
            if 2 not in methods:
                peer.send(b"\x05\xff")
                return
            peer.send(b"\x05\x02")
            peer.exactly(1)
            user = peer.exactly(peer.exactly(1)[0])
            password = peer.exactly(peer.exactly(1)[0])
            right = (user.decode(), password.decode()) == (USER, PASSWORD)
            peer.send(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        else:
            peer.send(b"\x05\x00")
        _, command, _, kind = peer.exactly(4)
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, peer.exactly(4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, peer.exactly(16))
        else:
            host = peer.exactly(peer.exactly(1)[0]).decode()
        (port,) = struct.unpack(">H", peer.exactly(2))
        shown = {1: "address", 3: "name", 4: "address"}[kind]
        peer.log.note(f"SOCKS {command} by {shown} to {host}")
        if reply_code:
            peer.send(bytes([5, reply_code, 0, 1, 0, 0, 0, 0, 0, 0]))
            return
        far = socket.create_connection((local(host), port), timeout=10)
        peer.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        splice(peer, far)

    return serve


def local(host):
    """Names of tests are all this machine."""
    return host.strip("[]") if host[:1].isdigit() or ":" in host else "127.0.0.1"


def splice(peer, far):
    """Moves bytes both ways until both have ended."""
    far.settimeout(20)
    if peer.buffer:
        far.sendall(peer.buffer)

    def move(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    back = threading.Thread(target=move, args=(far, peer.stream), daemon=True)
    back.start()
    try:
        move(peer.stream, far)
    except Gone:
        pass
    back.join(20)
    far.close()
