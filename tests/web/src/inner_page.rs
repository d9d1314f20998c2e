//! This page once more, in a frame inside of it: from another origin, with other rules, or to be closed in the middle.

use serde_json::Value;
use wasm_bindgen::JsValue;
use web_sys::{Document, Element, HtmlElement};

use crate::harness::{Outcome, fetch, frame, key};
use crate::same;

/// A frame in which one case runs.
pub struct Frame {
    element: Element,
    body: HtmlElement,
    key: String,
    only: &'static str,
}

impl Frame {
    /// Opens the page from an origin, with further parameters of its URL, and runs the case `only` in it. `sandbox`:
    /// what a frame without an origin may do.
    pub fn open(
        origin: &str,
        parameters: &str,
        sandbox: Option<&str>,
        only: &'static str,
    ) -> Result<Self, String> {
        let window = web_sys::window().ok_or("no window")?;
        let document: Document = window.document().ok_or("no document")?;
        let search = window.location().search().map_err(js)?;
        let rest = search.split("&only=").next().unwrap_or_default();
        let key = key("framed");
        let element = document.create_element("iframe").map_err(js)?;
        if let Some(sandbox) = sandbox {
            element.set_attribute("sandbox", sandbox).map_err(js)?;
        }
        let page = format!("{origin}/index.html{rest}&framed={key}&{parameters}&only={only}");
        element.set_attribute("src", &page).map_err(js)?;
        let body = document.body().ok_or("no body")?;
        body.append_child(&element).map_err(js)?;
        Ok(Self {
            element,
            body,
            key,
            only,
        })
    }

    /// How the case ended.
    pub async fn outcome(self) -> Outcome {
        let url = format!("/framed-report?key={}", self.key);
        let mut report = String::new();
        for _ in 0..1200 {
            report = fetch(httpoll::Request::get(&*url)).await?.text()?;
            if !report.is_empty() {
                break;
            }
            frame().await;
        }
        let only = self.only;
        self.close()?;
        let report: Value = serde_json::from_str(&report).map_err(|it| it.to_string())?;
        same!(report["cases"][0]["name"], only);
        same!(report["cases"][0]["error"], Value::Null);
        Ok(())
    }

    /// Ends the page in the frame, whatever it does.
    pub fn close(self) -> Outcome {
        self.body.remove_child(&self.element).map_err(js)?;
        Ok(())
    }
}

/// A parameter of the page's URL.
pub fn parameter(name: &str) -> Option<String> {
    let search = web_sys::window()?.location().search().ok()?;
    let search = search.strip_prefix('?')?;
    let mut pairs = search
        .split('&')
        .map(|it| it.split_once('=').unwrap_or((it, "")));
    let value = pairs.find(|(found, _)| *found == name)?.1;
    Some(value.to_owned())
}

/// Whether this page is the one in the frame.
pub fn is_framed() -> bool {
    parameter("framed").is_some()
}

/// The origin that the page came from.
pub fn own_origin() -> Result<String, String> {
    let window = web_sys::window().ok_or("no window")?;
    window.location().origin().map_err(js)
}

fn js(error: JsValue) -> String {
    format!("{error:?}")
}
