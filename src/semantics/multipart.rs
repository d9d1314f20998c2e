//! `multipart/form-data` (RFC 7578, with names quoted as WHATWG HTML §4.10.21.8 has it): what a
//! client sends, and the grammar both sides share. Taking a received form apart is the server's
//! business; `multipart/byteranges` is in `range`.
//!
//! * `form`: what a form is made of.
//! * `body`: the form as bytes, drawn as the connection takes them.
//! * `grammar`: boundaries, and the names in `Content-Disposition`.

#[cfg(all(feature = "agent", feature = "multipart"))]
pub(crate) mod body;
#[cfg(all(feature = "agent", feature = "multipart"))]
mod form;
pub(crate) mod grammar;
#[cfg(test)]
#[cfg(all(feature = "agent", feature = "multipart"))]
mod tests;

#[cfg(all(feature = "agent", feature = "multipart"))]
pub use form::{Form, Part};
