//! Failures in the queue, in lookups and while connecting.

use httpoll::access::AccessPolicy;
use httpoll::agent::{CacheMode, PoolLimits};
use httpoll::auth::Credentials;
use httpoll::circuit::CircuitPolicy;
use httpoll::error::NetworkFault;
use httpoll::memory::ConnectError;
use httpoll::{Agent, Download, ErrorKind, Phase, Request, Timeouts};

use super::table::{Ending, Row, SECOND, Seen, Table, expect, get, post};
use crate::support::{Folder, frames, run};

#[test]
fn failures_before_a_connection() {
    table();
}

pub(super) fn table() -> Seen {
    let mut table = Table::new();
    lookups_and_connections(&mut table);
    queues(&mut table);
    table.seen
}

fn lookups_and_connections(table: &mut Table) {
    let mut agent = Agent::builder()
        .cache(Default::default())
        .build_on_memory(&table.network);
    let refuses = table.address("refuses", 80);
    table.network.refuse(refuses, ConnectError::Refused);
    let hole = table.address("hole", 80);
    table.network.refuse(hole, ConnectError::BlackHole);
    table
        .network
        .add_slow_name("slow.example", &[hole.ip()], 60 * SECOND);
    table
        .network
        .add_name("home.example", &["127.0.0.1".parse().unwrap()]);
    let mut timeouts = Timeouts::default();
    timeouts.resolve = Some(SECOND);
    timeouts.connect = Some(SECOND);
    let mut public_only = AccessPolicy::default();
    public_only.schemes = vec!["http".to_owned()];
    let folder = Folder::new("failures-queue");
    std::fs::create_dir(folder.path("folder")).unwrap();
    let basic = Credentials::Basic {
        user: "a:b".to_owned(),
        password: "c".to_owned(),
    };
    let rows: Vec<Row> = vec![
        (
            "an unknown name",
            get("nobody"),
            expect(Phase::Resolve, |kind| {
                matches!(kind, ErrorKind::Network(NetworkFault::Unresolved))
            })
            .retryable(),
        ),
        (
            "a slow lookup",
            get("slow").timeouts(timeouts.clone()),
            expect(Phase::Resolve, |kind| {
                matches!(kind, ErrorKind::Timeout(Phase::Resolve))
            })
            .retryable(),
        ),
        (
            "the total timeout in a lookup",
            post("slow").total_timeout(SECOND),
            expect(Phase::Resolve, |kind| {
                matches!(kind, ErrorKind::TotalTimeout(Phase::Resolve))
            })
            .retryable(),
        ),
        (
            "a refused connection",
            get("refuses"),
            expect(Phase::Connect, |kind| {
                matches!(kind, ErrorKind::Network(NetworkFault::ConnectFailed))
            })
            .retryable(),
        ),
        (
            "the same for a POST",
            post("refuses"),
            expect(Phase::Connect, |kind| {
                matches!(kind, ErrorKind::Network(NetworkFault::ConnectFailed))
            })
            .retryable(),
        ),
        (
            "an address that does not respond",
            get("hole").timeouts(timeouts),
            expect(Phase::Connect, |kind| {
                matches!(kind, ErrorKind::Timeout(Phase::Connect))
            })
            .retryable(),
        ),
        (
            "the total timeout while connecting",
            post("hole").total_timeout(SECOND),
            expect(Phase::Connect, |kind| {
                matches!(kind, ErrorKind::TotalTimeout(Phase::Connect))
            })
            .retryable(),
        ),
        (
            "a forbidden address behind a name",
            get("home").access(public_only),
            expect(Phase::Resolve, |kind| matches!(kind, ErrorKind::Access(_))),
        ),
        (
            "a forbidden scheme",
            get("refuses").access(AccessPolicy::default()),
            expect(Phase::Queue, |kind| matches!(kind, ErrorKind::Access(_))),
        ),
        (
            "nothing in the cache",
            get("refuses").cache_mode(CacheMode::OnlyIfCached),
            expect(Phase::Queue, |kind| matches!(kind, ErrorKind::Refused(_))),
        ),
        (
            "a file that is absent",
            Request::put("http://refuses.example/").file("/nowhere/there/is/none"),
            expect(Phase::Queue, |kind| matches!(kind, ErrorKind::File(_))),
        ),
        (
            "a target that is a folder",
            get("refuses").download_to(Download::to(folder.path("folder"))),
            expect(Phase::Queue, |kind| matches!(kind, ErrorKind::File(_))),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
    // It is found when the head is written.
    table.serve("silent", "", Ending::Open);
    let row = (
        "a user name that no field can hold",
        get("silent").credentials(basic),
        expect(Phase::SendHead, |kind| matches!(kind, ErrorKind::Auth(_))),
    );
    table.check(&mut agent, row);
}

fn queues(table: &mut Table) {
    let mut pool = PoolLimits::default();
    pool.per_host = 1;
    let mut circuit = CircuitPolicy::default();
    circuit.failures = 1;
    let mut agent = Agent::builder()
        .pool(pool)
        .circuit(circuit)
        .build_on_memory(&table.network);
    table.serve("hangs", "", Ending::Open);
    table.serve("broken", "", Ending::Close);
    let holds = agent.send(get("hangs")).unwrap();
    frames(&table.network, &mut agent, 3);
    let rows: [Row; 2] = [
        (
            "the queue timeout",
            post("hangs").queue_timeout(SECOND),
            expect(Phase::Queue, |kind| {
                matches!(kind, ErrorKind::Timeout(Phase::Queue))
            })
            .retryable(),
        ),
        (
            "the total timeout in the queue",
            post("hangs").total_timeout(SECOND),
            expect(Phase::Queue, |kind| {
                matches!(kind, ErrorKind::TotalTimeout(Phase::Queue))
            })
            .retryable(),
        ),
    ];
    // Nothing of these requests was sent, whatever the server has counted.
    for row in rows {
        table.check(&mut agent, row);
    }
    drop(holds);
    run(&table.network, &mut agent, get("broken"));
    let row = (
        "an open circuit",
        get("broken"),
        expect(Phase::Queue, |kind| matches!(kind, ErrorKind::Refused(_))).retryable(),
    );
    table.check(&mut agent, row);
}
