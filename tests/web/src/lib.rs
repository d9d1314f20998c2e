//! Tests of httpoll in a browser: each case is a function that drives an agent or a client from one animation frame
//! to the next, as a game does. `run` runs them and returns a report for the runner (`run.py`).

mod agent;
mod content;
mod cors;
mod downloads;
mod frames;
mod harness;
mod heads;
mod inner_page;
mod node;
mod not_on_web;
mod page_files;
mod plugin;
mod plugin_components;
mod rules;
mod several_pages;
mod uploads;
mod waiting;
mod web_socket;
mod without_files;

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;

use harness::{Case, Env};

/// Runs the cases whose names contain `only` against these origins: with CORS, without, and one that nobody
/// listens at. Returns the report as JSON, which names the cases that need what the browser `lacks`.
#[wasm_bindgen]
pub async fn run(cors: String, plain: String, dead: String, lacks: String, only: String) -> String {
    console_error_panic_hook::set_once();
    let env = Rc::new(Env {
        cors,
        plain,
        dead,
        lacks,
    });
    let cases: Vec<Case> = [
        agent::CASES,
        content::CASES,
        cors::CASES,
        downloads::CASES,
        frames::CASES,
        heads::CASES,
        node::CASES,
        not_on_web::CASES,
        page_files::CASES,
        plugin::CASES,
        plugin_components::CASES,
        rules::CASES,
        several_pages::CASES,
        uploads::CASES,
        waiting::CASES,
        web_socket::CASES,
        without_files::CASES,
    ]
    .concat();
    harness::report(&cases, &env, &only).await
}
