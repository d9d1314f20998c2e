//! Draws what `benches/results/*.csv` say into `assets/*.svg`: one message for each plot. Same results,
//! same plots. Measures nothing.
//!
//! ```sh
//! cargo run --release --bin plot                          # all that there are results for
//! cargo run --release --bin plot -- --results DIR --out DIR
//! ```

mod bars;
mod histogram;
mod lines;
mod results;
mod style;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use results::{Buckets, Results};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One picture.
struct Plot {
    /// The SVG's name, without its ending.
    name: &'static str,
    title: &'static str,
    /// What the axis of values shows, with its unit.
    axis: &'static str,
    shows: Shows,
}

enum Shows {
    /// One metric of one scenario: a bar for each peer.
    Bars {
        scenario: &'static str,
        metric: &'static str,
    },
    /// One metric over several scenarios: a line for each peer.
    Lines {
        scenarios: &'static [(f64, &'static str)],
        metric: &'static str,
        across: &'static str,
    },
    /// `soak.csv`.
    Soak,
}

const PLOTS: &[Plot] = &[
    Plot {
        name: "download",
        title: "256 MiB in a tight loop (more is better)",
        axis: "MB/s",
        shows: Shows::Bars {
            scenario: "download-plain-tight",
            metric: "rate",
        },
    },
    Plot {
        name: "download-tls",
        title: "256 MiB twice over TLS 1.3: processor time (less is better)",
        axis: "seconds of processor time",
        shows: Shows::Bars {
            scenario: "download-tls-tight",
            metric: "CPU",
        },
    },
    Plot {
        name: "download-60fps",
        title: "Download of 256 MiB at 60 fps: rate for each budget (more is better)",
        axis: "MB/s",
        shows: Shows::Lines {
            scenarios: &[
                (1.0, "download-60fps-1ms"),
                (2.0, "download-60fps-2ms"),
                (4.0, "download-60fps-4ms"),
            ],
            metric: "rate",
            across: "budget per frame, ms",
        },
    },
    Plot {
        name: "download-60fps-longest",
        title: "Download of 256 MiB at 60 fps, 1 ms per frame: longest frame (less is better)",
        axis: "work of the longest frame, µs",
        shows: Shows::Bars {
            scenario: "download-60fps-1ms",
            metric: "work max",
        },
    },
    Plot {
        name: "small-gets",
        title: "GETs of 1 KiB, 64 in flight on 6 connections (more is better)",
        axis: "requests/s",
        shows: Shows::Bars {
            scenario: "small-64-on-6",
            metric: "rate",
        },
    },
    Plot {
        name: "small-gets-in-turn",
        title: "GETs of 1 KiB, one after another (more is better)",
        axis: "requests/s",
        shows: Shows::Bars {
            scenario: "small-1-on-1",
            metric: "rate",
        },
    },
    Plot {
        name: "allocations",
        title: "Allocations per GET, 64 in flight on 6 connections (less is better)",
        axis: "allocations, without what the caller keeps",
        shows: Shows::Bars {
            scenario: "small-64-on-6",
            metric: "over what is kept",
        },
    },
    Plot {
        name: "idle",
        title: "Requests that wait for a silent server, 60 fps: work per frame (less is better)",
        axis: "work per frame, median, µs",
        shows: Shows::Lines {
            scenarios: &[
                (1.0, "idle-1"),
                (100.0, "idle-100"),
                (1_000.0, "idle-1000"),
                (10_000.0, "idle-10000"),
            ],
            metric: "work p50",
            across: "requests held open by the server",
        },
    },
    Plot {
        name: "first-byte",
        title: "64 GETs sent in one frame on 6 connections: frames until all are done (less is better)",
        axis: "frames",
        shows: Shows::Bars {
            scenario: "64-on-6-60fps",
            metric: "frames p50",
        },
    },
    Plot {
        name: "fresh-tls",
        title: "Fresh TLS 1.3 connection and GET at 60 fps: longest frame (less is better)",
        axis: "work of the longest frame, median, µs",
        shows: Shows::Bars {
            scenario: "fresh-tls-60fps",
            metric: "longest frame p50",
        },
    },
    Plot {
        name: "burst",
        title: "1,000 GETs sent in one frame, a fresh connection each: longest frame (less is better)",
        axis: "work of the longest frame, µs",
        shows: Shows::Bars {
            scenario: "ask-1000",
            metric: "longest frame",
        },
    },
    Plot {
        name: "burst-frames",
        title: "1,000 GETs sent in one frame, a fresh connection each: frames in all (less is better)",
        axis: "frames",
        shows: Shows::Bars {
            scenario: "ask-1000",
            metric: "frames",
        },
    },
    Plot {
        name: "queue",
        title: "1,000 GETs sent in one frame, 6 connections: longest frame (less is better)",
        axis: "work of the longest frame, µs",
        shows: Shows::Bars {
            scenario: "ask-1000-on-6",
            metric: "longest frame",
        },
    },
    Plot {
        name: "queue-frames",
        title: "1,000 GETs sent in one frame, 6 connections: frames in all (less is better)",
        axis: "frames",
        shows: Shows::Bars {
            scenario: "ask-1000-on-6",
            metric: "frames",
        },
    },
    Plot {
        name: "distant",
        title: "1,000 GETs, 40 ms each way and 20 Mbit/s: time in all (less is better)",
        axis: "seconds",
        shows: Shows::Lines {
            scenarios: &[
                (6.0, "distant-1000-on-6"),
                (16.0, "distant-1000-on-16"),
                (32.0, "distant-1000-on-32"),
            ],
            metric: "time",
            across: "connections at most",
        },
    },
    Plot {
        name: "server",
        title: "A server on one processor, 64 connections (more is better)",
        axis: "requests/s",
        shows: Shows::Bars {
            scenario: "server-64",
            metric: "rate",
        },
    },
    Plot {
        name: "soak-histogram",
        title: "Everything at once with a budget of 1 ms: how long frames took",
        axis: "frames",
        shows: Shows::Soak,
    },
];

/// Peers that are another way to drive one that is shown. They stand in the tables.
const VARIANTS: &[&str] = &[
    "floor lingering 500 us",
    "httpoll agent lingering 500 us",
    "httpoll agent polled on",
    "httpoll agent to a file",
    "httpoll agent on a thread to a file",
    "libcurl 16 KiB once a frame",
];

fn main() -> Outcome<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut from = here.join("../results");
    let mut to = here.join("../../assets");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let folder = arguments.next().map(PathBuf::from);
        match (argument.as_str(), folder) {
            ("--results", Some(folder)) => from = folder,
            ("--out", Some(folder)) => to = folder,
            _ => return Err("usage: plot [--results DIR] [--out DIR]".into()),
        }
    }
    let results = Results::read(
        &[from.join("clients.csv"), from.join("server.csv")],
        VARIANTS,
    )?;
    let soak = Buckets::read(&from.join("soak.csv"))?;
    fs::create_dir_all(&to)?;
    for plot in PLOTS {
        match plot.draw(&results, &soak)? {
            Some(svg) => {
                let path = to.join(plot.name).with_extension("svg");
                fs::write(&path, svg)?;
                println!("{}", path.display());
            }
            None => println!("no {}.svg: there are no results for it", plot.name),
        }
    }
    Ok(())
}

impl Plot {
    /// `None` without results.
    fn draw(&self, results: &Results, soak: &Buckets) -> Outcome<Option<String>> {
        let drawn = match &self.shows {
            Shows::Bars { scenario, metric } => {
                let rows = results.rows(scenario, metric);
                (!rows.is_empty())
                    .then(|| bars::draw(self.title, self.axis, &rows))
                    .transpose()?
            }
            Shows::Lines {
                scenarios,
                metric,
                across,
            } => {
                let lines = results.lines(scenarios, metric);
                (!lines.is_empty())
                    .then(|| lines::draw(self.title, across, self.axis, &lines))
                    .transpose()?
            }
            Shows::Soak => (!soak.0.is_empty())
                .then(|| histogram::draw(self.title, self.axis, soak))
                .transpose()?,
        };
        Ok(drawn.map(|svg| style::finish(&svg, self.title)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plot_has_a_name_of_its_own() {
        let mut names: Vec<_> = PLOTS.iter().map(|plot| plot.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PLOTS.len());
    }

    #[test]
    fn a_plot_without_results_is_left_out_and_one_with_them_is_drawn_the_same_twice() {
        let soak = Buckets::parse(
            "fps,bucket_us_from,bucket_us_to,frames_httpoll,frames_empty\n60,0,20,7,0\n60,20,40,0,9\n",
        )
        .unwrap();
        let mut text = "scenario,peer,metric,unit,median,low,high,ratio\n".to_owned();
        for (scenario, metric) in [("small-64-on-6", "rate"), ("idle-1", "work p50")] {
            for (peer, value) in [("floor", "4"), ("httpoll agent", "5000"), ("ureq", "0")] {
                text += &format!("{scenario},{peer},{metric},u,{value},{value},,\n");
            }
        }
        let results = Results::parse(&text, VARIANTS).unwrap();
        for plot in PLOTS {
            let first = plot.draw(&results, &soak).unwrap();
            assert_eq!(first, plot.draw(&results, &soak).unwrap());
            let is_due = ["small-gets", "idle", "soak-histogram"].contains(&plot.name);
            assert_eq!(first.is_some(), is_due, "{}", plot.name);
            if let Some(svg) = first {
                assert!(svg.contains("<title>") && !svg.contains("NaN"), "{svg}");
            }
        }
    }
}
