//! The pictures of the gallery: planets, painted at the start.
//!
//! They have 8 bits a channel: a browser's WebGL cannot show textures with 16.

use std::io;

use bevy_httpoll::httpoll::Bytes;
use bevy_httpoll::httpoll::server::{Request, Response};

use super::{PICTURE_RATE, Reply};

/// The number of different pictures.
const PICTURES: usize = 24;

/// Their width and height.
const SIZE: u32 = 96;

pub struct Pictures(Vec<Bytes>);

impl Pictures {
    pub fn generate() -> io::Result<Self> {
        let pictures: io::Result<_> = (0..PICTURES).map(|number| encode(&paint(number))).collect();
        Ok(Self(pictures?))
    }

    /// `NUMBER.png`, for any number.
    pub fn reply(&self, request: &mut Request) -> Reply {
        let name = request.param("name").unwrap_or_default();
        let number = name
            .strip_suffix(".png")
            .and_then(|number| number.parse().ok());
        match number.and_then(|number: usize| self.0.get(number % PICTURES)) {
            Some(picture) => {
                let mut head = Response::new();
                let described = head.set_content_type("image/png").is_ok();
                debug_assert!(described);
                Reply::Paced(head, picture.clone(), PICTURE_RATE)
            }
            None => Reply::Whole(Response::status(404)),
        }
    }
}

fn encode(pixels: &[u8]) -> io::Result<Bytes> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIZE, SIZE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(Bytes::from(file))
}

/// A lit planet before a nebula.
fn paint(number: usize) -> Vec<u8> {
    let seed = number as f32 * 7.31;
    let hue = number as f32 * 0.618_034;
    let mut pixels = Vec::with_capacity((SIZE * SIZE * 3) as usize);
    for y in 0..SIZE {
        for x in 0..SIZE {
            let (u, v) = (x as f32 / SIZE as f32 - 0.5, y as f32 / SIZE as f32 - 0.5);
            let sky = cloud(u * 3.0 + seed, v * 3.0, 4).powi(2) * 0.55;
            let mut color = mix([0.03, 0.04, 0.09], shade(hue + 0.45, 1.0), sky);
            let radius = 0.3 + 0.08 * seed.sin();
            let (px, py) = ((u + 0.05) / radius, (v - 0.03) / radius);
            let distance = px * px + py * py;
            if distance < 1.0 {
                let height = (1.0 - distance).sqrt();
                let land = cloud(px * 1.6 + seed * 3.0, py * 2.2 + height, 5);
                let light = (0.75 * height - 0.5 * px - 0.45 * py).clamp(0.06, 1.0);
                let ground = mix(shade(hue, 0.9), shade(hue + 0.12, 0.35), land);
                color = ground.map(|channel| channel * light * 1.25);
            } else if distance < 1.25 {
                let glow = (1.25 - distance) * 1.6;
                color = mix(color, shade(hue, 1.0), glow * glow);
            }
            pixels.extend(color.map(|channel| (channel.clamp(0.0, 1.0) * 255.0) as u8));
        }
    }
    pixels
}

/// A colour of this hue, from 0 to 1.
fn shade(hue: f32, value: f32) -> [f32; 3] {
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| {
        let wave = 0.5 + 0.5 * ((hue + shift) * std::f32::consts::TAU).cos();
        value * (0.25 + 0.75 * wave)
    })
}

fn mix(one: [f32; 3], other: [f32; 3], part: f32) -> [f32; 3] {
    [0, 1, 2].map(|at| one[at] + (other[at] - one[at]) * part.clamp(0.0, 1.0))
}

/// Value noise of several octaves, from 0 to 1.
fn cloud(x: f32, y: f32, octaves: i32) -> f32 {
    let octave = |n: i32| grain(x * 2_f32.powi(n), y * 2_f32.powi(n)) * 0.5_f32.powi(n + 1);
    (0..octaves).map(octave).sum()
}

fn grain(x: f32, y: f32) -> f32 {
    let corner = |x: f32, y: f32| ((x * 127.1 + y * 311.7).sin() * 43_758.547).rem_euclid(1.0);
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (left, top) = (x.floor(), y.floor());
    let (s, t) = (smooth(x - left), smooth(y - top));
    let row = |y: f32| corner(left, y) + (corner(left + 1.0, y) - corner(left, y)) * s;
    row(top) + (row(top + 1.0) - row(top)) * t
}
