"""Browsers that open a page without a window: Chromium, Firefox, and WebKit by the small browser of WebKitGTK.

What belongs here is how each is found, started and ended, and what its settings are. Standard library only.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import devtools

# A host that leads to loopback. A page from there is not secure, unlike one from loopback itself.
INSECURE_HOST = "insecure.test"

# Firefox as a program that asks nobody for anything, and prints what a page logs.
FIREFOX_SETTINGS = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.dom.window.dump.enabled": True,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "devtools.console.stdout.content": True,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.localDomains": INSECURE_HOST,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

# The origin private file system, which Safari has, and WebKitGTK only in part, so that it is off there by default.
WEBKIT_FEATURES = "AccessHandle,FileSystem,FileSystemWritableStream,StorageAPI,StorageAPIEstimate"


class Missing(Exception):
    """The browser is not installed."""


class Session:
    """One start of a browser. `title` is what a report adds to the names of its cases."""

    def __init__(self, title="", only="", lacks=None, is_private=False, has_little_storage=False):
        self.title = title
        # The case that it is there for; empty for all.
        self.only = only
        # What a case may need and cannot have, with the reason.
        self.lacks = lacks or {}
        self.is_private = is_private
        self.has_little_storage = has_little_storage


# Private windows of Firefox and WebKit have no files.
PRIVATE = Session("in a private window", "a_browser_without_files_says_so", {"files": "the window is private"}, True)


class Browser:
    """A browser whose files are in a folder of its own. `name` is how a report calls it."""

    sessions = [Session()]
    # What `run.py --browser` takes.
    key = ""
    programs = ()
    package = ""
    # How a line of the log begins that a page wrote.
    console = ""

    def __init__(self, folder, session=Session()):
        self.folder = folder
        self.session = session
        self.program = self.find()
        if self.program is None:
            raise Missing(f"no {self.name}; install the package {self.package}")
        self.process = None
        self.proxy = None
        self.log_path = os.path.join(folder, "log")

    @classmethod
    def find(cls):
        return next(filter(None, map(shutil.which, cls.programs)), None)

    def version(self):
        out = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"\d+(\.\d+)+", out)
        return f"{self.name} {found[0] if found else '(unknown version)'}"

    def command(self, url):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def start(self, url, proxy=None):
        """Opens a page. `proxy`: a port of loopback that passes requests for `INSECURE_HOST` on, for a browser without
        a table of hosts."""
        self.proxy = proxy
        # So that a runner that is told to end, ends its browser.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
        log = open(self.log_path, "w")
        # A group of its own, so that its end takes the processes that it started with it.
        self.process = subprocess.Popen(
            self.command(url), stdout=log, stderr=log, env=self.environment(), start_new_session=True
        )

    def take_picture(self, url, path, size, limit):
        """Keeps a picture of a page as it is once it has loaded; ends the program if that takes too long. `size`: of the
        window."""
        try:
            command = self.picture_command(url, path, size)
            subprocess.run(command, env=self.environment(), timeout=limit, check=True, capture_output=True)
        except subprocess.TimeoutExpired:
            sys.exit(f"{self.name} took no picture within {limit} s")

    def picture_command(self, url, path, size):
        sys.exit(f"{self.name} takes no pictures")

    def stop(self):
        if self.process is None:
            return
        for name in ("TERM", "KILL"):
            subprocess.run(["kill", f"-{name}", "--", f"-{self.process.pid}"], capture_output=True, check=False)
            try:
                self.process.wait(10)
                return
            except subprocess.TimeoutExpired:
                continue

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def console_lines(self):
        return [line for line in self.log().splitlines() if self.console in line]

    def set_quota(self, host, bytes_):
        """Sets how much an origin may store, and returns "set", or something else if this browser cannot."""
        return "set" if self.session.has_little_storage else f"{self.name} takes no quota while it runs"


class Chromium(Browser):
    key = "chromium"
    name = "Chromium"
    programs = ("chromium", "chromium-browser", "google-chrome")
    package = "chromium"
    console = "CONSOLE"

    def command(self, url):
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
            "--disable-background-networking --disable-component-update --disable-sync "
            "--disable-background-timer-throttling --disable-renderer-backgrounding --ignore-certificate-errors "
            "--enable-logging=stderr --v=0 --remote-debugging-port=0"
        ).split()
        flags.append(f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1")
        return [self.program, *flags, f"--user-data-dir={self.folder}/data", url]

    def picture_command(self, url, path, size):
        flags = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars".split()
        window = "--window-size={},{}".format(*size)
        return [self.program, *flags, window, f"--user-data-dir={self.folder}/data", f"--screenshot={path}", url]

    def set_quota(self, host, bytes_):
        return devtools.set_quota(f"{self.folder}/data", host, bytes_)


class Firefox(Browser):
    key = "firefox"
    name = "Firefox"
    # It takes a quota only when it starts, for all origins together.
    sessions = [
        Session(
            lacks={
                "https": "Firefox takes no certificate of ours",
                "quota": "Firefox takes a quota only when it starts",
            }
        ),
        Session("with little storage", "a_full_quota_has_its_own_error", has_little_storage=True),
        PRIVATE,
    ]
    programs = ("firefox-esr", "firefox")
    package = "firefox-esr"
    console = "console."

    def command(self, url):
        return [*self.program_with_profile(), url]

    def picture_command(self, url, path, size):
        return [*self.program_with_profile(), "--window-size={},{}".format(*size), "--screenshot", path, url]

    def program_with_profile(self):
        profile = os.path.join(self.folder, "profile")
        os.makedirs(profile, exist_ok=True)
        with open(os.path.join(profile, "user.js"), "w") as file:
            settings = dict(FIREFOX_SETTINGS)
            if self.session.is_private:
                settings["browser.privatebrowsing.autostart"] = True
            if self.session.has_little_storage:
                # In KiB.
                settings["dom.quotaManager.temporaryStorage.fixedLimit"] = 2048
            for name, value in settings.items():
                file.write(f'user_pref("{name}", {json.dumps(value)});\n')
        return [self.program, "--headless", "--no-remote", "--new-instance", "--profile", profile]

    def environment(self):
        return {**os.environ, "HOME": self.folder, "MOZ_CRASHREPORTER_DISABLE": "1"}

    def console_lines(self):
        """Without what Firefox's own pages say about services that it does not reach."""
        own = ("services.settings", "RSLoader", "TopSitesFeed")
        return [line for line in super().console_lines() if not any(word in line for word in own)]


class WebKit(Browser):
    key = "webkit"
    name = "WebKitGTK"
    package = "webkit2gtk-driver (Debian), and xvfb"
    sessions = [
        Session(
            lacks={
                "files": "WebKitGTK has no origin private file system",
                "https": "WebKitGTK takes no certificate of ours",
                "quota": "WebKitGTK has no origin private file system",
                "only-if-cached": "WebKitGTK asks the server in spite of this cache mode",
            }
        ),
        PRIVATE,
    ]
    console = "CONSOLE"

    @classmethod
    def find(cls):
        """It is no program of its own: distributions keep it beside the library."""
        found = glob.glob("/usr/lib*/*/webkit2gtk-4.1/MiniBrowser") + glob.glob("/usr/lib*/webkit2gtk-4.1/MiniBrowser")
        return found[0] if found and shutil.which("xvfb-run") else None

    def version(self):
        out = subprocess.run(
            ["xvfb-run", "-a", self.program, "--version"], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"\d+(\.\d+)+", out)
        return f"{self.name} {found[0] if found else '(unknown version)'}"

    def command(self, url):
        flags = ["--enable-write-console-messages-to-stdout=true"]
        if self.session.is_private:
            flags += ["--private", f"--features={WEBKIT_FEATURES}"]
        if self.proxy is not None:
            # It has no table of hosts, but it may have a proxy.
            flags += [f"--proxy=http://127.0.0.1:{self.proxy}", "--ignore-host=127.0.0.1", "--ignore-host=localhost"]
        return ["xvfb-run", "-a", "--server-args=-screen 0 1280x720x24", self.program, *flags, url]

    def environment(self):
        folders = {name: os.path.join(self.folder, name) for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
        for folder in folders.values():
            os.makedirs(folder, exist_ok=True)
        # Without these a machine without a graphics card or a session bus prints warnings and waits.
        quiet = {"LIBGL_ALWAYS_SOFTWARE": "1", "GTK_A11Y": "none", "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory"}
        return {**os.environ, **folders, **quiet, "HOME": self.folder}


ALL = {kind.key: kind for kind in (Chromium, Firefox, WebKit)}


def take_option(arguments):
    """Takes `--browser NAME` out of the arguments, and returns the class; Chromium without it."""
    if "--browser" not in arguments:
        return Chromium
    at = arguments.index("--browser")
    name = arguments[at + 1] if at + 1 < len(arguments) else ""
    if name not in ALL:
        sys.exit(f"--browser takes one of {', '.join(ALL)}, not {name!r}")
    del arguments[at : at + 2]
    return ALL[name]
