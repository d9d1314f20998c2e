//! One row for each peer: the median, a whisker from the lowest round to the highest, the figure. The median
//! is a bar that begins at zero, or a dot on a logarithmic axis: that has no zero for a bar to begin at.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;
use crate::results::Row;
use crate::style::{self, INK, TEXT, TITLE, WIDTH};

/// Pixels: of a row, of the peers' names, of the figures behind the bars, and of title and axis.
const ROW: u32 = 30;
const NAMES: u32 = 190;
const FIGURES: u32 = 80;
const AROUND: u32 = 100;
/// Pixels: the radius of a dot.
const DOT: i32 = 6;

pub fn draw(title: &str, axis: &str, rows: &[Row]) -> Outcome<String> {
    let values = || rows.iter().flat_map(|row| [row.median, row.low, row.high]);
    let (least, most) = style::range(values());
    let axis = |scale: &str| {
        let peers = rows.iter().map(|row| row.peer.as_str());
        style::with_floor(&format!("{axis}{scale}"), peers)
    };
    if style::is_wide(values()) {
        let from = style::decade(least);
        let across = (from..most * 1.05).log_scale();
        chart(
            title,
            &axis(" (logarithmic)"),
            rows,
            across,
            from,
            Median::Dot,
        )
    } else {
        chart(title, &axis(""), rows, 0.0..most * 1.05, 0.0, Median::Bar)
    }
}

#[derive(Clone, Copy)]
enum Median {
    Bar,
    Dot,
}

fn chart<X>(
    title: &str,
    axis: &str,
    rows: &[Row],
    across: X,
    from: f64,
    median: Median,
) -> Outcome<String>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let mut svg = String::new();
    let height = ROW * u32::try_from(rows.len())? + AROUND;
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, style::text(TITLE))
        .margin(8)
        .margin_right(FIGURES)
        .x_label_area_size(44)
        .y_label_area_size(NAMES)
        .build_cartesian_2d::<X, std::ops::Range<f64>>(across, 0.0..count)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_labels(6)
        .x_label_formatter(&|value| style::number(*value))
        .x_desc(axis)
        .label_style(style::text(TEXT))
        .axis_desc_style(style::text(TEXT))
        .axis_style(INK)
        .bold_line_style(INK.mix(0.3))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (at, row) in rows.iter().enumerate() {
        let middle = count - at as f64 - 0.5;
        let shown = |value: f64| value.max(from);
        let colour = style::bar(&row.peer);
        let whisker = PathElement::new(
            [(shown(row.low), middle), (shown(row.high), middle)],
            INK.stroke_width(2),
        );
        match median {
            Median::Bar => {
                let ends = [(from, middle - 0.32), (shown(row.median), middle + 0.32)];
                chart.draw_series([Rectangle::new(ends, colour.filled())])?;
                chart.draw_series([whisker])?;
            }
            // Zero is not on a logarithmic axis: only its figure is written.
            Median::Dot if row.median <= 0.0 => {}
            Median::Dot => {
                chart.draw_series([whisker])?;
                let at = (shown(row.median), middle);
                chart.draw_series([Circle::new(at, DOT, colour.filled())])?;
            }
        }
        let text = |hpos| style::text(TEXT).pos(Pos::new(hpos, VPos::Center));
        let (left, y) = chart.backend_coord(&(from, middle));
        let (whisker_end, _) = chart.backend_coord(&(shown(row.high), middle));
        let (median_at, _) = chart.backend_coord(&(shown(row.median), middle));
        let right = match median {
            Median::Bar => whisker_end.max(median_at),
            Median::Dot => whisker_end.max(median_at + DOT),
        };
        root.draw(&Text::new(
            row.peer.clone(),
            (left - 8, y),
            text(HPos::Right),
        ))?;
        root.draw(&Text::new(
            style::number(row.median),
            (right + 6, y),
            text(HPos::Left),
        ))?;
    }
    drop(chart);
    root.present()?;
    drop(root);
    Ok(svg)
}
