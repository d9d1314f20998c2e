//! The agent with its cache, as the browser that the suite http-tests/cache-tests tests. `cache_tests.mjs` starts it
//! and calls it instead of `fetch`: each line of the input is a request as JSON, each line of the output a response.
//! What is tested, and whether the result is right, only the suite decides. See tests/conformance/README.md.
//!
//! ```text
//! {"call": 1, "url": "http://127.0.0.1:8000/test/1", "method": "GET", "headers": [["Test-ID", "a"]], "body": null,
//!  "cache": "default", "redirect": "follow"}
//! {"call": 1, "status": 200, "reason": "OK", "headers": [["Age", "1"]], "body": "text"}
//! {"call": 2, "abort": true}
//! {"call": 2, "error": "the request was cancelled"}
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::agent::CacheMode;
use httpoll::cache::HttpCache;
use httpoll::redirect::RedirectPolicy;
use httpoll::{Agent, Event, Request, RequestHandle, RequestId, Response};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let cache = Arc::new(Mutex::new(HttpCache::new()));
    let mut agent = Agent::builder().cache(cache).build();
    let mut calls = Calls::default();
    loop {
        match lines.try_recv() {
            Ok(line) => calls.begin(&mut agent, &serde_json::from_str(&line)?)?,
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                agent.wait(Some(Duration::from_millis(2)));
                while let Some(event) = agent.next_event() {
                    calls.end(event)?;
                }
            }
        }
    }
}

/// The calls in progress, and the number that the suite's side gave to each.
#[derive(Default)]
struct Calls(HashMap<RequestId, (Value, RequestHandle)>);

impl Calls {
    fn begin(&mut self, agent: &mut Agent, call: &Value) -> Result<(), Box<dyn Error>> {
        let number = call["call"].clone();
        if call["abort"] == true {
            let found = self.0.iter().find(|(_, (other, _))| *other == number);
            if let Some((id, _)) = found {
                agent.cancel(*id);
            }
            return Ok(());
        }
        match request(call).and_then(|request| Ok(agent.send(request)?)) {
            Ok(handle) => {
                self.0.insert(handle.id(), (number, handle));
                Ok(())
            }
            Err(error) => write(&json!({ "call": number, "error": error.to_string() })),
        }
    }

    fn end(&mut self, event: Event) -> Result<(), Box<dyn Error>> {
        let (id, mut outcome) = match event {
            Event::Done { id, response } => (id, outcome(&response)),
            Event::Failed { id, error, .. } => (id, json!({ "error": error.to_string() })),
            _ => return Ok(()),
        };
        let Some((number, _)) = self.0.remove(&id) else {
            return Ok(());
        };
        outcome["call"] = number;
        write(&outcome)
    }
}

/// What `fetch` would send with these options.
fn request(call: &Value) -> Result<Request, Box<dyn Error>> {
    let text = |name: &str| call[name].as_str().unwrap_or_default();
    let mode = match text("cache") {
        "default" => CacheMode::Default,
        "no-store" => CacheMode::NoStore,
        "reload" => CacheMode::Reload,
        "no-cache" => CacheMode::NoCache,
        "force-cache" => CacheMode::ForceCache,
        "only-if-cached" => CacheMode::OnlyIfCached,
        other => return Err(format!("no such cache mode: {other:?}").into()),
    };
    let redirects = match text("redirect") {
        "follow" => RedirectPolicy::default(),
        "manual" => RedirectPolicy::none(),
        other => return Err(format!("no such redirect mode: {other:?}").into()),
    };
    let mut request = Request::with_method_name(text("method"), text("url"))
        .cache_mode(mode)
        .redirects(redirects);
    for field in call["headers"].as_array().into_iter().flatten() {
        let (Some(name), Some(value)) = (field[0].as_str(), field[1].as_str()) else {
            return Err(format!("no field: {field}").into());
        };
        request = request.append_header(name, value);
    }
    if let Some(body) = call["body"].as_str() {
        request = request.body(body.to_owned());
    }
    Ok(request)
}

fn outcome(response: &Response) -> Value {
    // Bytes are Latin-1 for JavaScript's `Headers`.
    let latin = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
    let fields = response.headers().iter();
    let fields: Vec<Value> = fields
        .map(|(name, value)| json!([name, latin(value)]))
        .collect();
    json!({
        "status": response.status().as_u16(),
        "reason": response.reason(),
        "headers": fields,
        "body": response.text(),
    })
}

fn write(outcome: &Value) -> Result<(), Box<dyn Error>> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{outcome}")?;
    Ok(output.flush()?)
}
