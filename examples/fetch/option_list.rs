//! The list of options.

/// One option: its letter, its name, what it takes, what it does.
pub(crate) struct Known {
    pub(crate) letter: Option<char>,
    pub(crate) name: &'static str,
    pub(crate) takes: Option<&'static str>,
    does: &'static str,
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    let mut text = String::from("Usage: fetch [options...] <url>...\n");
    for known in OPTIONS {
        let letter = known
            .letter
            .map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let takes = known
            .takes
            .map_or_else(String::new, |it| format!(" <{it}>"));
        let left = format!("{letter}--{}{takes}", known.name);
        text.push_str(&format!(" {left:<34} {}\n", known.does));
    }
    text
}

const fn switch(letter: Option<char>, name: &'static str, does: &'static str) -> Known {
    Known {
        letter,
        name,
        takes: None,
        does,
    }
}

const fn takes(
    letter: Option<char>,
    name: &'static str,
    takes: &'static str,
    does: &'static str,
) -> Known {
    Known {
        letter,
        name,
        takes: Some(takes),
        does,
    }
}

pub(crate) const OPTIONS: &[Known] = &[
    switch(None, "anyauth", "Pick the strongest authentication offered"),
    switch(None, "basic", "HTTP Basic authentication"),
    takes(
        None,
        "cacert",
        "file",
        "Trust the authorities in this PEM file only",
    ),
    takes(Some('E'), "cert", "file", "Client certificate, PEM"),
    switch(None, "compressed", "Ask for content codings and undo them"),
    takes(
        None,
        "connect-timeout",
        "seconds",
        "Time allowed to connect",
    ),
    takes(
        Some('C'),
        "continue-at",
        "offset",
        "Go on at this offset; - finds it out",
    ),
    takes(
        Some('b'),
        "cookie",
        "data|file",
        "Send these cookies, or those of the file",
    ),
    takes(
        Some('c'),
        "cookie-jar",
        "file",
        "Write cookies here in the end",
    ),
    switch(None, "create-dirs", "Create missing folders of the output"),
    takes(
        Some('d'),
        "data",
        "data",
        "POST this; @file without line breaks",
    ),
    takes(None, "data-ascii", "data", "The same"),
    takes(None, "data-binary", "data", "POST this as it is; @file"),
    takes(None, "data-raw", "data", "POST this; @ means nothing"),
    takes(None, "data-urlencode", "data", "POST this, percent-encoded"),
    switch(None, "digest", "HTTP Digest authentication"),
    takes(
        Some('D'),
        "dump-header",
        "file",
        "Write response heads here",
    ),
    takes(
        None,
        "expect100-timeout",
        "seconds",
        "How long to wait for 100 Continue",
    ),
    switch(Some('f'), "fail", "Fail on HTTP errors, with no output"),
    switch(None, "fail-early", "Stop at the first transfer that fails"),
    switch(
        None,
        "fail-with-body",
        "Fail on HTTP errors, but write the content",
    ),
    takes(Some('F'), "form", "name=content", "multipart/form-data"),
    takes(
        None,
        "form-string",
        "name=text",
        "The same; @ and < mean nothing",
    ),
    switch(Some('G'), "get", "Put the data into the URL and GET"),
    switch(
        Some('g'),
        "globoff",
        "No effect: URLs are never patterns here",
    ),
    switch(Some('I'), "head", "HEAD: show the head only"),
    takes(Some('H'), "header", "line|@file", "Send this header"),
    switch(Some('h'), "help", "This text"),
    takes(
        None,
        "hsts",
        "file",
        "Remember hosts that want HTTPS in this file",
    ),
    switch(Some('0'), "http1.0", "Use HTTP/1.0"),
    switch(None, "http1.1", "Use HTTP/1.1, the default"),
    switch(Some('i'), "include", "Write heads before the content"),
    switch(Some('k'), "insecure", "Do not check certificates"),
    switch(Some('4'), "ipv4", "Connect to IPv4 addresses only"),
    switch(Some('6'), "ipv6", "Connect to IPv6 addresses only"),
    takes(None, "json", "data", "POST this as JSON; @file"),
    switch(
        Some('j'),
        "junk-session-cookies",
        "Forget session cookies of the file",
    ),
    takes(
        None,
        "key",
        "file",
        "Private key of the client certificate, PEM",
    ),
    takes(
        None,
        "limit-rate",
        "speed",
        "Bytes a second, with k, M or G",
    ),
    switch(Some('L'), "location", "Follow redirects"),
    switch(
        None,
        "location-trusted",
        "The same, with credentials to any host",
    ),
    takes(None, "max-filesize", "bytes", "The most content to take"),
    takes(
        None,
        "max-redirs",
        "number",
        "How many redirects to follow; -1 any",
    ),
    takes(
        Some('m'),
        "max-time",
        "seconds",
        "Time allowed for the whole transfer",
    ),
    switch(Some('n'), "netrc", "Find the user and password in ~/.netrc"),
    takes(None, "netrc-file", "file", "Find them in this file"),
    switch(None, "netrc-optional", "Find them in ~/.netrc if there"),
    switch(
        Some(':'),
        "next",
        "Begin anew with options for further URLs",
    ),
    switch(
        Some('N'),
        "no-buffer",
        "No effect: each piece is written at once",
    ),
    takes(
        None,
        "noproxy",
        "list",
        "Hosts that are reached without a proxy",
    ),
    takes(None, "oauth2-bearer", "token", "Bearer token"),
    takes(Some('o'), "output", "file", "Write the content here"),
    takes(
        None,
        "output-dir",
        "folder",
        "Write outputs into this folder",
    ),
    switch(Some('Z'), "parallel", "All transfers at once"),
    switch(
        None,
        "parallel-immediate",
        "No effect: connections are opened as needed",
    ),
    takes(
        None,
        "parallel-max",
        "number",
        "How many at once; default 50",
    ),
    switch(None, "path-as-is", "Do not remove dot segments"),
    switch(None, "post301", "A POST stays one after a 301"),
    switch(None, "post302", "A POST stays one after a 302"),
    switch(None, "post303", "A POST stays one after a 303"),
    switch(
        Some('#'),
        "progress-bar",
        "Progress as a bar, which it always is here",
    ),
    takes(Some('x'), "proxy", "url", "Use this proxy"),
    switch(
        Some('p'),
        "proxytunnel",
        "Through the proxy by CONNECT, always",
    ),
    takes(
        Some('U'),
        "proxy-user",
        "user:password",
        "Credentials for the proxy",
    ),
    takes(Some('r'), "range", "range", "Ask for these bytes only"),
    takes(
        Some('e'),
        "referer",
        "url",
        "Referer; \";auto\" behind it renews it",
    ),
    switch(
        Some('O'),
        "remote-name",
        "Write to a file named as in the URL",
    ),
    switch(None, "remote-name-all", "The same for all URLs"),
    takes(Some('X'), "request", "method", "The method"),
    takes(
        None,
        "request-target",
        "target",
        "The request target instead of the path",
    ),
    takes(
        None,
        "resolve",
        "host:port:address",
        "Use these addresses for the host",
    ),
    takes(
        None,
        "retry",
        "number",
        "Try again so often when it may help",
    ),
    switch(None, "retry-all-errors", "Try again after any failure"),
    switch(
        None,
        "retry-connrefused",
        "Try again when nobody listens, too",
    ),
    takes(None, "retry-delay", "seconds", "Time between two tries"),
    takes(
        None,
        "retry-max-time",
        "seconds",
        "No try begins later than this",
    ),
    switch(Some('S'), "show-error", "Show errors even with -s"),
    switch(Some('s'), "silent", "No progress, no errors"),
    takes(
        None,
        "socks5",
        "host:port",
        "SOCKS5 proxy, names resolved here",
    ),
    takes(
        None,
        "socks5-hostname",
        "host:port",
        "SOCKS5 proxy that resolves names",
    ),
    takes(None, "tls-max", "version", "TLS up to 1.2 or 1.3"),
    switch(Some('1'), "tlsv1", "TLS, the default"),
    switch(None, "tlsv1.2", "TLS 1.2 or later"),
    switch(None, "tlsv1.3", "TLS 1.3 or later"),
    takes(
        Some('T'),
        "upload-file",
        "file",
        "PUT this file; - is standard input",
    ),
    takes(None, "url", "url", "A URL"),
    takes(
        Some('u'),
        "user",
        "user:password",
        "Credentials for the server",
    ),
    takes(
        Some('A'),
        "user-agent",
        "name",
        "User-Agent; empty for none",
    ),
    switch(Some('v'), "verbose", "Show what happens"),
    takes(Some('w'), "write-out", "format", "Write this in the end"),
    switch(Some('V'), "version", "The version"),
];
