//! The configuration of an agent, made by [`AgentBuilder`](super::AgentBuilder). The calls that prepare requests
//! and the engine share it.

use std::fmt;
use std::sync::{Arc, Mutex};

use url::Url;

use super::pool::PoolLimits;
use super::settings::{RateLimits, Settings};
use crate::limits::Limits;
use crate::proto::FieldLines;
use crate::recording::Recorder;
use crate::semantics::circuit::CircuitPolicy;
use crate::semantics::hsts::HstsStore;

/// What applies to all requests of an agent. A request may override `defaults` and `fields`.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) defaults: Arc<Settings>,
    pub(crate) fields: FieldLines,
    pub(crate) base_url: Option<Url>,
    pub(crate) user_agent: String,
    pub(crate) limits: Limits,
    pub(crate) pool: PoolLimits,
    pub(crate) rate_limits: RateLimits,
    pub(crate) circuit: Option<CircuitPolicy>,
    pub(crate) hsts: Option<Arc<Mutex<HstsStore>>>,
    pub(crate) recorder: Option<Recorder>,
    #[cfg(feature = "cookies")]
    pub(crate) cookies: Option<Arc<Mutex<crate::semantics::cookies::CookieJar>>>,
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<Arc<Mutex<crate::semantics::cache::HttpCache>>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}
