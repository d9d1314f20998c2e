//! [`Content`]: the content of a request, as data that scenes can save.

use httpoll::{Bytes, Request};
use serde_core::de::{Error as _, Visitor};
use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(feature = "reflect")]
use bevy_reflect::{ReflectDeserialize, ReflectSerialize};

/// The content that one call on [`HttpRequest`](crate::HttpRequest) sets. Two of them conflict; the agent
/// then refuses the request.
#[derive(Clone)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    type_path = "bevy_httpoll"
)]
pub(crate) enum Content {
    /// Bytes without a `Content-Type`.
    Bytes(Binary),
    /// `text/plain`.
    Text(String),
    /// A JSON text.
    Json(String),
    /// A value that cannot be written as JSON.
    InvalidJson,
    /// The names and values of a form.
    Form(Vec<(String, String)>),
}

impl Content {
    pub(crate) fn json(value: &(impl Serialize + ?Sized)) -> Self {
        serde_json::to_string(value).map_or(Self::InvalidJson, Self::Json)
    }

    pub(crate) fn apply(&self, request: Request) -> Request {
        match self {
            Self::Bytes(bytes) => request.body(bytes.0.clone()),
            Self::Text(text) => request.text(text.as_str()),
            Self::Json(json) => request
                .header("Content-Type", "application/json")
                .body(Bytes::from(json.clone())),
            Self::InvalidJson => request.json(&Unwritable),
            Self::Form(pairs) => request.form(pairs.clone()),
        }
    }
}

/// Fails to serialize, so that the agent reports the error.
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde_core::ser::Error::custom(
            "the value cannot be written as JSON",
        ))
    }
}

/// Bytes that are cheap to clone. Scenes save them as bytes or as a list of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Clone, Debug, PartialEq, Serialize, Deserialize),
    type_path = "bevy_httpoll"
)]
pub(crate) struct Binary(pub(crate) Bytes);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: serde_core::de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: serde_core::de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(Bytes::from(bytes)))
    }

    fn visit_seq<A: serde_core::de::SeqAccess<'de>>(self, mut list: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element::<u8>()? {
            if bytes.len() >= MAX_BYTES {
                return Err(A::Error::custom("too many bytes"));
            }
            bytes.push(byte);
        }
        Ok(Binary(Bytes::from(bytes)))
    }
}

/// The most bytes that a scene may hold for one request.
const MAX_BYTES: usize = 256 * 1024 * 1024;
