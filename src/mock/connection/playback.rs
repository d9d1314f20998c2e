//! Sends a response on a mock connection: head and content go through `proto`, piece by piece, each
//! at its time, up to a clean or broken end.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::{MockConnection, Turn};
use crate::error::ErrorKind;
use crate::mock::response::{Drip, Ending, MockContent, MockResponse};
use crate::mock::stream::Push;
use crate::proto::{BodyLength, FieldLines, ResponseHead};
use crate::transport::memory::Peer;
use crate::transport::memory::later;

impl MockConnection {
    /// Sends a response. Fails, with nothing sent, if `proto` refuses its head.
    pub(super) fn play(
        &mut self,
        response: MockResponse,
        method: &Method,
        peer: &mut Peer,
    ) -> Result<(), ErrorKind> {
        if response.ending == Ending::Never {
            self.turn = Turn::Silent;
            return Ok(());
        }
        let status = response.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut head = response_head(status, response.fields);
        let (length, pieces) = match &response.content {
            MockContent::Raw(bytes) => {
                peer.send_after(response.delay, bytes);
                peer.close_after(response.delay);
                self.end();
                return Ok(());
            }
            MockContent::Whole(bytes) => (known(bytes.len()), vec![bytes.clone()]),
            MockContent::Chunked(pieces) => (BodyLength::Unknown, pieces.clone()),
            MockContent::UntilClose(bytes) => {
                head.version = Version::HTTP_10;
                (BodyLength::Unknown, vec![bytes.clone()])
            }
            // `resource::respond` has turned it into a whole or a part.
            MockContent::Resource(_) => (BodyLength::None, Vec::new()),
            MockContent::Stream(_) => (BodyLength::Unknown, Vec::new()),
        };
        let mut out = Vec::new();
        self.exchange.send_response(&head, length, &mut out)?;

        let most = match response.ending {
            Ending::Complete | Ending::Never => usize::MAX,
            Ending::CutAfter(bytes) | Ending::ResetAfter(bytes) | Ending::StallAfter(bytes) => {
                bytes
            }
        };
        let mut at = response.delay;
        let every = response.drip.map_or(Duration::ZERO, |drip| drip.every);
        for (index, piece) in split(pieces, most, response.drip).iter().enumerate() {
            self.exchange.send_content(piece, &mut out)?;
            if index > 0 && !out.is_empty() {
                at = at.saturating_add(every);
            }
            peer.send_after(at, &out);
            out.clear();
        }
        let has_content = *method != Method::HEAD
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let ending = match response.ending {
            // Nothing is held back.
            Ending::StallAfter(_) if !has_content => Ending::Complete,
            ending => ending,
        };
        match (ending, &response.content) {
            (Ending::Complete, MockContent::Stream(stream)) if has_content => {
                peer.send_after(at, &out);
                self.turn = Turn::Streaming(stream.join(peer.waker()));
            }
            (Ending::Complete, _) => {
                self.exchange.finish(&FieldLines::new(), &mut out)?;
                peer.send_after(at, &out);
                let until = later(peer.now(), at);
                self.turn = Turn::Sending { until };
            }
            (Ending::CutAfter(_), _) => {
                peer.send_after(at, &out);
                peer.close_after(at);
                self.end();
            }
            (Ending::ResetAfter(_), _) => {
                peer.send_after(at, &out);
                peer.reset_after(at);
                self.end();
            }
            (Ending::StallAfter(_) | Ending::Never, _) => {
                peer.send_after(at, &out);
                self.turn = Turn::Silent;
            }
        }
        Ok(())
    }

    /// Sends what the test pushed to the stream.
    pub(super) fn push(&mut self, push: Push, peer: &mut Peer) {
        let mut out = Vec::new();
        let sent = match push {
            Push::Bytes(bytes) => self.exchange.send_content(&bytes, &mut out),
            Push::End => {
                self.turn = Turn::Sending { until: peer.now() };
                self.exchange.finish(&FieldLines::new(), &mut out)
            }
            Push::Reset => {
                peer.reset();
                self.end();
                return;
            }
        };
        peer.send(&out);
        if sent.is_err() {
            peer.reset();
            self.end();
        }
    }
}

pub(super) fn response_head(status: StatusCode, fields: FieldLines) -> ResponseHead {
    ResponseHead {
        version: Version::HTTP_11,
        status,
        reason: status.canonical_reason().unwrap_or_default().into(),
        fields,
    }
}

fn known(length: usize) -> BodyLength {
    match length {
        0 => BodyLength::None,
        length => BodyLength::Known(length as u64),
    }
}

/// The pieces to send one by one, at most `most` bytes in all.
pub(super) fn split(pieces: Vec<Bytes>, most: usize, drip: Option<Drip>) -> Vec<Bytes> {
    let mut room = most;
    let mut all = Vec::new();
    for mut rest in pieces {
        rest.truncate(room);
        room -= rest.len();
        while !rest.is_empty() {
            let size = drip.map_or(rest.len(), |drip| drip.bytes.clamp(1, rest.len()));
            all.push(rest.split_to(size));
        }
    }
    all
}
