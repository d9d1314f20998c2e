//! Why a WebSocket was closed: the codes of RFC 6455 §7.4.1 by their names there, and two of the
//! registry that it founded (§11.7).
//!
//! 3000 to 3999 are for registered libraries and frameworks, 4000 to 4999 for whatever an application
//! likes.

use crate::error::WebSocketFault;

/// The purpose was fulfilled.
pub const NORMAL_CLOSURE: u16 = 1000;
/// A server goes down, or a client leaves.
pub const GOING_AWAY: u16 = 1001;
/// The other side broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A kind of data that is not understood (binary where text is expected, for example).
pub const UNSUPPORTED_DATA: u16 = 1003;
/// Never sent: the close frame held no code.
pub const NO_STATUS_RCVD: u16 = 1005;
/// Never sent: the connection ended without a close frame.
pub const ABNORMAL_CLOSURE: u16 = 1006;
/// Data that is not what its type says: text that is no UTF-8.
pub const INVALID_FRAME_PAYLOAD_DATA: u16 = 1007;
/// A message that is against the rules of whoever got it.
pub const POLICY_VIOLATION: u16 = 1008;
/// A message that is too big to be taken.
pub const MESSAGE_TOO_BIG: u16 = 1009;
/// The server did not agree on an extension that the client needs.
pub const MANDATORY_EXT: u16 = 1010;
/// The server met what it did not expect.
pub const INTERNAL_ERROR: u16 = 1011;
/// The server restarts (registered later, as the next one).
pub const SERVICE_RESTART: u16 = 1012;
/// The server has too much to do.
pub const TRY_AGAIN_LATER: u16 = 1013;
/// Never sent: TLS failed.
pub const TLS_HANDSHAKE: u16 = 1015;

/// Whether a close frame may hold this code (§7.4.2).
pub(super) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999)
}

/// The code that the peer gets when this side fails the connection (§7.1.7); `None` when the fault is
/// not the peer's framing.
pub(super) fn for_fault(fault: &WebSocketFault) -> Option<u16> {
    match fault {
        WebSocketFault::ReservedBits
        | WebSocketFault::ReservedOpcode
        | WebSocketFault::MaskedFrame
        | WebSocketFault::UnmaskedFrame
        | WebSocketFault::FragmentedControl
        | WebSocketFault::ControlTooLong
        | WebSocketFault::UnexpectedContinuation
        | WebSocketFault::ExpectedContinuation
        | WebSocketFault::InvalidCloseFrame
        | WebSocketFault::InvalidCloseCode { .. }
        | WebSocketFault::Protocol => Some(PROTOCOL_ERROR),
        WebSocketFault::InvalidUtf8 => Some(INVALID_FRAME_PAYLOAD_DATA),
        WebSocketFault::MessageTooBig { .. } => Some(MESSAGE_TOO_BIG),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent() {
        for (code, expected) in [
            (0, false),
            (999, false),
            (NORMAL_CLOSURE, true),
            (UNSUPPORTED_DATA, true),
            (1004, false),
            (NO_STATUS_RCVD, false),
            (ABNORMAL_CLOSURE, false),
            (INVALID_FRAME_PAYLOAD_DATA, true),
            (TRY_AGAIN_LATER, true),
            (1014, false),
            (TLS_HANDSHAKE, false),
            (2999, false),
            (3000, true),
            (4999, true),
            (5000, false),
            (u16::MAX, false),
        ] {
            assert_eq!(may_be_sent(code), expected, "{code}");
        }
    }
}
