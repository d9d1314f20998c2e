//! What the fuzz targets share: how one input is cut into choices, bytes and pieces, and how a machine
//! without I/O is fed.

mod agent;
mod exchange;
mod pieces;

pub use agent::{Way, agent};
pub use exchange::{Said, client, server};
pub use pieces::{Choices, pieces, split};
