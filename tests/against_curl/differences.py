"""The accepted differences between fetch and curl, each with its reason. Everything else must be the same."""

from collections import namedtuple

# The version of curl that the reasons are for.
CURL = "7.88.1"

Header = namedtuple("Header", "how reason")

# Header lines that are not compared by value, in any case.
HEADERS = {
    "user-agent": Header("present", "Each says its own name."),
    "proxy-connection": Header(
        "ignored",
        "curl sends this line to proxies. It was never standard, and RFC 9112 appendix C.2.2 asks "
        "clients not to send it.",
    ),
    "accept-encoding": Header(
        "present", "The order and set of codings are each tool's own; both undo what they ask for."
    ),
}


class Reason(str):
    """Why an aspect differs."""

    # Whether it differs each time; a reason that no longer applies fails the run.
    always = True


def because(reason, *aspects):
    return {aspect: Reason(reason) for aspect in aspects}


def varies(reason, *aspects):
    """For what depends on which of two things happens first, and differs now and then."""
    reason = Reason(reason)
    reason.always = False
    return {aspect: reason for aspect in aspects}


URL_STANDARD = (
    "fetch parses URLs by the URL Standard, as browsers do. `--path-as-is` sends the path as typed."
)
COOKIE_PATH = (
    "The default path of a cookie has no slash at its end (RFC 6265 section 5.1.4); curl 7.88 writes one. "
    "Both send it to the same paths."
)
NOT_A_REDIRECT = (
    "curl follows any 3xx with Location. fetch follows 301, 302, 303, 307 and 308: of 300 the user "
    "agent may choose otherwise, 304 is no redirect, 305 is deprecated (RFC 9110 section 15.4)."
)
ORIGIN = (
    "Another port is another origin (RFC 9110 section 4.3.1), and what was meant for one origin does not "
    "go to another. curl compares host names only."
)
DIGEST_COUNT = "curl counts the request that answers a challenge as a redirect; fetch counts redirects."
READ_FIRST = "fetch reads the files of its options before it connects, curl after."
MISSING_FILE = (
    "curl 7.88 goes on without the file and sends a request that nobody meant. Later versions of curl "
    "fail as fetch does."
)

# By case: the aspect that differs, and why.
CASES = {
    "go on, all there, with -f": because(
        "A 416 says that nothing follows what the file holds: it is complete. fetch "
        "does not count that as a failure.",
        "exit",
        "stderr",
    ),
    "binary output to a terminal": because(
        "Both refuse with the same exit status. curl warns, and `-s` silences its warning; fetch reports the "
        "failure, and `-S` keeps that.",
        "stderr",
    ),
    "not ASCII in a path": because(
        "Percent-encoding in upper case, as RFC 3986 section 6.2.2.1 wants it; both mean the same.",
        "stdout",
        "requests",
    ),
    "URL in upper case": because(
        "A host is the same in any case, and lower case is its normal form (RFC 3986 section 6.2.2.1).",
        "headers",
    ),
    "URL with encoded dots": because(URL_STANDARD, "stdout", "requests"),
    "URL with characters that need encoding": because(URL_STANDARD, "stdout", "requests"),
    "URL with a backslash": because(URL_STANDARD, "stdout", "requests"),
    "URL with a pattern": because(
        "curl makes several URLs of `{a,b}` and `[1-9]`. fetch leaves that to the shell.",
        *("stdout", "requests", "headers", "bodies"),
    ),
    "connection closed by hand": because(
        "Who sends `Connection: close` sends nothing more over that connection (RFC 9112 section 9.6); "
        "curl does not look at lines given by hand.",
        "stdout",
        "connections",
    ),
    "missing data file": because(
        MISSING_FILE, "exit", "stdout", "stderr", "requests", "headers", "bodies", "connections"
    ),
    "netrc file missing": because(
        "A file that was named and is not there is a mistake; `-n` goes without.",
        *("exit", "stdout", "stderr", "requests", "headers", "bodies", "connections"),
    ),
    "POST without content": because(
        "A method that anticipates content says that there is none (RFC 9110 section 8.6).",
        "stdout",
        "requests",
        "headers",
    ),
    "PUT without content": because(
        "A method that anticipates content says that there is none (RFC 9110 section 8.6).",
        "stdout",
        "requests",
        "headers",
    ),
    "no reason phrase": because(
        "A status line has a space before an empty reason (RFC 9112 section 4); `-i` shows heads as "
        "they were understood.",
        "stdout",
    ),
    "coding short": because(
        "Content that ends before its coding does was cut short, and that is an error.", "exit", "stderr"
    ),
    "redirect 300": because(NOT_A_REDIRECT, "stdout", "requests", "headers", "bodies"),
    "redirect 304": because(NOT_A_REDIRECT, "stdout", "requests", "headers", "bodies"),
    "redirect 305": because(NOT_A_REDIRECT, "stdout", "requests", "headers", "bodies"),
    "redirect 302 of POST by name": because(
        "A POST becomes a GET (RFC 9110 section 15.4.3). With curl `-X` names the method of each hop, "
        "though not the content, which its manual warns of.",
        "stdout",
        "requests",
    ),
    "redirect to another origin": because(ORIGIN, "headers"),
    "redirect with a host header": because(ORIGIN, "headers"),
    "cookie jar": because(COOKIE_PATH, "files"),
    "cookie jar of a file": because(COOKIE_PATH, "files"),
    "next shares cookies": because(COOKIE_PATH, "files"),
    "cookie attributes": because(
        "A Secure cookie that came over http is not stored (RFC 6265bis section 5.7), also from this "
        "machine, which curl makes an exception for. " + COOKIE_PATH,
        "files",
    ),
    "digest MD5": because(DIGEST_COUNT, "stdout"),
    "digest SHA-256": because(DIGEST_COUNT, "stdout"),
    "digest, wrong": because(DIGEST_COUNT, "stdout"),
    "digest with content": because(
        "curl expects the challenge and asks without content first. httpoll sends the request as it is: "
        "a server that wants no Digest has it then.",
        "headers",
        "bodies",
    ),
    "digest twice": because(
        "httpoll answers a challenge that it remembers at once, with the next nonce count (RFC 7616 "
        "section 3.4); curl is challenged again.",
        "requests",
        "headers",
        "bodies",
    ),
    "expect refused": because(
        "Content was announced and not sent: whether the server waits for it nobody knows, so fetch "
        "opens another connection for the repetition. curl takes the same one, where a server that "
        "waits would take the second request for content.",
        "connections",
    ),
    "redirect 307 of a stream": varies(
        "curl connects once more before it notices that it cannot send the stream again.", "connections"
    ),
    "client certificate missing, TLS 1.3": varies(
        "The server's alert and its closing come after curl has begun to send; which of the two curl "
        "meets first decides between 55 and 56.",
        "exit",
        "stderr",
    ),
    "head cut short": because(
        "A head that ends in the middle of a line is no response; curl takes it for one.", "exit", "stderr"
    ),
    "two lengths": because(
        "Lengths that differ are an unrecoverable error (RFC 9112 section 6.3).", "exit", "stdout", "stderr"
    ),
    "huge head": because(
        "curl 7.88 says that its memory is used up; later versions say 56, as fetch does.", "exit", "stderr"
    ),
    "range and codings": because(
        "A range is one of the coded content (RFC 9110 section 14.1.2) and cannot be decoded, so no "
        "coding is asked for with it.",
        "stdout",
        "headers",
    ),
    "retry writes what failed": because(
        "A response that is tried again is not the response; curl writes it all the same.", "stdout"
    ),
    "retry and fail": because(
        "fetch tells of the last failure and reads refused content to its end, so that the connection "
        "can be used again; curl tells of each and closes.",
        "stdout",
        "stderr",
        "connections",
    ),
    "retry after a reset": because(
        "A GET that met a broken connection can be sent again without harm (RFC 9110 section 9.2.2); "
        "curl does so with `--retry-all-errors` only.",
        *("exit", "stdout", "requests", "headers", "bodies", "connections"),
    ),
    "client certificate not there": because(READ_FIRST, "connections"),
    "authorities not there": because(READ_FIRST, "connections"),
}
