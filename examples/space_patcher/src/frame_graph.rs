//! The graph of recent frame times, with a line at the budget of 60 frames per second.

use std::collections::VecDeque;

use bevy::asset::RenderAssetUsages;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};
use bevy_httpoll::prelude::*;

use crate::ui::{self, Slots};

/// The time of a frame at 60 frames per second, in milliseconds.
const BUDGET: f32 = 1000.0 / 60.0;

/// A frame that takes up to this much longer than the budget is still drawn as one that keeps it: the clock of a
/// display is not exact.
const TOLERANCE: f32 = 1.1;

/// The time at the top of the graph, in milliseconds.
const TOP: f32 = 2.0 * BUDGET;

const WIDTH: usize = 596;
const HEIGHT: usize = 64;

/// The width of a frame's column, with the gap to the next.
const COLUMN: usize = 4;

/// The latest frame times in milliseconds, the oldest first.
#[derive(Resource, Default)]
struct Frames(VecDeque<f32>);

#[derive(Resource)]
struct Graph(Handle<Image>);

#[derive(Component)]
struct Figures;

pub fn plugin(app: &mut App) {
    app.init_resource::<Frames>()
        .add_systems(Startup, build.after(ui::build))
        .add_systems(Update, (measure, draw, write).chain());
}

fn build(mut commands: Commands, slots: Res<Slots>, mut images: ResMut<Assets<Image>>) {
    let size = Extent3d {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        depth_or_array_layers: 1,
    };
    let usages = RenderAssetUsages::MAIN_WORLD | RenderAssetUsages::RENDER_WORLD;
    let format = TextureFormat::Rgba8UnormSrgb;
    let image = images.add(Image::new_fill(
        size,
        TextureDimension::D2,
        &[0; 4],
        format,
        usages,
    ));
    let figures = commands.spawn((ui::text("", 11.0, ui::TEXT), Figures)).id();
    let picture = Node {
        width: percent(100),
        height: px(HEIGHT as f32),
        ..default()
    };
    let picture = commands
        .spawn((ImageNode::new(image.clone()), picture))
        .id();
    commands
        .entity(slots.graph)
        .insert_children(2, &[figures, picture]);
    commands.insert_resource(Graph(image));
}

fn measure(time: Res<Time<Real>>, mut frames: ResMut<Frames>) {
    frames.0.push_back(time.delta_secs() * 1000.0);
    if frames.0.len() > WIDTH / COLUMN {
        frames.0.pop_front();
    }
}

fn draw(frames: Res<Frames>, graph: Res<Graph>, mut images: ResMut<Assets<Image>>) {
    let Some(mut image) = images.get_mut(&graph.0) else {
        return;
    };
    let Some(pixels) = &mut image.data else {
        return;
    };
    let [ground, line] = [Color::srgb_u8(12, 15, 29), ui::AMBER].map(bytes);
    let colors = [ui::TEAL, ui::AMBER, ui::RED].map(bytes);
    for pixel in pixels.chunks_exact_mut(4) {
        pixel.copy_from_slice(&ground);
    }
    let mut set = |x: usize, y: usize, color: [u8; 4]| {
        let at = (y * WIDTH + x) * 4;
        if let Some(pixel) = pixels.get_mut(at..at + 4) {
            pixel.copy_from_slice(&color);
        }
    };
    let row = |milliseconds: f32| {
        let height = (milliseconds / TOP).min(1.0) * HEIGHT as f32;
        HEIGHT - (height as usize).clamp(1, HEIGHT)
    };
    // The latest frame is at the right edge.
    let first = WIDTH / COLUMN - frames.0.len();
    for (column, milliseconds) in frames.0.iter().enumerate() {
        let color = match milliseconds / BUDGET {
            ..=TOLERANCE => colors[0],
            ..1.5 => colors[1],
            _ => colors[2],
        };
        for y in row(*milliseconds)..HEIGHT {
            for x in 0..COLUMN - 1 {
                set((first + column) * COLUMN + x, y, color);
            }
        }
    }
    for x in (0..WIDTH).filter(|x| x % 8 < 5) {
        set(x, row(BUDGET), line);
    }
}

fn bytes(color: Color) -> [u8; 4] {
    color.to_srgba().to_u8_array()
}

/// Writes the figures, four times in a second so that they can be read.
fn write(
    time: Res<Time<Real>>,
    mut due: Local<f32>,
    mut spent: Local<Vec<f32>>,
    frames: Res<Frames>,
    http: Res<HttpAgent>,
    mut figures: Single<&mut Text, With<Figures>>,
) {
    spent.push(http.spent().0.as_secs_f32() * 1000.0);
    if time.elapsed_secs() < *due || frames.0.is_empty() {
        return;
    }
    *due = time.elapsed_secs() + 0.25;
    let mut sorted: Vec<f32> = frames.0.iter().copied().collect();
    sorted.sort_by(f32::total_cmp);
    let mean = sorted.iter().sum::<f32>() / sorted.len() as f32;
    let http_mean = spent.iter().sum::<f32>() / spent.len() as f32;
    spent.clear();
    figures.0 = format!(
        "{:.0} fps    median {:.1} ms    longest {:.1} ms    HTTP {:.2} ms a frame    line: {BUDGET:.1} ms",
        1000.0 / mean,
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
        http_mean,
    );
}
