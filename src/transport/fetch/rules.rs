//! The rules by which a browser does not send a request at all: the page's Content-Security-Policy (CSP3 §5), mixed
//! content (W3C Mixed Content §4.4), bad ports (Fetch §2.9) and the limit of `keepalive` (Fetch §4.6).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use js_sys::{Function, Reflect};
use url::{Host, Url};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use super::page;

/// The most bytes that requests with `keepalive` may have under way.
const KEEPALIVE_BYTES: u64 = 64 * 1024;

/// How many violations of the page's policy are kept.
const MOST_VIOLATIONS: usize = 64;

/// In order.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

thread_local! {
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
    /// URLs that the page's policy has forbidden, the last one at the end.
    static VIOLATIONS: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
}

/// Notes from now on what the page's policy forbids. The browser tells of it once, when it happens.
pub(crate) fn watch_policy() {
    if !IS_WATCHING.replace(true) {
        // Without the event, an error does not name the policy.
        let _ = listen();
    }
}

fn listen() -> Result<(), JsValue> {
    let global = js_sys::global();
    let document = Reflect::get(&global, &"document".into())?;
    // A worker has no document and gets the event itself.
    let target = if document.is_object() {
        document
    } else {
        global.into()
    };
    let note = Closure::<dyn FnMut(JsValue)>::new(|event: JsValue| {
        let text = |name: &str| Reflect::get(&event, &name.into()).ok()?.as_string();
        if text("effectiveDirective").as_deref() == Some("connect-src")
            && text("disposition").as_deref() == Some("enforce")
            && let Some(url) = text("blockedURI")
        {
            VIOLATIONS.with_borrow_mut(|violations| {
                if violations.len() == MOST_VIOLATIONS {
                    violations.pop_front();
                }
                violations.push_back(url);
            });
        }
    });
    let add: Function = Reflect::get(&target, &"addEventListener".into())?.dyn_into()?;
    let name = JsValue::from("securitypolicyviolation");
    add.call3(&target, &name, note.as_ref(), &JsValue::TRUE)?;
    // It stays as long as the page.
    note.forget();
    Ok(())
}

/// Why the browser did not send a request with this URL. `keepalive`: how many bytes its content has, if it has that
/// option.
pub(super) async fn reason(url: &str, keepalive: Option<u64>) -> Option<&'static str> {
    let known = reason_of_url(url);
    if known.is_some() {
        return known;
    }
    if keepalive.is_some_and(|bytes| bytes > KEEPALIVE_BYTES) {
        return Some("with keepalive the content may have at most 64 KiB");
    }
    // The event of a violation is a task of its own, which may run after that of the failure.
    page::sleep(Duration::ZERO).await;
    policy_forbids(url).then_some(POLICY)
}

/// Why the browser did not open a WebSocket with this URL, as far as it tells. This is to be asked in a later task than
/// that of the failure.
#[cfg(feature = "websocket")]
pub(crate) fn reason_of_web_socket(url: &str) -> Option<&'static str> {
    // `ws` is as safe as `http`, and has the same ports.
    reason_of_url(&url.replacen("ws", "http", 1)).or_else(|| policy_forbids(url).then_some(POLICY))
}

const POLICY: &str =
    "the page's Content-Security-Policy forbids this URL; add its origin to connect-src";

/// Whether the page's policy has forbidden this URL lately.
fn policy_forbids(url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    let origin = Url::parse(url).map(|url| url.origin().ascii_serialization());
    VIOLATIONS.with_borrow_mut(|violations| {
        // Some browsers tell only the origin of another site.
        let at = violations.iter().position(|blocked| {
            blocked == url
                || origin
                    .as_ref()
                    .is_ok_and(|it| blocked.trim_end_matches('/') == it)
        });
        at.and_then(|at| violations.remove(at)).is_some()
    })
}

fn reason_of_url(url: &str) -> Option<&'static str> {
    let url = Url::parse(url).ok()?;
    if is_mixed_content(&url) {
        return Some("the page is https, so the browser blocks http and ws; use https and wss");
    }
    let is_bad = url
        .port()
        .is_some_and(|port| BAD_PORTS.binary_search(&port).is_ok());
    is_bad
        .then_some("browsers block this port, because another protocol uses it; choose another one")
}

/// Whether this is `http` in a page that is `https`. Loopback is allowed.
fn is_mixed_content(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_loopback && page::is_https()
}
