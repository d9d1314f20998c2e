//! Empty: the examples are what is measured.
