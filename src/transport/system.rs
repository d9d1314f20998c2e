//! What tells which sockets are ready: the operating system through mio, or a browser.
//!
//! Both files define the same names, so that no other module needs a `cfg` for them. A browser gives a page
//! no sockets, so its socket types are uninhabited; what becomes ready there are exchanges of `fetch`.

#[cfg(target_family = "wasm")]
mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
pub(crate) use browser::{Interest, ReadySignal, Registry, System, TcpStream, Token, Waker};
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Interest, Registry, System, TcpStream, Token, Waker};
