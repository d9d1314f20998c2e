//! `multipart/form-data` (RFC 7578, with names quoted as in WHATWG HTML §4.10.21.8): the forms that
//! a client sends, and the grammar that both sides share. The server parses received forms;
//! `multipart/byteranges` is in `range`.
//!
//! * `form`: a form and its parts.
//! * `body`: the form as bytes, read as the connection takes them.
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
