//! What rustls's two kinds of unbuffered connections do with records: decrypt, encrypt, and hand out what waits
//! to be sent. The state of one session is in `session`.

use rustls::CommonState;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
#[cfg(feature = "server")]
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};

use super::fault::Seen;
use super::info::Plaintext;

/// What to encrypt.
#[derive(Clone, Copy)]
pub(super) enum Outgoing<'a> {
    Data(&'a [u8]),
    /// `close_notify`, queued after everything else that is pending.
    CloseNotify,
}

/// The methods that rustls's client and server types share only by name.
pub(super) trait Records {
    type Data;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn wants_write(&self) -> bool;
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }

    fn wants_write(&self) -> bool {
        CommonState::wants_write(self)
    }
}

#[cfg(feature = "server")]
impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }

    fn wants_write(&self) -> bool {
        CommonState::wants_write(self)
    }
}

/// Decrypts `input`. Returns how many bytes were used, and whether the peer sent `close_notify`.
pub(super) fn decrypt<R: Records>(
    connection: &mut R,
    input: &mut [u8],
    plaintext: Plaintext<'_>,
    out: &mut Vec<u8>,
    seen: &mut Seen,
) -> Result<(usize, bool), rustls::Error> {
    let mut used = 0;
    loop {
        let unused = input.get_mut(used..).unwrap_or_default();
        let UnbufferedStatus { discard, state } = connection.records(unused);
        used += discard;
        seen.tls |= discard > 0;
        match state? {
            ConnectionState::ReadTraffic(mut records) => {
                while let Some(record) = records.next_record() {
                    let record = record?;
                    plaintext(record.payload);
                    used += record.discard;
                }
            }
            ConnectionState::EncodeTlsData(data) => encode(data, out),
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::PeerClosed => return Ok((used, true)),
            _ => return Ok((used, false)),
        }
    }
}

pub(super) fn collect_pending<R: Records>(connection: &mut R, out: &mut Vec<u8>) {
    while connection.wants_write() {
        match connection.records(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
            _ => break,
        }
    }
}

pub(super) fn with_traffic<R: Records>(
    connection: &mut R,
    held: &mut [u8],
    outgoing: Outgoing<'_>,
    out: &mut Vec<u8>,
) -> Option<bool> {
    loop {
        match connection.records(held).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                return Some(match outgoing {
                    Outgoing::Data(plaintext) => encrypt(&mut traffic, plaintext, out),
                    // Without a buffer rustls queues the alert.
                    Outgoing::CloseNotify => traffic.queue_close_notify(&mut []).is_ok(),
                });
            }
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            _ => return None,
        }
    }
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, out: &mut Vec<u8>) {
    let start = out.len();
    // The first attempt asks for the size: the interface has no other way.
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(start + size.required_size, 0);
        let written = data.encode(out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written.unwrap_or(0));
    }
}

/// Appends the records for `plaintext` to `out`. Returns false if no key is left to encrypt with.
fn encrypt<D>(traffic: &mut WriteTraffic<'_, D>, plaintext: &[u8], out: &mut Vec<u8>) -> bool {
    // Each record of up to 16 KiB adds a header, a nonce (TLS 1.2), a content type and a tag: less
    // than 64 bytes. If that is ever wrong, rustls reports the size it needs.
    let mut room = plaintext.len() + 64 * (1 + plaintext.len() / (16 * 1024));
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match traffic.encrypt(plaintext, out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return true;
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(_) => {
                out.truncate(start);
                return false;
            }
        }
    }
}
