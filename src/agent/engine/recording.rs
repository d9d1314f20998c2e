//! Gives each exchange over the network, hops of redirects included, to the
//! [`Recorder`](crate::recording::Recorder), so that it can be replayed.

use super::Engine;
use crate::agent::transfer::Transfer;
use crate::proto::FieldLines;
use crate::recording::{RecordedBody, RecordedExchange, RecordedRequest, RecordedResponse};

impl Engine {
    /// Records the exchange that a transfer just ended.
    pub(super) fn record(&mut self, transfer: &mut Transfer) {
        let Some(recorder) = &self.config.recorder else {
            return;
        };
        let now = self.reactor.clock().now();
        let (Some(headers), Some(response)) =
            (transfer.request.sent.take(), transfer.state.response_mut())
        else {
            return;
        };
        let mut fields = FieldLines::new();
        for (name, value) in response.fields().iter() {
            let is_undone = response.decoder.is_some()
                && (name.eq_ignore_ascii_case("content-encoding")
                    || name.eq_ignore_ascii_case("content-length"));
            if !is_undone {
                // It was a valid field when it arrived.
                let _ = fields.append(name, value);
            }
        }
        let hop_began = transfer.times.hop_began;
        let since_hop = hop_began.saturating_duration_since(transfer.times.began);
        recorder.record(RecordedExchange {
            request: RecordedRequest {
                method: transfer.request.method.clone(),
                url: (*transfer.request.url).clone(),
                headers,
                body: match transfer.request.payload.bytes() {
                    Some(bytes) => RecordedBody::Bytes(bytes),
                    None => RecordedBody::Omitted(transfer.request.payload.sent()),
                },
            },
            response: RecordedResponse {
                status: response.status(),
                headers: fields,
                body: response.recorded.take().unwrap_or_default().take(),
                head_after: response
                    .result
                    .timings
                    .starttransfer
                    .saturating_sub(since_hop),
                end_after: now.saturating_duration_since(hop_began),
            },
        });
    }
}
