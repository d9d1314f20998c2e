//! Colours, sizes, numbers. The background is the page's own, light or dark: so nothing is lighter or
//! darker than reads on both.

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, PathElement, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{IntoFont, RGBColor, TextStyle};

use crate::Outcome;

/// Of all text and axes.
pub const INK: RGBColor = RGBColor(0x77, 0x7b, 0x80);
/// This library.
pub const OURS: RGBColor = RGBColor(0xd9, 0x5f, 0x0e);
/// What can be reached by hand, and an empty loop.
pub const FLOOR: RGBColor = RGBColor(0x84, 0x88, 0x8d);
/// Others, in bars.
pub const OTHERS: RGBColor = RGBColor(0x3d, 0x83, 0xc4);
/// Others, where each has a line.
const LINES: [RGBColor; 6] = [
    RGBColor(0x3d, 0x83, 0xc4),
    RGBColor(0x2e, 0x94, 0x60),
    RGBColor(0x93, 0x80, 0x1f),
    RGBColor(0x1f, 0x90, 0x97),
    RGBColor(0xa5, 0x6a, 0x4a),
    RGBColor(0x5f, 0x77, 0xb8),
];
/// Further ones of ours, in lines.
const OURS_TOO: [RGBColor; 2] = [RGBColor(0x8a, 0x6d, 0xe0), RGBColor(0xd6, 0x3a, 0x7e)];

pub const WIDTH: u32 = 760;
pub const TITLE: f64 = 20.0;
pub const TEXT: f64 = 15.5;

pub fn text(size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// A value below the axis, at this point of it.
pub fn tick(
    root: &DrawingArea<SVGBackend<'_>, Shift>,
    value: f64,
    (x, y): (i32, i32),
) -> Outcome<()> {
    let below = text(TEXT).pos(Pos::new(HPos::Center, VPos::Top));
    root.draw(&PathElement::new([(x, y), (x, y + 5)], INK))?;
    root.draw(&Text::new(number(value), (x, y + 8), below))?;
    Ok(())
}

pub fn bar(peer: &str) -> RGBColor {
    if is_ours(peer) {
        OURS
    } else if is_floor(peer) {
        FLOOR
    } else {
        OTHERS
    }
}

/// The colour of each peer's line, in the same order.
pub fn lines<'a>(peers: impl Iterator<Item = &'a str>) -> Vec<RGBColor> {
    let mut ours = [OURS].into_iter().chain(OURS_TOO).cycle();
    let mut others = LINES.into_iter().cycle();
    let colour = |peer: &str| {
        if is_ours(peer) {
            ours.next()
        } else if is_floor(peer) {
            Some(FLOOR)
        } else {
            others.next()
        }
    };
    peers.map(colour).map(|it| it.unwrap_or(OTHERS)).collect()
}

/// What stands at the points of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Circle,
    Triangle,
    Cross,
    Ring,
}

impl Mark {
    /// The same as a letter, before the name.
    pub fn sign(self) -> char {
        match self {
            Self::Circle => '●',
            Self::Triangle => '▲',
            Self::Cross => '×',
            Self::Ring => '○',
        }
    }
}

/// The mark of the peer with this number.
pub fn mark(peer: &str, number: usize) -> Mark {
    if is_ours(peer) {
        return Mark::Circle;
    }
    match number % 3 {
        0 => Mark::Cross,
        1 => Mark::Triangle,
        _ => Mark::Ring,
    }
}

pub fn is_ours(peer: &str) -> bool {
    peer.starts_with("httpoll")
}

pub fn is_floor(peer: &str) -> bool {
    peer.starts_with("floor")
}

/// What the axis shows, and what *floor* means where a floor is shown.
pub fn with_floor<'a>(axis: &str, mut peers: impl Iterator<Item = &'a str>) -> String {
    if peers.any(is_floor) {
        format!("{axis}; floor: a GET written by hand over mio")
    } else {
        axis.to_owned()
    }
}

/// Three figures, and thousands apart.
pub fn number(value: f64) -> String {
    let digits = match value {
        it if it == 0.0 || it >= 100.0 || it.fract() == 0.0 => 0,
        it if it >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut apart = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + rest
}

/// Whether these range over so much that the small ones would not be seen beside the large ones.
pub fn is_wide(values: impl Iterator<Item = f64>) -> bool {
    let (least, most) = range(values);
    most / least > 30.0
}

/// The least and the most above zero; 1 and 1 if there is none.
pub fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
    if most > 0.0 {
        (least, most)
    } else {
        (1.0, 1.0)
    }
}

/// The power of ten at or below.
pub fn decade(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

/// Adds what it is called, for those who do not see it, and lets it shrink with the page.
pub fn finish(svg: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    svg.replacen(
        '>',
        &format!(" role=\"img\" style=\"max-width:100%;height:auto\">\n<title>{title}</title>"),
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast as in WCAG 2.2.
    fn luminance(colour: RGBColor) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
    }

    fn contrast(one: RGBColor, other: RGBColor) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        (one / other).max(other / one)
    }

    #[test]
    fn everything_reads_on_white_and_on_dark() {
        let pages = [RGBColor(0xff, 0xff, 0xff), RGBColor(0x0d, 0x11, 0x17)];
        for page in pages {
            assert!(contrast(INK, page) >= 4.0, "text on {page:?}");
            let ours = [OURS, FLOOR, OTHERS].into_iter().chain(OURS_TOO);
            for colour in ours.chain(LINES) {
                assert!(contrast(colour, page) >= 3.0, "{colour:?} on {page:?}");
            }
        }
    }

    /// What someone without red or without green receptors sees (Viénot, Brettel and Mollon, 1999), simplified to
    /// linear light.
    fn as_seen_without(red: bool, colour: RGBColor) -> [f64; 3] {
        let part = |it: u8| (f64::from(it) / 255.0).powf(2.2);
        let (r, g, b) = (part(colour.0), part(colour.1), part(colour.2));
        let (yellow, blue) = if red {
            (0.112 * r + 0.888 * g, 0.004 * r - 0.004 * g + b)
        } else {
            (0.293 * r + 0.707 * g, -0.021 * r + 0.021 * g + b)
        };
        [yellow, yellow, blue].map(|it| it.max(0.0).powf(1.0 / 2.2))
    }

    #[test]
    fn ours_the_floor_and_others_differ_for_the_colour_blind() {
        let pairs = [(OURS, FLOOR), (OURS, OTHERS), (FLOOR, OTHERS)];
        for (one, other) in pairs {
            for red in [true, false] {
                let (one, other) = (as_seen_without(red, one), as_seen_without(red, other));
                let apart: f64 = one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
                assert!(apart.sqrt() > 0.2, "{one:?} {other:?} {apart}");
            }
        }
    }

    #[test]
    fn lines_that_follow_each_other_have_different_marks() {
        for number in 0..6 {
            assert_ne!(mark("ureq", number), mark("hyper", number + 1));
            assert_ne!(mark("ureq", number), mark("httpoll agent", number));
        }
    }

    #[test]
    fn numbers_have_three_figures() {
        let shown = [0.0, 0.256, 2.0, 12.34, 123.4, 1234.5, 1_234_567.0].map(number);
        assert_eq!(
            shown,
            ["0", "0.26", "2", "12.3", "123", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn a_wide_range_is_seen_and_zero_is_no_part_of_it() {
        assert!(is_wide([0.0, 1.0, 31.0].into_iter()));
        assert!(!is_wide([0.0, 1.0, 29.0].into_iter()));
        assert!(!is_wide([0.0].into_iter()));
    }
}
