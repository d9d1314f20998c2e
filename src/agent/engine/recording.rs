//! What the agent tells a [`Recorder`](crate::recording::Recorder): each exchange over the network, hops
//! of redirects included, as it can be replayed.

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
        let (Some(headers), Some(answer)) = (transfer.sent.take(), &mut transfer.answer) else {
            return;
        };
        let mut fields = FieldLines::new();
        for (name, value) in answer.head.fields.iter() {
            let is_undone = answer.decoder.is_some()
                && (name.eq_ignore_ascii_case("content-encoding")
                    || name.eq_ignore_ascii_case("content-length"));
            if !is_undone {
                // It was a valid line when it came.
                let _ = fields.append(name, value);
            }
        }
        let hop_began = transfer.clocks.hop_began;
        let since_hop = hop_began.saturating_duration_since(transfer.clocks.began);
        recorder.record(RecordedExchange {
            request: RecordedRequest {
                method: transfer.method.clone(),
                url: (*transfer.url).clone(),
                headers,
                body: match transfer.payload.bytes() {
                    Some(bytes) => RecordedBody::Bytes(bytes),
                    None => RecordedBody::Omitted(transfer.payload.sent()),
                },
            },
            response: RecordedResponse {
                status: answer.head.status,
                headers: fields,
                body: answer.recorded.take().unwrap_or_default().take(),
                head_after: answer.timings.starttransfer.saturating_sub(since_hop),
                end_after: now.saturating_duration_since(hop_began),
            },
        });
    }
}
