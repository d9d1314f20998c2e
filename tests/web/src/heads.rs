//! Heads of responses: their bytes, and none at all.

use std::rc::Rc;
use std::time::Duration;

use httpoll::error::NetworkFault;
use httpoll::{Agent, ErrorKind, Event, Request, RetryPolicy};

use crate::harness::{Env, Outcome, drive_with, fetch, key};
use crate::{cases, same};

cases![
    bytes_beyond_ascii_in_fields_stay_as_they_are,
    a_post_without_a_response_is_not_sent_again,
];

/// A validator that came back with other bytes would never match: a kept download would not be resumed.
async fn bytes_beyond_ascii_in_fields_stay_as_they_are(_: Rc<Env>) -> Outcome {
    let large = Request::post("/obs-text").body(vec![b'u'; 100_000]);
    for request in [Request::get("/obs-text"), large] {
        let ended = fetch(request).await?;
        let fields = ended.response()?.headers();
        same!(fields.get("x-seen"), Some("café".as_bytes()));
        same!(fields.get("etag"), Some("\"é\"".as_bytes()));
    }
    Ok(())
}

async fn a_post_without_a_response_is_not_sent_again(_: Rc<Env>) -> Outcome {
    for (method, again) in [("POST", 0), ("GET", 2)] {
        let url = format!("/vanish?key={}", key("vanish"));
        let mut policy = RetryPolicy::standard();
        policy.retries = 2;
        policy.base_delay = Duration::from_millis(1);
        let request = match method {
            "POST" => Request::post(url),
            _ => Request::get(url),
        };
        let mut retried = 0;
        let ended = drive_with(&mut Agent::new(), request.retries(policy), |_, event| {
            retried += u32::from(matches!(event, Event::WillRetry { .. }));
        })
        .await?;
        let fault = NetworkFault::ConnectFailed;
        same!(*ended.error()?.kind(), ErrorKind::Network(fault));
        same!((method, retried), (method, again));
    }
    Ok(())
}
