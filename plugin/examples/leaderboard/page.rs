//! The example in a web page: the service is the server that the page came from (`plugin/web/serve.py`), and text
//! goes into the page.

use std::io;
use std::path::PathBuf;

use crate::logic::Leaderboard;

/// The server of the page.
pub(crate) struct Service;

impl Service {
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn base_url(&self) -> String {
        let origin = web_sys::window().and_then(|window| window.location().origin().ok());
        origin.unwrap_or_default() + "/"
    }

    pub(crate) fn cache_file(&self) -> PathBuf {
        "leaderboard/http.cache".into()
    }

    /// In a page the app still runs when `App::run` returns: the browser calls it once per frame.
    pub(crate) fn end(self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends a line to the list `log`.
pub(crate) fn print(text: &str) {
    append("log", "li", &[text]);
}

/// Draws the table `board` anew.
pub(crate) fn draw(board: &Leaderboard) {
    let document = web_sys::window().and_then(|window| window.document());
    let Some(document) = document else { return };
    if let Some(table) = document.get_element_by_id("board") {
        table.set_text_content(None);
    }
    for (place, score) in (1..).zip(&board.scores) {
        let (place, points) = (format!("{place}"), format!("{}", score.points));
        append("board", "tr", &[&place, &score.player, &points]);
    }
    if let Some(note) = document.get_element_by_id("note") {
        let saved = "The server fails. This is the saved copy.";
        note.set_text_content(board.is_saved_copy.then_some(saved));
    }
}

/// Appends an element to the one with this `id`. A row of a table gets one cell per text.
fn append(id: &str, name: &str, texts: &[&str]) {
    let document = web_sys::window().and_then(|window| window.document());
    let parts = document.and_then(|document| {
        let parent = document.get_element_by_id(id)?;
        let child = document.create_element(name).ok()?;
        for text in texts {
            let cell = document.create_element(if name == "tr" { "td" } else { "span" });
            let cell = cell.ok()?;
            cell.set_text_content(Some(text));
            child.append_child(&cell).ok()?;
        }
        Some((parent, child))
    });
    if let Some((parent, child)) = parts {
        // Fails only for a node that cannot have children.
        let _ = parent.append_child(&child);
    }
}
