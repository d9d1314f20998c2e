//! A line for each peer, named at its end.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;
use crate::results::Track;
use crate::style::{self, INK, TEXT, TITLE, WIDTH};

/// Pixels.
const HEIGHT: u32 = 420;
const NAMES: u32 = 200;
const BETWEEN_NAMES: i32 = 17;

/// Both axes are logarithmic: what grows with the other is a slope, what does not lies flat.
pub fn draw(title: &str, across: &str, up: &str, tracks: &[Track]) -> Outcome<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
    let points = || tracks.iter().flat_map(|track| track.points.iter().copied());
    let (left, right) = style::range(points().map(|(x, _)| x));
    let (least, most) = style::range(points().map(|(_, y)| y));
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
    for (track, colour) in tracks.iter().zip(colours) {
        let width = if style::is_ours(&track.peer) { 3 } else { 2 };
        let points: Vec<_> = (track.points.iter())
            .map(|(x, y)| (*x, y.max(bottom)))
            .collect();
        chart.draw_series([PathElement::new(points.clone(), colour.stroke_width(width))])?;
        let dot = |at: &(f64, f64)| Circle::new(*at, 4, colour.filled());
        chart.draw_series(points.iter().map(dot))?;
        if let Some(last) = points.last() {
            names.push((chart.backend_coord(last), track.peer.clone(), colour));
        }
    }
    let (edge, _) = chart.backend_coord(&(right, bottom));
    // What was measured is named on the axis, and nothing else.
    let mut measured: Vec<f64> = points().map(|(x, _)| x).collect();
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
