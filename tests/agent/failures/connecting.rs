//! Failures of proxies and of TLS: before the connection is usable, and, for TLS, at any time after that.

use httpoll::error::{NetworkFault, TlsFault};
use httpoll::memory::Peer;
use httpoll::proxy::ProxySettings;
use httpoll::{Agent, ErrorKind, Phase, Request, Timeouts};

use super::table::{Ending, Moved, Row, SECOND, Seen, Table, expect, get, post};
use crate::broken_tls;
use crate::tls::{authority, server_config, trusting};

#[test]
fn failures_of_proxies_and_tls() {
    table();
}

pub(super) fn table() -> Seen {
    let mut table = Table::new();
    proxies(&mut table);
    handshakes(&mut table);
    records(&mut table);
    table.seen
}

fn through(proxy: &str, request: Request) -> Request {
    let proxies = ProxySettings::default().with_all(&format!("http://{proxy}.example:80"));
    request.proxies(proxies.unwrap()).proxy_tunnel(true)
}

fn proxies(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    let large = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(100_000));
    let wants = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    for (name, response, ending) in [
        ("wants", wants, Ending::Open),
        ("refuses", "HTTP/1.1 403 Forbidden\r\n\r\n", Ending::Close),
        ("hangs-up", "", Ending::Close),
        ("resets", "", Ending::Reset),
        ("silent", "", Ending::Open),
        ("lies", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Ending::Open),
        ("large", &large, Ending::Open),
    ] {
        table.serve(name, response, ending);
    }
    let mut timeouts = Timeouts::default();
    timeouts.tunnel = Some(SECOND);
    let game = || get("game");
    let tunnel = |kind| expect(Phase::Tunnel, kind);
    let rows: Vec<Row> = vec![
        (
            "a proxy that wants credentials",
            through("wants", game()),
            tunnel(|kind| matches!(kind, ErrorKind::Proxy(_))),
        ),
        (
            "a proxy that refuses",
            through("refuses", game()),
            tunnel(|kind| matches!(kind, ErrorKind::Proxy(_))),
        ),
        (
            "a proxy that closes",
            through("hangs-up", post("game")),
            tunnel(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed))).retryable(),
        ),
        (
            "a proxy that resets",
            through("resets", post("game")),
            tunnel(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
        (
            "the tunnel timeout",
            through("silent", post("game")).timeouts(timeouts),
            tunnel(|kind| matches!(kind, ErrorKind::Timeout(Phase::Tunnel))).retryable(),
        ),
        (
            "the total timeout in a tunnel",
            through("silent", post("game")).total_timeout(SECOND),
            tunnel(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::Tunnel))).retryable(),
        ),
        (
            "a proxy that sends an invalid head",
            through("lies", game()),
            tunnel(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
        (
            "a proxy that sends too large a head",
            through("large", game()),
            tunnel(|kind| matches!(kind, ErrorKind::Limit(_))),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
}

fn secure(host: &str) -> Request {
    Request::get(format!("https://{host}.example/"))
}

fn handshakes(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    let plain = table.address("plain", 443);
    table.network.serve(plain, || {
        |peer: &mut Peer| {
            if !peer.take_received().is_empty() {
                peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            }
        }
    });
    for (name, ending) in [("ends", Ending::Close), ("breaks", Ending::Reset)] {
        let at = table.address(name, 443);
        table.network.serve(at, move || {
            move |peer: &mut Peer| {
                if peer.take_received().is_empty() {
                    return;
                }
                match ending {
                    Ending::Reset => peer.reset(),
                    _ => peer.close(),
                }
            }
        });
    }
    table.listen("quiet", 443);
    let own = authority();
    let config = server_config(&own, &["strange.example"], 2200);
    let strange = table.address("strange", 443);
    broken_tls::serve(&table.network, strange, &config, "");
    let mut timeouts = Timeouts::default();
    timeouts.tls_handshake = Some(SECOND);
    let handshake = |kind| expect(Phase::TlsHandshake, kind);
    let rows: Vec<Row> = vec![
        (
            "TLS to a plain port",
            secure("plain"),
            handshake(|kind| matches!(kind, ErrorKind::Tls(TlsFault::NotTls))),
        ),
        (
            "a certificate of an unknown issuer",
            secure("strange"),
            handshake(|kind| matches!(kind, ErrorKind::Tls(TlsFault::CertificateUnknownIssuer))),
        ),
        (
            "a handshake that ends",
            secure("ends"),
            handshake(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed))).retryable(),
        ),
        (
            "a handshake that breaks",
            secure("breaks"),
            handshake(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
        (
            "the handshake timeout",
            Request::post("https://quiet.example/")
                .text("x")
                .timeouts(timeouts),
            handshake(|kind| matches!(kind, ErrorKind::Timeout(Phase::TlsHandshake))).retryable(),
        ),
        (
            "the total timeout in a handshake",
            Request::post("https://quiet.example/")
                .text("x")
                .total_timeout(SECOND),
            handshake(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::TlsHandshake)))
                .retryable(),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
}

/// Records that cannot be decrypted: what came before them counts.
fn records(table: &mut Table) {
    let own = authority();
    let mut agent = Agent::builder().build_on_memory(&table.network);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let broken: fn(&ErrorKind) -> bool = |kind| matches!(kind, ErrorKind::Tls(_));
    for (name, response, expected) in [
        (
            "before-head",
            "",
            expect(Phase::AwaitHead, broken).moved(Moved::Some, Moved::Nothing),
        ),
        (
            "after-head",
            head,
            expect(Phase::ReceiveBody, broken)
                .head(200)
                .moved(Moved::Some, Moved::Some),
        ),
    ] {
        let host = format!("{name}.example");
        let config = server_config(&own, &[&host], 2200);
        let at = table.address(name, 443);
        broken_tls::serve(&table.network, at, &config, response);
        let request = secure(name).tls(trusting(&own));
        table.check(&mut agent, (name, request, expected));
    }
}
