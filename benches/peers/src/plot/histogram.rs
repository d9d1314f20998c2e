//! How many frames took how long, the app's beside an empty loop's, a panel for each frame rate.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;
use crate::results::{Bucket, Buckets};
use crate::style::{self, FLOOR, INK, OURS, TEXT, TITLE, WIDTH};

/// Pixels.
const PANEL: u32 = 250;
const HEAD: u32 = 62;

/// Few of many frames are what matters, so the axis of frames is logarithmic, which has no zero for bars to begin
/// at: each bucket is a dot with a line as wide as the bucket. The axis of time is logarithmic, too, because buckets
/// grow with it.
pub fn draw(title: &str, axis: &str, buckets: &Buckets) -> Outcome<String> {
    let mut svg = String::new();
    let height = HEAD + PANEL * u32::try_from(buckets.0.len())?;
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let middle = Pos::new(HPos::Center, VPos::Center);
    root.draw(&Text::new(
        title.to_owned(),
        (WIDTH as i32 / 2, 18),
        style::text(TITLE).pos(middle),
    ))?;
    let keys = [
        (OURS.filled(), "the app with httpoll"),
        (
            FLOOR.stroke_width(2),
            "an empty loop that spins for the budget",
        ),
    ];
    for (at, (style, what)) in [120, 340].into_iter().zip(keys) {
        root.draw(&Circle::new((at + 8, 46), 5, style))?;
        let beside = Pos::new(HPos::Left, VPos::Center);
        let text = style::text(TEXT).pos(beside);
        root.draw(&Text::new(what, (at + 24, 46), text))?;
    }
    let all = || buckets.0.iter().flat_map(|(_, buckets)| buckets);
    // The first and the last buckets may be empty.
    let full = || all().filter(|it| it.httpoll + it.empty > 0.0);
    let end = full().map(|it| it.to).fold(2.0, f64::max);
    let (least, _) = style::range(full().map(|it| it.from));
    let begin = least.min(end / 10.0).max(1.0);
    let (_, most) = style::range(all().flat_map(|it| [it.httpoll, it.empty]));
    let (_, below) = root.split_vertically(HEAD);
    for (panel, (fps, buckets)) in below
        .split_evenly((buckets.0.len(), 1))
        .iter()
        .zip(&buckets.0)
    {
        let mut chart = ChartBuilder::on(panel)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(66)
            .build_cartesian_2d((begin..end).log_scale(), (0.5..most * 1.5).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .y_labels(6)
            .x_label_formatter(&|_| String::new())
            .y_label_formatter(&|value| style::number(*value))
            .x_desc(format!("time of a frame at {fps} fps, µs (logarithmic)"))
            .y_desc(format!("{axis} (logarithmic)"))
            .label_style(style::text(TEXT))
            .axis_desc_style(style::text(TEXT))
            .axis_style(INK)
            .bold_line_style(INK.mix(0.3))
            .light_line_style(TRANSPARENT)
            .draw()?;
        let app = levels(buckets, |it| it.httpoll, begin);
        let empty = levels(buckets, |it| it.empty, begin);
        for ([left, right], at) in &empty {
            let line = PathElement::new([*left, *right], FLOOR.stroke_width(2));
            chart.draw_series([line])?;
            chart.draw_series([Circle::new(*at, 5, FLOOR.stroke_width(2))])?;
        }
        for ([left, right], at) in &app {
            let line = PathElement::new([*left, *right], OURS.stroke_width(2));
            chart.draw_series([line])?;
            chart.draw_series([Circle::new(*at, 4, OURS.filled())])?;
        }
        for time in one_two_five(begin, end) {
            style::tick(&root, time, chart.backend_coord(&(time, 0.5)))?;
        }
    }
    root.present()?;
    drop((root, below));
    Ok(svg)
}

/// The two ends of each bucket that is not empty, and its middle, at the height of its count.
type Level = ([(f64, f64); 2], (f64, f64));

fn levels(buckets: &[Bucket], count: impl Fn(&Bucket) -> f64, begin: f64) -> Vec<Level> {
    (buckets.iter())
        .filter(|it| count(it) > 0.0)
        .map(|it| {
            let (from, to, height) = (it.from.max(begin), it.to.max(begin), count(it));
            // Halfway on a logarithmic axis.
            let middle = (from * to).sqrt();
            ([(from, height), (to, height)], (middle, height))
        })
        .collect()
}

/// What is written on a logarithmic axis.
fn one_two_five(begin: f64, end: f64) -> Vec<f64> {
    let mut values = Vec::new();
    let mut decade = style::decade(begin);
    while decade <= end {
        values.extend([1.0, 2.0, 5.0].map(|it| it * decade));
        decade *= 10.0;
    }
    values.retain(|value| (begin..=end).contains(value));
    values
}
