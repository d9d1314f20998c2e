//! Brings a set of files up to date: a launcher in one type.
//!
//! A [`Patch`] compares a [`Manifest`] with a folder, downloads what is missing, repairs what is damaged, and
//! makes all files of the new set visible at once. It runs on an [`Agent`](crate::Agent): poll it once a frame.
//! Requests belong to the agent and the work on files to the agent's worker; here is what follows from a
//! manifest.
//!
//! ```no_run
//! use httpoll::Agent;
//! use httpoll::patch::{Patch, current_folder};
//!
//! let mut agent = Agent::new();
//! let mut patch = Patch::from_url("https://cdn.example/game/manifest.json", "game-data");
//! while !patch.phase().is_over() {
//!     agent.poll(); // once per frame; never blocks
//!     patch.poll(&mut agent);
//!     let progress = patch.progress();
//!     println!("{:3.0} %, {:.1} MB/s", progress.fraction() * 100.0, progress.rate / 1e6);
//!     // draw the frame
//! }
//! if let Some(Err(error)) = patch.result() {
//!     eprintln!("{error}"); // the files from before are still there
//! }
//! let assets = current_folder("game-data")?;
//! # Ok::<(), httpoll::Error>(())
//! ```
//!
//! # All files or none
//!
//! Each set is a folder of its own, a *generation*: `game-data/generations/7`. The small file
//! `game-data/current.json` names the visible one, and [`current_folder`] reads it. A patch builds the next
//! generation in a new folder, flushes it to the disk, and replaces `current.json` by one rename. So a game, a kill of the
//! process or a power failure at any moment finds all files of the old set or all of the new one.
//!
//! Files that do not change are hard links and cost no space; on file systems without links they are copied.
//! Treat the files of a generation as read-only: a program that changes one in place changes it in all
//! generations. The generation before stays until the next patch begins, so a running game can finish reading
//! its files.
//!
//! # What is downloaded
//!
//! Files whose size and SHA-256 are right are skipped: in the visible generation, among earlier downloads, and
//! in a folder that [came with the game](Patch::shipped). A download that was cut off resumes. If the manifest
//! has block hashes, only the blocks of a file that differ are fetched: by requests for up to 16 ranges
//! (RFC 9110 §14.2), one range at a time if the server does not send several, and the whole file if it sends
//! none. Everything is checked against the manifest before it becomes visible.
//!
//! # What a manifest may do
//!
//! A manifest comes from the network. Its paths stay below the root on every system, its numbers have
//! [limits](ManifestLimits), symbolic links in the set are not followed, and a file is never written outside of
//! `root`. See [`ManifestRule`](crate::error::ManifestRule). Its URLs may name other hosts; an
//! [`AccessPolicy`](crate::access::AccessPolicy) of the agent restricts them. httpoll does not check signatures:
//! fetch the manifest over `https`, or check it yourself and use [`Patch::from_manifest`].
//!
//! # Before it begins
//!
//! The free space is checked after the comparison: [`PatchFault::NotEnoughSpace`] tells how much is missing.
//! [`PatchFault::AlreadyRunning`] means that another process patches the same folder.
//!
//! [`PatchFault::NotEnoughSpace`]: crate::error::PatchFault::NotEnoughSpace
//! [`PatchFault::AlreadyRunning`]: crate::error::PatchFault::AlreadyRunning
//!
//! | file | holds |
//! |---|---|
//! | `manifest`, `paths`, `digest` | the manifest and its rules |
//! | `folder_manifest` | writes the manifest of a folder |
//! | `patch`, `progress` | the stages and the numbers |
//! | `options`, `report` | the options of a patch, and the report of what it did |
//! | `folder` | the folders and the generation file |
//! | `check`, `hasher`, `space` | the comparison with the disk |
//! | `missing`, `fetch`, `repair` | what is missing; downloads and repairs |
//! | `install` | the new generation |

mod check;
mod digest;
mod fetch;
mod folder;
mod folder_manifest;
mod hasher;
mod install;
mod manifest;
mod missing;
mod options;
mod paths;
// The module holds the type after which it is named.
#[allow(clippy::module_inception)]
mod patch;
mod progress;
mod repair;
mod report;
mod space;

#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;

pub use folder::current_folder;
pub use folder_manifest::manifest_of;
pub use manifest::{BlockHashes, Manifest, ManifestFile, ManifestLimits};
pub use patch::Patch;
pub use progress::{PatchPhase, PatchProgress};
pub use report::PatchReport;
