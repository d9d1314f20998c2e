//! Sans-IO HTTP/1.1 for both roles (RFC 9112): bytes in, bytes and events out.
