//! Measurements for Bevy's `DiagnosticsStore`, one per frame.

use std::time::Duration;

use bevy_app::{App, Last};
use bevy_diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic};
use bevy_ecs::schedule::IntoScheduleConfigs;
use bevy_ecs::system::{Local, Res};

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

pub(crate) fn build(app: &mut App) {
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
    let spent = http.frame.spent;
    diagnostics.add_measurement(&IN_FLIGHT, || http.in_flight() as f64);
    diagnostics.add_measurement(&BYTES_OUT, || moved.0 as f64);
    diagnostics.add_measurement(&BYTES_IN, || moved.1 as f64);
    diagnostics.add_measurement(&POLL_MS, || spent.as_secs_f64() * 1e3);
    if let Some(granted) = http
        .frame
        .granted
        .time
        .filter(|time| *time > Duration::ZERO)
    {
        diagnostics.add_measurement(&BUDGET_SPENT, || {
            spent.as_secs_f64() / granted.as_secs_f64()
        });
    }
}
