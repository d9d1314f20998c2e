//! From what single runs said to tables and to the file of results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Outcome;

/// What one run measured, in the order of the columns.
#[derive(Default)]
pub struct Metrics(pub Vec<(String, String, f64)>);

impl Metrics {
    pub fn add(&mut self, name: &str, unit: &str, value: f64) {
        self.0.push((name.to_owned(), unit.to_owned(), value));
    }

    /// How a run tells its parent.
    pub fn to_lines(&self) -> String {
        self.0
            .iter()
            .fold(String::new(), |mut lines, (name, unit, value)| {
                let _ = writeln!(lines, "{name}\t{unit}\t{value}");
                lines
            })
    }

    pub fn from_lines(lines: &str) -> Outcome<Self> {
        let mut metrics = Self::default();
        for line in lines.lines() {
            let mut parts = line.split('\t');
            let (Some(name), Some(unit), Some(value)) = (parts.next(), parts.next(), parts.next())
            else {
                return Err(format!("a run said {line:?}").into());
            };
            metrics.add(name, unit, value.parse()?);
        }
        Ok(metrics)
    }
}

/// All rounds of one scenario: for each peer its runs, `None` where one failed.
pub struct Rounds {
    pub scenario: String,
    pub title: String,
    /// The first is what the others' ratios are to.
    pub peers: Vec<(&'static str, Vec<Option<Metrics>>)>,
}

pub struct Cell {
    pub metric: String,
    pub unit: String,
    pub median: f64,
    pub low: f64,
    pub high: f64,
    /// The median over the rounds of this peer's value to the first peer's in the same round.
    pub ratio: f64,
}

impl Rounds {
    fn cells(&self, peer: usize) -> Vec<Cell> {
        let runs = &self.peers[peer].1;
        let first = &self.peers[0].1;
        let Some(columns) = runs.iter().flatten().next() else {
            return Vec::new();
        };
        (columns.0.iter())
            .map(|(metric, unit, _)| {
                let value = |run: &Option<Metrics>| {
                    let metrics = run.as_ref()?;
                    let found = metrics.0.iter().find(|it| it.0 == *metric)?;
                    Some(found.2)
                };
                let mut values: Vec<f64> = runs.iter().filter_map(value).collect();
                let mut ratios: Vec<f64> = (runs.iter().zip(first))
                    .filter_map(|(run, first)| Some(value(run)? / value(first)?))
                    .filter(|ratio| ratio.is_finite())
                    .collect();
                values.sort_by(f64::total_cmp);
                Cell {
                    metric: metric.clone(),
                    unit: unit.clone(),
                    low: values.first().copied().unwrap_or(f64::NAN),
                    high: values.last().copied().unwrap_or(f64::NAN),
                    median: median(&mut values),
                    ratio: median(&mut ratios),
                }
            })
            .collect()
    }

    /// A table in Markdown; the last column is the ratio of the first metric.
    pub fn table(&self) -> String {
        let mut text = format!("### `{}`: {}\n\n", self.scenario, self.title);
        let all: Vec<Vec<Cell>> = (0..self.peers.len()).map(|at| self.cells(at)).collect();
        let Some(columns) = all.iter().find(|cells| !cells.is_empty()) else {
            return text + "(no run ended well)\n";
        };
        text += "| peer |";
        for cell in columns {
            let _ = match cell.unit.as_str() {
                "" => write!(text, " {} |", cell.metric),
                unit if unit == cell.metric => write!(text, " {unit} |"),
                unit => write!(text, " {}, {unit} |", cell.metric),
            };
        }
        text += " ratio |\n|";
        text += &"---|".repeat(columns.len() + 2);
        text += "\n";
        for ((name, _), cells) in self.peers.iter().zip(&all) {
            let _ = write!(text, "| {name} |");
            for column in columns {
                match cells.iter().find(|cell| cell.metric == column.metric) {
                    None => text += " – |",
                    Some(cell) if shown(cell.low) == shown(cell.high) => {
                        let _ = write!(text, " {} |", shown(cell.median));
                    }
                    Some(cell) => {
                        let (low, high) = (shown(cell.low), shown(cell.high));
                        let _ = write!(text, " {} ({low}..{high}) |", shown(cell.median));
                    }
                }
            }
            match cells.first() {
                Some(cell) if cell.ratio.is_finite() => {
                    let _ = writeln!(text, " {:.2} |", cell.ratio);
                }
                _ => text += " – |\n",
            }
        }
        text
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        for (at, (name, _)) in self.peers.iter().enumerate() {
            for cell in self.cells(at) {
                let number = |it: f64| {
                    if it.is_finite() {
                        format!("{it:.6}")
                            .trim_end_matches('0')
                            .trim_end_matches('.')
                            .to_owned()
                    } else {
                        String::new()
                    }
                };
                let _ = writeln!(
                    text,
                    "{},{name},{},{},{},{},{},{}",
                    self.scenario,
                    cell.metric,
                    cell.unit,
                    number(cell.median),
                    number(cell.low),
                    number(cell.high),
                    number(cell.ratio)
                );
            }
        }
        text
    }

    /// Replaces what the file says of this scenario; other scenarios stay.
    pub fn save(&self, path: &Path) -> Outcome<()> {
        let mut scenarios: BTreeMap<String, String> = BTreeMap::new();
        let mut order = Vec::new();
        for line in fs::read_to_string(path).unwrap_or_default().lines().skip(1) {
            let name = line.split(',').next().unwrap_or_default().to_owned();
            if !order.contains(&name) {
                order.push(name.clone());
            }
            let lines = scenarios.entry(name).or_default();
            lines.push_str(line);
            lines.push('\n');
        }
        if !order.contains(&self.scenario) {
            order.push(self.scenario.clone());
        }
        scenarios.insert(self.scenario.clone(), self.lines());
        let mut text = String::from("scenario,peer,metric,unit,median,low,high,ratio\n");
        text.extend(
            order
                .iter()
                .filter_map(|name| scenarios.get(name))
                .map(String::as_str),
        );
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
        Ok(())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// Three figures.
fn shown(value: f64) -> String {
    match value.abs() {
        it if it == 0.0 || it >= 100.0 => format!("{value:.0}"),
        it if it >= 10.0 && value.fract() != 0.0 => format!("{value:.1}"),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: f64) -> Option<Metrics> {
        let mut metrics = Metrics::default();
        metrics.add("rate", "MB/s", rate);
        Some(metrics)
    }

    fn rounds(scenario: &str) -> Rounds {
        Rounds {
            scenario: scenario.to_owned(),
            title: "a title".to_owned(),
            peers: vec![
                ("floor", vec![run(10.0), run(20.0), run(40.0)]),
                ("other", vec![run(5.0), None, run(40.0)]),
            ],
        }
    }

    #[test]
    fn a_ratio_is_of_the_same_round_and_a_failed_run_is_left_out() {
        let cells = rounds("s").cells(1);
        assert_eq!(cells.len(), 1);
        let cell = &cells[0];
        assert_eq!((cell.low, cell.median, cell.high), (5.0, 22.5, 40.0));
        assert_eq!(cell.ratio, 0.75);
    }

    #[test]
    fn metrics_survive_the_way_from_child_to_parent() {
        let lines = run(1.25).unwrap_or_default().to_lines();
        let metrics = Metrics::from_lines(&lines).unwrap();
        assert_eq!(metrics.0, [("rate".to_owned(), "MB/s".to_owned(), 1.25)]);
        assert!(Metrics::from_lines("rate MB/s").is_err());
    }

    #[test]
    fn saving_replaces_one_scenario_and_keeps_the_others() {
        let path = std::env::temp_dir().join(format!("clients-{}.csv", std::process::id()));
        let _ = fs::remove_file(&path);
        rounds("one").save(&path).unwrap();
        rounds("two").save(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        rounds("one").save(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        fs::remove_file(&path).unwrap();
        let lines: Vec<&str> = first.lines().collect();
        assert_eq!(lines[0], "scenario,peer,metric,unit,median,low,high,ratio");
        assert_eq!(lines[1], "one,floor,rate,MB/s,20,10,40,1");
        assert_eq!(lines[4], "two,other,rate,MB/s,22.5,5,40,0.75");
    }

    #[test]
    fn figures_are_short() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.50"),
            (2.0, "2"),
            (12.34, "12.3"),
            (1234.5, "1234"),
        ];
        for (value, text) in cases {
            assert_eq!(shown(value), text);
        }
    }
}
