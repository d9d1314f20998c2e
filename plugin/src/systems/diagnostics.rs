//! Measurements for Bevy's `DiagnosticsStore`, one per frame: of the plugin, and of each phase of requests.

use std::time::Duration;

use bevy_app::{App, Last};
use bevy_diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic};
use bevy_ecs::schedule::IntoScheduleConfigs;
use bevy_ecs::system::{Local, Res};
use httpoll::agent::Timings;

use crate::components::phase::HttpPhase;
use crate::resources::agent::HttpAgent;
use crate::schedule::HttpollSystems;

/// The number of requests that wait to be sent or are under way.
pub const IN_FLIGHT: DiagnosticPath = DiagnosticPath::const_new("httpoll/in_flight");

/// Bytes of content received in the frame.
pub const BYTES_IN: DiagnosticPath = DiagnosticPath::const_new("httpoll/bytes_in");

/// Bytes of content sent in the frame.
pub const BYTES_OUT: DiagnosticPath = DiagnosticPath::const_new("httpoll/bytes_out");

/// Milliseconds of the frame that the plugin took, without observers.
pub const POLL_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/poll_ms");

/// The fraction of the frame's budget that was spent; 1 is all of it.
pub const BUDGET_SPENT: DiagnosticPath = DiagnosticPath::const_new("httpoll/budget_spent");

/// Milliseconds that requests waited for a connection. Like the other times of phases, it is the mean of the
/// requests that ended in the frame, of their last hop. Frames in which none ended have no measurement.
pub const QUEUE_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/queue_ms");

/// Milliseconds that the lookup of the host name took. Zero on a connection that existed, as are the next two.
pub const RESOLVE_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/resolve_ms");

/// Milliseconds that it took to open the connection.
pub const CONNECT_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/connect_ms");

/// Milliseconds that the TLS handshake took.
pub const TLS_HANDSHAKE_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/tls_handshake_ms");

/// Milliseconds from the end of the request to the first byte of the response.
pub const AWAIT_HEAD_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/await_head_ms");

/// Milliseconds from the first byte of the response to the last.
pub const RECEIVE_BODY_MS: DiagnosticPath = DiagnosticPath::const_new("httpoll/receive_body_ms");

/// The path of the number of requests in a phase, such as `httpoll/requests/await_head`. `None` for the phases
/// in which a request has ended.
pub fn requests_in(phase: HttpPhase) -> Option<DiagnosticPath> {
    let index = PHASES.iter().position(|(other, _)| *other == phase)?;
    Some(DiagnosticPath::const_new(PHASES[index].1))
}

const PHASES: [(HttpPhase, &str); 11] = [
    (HttpPhase::Queue, "httpoll/requests/queue"),
    (HttpPhase::Resolve, "httpoll/requests/resolve"),
    (HttpPhase::Connect, "httpoll/requests/connect"),
    (HttpPhase::Tunnel, "httpoll/requests/tunnel"),
    (HttpPhase::TlsHandshake, "httpoll/requests/tls_handshake"),
    (HttpPhase::SendHead, "httpoll/requests/send_head"),
    (HttpPhase::AwaitContinue, "httpoll/requests/await_continue"),
    (HttpPhase::SendBody, "httpoll/requests/send_body"),
    (HttpPhase::AwaitHead, "httpoll/requests/await_head"),
    (HttpPhase::ReceiveBody, "httpoll/requests/receive_body"),
    (HttpPhase::AwaitRetry, "httpoll/requests/await_retry"),
];

const TIMES: [(DiagnosticPath, fn(&Timings) -> Duration); 6] = [
    (QUEUE_MS, |it| it.queue.saturating_sub(it.redirect)),
    (RESOLVE_MS, |it| it.namelookup.saturating_sub(it.queue)),
    (CONNECT_MS, |it| it.connect.saturating_sub(it.namelookup)),
    (TLS_HANDSHAKE_MS, |it| {
        it.appconnect.saturating_sub(it.connect)
    }),
    (AWAIT_HEAD_MS, |it| {
        it.starttransfer.saturating_sub(it.pretransfer)
    }),
    (RECEIVE_BODY_MS, |it| {
        it.total.saturating_sub(it.starttransfer)
    }),
];

pub(crate) fn build(app: &mut App) {
    for (_, path) in PHASES {
        app.register_diagnostic(Diagnostic::new(DiagnosticPath::const_new(path)));
    }
    for (path, _) in TIMES {
        app.register_diagnostic(Diagnostic::new(path).with_suffix("ms"));
    }
    app.register_diagnostic(Diagnostic::new(IN_FLIGHT))
        .register_diagnostic(Diagnostic::new(BYTES_IN).with_suffix("B"))
        .register_diagnostic(Diagnostic::new(BYTES_OUT).with_suffix("B"))
        .register_diagnostic(Diagnostic::new(POLL_MS).with_suffix("ms"))
        .register_diagnostic(Diagnostic::new(BUDGET_SPENT))
        .add_systems(Last, measure.after(HttpollSystems::Flush));
}

// The rounding is invisible in a diagnostic.
#[allow(clippy::cast_precision_loss)]
fn measure(
    http: Option<Res<HttpAgent>>,
    mut before: Local<(u64, u64)>,
    mut diagnostics: Diagnostics,
) {
    let Some(http) = http else { return };
    let (sent, received) = http.transferred();
    let moved = (
        sent.saturating_sub(before.0),
        received.saturating_sub(before.1),
    );
    *before = (sent, received);
    let spent = http.frame.spent();
    diagnostics.add_measurement(&IN_FLIGHT, || http.in_flight() as f64);
    diagnostics.add_measurement(&BYTES_OUT, || moved.0 as f64);
    diagnostics.add_measurement(&BYTES_IN, || moved.1 as f64);
    diagnostics.add_measurement(&POLL_MS, || spent.as_secs_f64() * 1e3);
    for (phase, path) in PHASES {
        let count = || http.jobs.in_phase(phase) as f64;
        diagnostics.add_measurement(&DiagnosticPath::const_new(path), count);
    }
    let ended = &http.frame.timings;
    if !ended.is_empty() {
        for (path, time) in &TIMES {
            let sum: f64 = ended.iter().map(|it| time(it).as_secs_f64()).sum();
            diagnostics.add_measurement(path, || sum * 1e3 / ended.len() as f64);
        }
    }
    if let Some(granted) = http
        .frame
        .granted()
        .time
        .filter(|time| *time > Duration::ZERO)
    {
        diagnostics.add_measurement(&BUDGET_SPENT, || {
            spent.as_secs_f64() / granted.as_secs_f64()
        });
    }
}
