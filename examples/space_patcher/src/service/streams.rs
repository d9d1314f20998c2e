//! Content that is sent at a limited rate.

use std::time::Instant;

use bevy_httpoll::httpoll::Bytes;
use bevy_httpoll::httpoll::server::ResponseStream;

#[derive(Default)]
pub struct Streams {
    streams: Vec<Sending>,
    last_turn: Option<Instant>,
}

struct Sending {
    stream: ResponseStream,
    content: Bytes,
    /// Bytes per second.
    rate: f64,
    /// The bytes that it may send now.
    allowance: f64,
}

impl Streams {
    pub fn send(&mut self, stream: ResponseStream, content: Bytes, rate: f64) {
        self.streams.push(Sending {
            stream,
            content,
            rate,
            allowance: 0.0,
        });
    }

    /// Cuts all of them off.
    pub fn drop_all(&mut self) {
        self.streams.clear();
    }

    /// Sends what the time since the last turn allows.
    pub fn turn(&mut self, now: Instant, slowness: f64) {
        let seconds = self
            .last_turn
            .map_or(0.0, |last| (now - last).as_secs_f64());
        self.last_turn = Some(now);
        for index in (0..self.streams.len()).rev() {
            let sending = &mut self.streams[index];
            sending.allowance += sending.rate / slowness * seconds.min(0.1);
            let count = (sending.allowance as usize)
                .min(sending.content.len())
                .min(sending.stream.room());
            // It fails when the client has gone, which is found out below.
            if sending
                .stream
                .write(sending.content.split_to(count))
                .is_ok()
            {
                sending.allowance -= count as f64;
            }
            if sending.content.is_empty() || sending.stream.is_closed() {
                self.streams.swap_remove(index).stream.finish();
            }
        }
    }
}
