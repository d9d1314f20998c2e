//! Proxies that fail: each error names the proxy and the step.

use httpoll::agent::{AgentBuilder, RequestOptions};
use httpoll::memory::{ConnectError, MemoryNetwork, Peer};
use httpoll::proxy::ProxySettings;
use httpoll::{Agent, Request};

use crate::support::{address, run};

const PROXY: &str = "10.9.0.3:3128";

fn through(url: &str) -> AgentBuilder {
    let proxies = ProxySettings::default().with_all(url).unwrap();
    Agent::builder().defaults(RequestOptions::new().proxies(proxies))
}

/// How the proxy of a row behaves.
#[derive(Clone, Copy, Debug)]
enum Proxy {
    NoAddress,
    Refuses,
    Silent,
    Says(&'static [u8]),
    Closes,
}

impl Proxy {
    fn begin(self, network: &MemoryNetwork) {
        let at = address(PROXY);
        if !matches!(self, Self::NoAddress) {
            network.add_name("proxy.example", &[at.ip()]);
        }
        match self {
            Self::NoAddress | Self::Refuses => {}
            Self::Silent => network.refuse(at, ConnectError::BlackHole),
            Self::Says(answer) => network.serve(at, move || {
                move |peer: &mut Peer| {
                    if !peer.take_received().is_empty() {
                        peer.send(answer);
                    }
                }
            }),
            Self::Closes => network.serve(at, || |peer: &mut Peer| peer.close()),
        }
    }
}

/// Rows of: the proxy's URL, how it behaves, the URL that is asked for, and the error's text. The text names the
/// proxy and the step, never its credentials.
const PROXY_FAILURES: [(&str, Proxy, &str, &str); 14] = [
    (
        "http://me:pw@proxy.example:3128",
        Proxy::NoAddress,
        "http://game.example/a",
        "could not look up the host of the proxy http://proxy.example:3128 for http://game.example: the host name \
         has no address; check the spelling of the proxy's host and the network connection",
    ),
    (
        "http://me:pw@proxy.example:3128",
        Proxy::Refuses,
        "http://game.example/a",
        "could not connect to the proxy http://proxy.example:3128 for http://game.example: no address accepted the \
         connection (10.9.0.3:3128: connection refused); check the proxy settings, that the proxy runs and listens \
         on this port, and that no firewall blocks it",
    ),
    (
        "http://proxy.example:3128",
        Proxy::Silent,
        "https://game.example/a",
        "could not connect to the proxy http://proxy.example:3128 for https://game.example: timed out \
         (Timeouts::connect)",
    ),
    (
        "socks5h://me:pw@proxy.example:3128",
        Proxy::Refuses,
        "http://game.example/a",
        "could not connect to the proxy socks5h://proxy.example:3128 for http://game.example: no address accepted \
         the connection (10.9.0.3:3128: connection refused); check the proxy settings, that the proxy runs and \
         listens on this port, and that no firewall blocks it",
    ),
    (
        "http://proxy.example:3128",
        Proxy::Says(
            b"HTTP/1.1 407 No

",
        ),
        "https://game.example/a",
        "the proxy http://proxy.example:3128 opened no tunnel to https://game.example: the proxy requires other \
         credentials (status 407)",
    ),
    (
        "http://proxy.example:3128",
        Proxy::Says(
            b"HTTP/1.1 502 No

",
        ),
        "https://game.example/a",
        "the proxy http://proxy.example:3128 opened no tunnel to https://game.example: the proxy refused the tunnel \
         with status 502",
    ),
    (
        "http://proxy.example:3128",
        Proxy::Says(
            b"SSH-2.0

",
        ),
        "https://game.example/a",
        "the proxy http://proxy.example:3128 opened no tunnel to https://game.example: the peer does not speak \
         HTTP/1 (RFC 9112 §4)",
    ),
    (
        "http://proxy.example:3128",
        Proxy::Closes,
        "https://game.example/a",
        "the proxy http://proxy.example:3128 opened no tunnel to https://game.example: the proxy closed the \
         connection",
    ),
    (
        "http://proxy.example:3128",
        Proxy::Says(b""),
        "https://game.example/a",
        "the proxy http://proxy.example:3128 opened no tunnel to https://game.example: timed out \
         (Timeouts::tunnel)",
    ),
    (
        "socks5h://proxy.example:3128",
        Proxy::Says(b"\x05\xff"),
        "http://game.example/a",
        "the proxy socks5h://proxy.example:3128 opened no tunnel to http://game.example: the SOCKS proxy accepts \
         none of the offered logins (does it require credentials?)",
    ),
    (
        "socks5h://proxy.example:3128",
        Proxy::Closes,
        "http://game.example/a",
        "the proxy socks5h://proxy.example:3128 opened no tunnel to http://game.example: the proxy closed the \
         connection",
    ),
    (
        "socks5://proxy.example:3128",
        Proxy::Refuses,
        "http://10.1.1.1/a",
        "could not connect to the proxy socks5://proxy.example:3128 for http://10.1.1.1: no address accepted the \
         connection (10.9.0.3:3128: connection refused); check the proxy settings, that the proxy runs and listens \
         on this port, and that no firewall blocks it",
    ),
    // The proxy is not asked before the name is known, and did nothing wrong.
    (
        "socks5://proxy.example:3128",
        Proxy::Refuses,
        "http://game.example/a",
        "could not look up the host of http://game.example: the host name has no address; check the spelling of \
         the host and the network connection",
    ),
    // Behind the tunnel the server is at fault, or the way to it.
    (
        "http://proxy.example:3128",
        Proxy::Says(
            b"HTTP/1.1 200 OK

",
        ),
        "https://game.example/a",
        "could not establish TLS with https://game.example through the proxy http://proxy.example:3128: the peer \
         does not speak TLS (is this a port for plain http?) (received corrupt message of type InvalidContentType)",
    ),
];

#[test]
fn the_error_of_a_proxy_that_fails_names_the_proxy_and_the_step() {
    for (proxy_url, behaves, url, expected) in PROXY_FAILURES {
        let network = MemoryNetwork::new();
        behaves.begin(&network);
        let mut agent = through(proxy_url).build_on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get(url));
        let error = outcome.error();
        assert_eq!(error.to_string(), expected);
        let shown = proxy_url.replace("me:pw@", "");
        let named = expected.contains(&shown).then_some(&*shown);
        assert_eq!(error.proxy(), named, "{expected}");
    }
}

#[test]
fn a_response_that_a_proxy_does_not_forward_names_the_proxy() {
    let network = MemoryNetwork::new();
    Proxy::Closes.begin(&network);
    let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
    let request = Request::get("http://game.example/a?secret");
    let outcome = run(&network, &mut agent, request);
    let text = outcome.error().to_string();
    let step = "http://game.example/a through the proxy http://proxy.example:3128: ";
    assert!(text.contains(step), "{text}");

    let network = MemoryNetwork::new();
    Proxy::Says(
        b"HTTP/1.1 407 No
Content-Length: 0

",
    )
    .begin(&network);
    let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
    let request = Request::get("http://game.example/a").error_for_status(true);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(
        outcome.error().to_string(),
        "http://game.example/a: the proxy responded with status 407: it requires other credentials"
    );
}

#[cfg(feature = "websocket")]
#[test]
fn the_error_of_a_web_socket_names_the_proxy_that_fails() {
    let network = MemoryNetwork::new();
    Proxy::Says(
        b"HTTP/1.1 503 No

",
    )
    .begin(&network);
    let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
    let options = httpoll::agent::WebSocketOptions::new();
    let request = Request::get("ws://game.example/chat").web_socket(options);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(
        outcome.error().to_string(),
        "the proxy http://proxy.example:3128 opened no tunnel to http://game.example: the proxy refused the tunnel \
         with status 503"
    );
}
