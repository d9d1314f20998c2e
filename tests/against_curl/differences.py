"""Where fetch and curl differ by right, each with its reason. What is not here must be alike."""

from collections import namedtuple

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

# By case: the aspect that differs, and why.
CASES = {}
