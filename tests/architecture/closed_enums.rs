//! Public enums without `#[non_exhaustive]`, and why each of them is closed. Every other public enum may grow.

/// File and name of the enum, and the reason.
pub(crate) const CLOSED: &[(&str, &str, &str)] = &[
    (
        "src/budget.rs",
        "PollAt",
        "a loop has to know each thing that it may wait for",
    ),
    (
        "src/connection/status.rs",
        "Status",
        "the statuses of Godot's HTTPClient",
    ),
    (
        "src/node/method.rs",
        "Method",
        "the methods of Godot's HTTPClient",
    ),
    (
        "src/proto/state.rs",
        "Role",
        "HTTP has two sides (RFC 9110 §3.3)",
    ),
    (
        "src/semantics/range.rs",
        "RangeSpec",
        "the three forms of RFC 9110 §14.1.2",
    ),
    (
        "src/semantics/same_site.rs",
        "SameSite",
        "the three values of RFC 6265bis §5.6.7",
    ),
    (
        "src/semantics/websocket/message.rs",
        "WebSocketMessage",
        "the frames of RFC 6455 §5.2",
    ),
    (
        "src/transport/memory/fault.rs",
        "Direction",
        "a connection has two directions",
    ),
    (
        "src/transport/tls/disabled.rs",
        "TlsOptions",
        "has no values in a build without TLS",
    ),
    (
        "src/transport/tls/disabled.rs",
        "ServerTlsOptions",
        "has no values in a build without TLS",
    ),
];
