//! Converts between `tungstenite`'s types and the types of this module.

use bytes::Bytes;
use tungstenite::error::{CapacityError, Error, ProtocolError};
#[cfg(any(feature = "agent", test))]
use tungstenite::protocol::Role;

use super::message::CloseFrame;
use crate::error::WebSocketFault;

/// Shorter binary messages are copied, so that a caller that keeps one does not keep a larger
/// buffer.
const SHARE_FROM: usize = 4 * 1024;

/// The size of a frame with a payload of this length, in bytes (§5.2).
#[cfg(any(feature = "agent", test))]
pub(super) fn frame_length(role: Role, payload: usize) -> usize {
    let length = match payload {
        0..126 => 0,
        126..=0xFFFF => 2,
        _ => 8,
    };
    let mask = match role {
        Role::Client => 4,
        Role::Server => 0,
    };
    payload.saturating_add(2 + length + mask)
}

/// A message with its own memory, unless it is large.
pub(super) fn unshared(bytes: Bytes) -> Bytes {
    if bytes.len() < SHARE_FROM {
        Bytes::copy_from_slice(&bytes)
    } else {
        bytes
    }
}

pub(super) fn to_wire(frame: CloseFrame) -> tungstenite::protocol::CloseFrame {
    tungstenite::protocol::CloseFrame {
        code: frame.code.into(),
        reason: frame.reason.into(),
    }
}

/// Converts an error of `tungstenite`.
pub(super) fn fault_of(error: Error) -> WebSocketFault {
    match error {
        Error::Utf8(_) => WebSocketFault::InvalidUtf8,
        Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            WebSocketFault::MessageTooBig { limit: max_size }
        }
        Error::ConnectionClosed | Error::AlreadyClosed => WebSocketFault::ClosedAbnormally,
        Error::Protocol(error) => match error {
            ProtocolError::ResetWithoutClosingHandshake => WebSocketFault::ClosedAbnormally,
            ProtocolError::SendAfterClosing => WebSocketFault::NotOpen,
            ProtocolError::NonZeroReservedBits => WebSocketFault::ReservedBits,
            ProtocolError::UnmaskedFrameFromClient => WebSocketFault::UnmaskedFrame,
            ProtocolError::MaskedFrameFromServer => WebSocketFault::MaskedFrame,
            ProtocolError::FragmentedControlFrame => WebSocketFault::FragmentedControl,
            ProtocolError::ControlFrameTooBig => WebSocketFault::ControlTooLong,
            ProtocolError::UnknownControlFrameType(_)
            | ProtocolError::UnknownDataFrameType(_)
            | ProtocolError::InvalidOpcode(_) => WebSocketFault::ReservedOpcode,
            ProtocolError::UnexpectedContinueFrame => WebSocketFault::UnexpectedContinuation,
            ProtocolError::ExpectedFragment(_) => WebSocketFault::ExpectedContinuation,
            ProtocolError::InvalidCloseSequence => WebSocketFault::InvalidCloseFrame,
            _ => WebSocketFault::Protocol,
        },
        _ => WebSocketFault::Protocol,
    }
}
