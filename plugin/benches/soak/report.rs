//! The figures as text: the table, the histogram, and whether the criteria are met.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::figures::{FLAT, Figures, Frame, MOST, Other, SLACK, percentile};
use crate::frames::Work;

/// Prints all. Answers whether each criterion is met at each rate.
pub(crate) fn tell(all: &[Figures]) -> bool {
    println!("{}", table(all));
    for figures in all {
        println!(
            "the longest frames at {} fps, in µs: poll + submit + flush = all of them; dispatch; waited; stolen",
            figures.fps
        );
        for frame in figures.longest(8) {
            let work = &frame.work;
            println!(
                "  frame {:>5}: {:>5} + {:>4} + {:>5} = {:>5}; {:>5}; {:>5}; {:>5}",
                frame.number,
                work.poll.as_micros(),
                work.submit.as_micros(),
                work.flush.as_micros(),
                work.polled().as_micros(),
                work.dispatch.as_micros(),
                frame.lost.waited.as_micros(),
                frame.lost.stolen.as_micros()
            );
        }
        for fault in &figures.tally.faults {
            println!("  failed: {fault}");
        }
    }
    println!();
    let mut is_met = true;
    for verdict in all.iter().flat_map(verdicts) {
        println!("{verdict}");
        is_met &= verdict.is_met;
    }
    is_met
}

/// Writes `soak.csv` and `soak.md`.
pub(crate) fn write(folder: &Path, all: &[Figures]) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    let mut csv =
        "fps,bucket_us_from,bucket_us_to,frames_httpoll,frames_empty,frames_by_hand\n".to_owned();
    for figures in all {
        for (from, to, [app, empty, plain]) in figures.histogram() {
            writeln!(csv, "{},{from},{to},{app},{empty},{plain}", figures.fps)?;
        }
    }
    fs::write(folder.join("soak.csv"), csv)?;
    let mut text = table(all);
    text.push('\n');
    for verdict in all.iter().flat_map(verdicts) {
        writeln!(text, "- {verdict}")?;
    }
    fs::write(folder.join("soak.md"), text)?;
    Ok(())
}

struct Verdict {
    is_met: bool,
    text: String,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.is_met { "pass" } else { "FAIL" };
        write!(f, "{word}: {}", self.text)
    }
}

fn verdicts(figures: &Figures) -> [Verdict; 4] {
    let fps = figures.fps;
    let p999 = percentile(figures.frames.iter().map(Frame::took), 0.999);
    let limit = figures.budget + SLACK;
    let over = figures.over(MOST);
    let (empty, plain) = (figures.empty_over(MOST), figures.plain_over(MOST));
    let tally = &figures.tally;
    // What is under way when the run ends is not lost.
    let is_answered = tally.answered + tally.failures + 200 >= tally.asked;
    [
        Verdict {
            is_met: p999 <= limit,
            text: format!("{fps} fps: p99.9 is {}, at most {}", ms(p999), ms(limit)),
        },
        Verdict {
            is_met: over.by_itself() <= empty.by_itself().max(plain.by_itself()),
            text: format!(
                "{fps} fps: {} of {} frames above {} that the machine did not cause; \
                 in the empty loop {} of {}, reading by hand {} of {}",
                over.by_itself(),
                figures.frames.len(),
                ms(figures.budget + MOST),
                empty.by_itself(),
                figures.empty.len(),
                plain.by_itself(),
                figures.plain.len()
            ),
        },
        Verdict {
            is_met: figures.memory.is_flat(),
            text: format!(
                "{fps} fps: resident in the second quarter {} KiB, in the last {}, at most {FLAT} more",
                figures.memory.in_quarter(1),
                figures.memory.in_quarter(3)
            ),
        },
        Verdict {
            is_met: is_answered && tally.failures == 0,
            text: format!(
                "{fps} fps: {} of {} small questions answered, {} failures",
                tally.answered, tally.asked, tally.failures
            ),
        },
    ]
}

fn table(all: &[Figures]) -> String {
    let mut text = String::from("| |");
    for figures in all {
        let _ = write!(text, " {} fps |", figures.fps);
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(all.len()));
    text.push('\n');
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        let _ = write!(text, "| {name} |");
        for figures in all {
            let _ = write!(text, " {} |", value(figures));
        }
        text.push('\n');
    };
    row("frames", &|it| it.frames.len().to_string());
    row("budget", &|it| ms(it.budget));
    row("poll time, p50 / p99 / p99.9 / longest", &|it| {
        spread(|| it.frames.iter().map(Frame::took))
    });
    row("but for what the machine took", &|it| {
        spread(|| it.frames.iter().map(Frame::own))
    });
    row("events told, with the app's observers", &|it| {
        spread(|| it.frames.iter().map(|it| it.work.dispatch))
    });
    row("both", &|it| {
        spread(|| it.frames.iter().map(|it| Work::all(&it.work)))
    });
    row("empty loop", &|it| {
        spread(|| it.empty.iter().map(|it| it.took))
    });
    row("empty loop but for what the machine took", &|it| {
        spread(|| it.empty.iter().map(Other::own))
    });
    row("reading by hand", &|it| {
        spread(|| it.plain.iter().map(|it| it.took))
    });
    row("reading by hand but for what the machine took", &|it| {
        spread(|| it.plain.iter().map(Other::own))
    });
    for (name, slack) in [
        (
            "frames over budget + 0.2 ms (of these the machine's)",
            SLACK,
        ),
        ("frames over budget + 1 ms (of these the machine's)", MOST),
    ] {
        row(name, &|it| {
            let (app, empty, plain) = (it.over(slack), it.empty_over(slack), it.plain_over(slack));
            format!(
                "{} ({}); empty loop {} ({}); by hand {} ({})",
                app.all,
                app.by_the_machine,
                empty.all,
                empty.by_the_machine,
                plain.all,
                plain.by_the_machine
            )
        });
    }
    row("resident at 10 %, 50 %, 100 % of the run, KiB", &|it| {
        let at = |part| it.memory.at(part);
        format!("{}, {}, {}", at(0.1), at(0.5), at(1.0))
    });
    row("slope over the second half, KiB/s", &|it| {
        format!("{:.1}", it.memory.slope())
    });
    row("small questions, asked / answered / told", &|it| {
        let (tally, peers) = (&it.tally, &it.peers);
        format!("{} / {} / {}", tally.asked, peers.answered, tally.answered)
    });
    row("downloads ended: file, gzip, TLS file, TLS", &|it| {
        let ended: Vec<String> = it.tally.downloads.iter().map(u64::to_string).collect();
        ended.join(", ")
    });
    row("MB of content received, MB/s of frames", &|it| {
        let megabytes = it.tally.received as f64 / 1e6;
        let seconds = it.frames.len() as f64 / f64::from(it.fps);
        format!("{megabytes:.0}, {:.0}", megabytes / seconds)
    });
    row("WebSocket messages, sent / echoed / received", &|it| {
        format!(
            "{} / {} / {}",
            it.tally.said, it.peers.echoed, it.tally.heard
        )
    });
    row("server-sent events, sent / heard", &|it| {
        format!("{} / {}", it.tally.broadcast, it.peers.heard)
    });
    row("failures", &|it| it.tally.failures.to_string());
    text
}

fn spread<I: Iterator<Item = Duration>>(times: impl Fn() -> I) -> String {
    let at = |part| ms(percentile(times(), part));
    format!("{} / {} / {} / {}", at(0.5), at(0.99), at(0.999), at(1.0))
}

fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}
