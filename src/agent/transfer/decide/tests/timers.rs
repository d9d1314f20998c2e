//! What a timer of a transfer means in each of its states.

use super::*;
use crate::agent::pool::Usage;

#[test]
fn timers_end_wait_and_drive() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let mut limited = transfer_at(start, get().total_timeout(second));
    assert_eq!(at(&limited, start), "drive");
    assert_eq!(
        at(&limited, start + second),
        "fail: TotalTimeout(AwaitHead)"
    );
    // All content is there, and the file may have its name already.
    let saved = response(head(200, &[]), Sink::File, 3);
    limited.state = State::Committing { response: saved };
    assert_eq!(at(&limited, start + second), "wait");

    let mut waiting = transfer_at(start, get());
    waiting.state = State::Waiting {
        until: start + second,
    };
    assert_eq!(at(&waiting, start), "wait");
    assert_eq!(at(&waiting, start + second), "again");
    waiting.paused = true;
    assert_eq!(at(&waiting, start + second), "wait");

    let mut pool = crate::agent::pool::Pool::new(crate::agent::PoolLimits::default());
    let target = crate::connection::Target {
        host: url::Host::Domain("game.example".to_owned()),
        port: 80,
        tls: crate::transport::link::TlsChoice::Plain,
        route: crate::connection::Route::Direct,
    };
    let key = crate::agent::pool::PoolKey::of(target, &Default::default(), None);
    let host = pool.host(&key);
    let priority = crate::agent::Priority::Interface;
    let place = pool.wait(host, RequestId(1), priority, Usage::Exchange);
    let mut queued = transfer_at(start, get());
    for (deadline, is_long_reported, after, expected) in [
        (None, false, 1, "wait"),
        (Some(start + second), false, 1, "fail: Timeout(Queue)"),
        (None, false, 5, "still queued"),
        (None, true, 5, "wait"),
        (Some(start + 5 * second), false, 5, "fail: Timeout(Queue)"),
    ] {
        queued.state = State::Queued(Queued {
            host,
            place,
            since: start,
            reported: false,
            is_long_reported,
            deadline,
        });
        assert_eq!(at(&queued, start + after * second), expected);
    }
}
