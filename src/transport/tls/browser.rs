//! The settings for TLS in a browser, which has its own TLS and lets a page choose nothing about it. The types
//! exist so that shared code compiles; every setting that is not the default is an error.

use super::info::TlsVersion;
use crate::error::{Error, Misuse};

/// How to speak TLS. In a browser there is only the default: what the browser trusts and offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions(());

impl TlsOptions {
    /// The browser's TLS.
    pub fn client() -> Self {
        Self(())
    }

    /// Not in a browser.
    ///
    /// # Errors
    /// [`Misuse::NotOnWeb`], always.
    pub fn client_unsafe(_trusted_chain: Option<&[u8]>) -> Result<Self, Error> {
        Err(Misuse::NotOnWeb("TLS options").into())
    }

    /// A builder. Whatever it changes is an error when it is built.
    pub fn builder() -> TlsOptionsBuilder {
        TlsOptionsBuilder { is_changed: false }
    }

    pub(crate) fn for_https() -> Result<Self, Error> {
        Ok(Self::client())
    }
}

/// A builder of [`TlsOptions`]. In a browser, [`build`](Self::build) fails if anything was set.
#[derive(Debug)]
#[must_use]
pub struct TlsOptionsBuilder {
    is_changed: bool,
}

impl TlsOptionsBuilder {
    /// Not in a browser.
    pub fn trusted_chain_pem(self, _pem: &[u8]) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn add_root_pem(self, _pem: &[u8]) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn add_root_der(self, _der: &[u8]) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn common_name_override(self, _name: impl Into<String>) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn client_certificate_pem(self, _chain: &[u8], _key: &[u8]) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn insecure_no_name_check(self) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn insecure_no_verification(self) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn min_version(self, _version: TlsVersion) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn max_version(self, _version: TlsVersion) -> Self {
        Self { is_changed: true }
    }

    /// Not in a browser.
    pub fn resumption(self, _resume: bool) -> Self {
        Self { is_changed: true }
    }

    /// The options.
    ///
    /// # Errors
    /// [`Misuse::NotOnWeb`] if anything was set.
    pub fn build(self) -> Result<TlsOptions, Error> {
        if self.is_changed {
            return Err(Misuse::NotOnWeb("TLS options").into());
        }
        Ok(TlsOptions(()))
    }
}
