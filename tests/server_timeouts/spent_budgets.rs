//! Deadlines and idleness when each poll's budget is over at once, as on a server that is always busy.

use std::time::Duration;

use httpoll::{Budget, PollAt};

use super::seconds;
use crate::serving::{answers, status, test_server};

#[test]
fn content_that_stops_times_out_although_every_budget_is_spent() {
    let mut test = test_server();
    test.budget = Budget::frame(Duration::ZERO);
    test.server.route("POST", "/", answers("done")).unwrap();
    let mut client = test.connect();
    test.send(
        &mut client,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
    );
    // Nothing is under way: the socket may be written to, but there is nothing to write.
    let polled = test
        .server
        .poll_at(test.network.now(), &test.budget)
        .unwrap();
    assert!(!polled.changed);
    assert!(matches!(polled.next, PollAt::At(_)), "{:?}", polled.next);
    test.pass(seconds(120));
    client.read();
    assert!(client.closed);
    assert_eq!(status(&client.text()), 408);
}
