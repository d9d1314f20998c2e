//! One read or write of a socket within the budget, without TLS.

use std::io;

use crate::error::{Error, NetworkFault};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::Socket;

/// The outcome of a read.
#[derive(Debug)]
pub(crate) enum LinkRead {
    Data(usize),
    /// Nothing is available now, or the budget is spent.
    Blocked,
    /// The peer ended the stream cleanly.
    Closed,
    /// The peer ended a TLS stream without `close_notify`. An attacker may have truncated it.
    Truncated,
}

pub(super) fn read_socket(
    socket: &mut Socket,
    reactor: &mut Reactor,
    meter: &mut BudgetMeter,
    dst: &mut [u8],
) -> Result<LinkRead, Error> {
    let most = meter.clamp(dst.len());
    match socket.read(reactor, &mut dst[..most]) {
        Ok(0) => Ok(LinkRead::Closed),
        Ok(count) => {
            meter.spend(count);
            Ok(LinkRead::Data(count))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(LinkRead::Blocked),
        Err(error) => Err(broken(error)),
    }
}

pub(super) fn write_socket(
    socket: &mut Socket,
    reactor: &mut Reactor,
    meter: &mut BudgetMeter,
    src: &[u8],
) -> Result<usize, Error> {
    if src.is_empty() {
        return Ok(0);
    }
    let most = meter.clamp(src.len());
    match socket.write(reactor, &src[..most]) {
        Ok(count) => {
            meter.spend(count);
            Ok(count)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: io::Error) -> Error {
    Error::io(NetworkFault::Broken, error)
}
