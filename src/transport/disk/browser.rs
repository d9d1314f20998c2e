//! Files in a browser: downloads into the origin private file system (WHATWG File System), and what a page may do
//! with them. The rules of part files, sidecars, checks and limits are those of native files.
//!
//! A task on the page's thread gets the commands of a download's owner. A worker, which is a script of its own,
//! executes each step, because only a worker may write to a file in place. It hashes as well, so no frame does. The
//! part file always has its lasting name, so that a page that was closed leaves at most one.
//!
//! | file | holds |
//! |---|---|
//! | `download` | the owner's part |
//! | `shared` | what both share |
//! | `task` | the commands, one after another |
//! | `part` | the part file: rules and steps |
//! | `storage` | calls of the worker, and what its errors mean |
//! | `worker.js` | the worker |
//! | `stored` | finished files: reading, writing, removing, handing over |

mod download;
mod part;
mod shared;
mod storage;
pub(crate) mod stored;
mod task;

pub(crate) use self::download::DownloadFile;
