//! The guide for Bevy: recipes, and how to migrate from other plugins. It exists in the documentation only.
//!
//! | chapter | for |
//! |---|---|
//! | [`cookbook`] | ready-made code for common tasks |
//! | [`migrating`] | from `bevy_mod_reqwest`, from `bevy_http_client`, from Bevy's own web assets |
//!
//! The guide of `httpoll`, in its module `guide`, explains budgets and errors, and has recipes without Bevy. Every
//! sample runs in a test, against servers in memory. The lines that build its app are hidden.

#[doc = include_str!("cookbook.md")]
pub mod cookbook {}
#[doc = include_str!("migrating.md")]
pub mod migrating {}
