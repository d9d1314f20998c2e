//! [`Config`]: the settings of a connection; [`AddressFilter`]: which addresses it may connect to.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::error::Error;
use crate::limits::Limits;
use crate::phase::Timeouts;

/// The settings of a connection. They stay the same for its whole life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    /// The `User-Agent` of the `CONNECT` request to a proxy; other requests carry their own.
    pub(crate) user_agent: String,
    /// The value of `Proxy-Authorization`.
    pub(crate) proxy_authorization: Option<String>,
    /// Whether a request is sent again over a new connection when a reused one turns out to be stale.
    pub(crate) retry_stale: bool,
    /// Which of the resolved addresses it may connect to.
    pub(crate) addresses: AddressFilter,
    /// How the browser carries out requests.
    #[cfg(target_family = "wasm")]
    pub(crate) fetch: crate::transport::fetch::FetchOptions,
}

/// Which addresses may be connected to. The filter runs after the lookup, so that no host name evades it.
#[derive(Clone, Default)]
pub(crate) struct AddressFilter(Option<Arc<dyn Fn(IpAddr) -> Result<(), Error> + Send + Sync>>);

impl AddressFilter {
    #[cfg(feature = "agent")]
    pub(crate) fn new(
        allows: impl Fn(IpAddr) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(allows)))
    }

    pub(super) fn check(&self, address: IpAddr) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |allows| allows(address))
    }
}

/// Two filters are equal only if they are clones of the same one.
impl PartialEq for AddressFilter {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl fmt::Debug for AddressFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressFilter({})", self.0.is_some())
    }
}
