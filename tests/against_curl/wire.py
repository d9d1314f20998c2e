"""Requests as they are on the wire, and a server that takes them apart and writes them down.

No HTTP library: what a client sends must be seen as it is, and what is answered must be able to be wrong.
"""

import socket
import struct
import threading


class Request:
    """One request, as it came."""

    def __init__(self, server, connection, line, headers, body, framing):
        self.server = server
        self.connection = connection
        self.method, self.target, self.version = (line.split(" ", 2) + ["", ""])[:3]
        self.headers = headers
        self.body = body
        self.framing = framing

    def header(self, name, default=None):
        for other, value in self.headers:
            if other.lower() == name.lower():
                return value
        return default


class Log:
    """All requests since it was cleared, and how many connections were opened to whom."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        with self.lock:
            self.requests = []
            self.connections = {}
            self.notes = []
            self.state = {}

    def add(self, request):
        with self.lock:
            self.requests.append(request)

    def note(self, text):
        with self.lock:
            self.notes.append(text)

    def opened(self, server):
        with self.lock:
            self.connections[server] = self.connections.get(server, 0) + 1
            return self.connections[server]

    def count(self, name):
        """Counts calls by name since the log was cleared."""
        with self.lock:
            self.state[name] = self.state.get(name, 0) + 1
            return self.state[name]


class Gone(Exception):
    """The client closed."""


class Peer:
    """One connection of a client."""

    def __init__(self, stream, server, log, connection):
        self.stream = stream
        self.server = server
        self.log = log
        self.connection = connection
        self.buffer = b""

    def more(self):
        piece = self.stream.recv(65536)
        if not piece:
            raise Gone
        self.buffer += piece

    def until(self, end):
        while end not in self.buffer:
            self.more()
        taken, self.buffer = self.buffer.split(end, 1)
        return taken

    def exactly(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def send(self, data):
        self.stream.sendall(data)

    def head(self):
        """The request line and the header lines."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        return lines[0], headers

    def content(self, headers):
        """The content by its framing, and what the framing was."""
        found = {name.lower(): value for name, value in headers}
        if "chunked" in found.get("transfer-encoding", ""):
            body = b""
            while True:
                size = int(self.until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    while self.until(b"\r\n"):
                        pass
                    return body, "chunked"
                body += self.exactly(size)
                self.exactly(2)
        length = int(found.get("content-length", "0"))
        framing = "length" if "content-length" in found else "none"
        return self.exactly(length), framing

    def reset(self):
        """Closes with RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()


class Server:
    """Listens on a free port of loopback and gives each connection to `serve` on a thread."""

    def __init__(self, name, log, serve, tls=None, family=socket.AF_INET):
        self.name = name
        self.log = log
        self.serve = serve
        self.tls = tls
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(stream,), daemon=True).start()

    def run(self, stream):
        stream.settimeout(20)
        connection = self.log.opened(self.name)
        try:
            if self.tls:
                stream = self.tls.wrap_socket(stream, server_side=True)
            self.serve(Peer(stream, self.name, self.log, connection))
        except (Gone, OSError, ValueError):
            pass
        finally:
            try:
                stream.close()
            except OSError:
                pass

    def close(self):
        self.listener.close()
