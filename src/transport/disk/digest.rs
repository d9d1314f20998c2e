//! SHA-256 of what is written, piece by piece. Without the feature `sha256` the type has no values,
//! so that its users need no `cfg`.

use crate::error::DiskFault;

pub(super) use implementation::Digest;

impl Digest {
    /// A fresh digest, if one is `wanted`.
    pub(super) fn wanted(wanted: bool) -> Result<Option<Self>, DiskFault> {
        wanted.then(Self::start).transpose()
    }
}

#[cfg(feature = "sha256")]
mod implementation {
    use sha2::{Digest as _, Sha256};

    use crate::error::DiskFault;

    pub(in super::super) struct Digest(Sha256);

    impl Digest {
        pub(super) fn start() -> Result<Self, DiskFault> {
            Ok(Self(Sha256::new()))
        }

        pub(in super::super) fn restart(&mut self) {
            self.0.reset();
        }

        pub(in super::super) fn update(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        pub(in super::super) fn finish(&mut self) -> [u8; 32] {
            self.0.finalize_reset().into()
        }
    }
}

#[cfg(not(feature = "sha256"))]
mod implementation {
    use crate::error::DiskFault;

    pub(in super::super) enum Digest {}

    impl Digest {
        pub(super) fn start() -> Result<Self, DiskFault> {
            Err(DiskFault::HashUnsupported)
        }

        pub(in super::super) fn restart(&mut self) {
            match *self {}
        }

        pub(in super::super) fn update(&mut self, _bytes: &[u8]) {
            match *self {}
        }

        pub(in super::super) fn finish(&mut self) -> [u8; 32] {
            match *self {}
        }
    }
}
