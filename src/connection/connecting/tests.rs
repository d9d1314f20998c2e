#![allow(clippy::unwrap_used)]

use super::*;
use crate::connection::{AddressFilter, Proxy};
use crate::error::Misuse;
use crate::transport::memory::MemoryNetwork;
use crate::transport::meter::RemainingBudget;
use std::collections::VecDeque;

/// Whether a connection to this host by this route is refused once the addresses are known.
fn is_refused(host: &str, route: &Route) -> bool {
    let network = MemoryNetwork::new();
    network.add_name("in.example", &[IpAddr::from([10, 0, 0, 9])]);
    let mut reactor = Reactor::memory(&network);
    let target = Target {
        host: Host::parse(host).unwrap(),
        port: 80,
        tls: TlsChoice::Plain,
        route: route.clone(),
    };
    let config = Config {
        addresses: AddressFilter::new(|address| match address {
            IpAddr::V4(address) if address.is_private() => Err(Misuse::InvalidHost.into()),
            _ => Ok(()),
        }),
        ..Config::default()
    };
    let now = reactor.clock().now();
    let mut heads = VecDeque::new();
    let mut meter = BudgetMeter::start(reactor.clock(), &RemainingBudget::unlimited());
    let mut connecting = match Connecting::begin(&mut reactor, &target, &config) {
        Ok(connecting) => connecting,
        Err(_) => return true,
    };
    loop {
        match connecting.step(&mut reactor, &target, &config, now, &mut meter, &mut heads) {
            Step::Next(Connecting::Racing(..)) => return false,
            Step::Next(next) => connecting = next,
            Step::Waiting(_) | Step::Established(_) => return false,
            Step::Failed(..) => return true,
        }
    }
}

#[test]
fn the_filter_applies_to_addresses_that_this_side_chooses() {
    let host = Host::Ipv4([10, 0, 0, 5].into());
    let socks = |resolves_remotely| {
        Route::Socks(SocksProxy {
            host: host.clone(),
            port: 1080,
            resolves_remotely,
            credentials: None,
        })
    };
    let proxy = Proxy {
        host: host.clone(),
        port: 80,
    };
    for (route, refused) in [
        (Route::Direct, true),
        (socks(false), true),
        (socks(true), false),
        (Route::Forward(proxy.clone()), false),
        (Route::Tunnel(proxy), false),
    ] {
        for host in ["in.example", "10.0.0.9"] {
            assert_eq!(is_refused(host, &route), refused, "{host} by {route:?}");
        }
    }
}
