//! What the fuzz targets in `fuzz/` reach that is no part of the public face: each function passes on
//! to one room and judges nothing. It is built under `cfg(fuzzing)` only, which cargo-fuzz sets.

#![allow(missing_docs, clippy::missing_errors_doc)]
