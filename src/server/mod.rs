//! The server, polled in the same loop.
