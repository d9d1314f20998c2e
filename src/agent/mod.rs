//! Many requests, one polled object.
