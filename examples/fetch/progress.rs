//! A bar for each transfer on a terminal; nothing when standard error is piped.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use httpoll::agent::Progress;

/// The time between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);

/// The letters of a bar.
const WIDTH: usize = 24;

/// All bars.
#[derive(Debug)]
pub(crate) struct Bars(Option<Rc<RefCell<Screen>>>);

/// One transfer's bar, if it has one: the number of its line.
#[derive(Debug)]
pub(crate) struct Bar(Option<(Rc<RefCell<Screen>>, usize)>);

/// The lines with bars at the bottom of the terminal.
#[derive(Debug, Default)]
struct Screen {
    lines: Vec<Line>,
    /// How many of them the terminal shows.
    drawn: usize,
    latest: Option<Instant>,
}

#[derive(Debug)]
struct Line {
    name: String,
    moved: u64,
    total: Option<u64>,
    began: Instant,
    /// How long it took, once it is over.
    took: Option<Duration>,
}

impl Bars {
    pub(crate) fn new(silent: bool) -> Self {
        let shown = !silent && std::io::stderr().is_terminal();
        Self(shown.then(Rc::default))
    }

    /// A bar, unless the content itself goes to the terminal.
    pub(crate) fn add(&self, name: &str, to_stdout: bool) -> Bar {
        if to_stdout && std::io::stdout().is_terminal() {
            return Bar(None);
        }
        Bar(self.0.as_ref().map(|screen| {
            let mut lines = screen.borrow_mut();
            lines.lines.push(Line {
                name: name.chars().take(20).collect(),
                moved: 0,
                total: None,
                began: Instant::now(),
                took: None,
            });
            (Rc::clone(screen), lines.lines.len() - 1)
        }))
    }
}

impl Bar {
    pub(crate) fn show(&self, progress: &Progress) {
        let Some((screen, at)) = &self.0 else { return };
        // Uploading comes first, then downloading.
        let (moved, total) = match (progress.received, progress.to_send) {
            (0, Some(to_send @ 1..)) => (progress.sent, Some(to_send)),
            (received, _) => (received, progress.to_receive),
        };
        let mut screen = screen.borrow_mut();
        let line = &mut screen.lines[*at];
        (line.moved, line.total) = (moved, total.or(line.total));
        if screen.latest.is_none_or(|at| at.elapsed() >= INTERVAL) {
            screen.draw();
        }
    }

    /// The last bytes of a whole transfer are not reported as progress.
    pub(crate) fn finish(&self, is_whole: bool) {
        let Some((screen, at)) = &self.0 else { return };
        let mut screen = screen.borrow_mut();
        let line = &mut screen.lines[*at];
        line.took.get_or_insert(line.began.elapsed());
        if is_whole {
            line.moved = line.total.unwrap_or(line.moved);
        }
        screen.draw();
    }
}

impl Screen {
    /// Draws all lines over those that were drawn before.
    fn draw(&mut self) {
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A", self.drawn);
        }
        // A line that is too long for the terminal is cut, so that each stays one line.
        text += "\x1b[?7l";
        for line in &self.lines {
            let _ = writeln!(text, "\x1b[2K{}", line.text());
        }
        text += "\x1b[?7h";
        self.drawn = self.lines.len();
        self.latest = Some(Instant::now());
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl Line {
    fn text(&self) -> String {
        let seconds = self.took.unwrap_or(self.began.elapsed()).as_secs_f64();
        #[allow(clippy::cast_precision_loss)]
        let (moved, total) = (self.moved as f64, self.total.map(|total| total as f64));
        let rate = moved / seconds.max(0.001);
        let part = total.map_or(0.0, |total| (moved / total.max(1.0)).min(1.0));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let filled = "#".repeat((part * WIDTH as f64) as usize);
        let time = match (self.took, total) {
            (Some(took), _) => format!("in {:.1} s", took.as_secs_f64()),
            (None, Some(total)) if rate > 0.0 => {
                format!("{:.0} s left", (total - moved).max(0.0) / rate)
            }
            _ => String::new(),
        };
        format!(
            "{:<20} [{filled:<WIDTH$}] {}/{} {}/s {time}",
            self.name,
            bytes(moved),
            total.map_or_else(|| "?".to_owned(), bytes),
            bytes(rate),
        )
    }
}

/// A number of bytes in three digits.
fn bytes(count: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (count, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit])
}
