//! Close codes of a WebSocket: those of RFC 6455 §7.4.1 under their names, and those of the IANA
//! registry (§11.7) that were added later.
//!
//! Codes 3000 to 3999 are for registered libraries and frameworks, codes 4000 to 4999 for private
//! use by applications.

use crate::error::WebSocketFault;

/// The purpose of the connection was fulfilled.
pub const NORMAL_CLOSURE: u16 = 1000;
/// The server shuts down, or the client leaves.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A data type that the receiver does not accept (for example, binary instead of text).
pub const UNSUPPORTED_DATA: u16 = 1003;
/// Never sent: the close frame contained no code.
pub const NO_STATUS_RCVD: u16 = 1005;
/// Never sent: the connection ended without a close frame.
pub const ABNORMAL_CLOSURE: u16 = 1006;
/// Data that does not match its type: text that is not UTF-8.
pub const INVALID_FRAME_PAYLOAD_DATA: u16 = 1007;
/// A message that breaks the receiver's policy.
pub const POLICY_VIOLATION: u16 = 1008;
/// A message that is too large.
pub const MESSAGE_TOO_BIG: u16 = 1009;
/// The server did not accept an extension that the client needs.
pub const MANDATORY_EXT: u16 = 1010;
/// The server met an unexpected condition.
pub const INTERNAL_ERROR: u16 = 1011;
/// The server restarts (registered later, like the next one).
pub const SERVICE_RESTART: u16 = 1012;
/// The server is overloaded.
pub const TRY_AGAIN_LATER: u16 = 1013;
/// Never sent: the TLS handshake failed.
pub const TLS_HANDSHAKE: u16 = 1015;

/// Whether a close frame may contain this code (§7.4.2).
pub(super) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999)
}

/// The code to send when this side fails the connection (§7.1.7). `None` when the peer's framing is
/// not the cause.
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
    fn which_codes_may_be_sent() {
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
