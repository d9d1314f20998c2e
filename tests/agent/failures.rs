//! Each kind of failure in each phase: the head that was received comes with it, the bytes that moved are
//! counted, and it says whether sending the same request again may help.

use std::time::Duration;

use httpoll::access::AccessPolicy;
use httpoll::agent::{PoolLimits, RequestOptions};
use httpoll::circuit::CircuitPolicy;
use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::redirect::RedirectPolicy;
use httpoll::{
    Agent, Download, ErrorKind, Phase, Request, RetryPolicy, Timeouts, agent::CacheMode,
    error::NetworkFault,
};

use crate::support::{Folder, address, finish, frames, run, script, script_closing};

const SECOND: Duration = Duration::from_secs(1);

/// What is expected of a failure.
struct Row {
    name: &'static str,
    request: Request,
    kind: fn(&ErrorKind) -> bool,
    phase: Phase,
    /// The status of the head that comes with the error.
    head: Option<u16>,
    sent: bool,
    received: bool,
    retryable: bool,
}

fn check(network: &MemoryNetwork, agent: &mut Agent, row: Row) {
    let Row { name, request, .. } = row;
    let outcome = run(network, agent, request);
    let (error, response) = outcome.result.expect_err(name);
    assert!((row.kind)(error.kind()), "{name}: {error:#?}");
    assert_eq!(error.phase(), Some(row.phase), "{name}: {error:#?}");
    let head = response.map(|response| response.status().as_u16());
    assert_eq!(head, row.head, "{name}: the head");
    assert_eq!(error.bytes_sent() > 0, row.sent, "{name}: bytes sent");
    assert_eq!(
        error.bytes_received() > 0,
        row.received,
        "{name}: bytes received"
    );
    assert_eq!(error.is_retryable(), row.retryable, "{name}: retryable");
    assert!(error.origin().is_some(), "{name}: the origin");
}

/// Serves `answer` at `<name>.example`; the connection stays open.
fn serve(network: &MemoryNetwork, number: u8, name: &str, answer: &str) {
    let at = format!("10.8.0.{number}:80");
    script(
        network,
        &format!("{name}.example"),
        &at,
        &[answer.as_bytes()],
    );
}

fn get(host: &str) -> Request {
    Request::get(format!("http://{host}.example/"))
}

#[test]
fn failures_before_a_connection() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::builder()
        .cache(Default::default())
        .build_on_memory(&network);
    network.add_name("refuses.example", &[address("10.8.0.1:80").ip()]);
    network.refuse(address("10.8.0.1:80"), ConnectError::Refused);
    network.add_name("silent.example", &[address("10.8.0.2:80").ip()]);
    network.add_slow_name("slow.example", &[address("10.8.0.2:80").ip()], 60 * SECOND);
    let timeouts = Timeouts {
        resolve: Some(SECOND),
        connect: Some(SECOND),
        ..Timeouts::default()
    };
    let nothing_moved = |name, request, kind, phase, retryable| Row {
        name,
        request,
        kind,
        phase,
        head: None,
        sent: false,
        received: false,
        retryable,
    };
    for row in [
        nothing_moved(
            "an unknown name",
            get("nobody"),
            |kind| matches!(kind, ErrorKind::Network(NetworkFault::Unresolved)),
            Phase::Resolve,
            true,
        ),
        nothing_moved(
            "a refused connection",
            get("refuses"),
            |kind| matches!(kind, ErrorKind::Network(NetworkFault::ConnectFailed)),
            Phase::Connect,
            true,
        ),
        nothing_moved(
            "a slow lookup",
            get("slow").timeouts(timeouts.clone()),
            |kind| matches!(kind, ErrorKind::Timeout(Phase::Resolve)),
            Phase::Resolve,
            true,
        ),
        nothing_moved(
            "the total timeout in a lookup",
            Request::post("http://slow.example/").total_timeout(SECOND),
            |kind| matches!(kind, ErrorKind::TotalTimeout(_)),
            Phase::Resolve,
            true,
        ),
        nothing_moved(
            "a forbidden scheme",
            get("refuses").access(AccessPolicy::default()),
            |kind| matches!(kind, ErrorKind::Access(_)),
            Phase::Queue,
            false,
        ),
        nothing_moved(
            "nothing in the cache",
            get("refuses").cache_mode(CacheMode::OnlyIfCached),
            |kind| matches!(kind, ErrorKind::Refused(_)),
            Phase::Queue,
            false,
        ),
        nothing_moved(
            "a file that is absent",
            Request::put("http://refuses.example/").file("/nowhere/there/is/none"),
            |kind| matches!(kind, ErrorKind::File(_)),
            Phase::Queue,
            false,
        ),
    ] {
        check(&network, &mut agent, row);
    }
}

#[test]
fn a_full_queue_and_an_open_circuit() {
    let network = MemoryNetwork::new();
    let mut pool = PoolLimits::default();
    pool.per_host = 1;
    let mut circuit = CircuitPolicy::default();
    circuit.failures = 1;
    let mut agent = Agent::builder()
        .pool(pool)
        .circuit(circuit)
        .build_on_memory(&network);
    serve(&network, 1, "hangs", "");
    let holds = agent.send(get("hangs")).unwrap();
    frames(&network, &mut agent, 3);
    let queued = Row {
        name: "the queue timeout",
        request: Request::post("http://hangs.example/").queue_timeout(SECOND),
        kind: |kind| matches!(kind, ErrorKind::Timeout(Phase::Queue)),
        phase: Phase::Queue,
        head: None,
        sent: false,
        received: false,
        retryable: true,
    };
    check(&network, &mut agent, queued);
    drop(holds);
    script_closing(&network, "broken.example", "10.8.0.9:80", b"");
    run(&network, &mut agent, get("broken"));
    let open = Row {
        name: "an open circuit",
        request: get("broken"),
        kind: |kind| matches!(kind, ErrorKind::Refused(_)),
        phase: Phase::Queue,
        head: None,
        sent: false,
        received: false,
        retryable: true,
    };
    check(&network, &mut agent, open);
}

#[test]
fn failures_before_the_head() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::builder().build_on_memory(&network);
    script_closing(&network, "hangs-up.example", "10.8.0.1:80", b"");
    serve(&network, 2, "silent", "");
    serve(&network, 3, "begins", "HTTP/1.1 200 OK\r\nX-A: ");
    serve(&network, 4, "lies", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n");
    serve(
        &network,
        5,
        "large",
        &format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(100_000)),
    );
    serve(
        &network,
        7,
        "foreign",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let timeouts = Timeouts {
        head: Some(SECOND),
        ..Timeouts::default()
    };
    let no_head = |name, request, kind, received, retryable| Row {
        name,
        request,
        kind,
        phase: Phase::AwaitHead,
        head: None,
        sent: true,
        received,
        retryable,
    };
    for row in [
        no_head(
            "a connection that closes",
            get("hangs-up"),
            |kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed)),
            false,
            true,
        ),
        no_head(
            "the same for a POST",
            Request::post("http://hangs-up.example/").text("x"),
            |kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed)),
            false,
            false,
        ),
        no_head(
            "the head timeout",
            get("silent").timeouts(timeouts),
            |kind| matches!(kind, ErrorKind::Timeout(Phase::AwaitHead)),
            false,
            true,
        ),
        no_head(
            "the total timeout",
            get("silent").total_timeout(SECOND),
            |kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitHead)),
            false,
            true,
        ),
        no_head(
            "the total timeout of a POST",
            Request::post("http://silent.example/")
                .text("x")
                .total_timeout(SECOND),
            |kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitHead)),
            false,
            false,
        ),
        no_head(
            "the total timeout within a head",
            get("begins").total_timeout(SECOND),
            |kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitHead)),
            true,
            true,
        ),
        no_head(
            "an invalid head",
            get("lies"),
            |kind| matches!(kind, ErrorKind::Peer(_)),
            true,
            false,
        ),
        // Without a known end of its content the response cannot be told from what follows.
        no_head(
            "an unknown transfer coding",
            get("foreign"),
            |kind| matches!(kind, ErrorKind::Peer(_)),
            true,
            false,
        ),
        no_head(
            "a head that is too large",
            get("large"),
            |kind| matches!(kind, ErrorKind::Limit(_)),
            true,
            false,
        ),
    ] {
        check(&network, &mut agent, row);
    }
}

#[test]
fn failures_after_the_head() {
    let network = MemoryNetwork::new();
    let folder = Folder::new("failures");
    let mut agent = Agent::builder().build_on_memory(&network);
    script_closing(
        &network,
        "cuts.example",
        "10.8.0.1:80",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    );
    serve(
        &network,
        2,
        "stalls",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    );
    serve(
        &network,
        3,
        "long",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
    );
    serve(
        &network,
        4,
        "chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
    );
    serve(
        &network,
        5,
        "bad-chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    );
    serve(
        &network,
        6,
        "corrupt",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789",
    );
    serve(
        &network,
        8,
        "busy",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nwhy",
    );
    serve(
        &network,
        9,
        "denied",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nwhy",
    );
    serve(
        &network,
        10,
        "circle",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    );
    serve(
        &network,
        11,
        "odd",
        "HTTP/1.1 302 Found\r\nLocation: ftp://a/\r\nContent-Length: 0\r\n\r\n",
    );
    serve(
        &network,
        12,
        "image",
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nabc",
    );
    serve(
        &network,
        13,
        "limited",
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
    );
    let mut text_only = AccessPolicy::default();
    text_only.schemes = vec!["http".to_owned()];
    text_only.non_public_addresses = true;
    text_only.content_types = vec!["text/*".to_owned()];
    let timeouts = Timeouts {
        stall: Some(SECOND),
        ..Timeouts::default()
    };
    let with_head = |name, request, kind, status, retryable| Row {
        name,
        request,
        kind,
        phase: Phase::ReceiveBody,
        head: Some(status),
        sent: true,
        received: true,
        retryable,
    };
    let is_limit: fn(&ErrorKind) -> bool = |kind| matches!(kind, ErrorKind::Limit(_));
    let is_status: fn(&ErrorKind) -> bool = |kind| matches!(kind, ErrorKind::Status(_));
    for row in [
        with_head(
            "content that is cut",
            get("cuts"),
            |kind| matches!(kind, ErrorKind::Truncated { .. }),
            200,
            true,
        ),
        with_head(
            "content that stalls",
            get("stalls").timeouts(timeouts),
            |kind| matches!(kind, ErrorKind::Timeout(Phase::ReceiveBody)),
            200,
            true,
        ),
        with_head(
            "the total timeout in the content",
            get("stalls").total_timeout(SECOND),
            |kind| matches!(kind, ErrorKind::TotalTimeout(Phase::ReceiveBody)),
            200,
            true,
        ),
        with_head(
            "an announced length above max_body",
            get("long").max_body(5),
            is_limit,
            200,
            false,
        ),
        with_head(
            "the same for a stream",
            get("long").stream().max_body(5),
            is_limit,
            200,
            false,
        ),
        with_head(
            "content above max_body",
            get("chunks").max_body(5),
            is_limit,
            200,
            false,
        ),
        with_head(
            "an announced length above max_size",
            get("long").download_to(Download::to(folder.path("a")).max_size(5)),
            is_limit,
            200,
            false,
        ),
        with_head(
            "content above max_size",
            get("chunks").download_to(Download::to(folder.path("b")).max_size(5)),
            is_limit,
            200,
            false,
        ),
        with_head(
            "an invalid chunk",
            get("bad-chunk"),
            |kind| matches!(kind, ErrorKind::Peer(_)),
            200,
            false,
        ),
        with_head(
            "content that cannot be decoded",
            get("corrupt"),
            |kind| matches!(kind, ErrorKind::Coding(_)),
            200,
            false,
        ),
        with_head(
            "a status that passes",
            get("busy").error_for_status(true),
            is_status,
            503,
            true,
        ),
        with_head(
            "a download's status",
            get("busy").download_to(folder.path("c")),
            is_status,
            503,
            true,
        ),
        with_head(
            "an event stream's status",
            get("limited").event_stream(),
            is_status,
            429,
            true,
        ),
        with_head(
            "the same for a POST",
            Request::post("http://busy.example/").error_for_status(true),
            is_status,
            503,
            false,
        ),
        with_head(
            "a POST with an idempotency key",
            Request::post("http://busy.example/")
                .header("Idempotency-Key", "1")
                .error_for_status(true),
            is_status,
            503,
            true,
        ),
        with_head(
            "too many requests",
            get("limited").error_for_status(true),
            is_status,
            429,
            true,
        ),
        with_head(
            "a status that does not pass",
            get("denied").error_for_status(true),
            is_status,
            403,
            false,
        ),
        with_head(
            "too many redirects",
            get("circle").redirects(RedirectPolicy::up_to(2)),
            |kind| matches!(kind, ErrorKind::Redirect(_)),
            302,
            false,
        ),
        with_head(
            "a redirect to another scheme",
            get("odd"),
            |kind| matches!(kind, ErrorKind::Redirect(_)),
            302,
            false,
        ),
        with_head(
            "a forbidden content type",
            get("image").access(text_only),
            |kind| matches!(kind, ErrorKind::Access(_)),
            200,
            false,
        ),
        with_head(
            "a WebSocket that is refused",
            get("denied").web_socket(Default::default()),
            is_status,
            403,
            false,
        ),
    ] {
        check(&network, &mut agent, row);
    }
}

#[test]
fn a_switch_to_another_protocol_that_is_invalid() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::builder().build_on_memory(&network);
    serve(
        &network,
        1,
        "switches",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: nonsense\r\n\r\n",
    );
    let row = Row {
        name: "a wrong key",
        request: get("switches").web_socket(Default::default()),
        kind: |kind| matches!(kind, ErrorKind::WebSocket(_)),
        phase: Phase::ReceiveBody,
        head: Some(101),
        sent: true,
        received: true,
        retryable: false,
    };
    check(&network, &mut agent, row);
}

#[test]
fn the_total_timeout_while_waiting_to_retry_counts_the_last_attempt() {
    let network = MemoryNetwork::new();
    let mut retries = RetryPolicy::standard();
    retries.base_delay = 20 * SECOND;
    retries.jitter = false;
    let options = RequestOptions::new()
        .retries(retries)
        .total_timeout(5 * SECOND);
    let mut agent = Agent::builder().defaults(options).build_on_memory(&network);
    script_closing(&network, "hangs-up.example", "10.8.0.1:80", b"");
    let row = Row {
        name: "while waiting to retry",
        request: get("hangs-up"),
        kind: |kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitRetry)),
        phase: Phase::AwaitRetry,
        head: None,
        sent: true,
        received: false,
        retryable: true,
    };
    check(&network, &mut agent, row);
    let handle = agent.send(get("hangs-up")).unwrap();
    assert!(finish(&network, &mut agent, &handle).error().is_timeout());
}
