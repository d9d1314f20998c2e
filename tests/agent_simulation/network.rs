//! The network and the servers of one run, with their faults, and the agent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::{FaultRates, MockServer};
use httpoll::{
    Agent, RetryPolicy, Timeouts,
    agent::PoolLimits,
    circuit::{CircuitPolicy, OpenCircuitPolicy},
};

use super::servers::serve;
use crate::seeded::Random;

/// Two servers, which may have faults, and names that lead nowhere.
pub(crate) fn set_up(
    network: &MemoryNetwork,
    random: &mut Random,
    is_calm: bool,
    seed: u64,
) -> [MockServer; 2] {
    network.set_latency(Duration::from_millis(random.below(25) as u64));
    network.set_transfer_limit(random.one_in(2).then(|| 1 + random.below(4000)));
    network.set_capacity(500 + random.below(50_000));
    let names: [(&str, &str); 2] = [("a.example", "10.0.0.1"), ("b.example", "10.0.0.2")];
    for (name, address) in names {
        let address: IpAddr = address.parse().unwrap();
        let delay = Duration::from_millis(random.of(&[0, 0, 200]));
        network.add_slow_name(name, &[address], delay);
    }
    let servers = names.map(|(name, _)| MockServer::on(network, name, 80));
    serve(&servers[0], "b.example", seed);
    serve(&servers[1], "a.example", seed + 1);
    for (at, server) in servers.iter().enumerate() {
        if !is_calm && !random.one_in(4) {
            let mut rate = || random.of(&[0.0, 0.0, 0.05, 0.2]);
            let rates = FaultRates::with(|it| {
                it.refuse = rate();
                it.unavailable = rate();
                it.silence = rate() / 2.0;
                it.delay = rate();
                it.drip = rate();
                it.cut = rate();
                it.reset = rate();
                it.longest_delay = Duration::from_secs(6);
            });
            server.faults(seed + at as u64, rates);
        }
    }
    let dead = [
        ("refused.example", 3, ConnectError::Refused),
        ("hole.example", 4, ConnectError::BlackHole),
    ];
    for (name, last, how) in dead {
        let address = IpAddr::from([10, 0, 0, last]);
        network.add_name(name, &[address]);
        network.refuse(SocketAddr::new(address, 80), how);
    }
    network.add_slow_name("slow.example", &[], Duration::from_secs(60));
    servers
}

pub(crate) fn build_agent(
    network: &MemoryNetwork,
    random: &mut Random,
    is_calm: bool,
    pool: &PoolLimits,
) -> Agent {
    let mut builder = Agent::builder().pool(pool.clone());
    let mut retries = RetryPolicy::default();
    retries.retries = random.below(4) as u32;
    builder = builder.defaults(RequestOptions::new().retries(retries));
    if is_calm {
        builder = builder.defaults(RequestOptions::new().timeouts(Timeouts::with(|it| {
            it.resolve = Some(Duration::from_secs(5));
        })));
    } else {
        builder = builder.defaults(RequestOptions::new().timeouts(Timeouts::with(|it| {
            it.resolve = Some(Duration::from_secs(2));
            it.connect = Some(Duration::from_secs(3));
            it.head = Some(Duration::from_secs(4));
            it.stall = Some(Duration::from_secs(2));
        })));
    }
    if random.one_in(4) {
        builder = builder.global_rate_limit(Some(2000 + random.below(100_000) as u64));
    }
    if !is_calm && random.one_in(3) {
        let mut policy = CircuitPolicy::default();
        policy.failures = 1 + random.below(3) as u32;
        policy.open_for = Duration::from_secs(1 + random.below(4) as u64);
        policy.when_open = random.of(&[OpenCircuitPolicy::Wait, OpenCircuitPolicy::FailFast]);
        builder = builder.circuit(policy);
    }
    #[cfg(feature = "cookies")]
    if random.one_in(2) {
        builder = builder.cookies(Default::default());
    }
    #[cfg(feature = "cache")]
    if random.one_in(2) {
        builder = builder.cache(Default::default());
    }
    builder.build_on_memory(network)
}
