//! How a case runs: frames, requests driven to their ends, and the report.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use httpoll::clock::Instant;
use httpoll::error::NetworkFault;
use httpoll::{Agent, Error, ErrorKind, Event, Request, Response};
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::JsFuture;

/// The origins that the cases use, besides that of the page.
pub struct Env {
    pub cors: String,
    pub plain: String,
    pub dead: String,
    /// What this browser lacks, or has no tool for: words between commas, each with its reason in `browsers.py`.
    pub lacks: String,
}

impl Env {
    pub fn lacks(&self, what: &str) -> bool {
        !what.is_empty() && self.lacks.split(',').any(|it| it == what)
    }
}

pub type Outcome = Result<(), String>;
pub type Running = Pin<Box<dyn Future<Output = Outcome>>>;
/// Its name, what it needs of the browser, and the function.
pub type Case = (&'static str, &'static str, fn(Rc<Env>) -> Running);

thread_local! {
    static FIGURES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The cases of a module: the names of its functions. After a semicolon those that need something of the browser which
/// not every one has: `"files" => name, name`.
#[macro_export]
macro_rules! cases {
    ($($name:ident),* $(,)? $(; $need:literal => $($needs:ident),* $(,)?)*) => {
        pub const CASES: &[$crate::harness::Case] = &[
            $((stringify!($name), "", |env| Box::pin($name(env))),)*
            $($((stringify!($needs), $need, |env| Box::pin($needs(env))),)*)*
        ];
    };
}

/// Ends the case with a message unless both are equal.
#[macro_export]
macro_rules! same {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if left != right {
                    return Err(format!(
                        "{}:{}: {left:?} is not {right:?}",
                        file!(),
                        line!()
                    ));
                }
            }
        }
    };
}

/// Ends the case with a message unless this is true.
#[macro_export]
macro_rules! holds {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            return Err(format!("{}:{}: {}", file!(), line!(), format!($($message)*)));
        }
    };
}

/// How long one case may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the cases and writes the report.
pub async fn report(cases: &[Case], env: &Rc<Env>, only: &str) -> String {
    let mut results = Vec::new();
    for (name, need, case) in cases.iter().filter(|(name, ..)| name.contains(only)) {
        if env.lacks(need) {
            results.push(json!({ "name": name, "error": null, "lacks": need, "milliseconds": 0 }));
            continue;
        }
        let began = Instant::now();
        let error = case(Rc::clone(env)).await.err();
        let took = began.elapsed().as_secs_f64() * 1000.0;
        results.push(json!({ "name": name, "error": error, "milliseconds": took }));
    }
    let figures = FIGURES.with_borrow(Clone::clone);
    json!({ "cases": Value::Array(results), "figures": figures }).to_string()
}

/// A line for the report.
pub fn figure(line: String) {
    FIGURES.with_borrow_mut(|figures| figures.push(line));
}

/// Returns in the next animation frame, with its time in milliseconds.
pub async fn frame() -> f64 {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let callback = Closure::once_into_js(move |time: f64| {
            let _ = resolve.call1(&wasm_bindgen::JsValue::NULL, &time.into());
        });
        if let Some(window) = web_sys::window() {
            let _ = window.request_animation_frame(callback.unchecked_ref());
        }
    });
    let time = JsFuture::from(promise).await;
    time.ok().and_then(|time| time.as_f64()).unwrap_or_default()
}

/// A request that ended, and what was reported on the way.
pub struct Ended {
    pub result: Result<Response, Error>,
    pub events: Vec<Event>,
}

impl Ended {
    /// The content of the response as text.
    pub fn text(&self) -> Result<String, String> {
        let response = self.response()?;
        String::from_utf8(response.body().to_vec()).map_err(|error| error.to_string())
    }

    pub fn response(&self) -> Result<&Response, String> {
        self.result.as_ref().map_err(|error| error.to_string())
    }

    pub fn error(&self) -> Result<&Error, String> {
        match &self.result {
            Ok(response) => Err(format!("no error but a response: {:?}", response.status())),
            Err(error) => Ok(error),
        }
    }

    /// The content of the response as JSON.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.text()?).map_err(|error| error.to_string())
    }
}

/// Sends a request and polls once a frame until it has ended. `see` gets every event and may use the agent.
pub async fn drive_with(
    agent: &mut Agent,
    request: Request,
    mut see: impl FnMut(&mut Agent, &Event),
) -> Result<Ended, String> {
    let handle = agent.send(request).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let mut events = Vec::new();
    loop {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if event.id() != Some(handle.id()) {
                continue;
            }
            see(agent, &event);
            let result = match event {
                Event::Done { response, .. } => Ok(*response),
                Event::Failed { error, .. } => Err(error),
                other => {
                    events.push(other);
                    continue;
                }
            };
            handle.detach();
            return Ok(Ended { result, events });
        }
        if began.elapsed() > LIMIT {
            return Err(format!("no end after {LIMIT:?}; events: {events:?}"));
        }
        frame().await;
    }
}

pub async fn drive(agent: &mut Agent, request: Request) -> Result<Ended, String> {
    drive_with(agent, request, |_, _| {}).await
}

/// One request of an agent of its own.
pub async fn fetch(request: Request) -> Result<Ended, String> {
    drive(&mut Agent::new(), request).await
}

/// What a request to another origin without permission fails with. A release build does not ask the server again, so it
/// does not know whether it is there.
pub fn cors_fault() -> ErrorKind {
    ErrorKind::Network(match option_env!("HTTPOLL_WEB_AS_RELEASE") {
        Some(_) => NetworkFault::FetchFailed,
        None => NetworkFault::CorsRefused,
    })
}

/// A name that no other case uses.
pub fn key(name: &str) -> String {
    format!("{name}-{}", js_sys::Math::random())
}

/// Waits until a server has got the request for `/slow` with this key: one that is cancelled before is never sent.
pub async fn until_begun(key: &str) -> Outcome {
    until_text(&format!("/count?key=slow%20{key}"), "1").await
}

/// Asks a server until its response has this text.
pub async fn until_text(url: &str, text: &str) -> Outcome {
    let mut last = String::new();
    for _ in 0..200 {
        last = fetch(Request::get(url)).await?.text()?;
        if last == text {
            return Ok(());
        }
        frame().await;
    }
    Err(format!("{url} stays at {last:?}, not {text:?}"))
}
