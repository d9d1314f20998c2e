//! The guide for Bevy: reference tables, recipes, and how to migrate from other plugins. It exists in the
//! documentation only.
//!
//! | chapter | for |
//! |---|---|
//! | [`reference`](mod@reference) | all components, events and systems, in tables |
//! | [`cookbook`] | ready-made code for common tasks |
//! | [`assets`], [`servers`] | `http://` in the `AssetServer`; listening |
//! | [`reactive_apps`] | apps that draw only when something happens |
//! | [`examples`] | what the examples print |
//! | [`migrating`] | from `bevy_mod_reqwest`, from `bevy_http_client`, from Bevy's own web assets, from Godot |
//!
//! The guide of `httpoll`, in its module `guide`, explains budgets and errors, and has recipes without Bevy. Every
//! sample runs in a test, against servers in memory. The lines that build its app are hidden.

#[doc = include_str!("assets.md")]
pub mod assets {}
#[doc = include_str!("cookbook.md")]
pub mod cookbook {}
#[doc = include_str!("examples.md")]
pub mod examples {}
#[doc = include_str!("migrating.md")]
pub mod migrating {}
#[doc = include_str!("reactive_apps.md")]
pub mod reactive_apps {}
#[doc = include_str!("reference.md")]
pub mod reference {}
#[doc = include_str!("servers.md")]
pub mod servers {}
