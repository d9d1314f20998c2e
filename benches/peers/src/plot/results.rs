//! The results' files, as they were written by `clients`, `server.sh` and the soak.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::Outcome;

/// `scenario,peer,metric,unit,median,low,high,ratio`.
pub struct Results(Vec<Line>);

struct Line {
    scenario: String,
    metric: String,
    row: Row,
}

/// What one peer reached.
#[derive(Clone)]
pub struct Row {
    pub peer: String,
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// One peer over several scenarios.
pub struct Track {
    pub peer: String,
    pub points: Vec<Point>,
}

/// The rounds of one scenario: where it stands across, and its figures.
#[derive(Clone, Copy)]
pub struct Point {
    pub across: f64,
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// `fps,bucket_us_from,bucket_us_to,frames_httpoll,frames_empty`, by frame rate.
pub struct Buckets(pub Vec<(u32, Vec<Bucket>)>);

/// Frames that took from so many to so many microseconds.
#[derive(Clone, Copy)]
pub struct Bucket {
    pub from: f64,
    pub to: f64,
    pub httpoll: f64,
    pub empty: f64,
}

impl Results {
    /// All files that there are.
    pub fn read(paths: &[impl AsRef<Path>], without: &[&str]) -> Outcome<Self> {
        let mut all = Self(Vec::new());
        for path in paths {
            all.0
                .extend(Self::parse(&text_of(path.as_ref())?, without)?.0);
        }
        Ok(all)
    }

    pub fn parse(text: &str, without: &[&str]) -> Outcome<Self> {
        let mut lines = Vec::new();
        for record in csv::Reader::from_reader(text.as_bytes()).records() {
            let record = record?;
            let cell = |at: usize| {
                (record.get(at)).ok_or_else(|| format!("{record:?} has no cell {}", at + 1))
            };
            let peer = cell(1)?.to_owned();
            // What could not be measured has no figure.
            let Some(median) = number(cell(4)?)? else {
                continue;
            };
            if without.contains(&peer.as_str()) {
                continue;
            }
            lines.push(Line {
                scenario: cell(0)?.to_owned(),
                metric: cell(2)?.to_owned(),
                row: Row {
                    peer,
                    median,
                    low: number(cell(5)?)?.unwrap_or(median),
                    high: number(cell(6)?)?.unwrap_or(median),
                },
            });
        }
        Ok(Self(lines))
    }

    /// In the file's order.
    pub fn rows(&self, scenario: &str, metric: &str) -> Vec<Row> {
        (self.0.iter())
            .filter(|line| line.scenario == scenario && line.metric == metric)
            .map(|line| line.row.clone())
            .collect()
    }

    pub fn lines(&self, scenarios: &[(f64, &str)], metric: &str) -> Vec<Track> {
        let mut tracks: Vec<Track> = Vec::new();
        for (across, scenario) in scenarios {
            for row in self.rows(scenario, metric) {
                let point = Point {
                    across: *across,
                    median: row.median,
                    low: row.low,
                    high: row.high,
                };
                match tracks.iter_mut().find(|track| track.peer == row.peer) {
                    Some(track) => track.points.push(point),
                    None => tracks.push(Track {
                        peer: row.peer,
                        points: vec![point],
                    }),
                }
            }
        }
        tracks
    }
}

impl Buckets {
    pub fn read(path: &Path) -> Outcome<Self> {
        Self::parse(&text_of(path)?)
    }

    pub fn parse(text: &str) -> Outcome<Self> {
        let mut rates: Vec<(u32, Vec<Bucket>)> = Vec::new();
        for record in csv::Reader::from_reader(text.as_bytes()).records() {
            let record = record?;
            let cell = |at: usize| -> Outcome<f64> {
                let text = record.get(at).unwrap_or_default();
                number(text)?.ok_or_else(|| format!("{record:?} lacks a figure").into())
            };
            let fps = record.get(0).unwrap_or_default().parse()?;
            let bucket = Bucket {
                from: cell(1)?,
                to: cell(2)?,
                httpoll: cell(3)?,
                empty: cell(4)?,
            };
            match rates.iter_mut().find(|(rate, _)| *rate == fps) {
                Some((_, buckets)) => buckets.push(bucket),
                None => rates.push((fps, vec![bucket])),
            }
        }
        Ok(Self(rates))
    }
}

/// Nothing, when there is no such file.
fn text_of(path: &Path) -> Outcome<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// A figure that can be drawn; `None` for an empty cell.
fn number(text: &str) -> Outcome<Option<f64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if number.is_finite() && number >= 0.0 {
        Ok(Some(number))
    } else {
        Err(format!("{text:?} cannot be drawn").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_files_order_and_empty_cells_are_left_out() {
        let text = "scenario,peer,metric,unit,median,low,high,ratio\n\
            s,b,rate,u,2,1,3,1\ns,\"a, quoted\",rate,u,4,,,\ns,c,rate,u,,,,\ns,d,rate,u,1,1,1,\n\
            s,b,other,u,9,9,9,\n";
        let results = Results::parse(text, &["d"]).unwrap();
        let rows = results.rows("s", "rate");
        let shown: Vec<_> = rows.iter().map(|it| (it.peer.as_str(), it.low)).collect();
        assert_eq!(shown, [("b", 1.0), ("a, quoted", 4.0)]);
    }

    #[test]
    fn what_is_no_figure_is_an_error() {
        for cell in ["x", "NaN", "inf", "-1"] {
            let text = format!("a,b,c,d,e,f,g,h\ns,p,m,u,{cell},1,1,1\n");
            assert!(Results::parse(&text, &[]).is_err(), "{cell}");
        }
        assert!(Buckets::parse("a,b,c,d,e\n60,0,20,1,\n").is_err());
    }
}
