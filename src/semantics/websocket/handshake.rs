//! The opening handshake (RFC 6455 §4): an HTTP upgrade which proves that the server speaks
//! WebSocket. The caller provides the request line, `Host`, `Origin` and credentials.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::HeaderName;
#[cfg(any(feature = "server", target_family = "wasm", test))]
use http::{Method, Version};
use tungstenite::handshake::derive_accept_key;

use crate::error::WebSocketFault;
#[cfg(any(feature = "server", target_family = "wasm", test))]
use crate::proto::RequestHead;
use crate::proto::{FieldLines, ResponseHead};

const CONNECTION: &str = "Connection";
const UPGRADE: &str = "Upgrade";
const WEBSOCKET: &str = "websocket";
const KEY: &str = "Sec-WebSocket-Key";
const ACCEPT: &str = "Sec-WebSocket-Accept";
const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// The only version (§4.1).
const VERSION_13: &str = "13";

/// The fields that the handshake itself sets, and fields that would give the messages content.
const RESERVED: [&str; 10] = [
    CONNECTION,
    UPGRADE,
    KEY,
    ACCEPT,
    VERSION,
    PROTOCOL,
    EXTENSIONS,
    "Content-Length",
    "Transfer-Encoding",
    "Trailer",
];

/// The client's side of a handshake.
#[cfg(any(feature = "agent", test))]
#[derive(Clone, Debug)]
pub(crate) struct ClientHandshake {
    key: String,
    protocols: Vec<String>,
}

#[cfg(any(feature = "agent", test))]
impl ClientHandshake {
    /// Starts a handshake that offers these subprotocols, in order of preference. `random` must be
    /// new for every handshake.
    ///
    /// # Errors
    /// [`WebSocketFault::InvalidSubprotocol`].
    pub(crate) fn new(random: [u8; 16], protocols: &[&str]) -> Result<Self, WebSocketFault> {
        for (index, protocol) in protocols.iter().enumerate() {
            if !is_token(protocol) || protocols[..index].contains(protocol) {
                return Err(WebSocketFault::InvalidSubprotocol);
            }
        }
        Ok(Self {
            key: STANDARD.encode(random),
            protocols: protocols
                .iter()
                .map(|protocol| (*protocol).to_owned())
                .collect(),
        })
    }

    /// The fields of the request, with the caller's fields first. The request is a GET without
    /// content.
    ///
    /// # Errors
    /// [`WebSocketFault::ReservedHeader`] if `extra` contains a field that the handshake sets.
    pub(crate) fn request_fields(&self, extra: &FieldLines) -> Result<FieldLines, WebSocketFault> {
        let protocols = self.protocols.join(", ");
        let protocols = (!protocols.is_empty()).then_some((PROTOCOL, protocols.as_str()));
        let own = [
            (UPGRADE, WEBSOCKET),
            (CONNECTION, UPGRADE),
            (VERSION, VERSION_13),
            (KEY, self.key.as_str()),
        ];
        with_own(extra, own.into_iter().chain(protocols))
    }

    /// Checks whether the final response, or the 101, opens the WebSocket. Returns the subprotocol
    /// that the server chose, if any.
    ///
    /// # Errors
    /// [`NotSwitched`](WebSocketFault::NotSwitched), [`NoUpgrade`](WebSocketFault::NoUpgrade),
    /// [`WrongAccept`](WebSocketFault::WrongAccept),
    /// [`UnexpectedExtension`](WebSocketFault::UnexpectedExtension),
    /// [`UnexpectedSubprotocol`](WebSocketFault::UnexpectedSubprotocol).
    pub(crate) fn verify(&self, response: &ResponseHead) -> Result<Option<&str>, WebSocketFault> {
        if response.status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(WebSocketFault::NotSwitched {
                status: response.status.as_u16(),
            });
        }
        let fields = &response.fields;
        if !upgrades(fields) {
            return Err(WebSocketFault::NoUpgrade);
        }
        if only(fields, ACCEPT) != Some(derive_accept_key(self.key.as_bytes()).as_bytes()) {
            return Err(WebSocketFault::WrongAccept);
        }
        if fields.list(EXTENSIONS).next().is_some() {
            return Err(WebSocketFault::UnexpectedExtension);
        }
        if !fields.contains(PROTOCOL) {
            return Ok(None);
        }
        let chosen = only(fields, PROTOCOL).and_then(|chosen| {
            // Subprotocols are case-sensitive (§11.3.4).
            let offered = self.protocols.iter();
            offered
                .map(String::as_str)
                .find(|offered| offered.as_bytes() == chosen)
        });
        chosen
            .map(Some)
            .ok_or(WebSocketFault::UnexpectedSubprotocol)
    }
}

/// A valid request for a WebSocket.
#[derive(Clone, Debug)]
#[cfg(any(feature = "server", target_family = "wasm", test))]
pub(crate) struct UpgradeRequest {
    key: String,
    protocols: Vec<String>,
}

/// Why a request opens no WebSocket, and the response that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg(any(feature = "server", target_family = "wasm", test))]
pub(crate) struct UpgradeRejection {
    pub(crate) fault: WebSocketFault,
    /// 400, or 426 for another version (§4.4).
    pub(crate) status: StatusCode,
    /// Further fields that the response needs.
    pub(crate) fields: FieldLines,
}

#[cfg(any(feature = "server", target_family = "wasm", test))]
impl UpgradeRequest {
    /// Whether a request asks for a WebSocket, valid or not.
    #[cfg(any(feature = "server", test))]
    pub(crate) fn is_asked_for(request: &RequestHead) -> bool {
        request.fields.has_token(UPGRADE, WEBSOCKET)
    }

    /// Checks a request (§4.2.1).
    pub(crate) fn check(request: &RequestHead) -> Result<Self, UpgradeRejection> {
        let fields = &request.fields;
        if request.method != Method::GET || request.version != Version::HTTP_11 {
            return Err(UpgradeRejection::bad_request(
                WebSocketFault::NoUpgradeRequest,
            ));
        }
        if !upgrades(fields) {
            return Err(UpgradeRejection::bad_request(WebSocketFault::NoUpgrade));
        }
        if only(fields, VERSION) != Some(VERSION_13.as_bytes()) {
            return Err(UpgradeRejection::other_version());
        }
        let key = only(fields, KEY)
            .filter(|key| matches!(STANDARD.decode(key), Ok(bytes) if bytes.len() == 16))
            .and_then(|key| str::from_utf8(key).ok())
            .ok_or_else(|| UpgradeRejection::bad_request(WebSocketFault::InvalidKey))?;
        let protocols = fields
            .list(PROTOCOL)
            .map(|protocol| str::from_utf8(protocol).ok().filter(|it| is_token(it)))
            .map(|protocol| protocol.map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| UpgradeRejection::bad_request(WebSocketFault::InvalidSubprotocol))?;
        Ok(Self {
            key: key.to_owned(),
            protocols,
        })
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &str> {
        self.protocols.iter().map(String::as_str)
    }

    /// The first subprotocol in the client's order that this side supports.
    #[cfg(any(feature = "server", test))]
    pub(crate) fn choose<'a>(&self, spoken: &[&'a str]) -> Option<&'a str> {
        self.protocols()
            .find_map(|offered| spoken.iter().copied().find(|it| *it == offered))
    }

    /// The 101 response that opens the WebSocket, with the caller's fields and this subprotocol.
    ///
    /// # Errors
    /// [`WebSocketFault::ReservedHeader`] if `extra` contains a field that the handshake sets;
    /// [`WebSocketFault::InvalidSubprotocol`] if `protocol` was not offered.
    pub(crate) fn accept(
        &self,
        protocol: Option<&str>,
        extra: &FieldLines,
    ) -> Result<ResponseHead, WebSocketFault> {
        if protocol.is_some_and(|protocol| !self.protocols().any(|it| it == protocol)) {
            return Err(WebSocketFault::InvalidSubprotocol);
        }
        let accept = derive_accept_key(self.key.as_bytes());
        let own = [
            (UPGRADE, WEBSOCKET),
            (CONNECTION, UPGRADE),
            (ACCEPT, accept.as_str()),
        ];
        let protocol = protocol.map(|protocol| (PROTOCOL, protocol));
        Ok(ResponseHead {
            version: Version::HTTP_11,
            status: StatusCode::SWITCHING_PROTOCOLS,
            reason: "Switching Protocols".into(),
            fields: with_own(extra, own.into_iter().chain(protocol))?,
        })
    }
}

#[cfg(any(feature = "server", target_family = "wasm", test))]
impl UpgradeRejection {
    fn bad_request(fault: WebSocketFault) -> Self {
        Self {
            fault,
            status: StatusCode::BAD_REQUEST,
            fields: FieldLines::new(),
        }
    }

    /// Adds the supported version (§4.4) and, as a 426 requires, the protocol to upgrade to (RFC
    /// 9110 §15.5.22).
    fn other_version() -> Self {
        let own = [
            (UPGRADE, WEBSOCKET),
            (CONNECTION, UPGRADE),
            (VERSION, VERSION_13),
        ];
        Self {
            fault: WebSocketFault::UnsupportedVersion,
            status: StatusCode::UPGRADE_REQUIRED,
            fields: with_own(&FieldLines::new(), own).unwrap_or_default(),
        }
    }
}

/// The caller's fields and the handshake's own.
fn with_own<'a>(
    extra: &FieldLines,
    own: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<FieldLines, WebSocketFault> {
    if RESERVED.iter().any(|name| extra.contains(name)) {
        return Err(WebSocketFault::ReservedHeader);
    }
    let mut fields = extra.clone();
    for (name, value) in own {
        fields
            .append(name, value)
            .map_err(|_| WebSocketFault::ReservedHeader)?;
    }
    Ok(fields)
}

fn upgrades(fields: &FieldLines) -> bool {
    fields.has_token(UPGRADE, WEBSOCKET) && fields.has_token(CONNECTION, UPGRADE)
}

/// The value of a field that may appear only once.
fn only<'a>(fields: &'a FieldLines, name: &'a str) -> Option<&'a [u8]> {
    let mut values = fields.get_all(name);
    values.next().filter(|_| values.next().is_none())
}

/// A subprotocol is a token, like a field name (RFC 9110 §5.1, §5.6.2).
fn is_token(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests;
