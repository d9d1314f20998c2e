"""One command of Chromium's developer tools: how much an origin may store. Standard library only."""

import base64
import json
import os
import socket
import urllib.request

# The quota lasts as long as the connection that set it.
CONNECTIONS = {}


def connect(profile):
    """A WebSocket (RFC 6455) to the page."""
    with open(os.path.join(profile, "DevToolsActivePort")) as file:
        port = int(file.readline())
    pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
    page = next(page for page in pages if page["type"] == "page")
    path = page["webSocketDebuggerUrl"].split(str(port), 1)[1]
    connection = socket.create_connection(("127.0.0.1", port), 10)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return connection


def send(connection, method, parameters):
    """Sends a command, and returns whether its response is no error."""
    payload = json.dumps({"id": 1, "method": method, "params": parameters}).encode()
    length = bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    # Masked with zeros.
    connection.sendall(bytes([0x81]) + length + bytes(4) + payload)
    head = connection.recv(2)
    length = head[1]
    if length == 126:
        length = int.from_bytes(connection.recv(2), "big")
    response = b""
    while len(response) < length:
        response += connection.recv(length - len(response))
    return "error" not in json.loads(response)


def set_quota(profile, host, bytes_):
    """`bytes_` is `None` for no limit of ours."""
    if profile not in CONNECTIONS:
        CONNECTIONS[profile] = connect(profile)
    parameters = {"origin": f"http://{host}"}
    if bytes_ is not None:
        parameters["quotaSize"] = bytes_
    return "set" if send(CONNECTIONS[profile], "Storage.overrideQuotaForOrigin", parameters) else "refused"
