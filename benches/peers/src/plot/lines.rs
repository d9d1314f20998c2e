//! A line for each peer, named at its end: dots at the medians, whiskers from the lowest round to the highest. Each
//! peer has a mark of its own besides its color, for those who do not tell colors apart.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;
use crate::results::{Point, Track};
use crate::style::{self, INK, Mark, TEXT, TITLE, WIDTH};

/// Pixels.
const HEIGHT: u32 = 420;
const NAMES: u32 = 200;
const BETWEEN_NAMES: i32 = 17;

/// Both axes are logarithmic: what grows with the other is a slope, what does not lies flat.
pub fn draw(title: &str, across: &str, up: &str, tracks: &[Track]) -> Outcome<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
    let points = || tracks.iter().flat_map(|track| track.points.iter().copied());
    let (left, right) = style::range(points().map(|point| point.across));
    let (least, most) = style::range(points().flat_map(|it| [it.median, it.low, it.high]));
    let bottom = style::decade(least);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, style::text(TITLE))
        .margin(8)
        .margin_right(NAMES)
        .x_label_area_size(44)
        .y_label_area_size(66)
        .build_cartesian_2d(
            // A range without length has no scale.
            (left..right.max(left * 1.01)).log_scale(),
            (bottom..most * 1.2).log_scale(),
        )?;
    let wide = format!("{up} (logarithmic)");
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_label_formatter(&|_| String::new())
        .y_labels(8)
        .y_label_formatter(&|value| style::number(*value))
        .x_desc(style::with_floor(
            across,
            tracks.iter().map(|track| track.peer.as_str()),
        ))
        .y_desc(wide)
        .label_style(style::text(TEXT))
        .axis_desc_style(style::text(TEXT))
        .axis_style(INK)
        .bold_line_style(INK.mix(0.3))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mut names = Vec::new();
    let colours = style::lines(tracks.iter().map(|track| track.peer.as_str()));
    for (number, (track, colour)) in tracks.iter().zip(colours).enumerate() {
        let width = if style::is_ours(&track.peer) { 3 } else { 2 };
        let shown = |value: f64| value.max(bottom);
        let at = |point: &Point| (point.across, shown(point.median));
        let middles: Vec<_> = track.points.iter().map(at).collect();
        chart.draw_series([PathElement::new(
            middles.clone(),
            colour.stroke_width(width),
        )])?;
        chart.draw_series(track.points.iter().map(|point| {
            let ends = [point.low, point.high].map(|end| (point.across, shown(end)));
            PathElement::new(ends, colour.stroke_width(1))
        }))?;
        let filled = colour.filled();
        let middles = middles.into_iter();
        match style::mark(&track.peer, number) {
            Mark::Circle => chart.draw_series(middles.map(|at| Circle::new(at, 4, filled)))?,
            Mark::Triangle => {
                chart.draw_series(middles.map(|at| TriangleMarker::new(at, 6, filled)))?
            }
            Mark::Cross => {
                chart.draw_series(middles.map(|at| Cross::new(at, 4, colour.stroke_width(2))))?
            }
            Mark::Ring => {
                chart.draw_series(middles.map(|at| Circle::new(at, 5, colour.stroke_width(2))))?
            }
        };
        if let Some(last) = track.points.last() {
            let name = format!("{} {}", style::mark(&track.peer, number).sign(), track.peer);
            names.push((chart.backend_coord(&at(last)), name, colour));
        }
    }
    let (edge, _) = chart.backend_coord(&(right, bottom));
    // What was measured is named on the axis, and nothing else.
    let mut measured: Vec<f64> = points().map(|point| point.across).collect();
    measured.sort_by(f64::total_cmp);
    measured.dedup();
    for x in measured {
        style::tick(&root, x, chart.backend_coord(&(x, bottom)))?;
    }
    drop(chart);
    // Names that would lie on each other move down, then all up again as far as they must.
    names.sort_by_key(|((_, y), ..)| *y);
    let mut lowest = i32::MIN / 2;
    for ((_, y), ..) in &mut names {
        *y = (*y).max(lowest + BETWEEN_NAMES);
        lowest = *y;
    }
    let mut highest = HEIGHT as i32 - 20;
    for ((_, y), ..) in names.iter_mut().rev() {
        *y = (*y).min(highest);
        highest = *y - BETWEEN_NAMES;
    }
    for ((_, y), peer, colour) in names {
        let style = style::text(TEXT)
            .color(&colour)
            .pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(peer, (edge + 12, y), style))?;
    }
    root.present()?;
    drop(root);
    Ok(svg)
}
