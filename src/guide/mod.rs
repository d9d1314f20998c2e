//! The guide: how to use the library for what games do. It exists in the documentation only.
//!
//! | chapter | for |
//! |---|---|
//! | [`getting_started`] | the first request, the loop, what each call costs |
//! | [`cookbook`] | ready-made code for common tasks |
//! | [`choosing_a_budget`] | how much time a frame gives to HTTP |
//! | [`performance`] | what HTTP costs a frame, what to do when something is slow; charts |
//! | [`browser`] | the same game in a web page |
//! | [`errors`] | what can fail, and what to do about each failure |
//! | [`other_engines`] | Fyrox, godot-rust, macroquad, winit, a terminal |
//! | [`migrating`] | from ehttp, from ureq on a thread, from Godot |
//!
//! The guide of `bevy_httpoll` has the recipes for Bevy and the migration from other Bevy plugins.
//!
//! Every sample runs in a test, on the in-memory network or on loopback. The lines that set up its server are hidden.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}
#[doc = include_str!("cookbook.md")]
pub mod cookbook {}
#[doc = include_str!("choosing_a_budget.md")]
pub mod choosing_a_budget {}
#[doc = include_str!("performance.md")]
#[doc = ""]
#[doc = include_str!("../../assets/download-60fps.svg")]
#[doc = ""]
#[doc = include_str!("../../assets/download-60fps-longest.svg")]
#[doc = ""]
#[doc = include_str!("../../assets/idle.svg")]
#[doc = ""]
#[doc = include_str!("../../assets/queue.svg")]
#[doc = ""]
#[doc = include_str!("../../assets/queue-frames.svg")]
#[doc = ""]
#[doc = include_str!("../../assets/fresh-tls.svg")]
#[doc = ""]
#[doc = include_str!("../../assets/distant.svg")]
pub mod performance {}
#[doc = include_str!("browser.md")]
pub mod browser {}
#[doc = include_str!("other_engines.md")]
pub mod other_engines {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("migrating.md")]
pub mod migrating {}
