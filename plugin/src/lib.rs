#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod driver;
mod events;
mod node;
mod plugin;
mod request;

pub use events::{HttpError, HttpResponse, HttpStatusChanged};
pub use httpoll;
pub use node::HttpClientNode;
pub use plugin::{HttpPlugin, HttpollSystems};
pub use request::{HttpRequest, KeepRequest};

/// What most programs import.
pub mod prelude {
    pub use crate::{
        HttpClientNode, HttpError, HttpPlugin, HttpRequest, HttpResponse, HttpStatusChanged,
        HttpollSystems, KeepRequest,
    };
    pub use httpoll::{Budget, Method, Status};
}

/// The repository's README, so that its code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
