//! A value that only its owner reaches, made `Sync`.

use std::sync::{Mutex, PoisonError};

/// Holds a value that is not `Sync` inside one that must be, such as a component of a game. The value can
/// be reached only through `&mut`, so nothing is ever locked.
#[derive(Debug)]
pub(crate) struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(Mutex::new(inner))
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
