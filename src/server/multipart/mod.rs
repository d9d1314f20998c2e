//! Forms with files: `multipart/form-data` (RFC 7578, RFC 2046 §5.1) as it comes in from clients,
//! in pieces of any size. What a client sends, and the grammar that both sides
//! share, are in `semantics`.
//!
//! | file | holds |
//! |---|---|
//! | `parser` | [`MultipartParser`]: bytes in, the heads and contents of parts out; no I/O |
//! | `part_head` | what the head of a part says |
//! | `form` | [`FormReader`] and [`ReceivedForm`]: everything collected, large files on disk |
//! | `spill` | [`SpillStore`]: where large files go |
//! | `fault` | limits, and what goes wrong |

mod fault;
mod form;
mod parser;
mod part_head;
mod spill;
#[cfg(test)]
mod tests;

pub use fault::{MultipartError, MultipartLimit, MultipartLimits};
pub use form::{FileContent, FormField, FormReader, ReceivedForm, UploadedFile};
pub use parser::{MultipartEvent, MultipartParser, MultipartStep};
pub use part_head::PartHead;
pub use spill::{SpillFile, SpillStore, TempFolder};
