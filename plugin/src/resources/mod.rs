//! The resources: the agent, the budget, the settings and the asset loads.

pub(crate) mod agent;
#[cfg(feature = "assets")]
pub(crate) mod asset_loads;
pub(crate) mod budget;
#[cfg(feature = "cache")]
pub(crate) mod cache_file;
pub(crate) mod config;
pub(crate) mod frame;
pub(crate) mod others;
#[cfg(feature = "outbox")]
pub(crate) mod outbox;
pub(crate) mod request_components;
pub(crate) mod snapshot;
