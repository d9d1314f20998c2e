//! A bar for each transfer on a terminal; nothing when standard error is piped.

use std::io::IsTerminal;
use std::time::Duration;

use httpoll::agent::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// All bars.
#[derive(Debug)]
pub(crate) struct Bars(Option<MultiProgress>);

/// One transfer's bar, if it has one.
#[derive(Debug)]
pub(crate) struct Bar(Option<ProgressBar>);

impl Bars {
    pub(crate) fn new(silent: bool) -> Self {
        let shown = !silent && std::io::stderr().is_terminal();
        Self(shown.then(MultiProgress::new))
    }

    /// A bar, unless the content itself goes to the terminal.
    pub(crate) fn add(&self, name: &str, to_stdout: bool) -> Bar {
        if to_stdout && std::io::stdout().is_terminal() {
            return Bar(None);
        }
        Bar(self.0.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::no_length());
            let template = "{msg:20!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        }))
    }
}

impl Bar {
    pub(crate) fn show(&self, progress: &Progress) {
        let Some(bar) = &self.0 else { return };
        // Uploading comes first, then downloading.
        let (moved, total) = match (progress.received, progress.to_send) {
            (0, Some(to_send @ 1..)) => (progress.sent, Some(to_send)),
            (received, _) => (received, progress.to_receive),
        };
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(moved);
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish();
        }
    }
}
