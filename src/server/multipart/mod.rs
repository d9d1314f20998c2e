//! Forms with files: `multipart/form-data` (RFC 7578, RFC 2046 §5.1) as it arrives from clients, in pieces
//! of any size. The grammar that both sides share, and the forms that a client sends, are in `semantics`.
//!
//! | file | holds |
//! |---|---|
//! | `parser` | [`MultipartParser`]: bytes in, the heads and contents of parts out; no I/O |
//! | `part_head` | the head of a part |
//! | `form` | [`FormReader`] and [`ReceivedForm`]: everything collected, large files on disk |
//! | `spill` | [`SpillStore`]: where large files go |
//! | `spill_worker` | large files of a form that the server collects, written by the disk's worker |
//! | `fault` | limits and errors |

mod fault;
mod form;
mod parser;
mod part_head;
mod spill;
mod spill_worker;
#[cfg(test)]
mod tests;

pub use fault::{MultipartError, MultipartLimit, MultipartLimits};
pub use form::{FileContent, FormField, FormReader, ReceivedForm, UploadedFile};
pub use parser::{MultipartEvent, MultipartParser, MultipartStep};
pub use part_head::PartHead;
pub use spill::{SpillFile, SpillStore, TempFolder};
