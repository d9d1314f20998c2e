//! The outcome of working on a transfer once.

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Something happened.
    pub(super) moved: bool,
    /// The transfer's last event was reported.
    pub(super) is_over: bool,
}

impl Step {
    pub(super) const WAITS: Self = Self {
        moved: false,
        is_over: false,
    };
    pub(super) const MOVED: Self = Self {
        moved: true,
        is_over: false,
    };
    pub(super) const OVER: Self = Self {
        moved: true,
        is_over: true,
    };
}
