//! What handlers leave for later frames: responses that come late or never, streams, uploads, events,
//! WebSockets.

use std::sync::{Arc, Mutex};

use httpoll::server::event_stream::EventStream;
use httpoll::server::websocket::WebSocket;
use httpoll::server::{Content, Piece, Responder, Response, ResponseStream, SendError};
use httpoll::{event_stream::ServerSentEvent, websocket::WebSocketMessage};

use crate::seeded::{Random, content};

/// The data of one event of a stream.
pub(crate) fn event_data(number: usize, index: usize) -> String {
    format!("{number}-{index}-{}", "x".repeat(index * 7 % 40))
}

/// A successful response with this content.
pub(crate) fn answer(number: usize, bytes: Vec<u8>) -> Response {
    Response::content("application/octet-stream", bytes)
        .with_header("ETag", format!("\"{number}\""))
        .unwrap()
}

pub(crate) enum Task {
    /// Responds after this number of frames, or drops the responder.
    Late {
        responder: Option<Responder>,
        frames: usize,
        answer: Option<(usize, usize)>,
    },
    Stream {
        stream: Option<ResponseStream>,
        left: Vec<u8>,
        /// Breaks off when this number of bytes is left.
        torn_at: Option<usize>,
    },
    /// Content of a response that nobody wants: it begins, and ends this number of frames later.
    Stalled {
        stream: Option<ResponseStream>,
        frames: usize,
        /// Whether its end may be missing.
        may_tear: bool,
    },
    Upload {
        content: Content,
        responder: Option<Responder>,
        received: Vec<u8>,
        number: usize,
    },
    Events {
        stream: EventStream,
        number: usize,
        next: usize,
        end: usize,
    },
    Socket {
        socket: WebSocket,
        /// What could not be sent yet.
        waiting: Option<WebSocketMessage>,
        /// Closes the WebSocket after this number of messages.
        messages: usize,
    },
}

/// The tasks of one server.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Vec<Task>>>);

impl Tasks {
    pub(crate) fn put(&self, task: Task) {
        self.0.lock().unwrap().push(task);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    /// One frame's work on some of the tasks, or on all.
    pub(crate) fn work(&self, random: &mut Random, all: bool) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap());
        tasks.retain_mut(|task| (!all && random.one_in(4)) || task.step(random));
        self.0.lock().unwrap().append(&mut tasks);
    }

    /// Drops everything, which a game may do at any time.
    pub(crate) fn clear(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        drop(tasks);
    }
}

impl Task {
    /// Returns whether there is more to do.
    fn step(&mut self, random: &mut Random) -> bool {
        match self {
            Self::Late {
                responder,
                frames,
                answer: planned,
            } => {
                if *frames > 0 {
                    *frames -= 1;
                    return true;
                }
                if let (Some(responder), Some((number, length))) = (responder.take(), planned) {
                    responder.respond(answer(*number, content(*number, *length)));
                }
                false
            }
            Self::Stream {
                stream,
                left,
                torn_at,
            } => {
                let Some(open) = stream else { return false };
                loop {
                    if torn_at.is_some_and(|at| left.len() <= at) {
                        return false;
                    }
                    if left.is_empty() {
                        stream.take().unwrap().finish();
                        return false;
                    }
                    let most = 1 + random.below(5000);
                    let count = left.len().min(most).min(open.room());
                    if count == 0 {
                        return !open.is_closed();
                    }
                    match open.write(left[..count].to_vec()) {
                        Ok(()) => drop(left.drain(..count)),
                        Err(SendError::Full) => return true,
                        Err(_) => return false,
                    }
                    if random.one_in(3) {
                        return true;
                    }
                }
            }
            Self::Stalled {
                stream,
                frames,
                may_tear,
            } => {
                let is_closed = stream.as_ref().is_none_or(ResponseStream::is_closed);
                if is_closed || *frames == 0 {
                    let is_torn = *may_tear && random.one_in(2);
                    if let Some(stream) = stream.take().filter(|_| !is_torn) {
                        stream.finish();
                    }
                    return false;
                }
                *frames -= 1;
                true
            }
            Self::Upload {
                content,
                responder,
                received,
                number,
            } => loop {
                match content.next() {
                    Piece::Bytes(bytes) => received.extend_from_slice(&bytes),
                    Piece::Pending => return true,
                    Piece::End(_) => {
                        let bytes = std::mem::take(received);
                        if let Some(responder) = responder.take() {
                            responder.respond(answer(*number, bytes));
                        }
                        return false;
                    }
                    _ => return false,
                }
                if random.one_in(3) {
                    return true;
                }
            },
            Self::Events {
                stream,
                number,
                next,
                end,
            } => {
                while *next <= *end {
                    let mut event = ServerSentEvent::new(event_data(*number, *next));
                    event.id = Some(next.to_string());
                    if stream.send(&event).is_err() {
                        return !stream.is_closed();
                    }
                    *next += 1;
                    if random.one_in(2) {
                        return true;
                    }
                }
                false
            }
            Self::Socket {
                socket,
                waiting,
                messages,
            } => {
                for _ in 0..1 + random.below(4) {
                    let Some(message) = waiting.take().or_else(|| socket.receive()) else {
                        return !socket.is_closed();
                    };
                    if *messages == 0 {
                        socket.close(1001, "enough");
                        continue;
                    }
                    match socket.send(message.clone()) {
                        Ok(()) => *messages -= 1,
                        Err(SendError::Full) => {
                            *waiting = Some(message);
                            return true;
                        }
                        Err(_) => {}
                    }
                }
                true
            }
        }
    }
}
