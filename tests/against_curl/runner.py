"""One invocation by one tool, and what could be seen of it; two of these compared."""

import hashlib
import os
import pty
import re
import shutil
import subprocess
import threading
import tty

from .cases import FIXTURES
from .differences import HEADERS

LIMIT = 20


class Seen:
    """What one run left behind. Each aspect is compared by itself."""

    ASPECTS = ("exit", "stdout", "stderr", "files", "requests", "headers", "bodies", "connections", "notes")

    def __init__(self, **aspects):
        self.__dict__.update(aspects)


class Runner:
    def __init__(self, farm, curl, fetch, folder):
        self.farm = farm
        self.tools = {"curl": [curl, "-q"], "fetch": [fetch]}
        self.folder = folder

    def run(self, tool, case):
        """Runs one tool in a fresh folder."""
        folder = os.path.join(self.folder, "run")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name, content in {**FIXTURES, **case.files}.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        shutil.rmtree(self.farm.path("uploaded"), ignore_errors=True)
        os.makedirs(self.farm.path("uploaded"))
        if case.asks_nginx:
            self.farm.nginx_log()
        self.farm.log.clear()
        places = {**self.farm.places, "CA": self.farm.path("ca.pem"), "TLS": self.farm.folder}

        def fill(text):
            return re.sub(r"<([A-Z]\w*)>", lambda it: places[it[1]], text)

        arguments = [fill(argument) for argument in case.arguments]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": folder,
            "LC_ALL": "C",
            **{name: fill(value) for name, value in case.environment.items()},
        }
        try:
            run = run_on_terminal if case.terminal else run_on_pipes
            status, stdout, stderr = run(
                [*self.tools[tool], *arguments], cwd=folder, env=environment, input=case.stdin
            )
        except subprocess.TimeoutExpired:
            status, stdout, stderr = f"over {LIMIT} s", b"", b""
        return self.seen(case, folder, status, stdout, stderr)

    def seen(self, case, folder, status, stdout, stderr):
        log = self.farm.log
        with log.lock:
            requests, connections = list(log.requests), dict(log.connections)
            notes = list(log.notes)
        logged = self.farm.nginx_log() if case.asks_nginx else []
        if case.any_order:
            # What runs at once ends in any order, over as many connections as were free just then.
            requests.sort(key=lambda it: (it.server, it.method, it.target))
            logged.sort()
            connections = sorted(connections)
        shown = [f"{it.server}: {it.method} {it.target} {it.version} {it.framing}" for it in requests]
        files = {}
        for root, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(root, name)
                with open(path, "rb") as file:
                    content = file.read()
                relative = os.path.relpath(path, folder)
                files[relative] = digest(case.tidy(relative, content))
        for name in os.listdir(self.farm.path("uploaded")):
            with open(self.farm.path("uploaded", name), "rb") as file:
                files[f"on the server: {name}"] = digest(file.read())
        for name, content in {**FIXTURES, **case.files}.items():
            if files.get(name) == digest(case.tidy(name, content)):
                del files[name]
        stdout = tidy_output(stdout, self.farm)
        if case.any_order:
            stdout = "".join(sorted(stdout.splitlines(True)))
        said = re.findall(rb"(?:curl|fetch): \((\d+)\)", stderr)
        return Seen(
            exit=status,
            stdout=stdout,
            stderr=[int(number) for number in said],
            files=files,
            requests=shown + [nginx_line(line) for line in logged],
            headers=[fields(it) for it in requests],
            bodies=[tidy_body(it) for it in requests],
            connections=connections,
            notes=notes,
            full_stderr=stderr.decode("utf-8", "replace"),
        )


def run_on_pipes(command, **options):
    """Exit status, standard output and standard error of a command."""
    done = subprocess.run(command, capture_output=True, timeout=LIMIT, **options)
    return done.returncode, done.stdout, done.stderr


def run_on_terminal(command, **options):
    """The same, with a terminal as standard output."""
    near, far = pty.openpty()
    # As the program wrote it: no line feed becomes two bytes.
    tty.setraw(far)
    shown = []

    def read():
        while True:
            try:
                piece = os.read(near, 4096)
            except OSError:
                # Nobody has the terminal open any more.
                return
            if not piece:
                return
            shown.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = subprocess.run(command, stdout=far, stderr=subprocess.PIPE, timeout=LIMIT, **options)
    finally:
        os.close(far)
        reader.join()
        os.close(near)
    return done.returncode, b"".join(shown), done.stderr


def digest(content):
    if len(content) <= 300:
        return content.decode("latin-1")
    return f"{len(content)} bytes, {hashlib.sha256(content).hexdigest()[:16]}"


def tidy_output(stdout, farm):
    """Dates and free ports say nothing."""
    text = stdout.decode("latin-1")
    text = re.sub(r"(?m)^Date: .*$", "Date: (a date)", text)
    return text if len(text) <= 4000 else digest(stdout)


def nginx_line(line):
    """Of nginx's log: what both tools should say alike."""
    parts = line.split("|")
    parts[8] = "codings" if parts[8] != "-" else "-"
    return "nginx: " + " ".join(parts[:-1])


def fields(request):
    """Name and value of each header as it should be alike; what differs by right is left out."""
    found = []
    for name, value in request.headers:
        lower = name.lower()
        rule = HEADERS.get(lower)
        if rule and rule.how == "ignored":
            continue
        if rule and rule.how == "present":
            value = "(present)"
        if lower == "accept-encoding":
            value = "codings"
        if lower == "authorization" and value.startswith("Digest "):
            value = tidy_digest(value)
        if lower == "content-type" and "boundary=" in value:
            value = re.sub(r"boundary=\S+", "boundary=(some)", value)
        found.append(f"{lower}: {value}")
    return sorted(found)


def tidy_digest(value):
    """Which parameters, and the values of those that neither tool invents."""
    found = re.findall(r'(\w+)=("[^"]*"|[^\s,]+)', value)
    invented = ("cnonce", "response")
    return "Digest " + ", ".join(
        sorted(f"{name}={'(some)' if name in invented else text.strip(chr(34))}" for name, text in found)
    )


def tidy_body(request):
    """Content, with a form's boundary replaced."""
    match = re.search(r"boundary=(\S+)", request.header("content-type", ""))
    body = request.body
    if match:
        body = body.replace(match[1].strip('"').encode(), b"(boundary)")
    return digest(body)


def compare(curl, fetch):
    """The aspects that differ, each with both values."""
    pairs = {name: (getattr(curl, name), getattr(fetch, name)) for name in Seen.ASPECTS}
    differs = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not all(isinstance(status, int) for status in pairs["exit"]):
        # Two that hang are not alike.
        differs["exit"] = pairs["exit"]
    return differs
