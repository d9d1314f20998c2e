//! What needs more of Bevy than the plugin depends on:
//!
//! * `tests/scene.rs` saves requests with Bevy's own scene serializer and loads them again;
//! * `tests/lifecycle.rs` suspends the requests when Bevy says that a phone moves the app to the background;
//! * `examples/reactive.rs` is an app with a window that runs frames only when something happens.
//!
//! There is nothing here to use. The crate is no member of the workspace.
