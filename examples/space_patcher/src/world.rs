//! What moves: stars, planets, a fleet, crystals, and the player's ship. If anything stuttered, it would show here.

use bevy::asset::RenderAssetUsages;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};
use bevy::ui::UiGlobalTransform;
use bevy::window::PrimaryWindow;

use crate::actions::Typing;
use crate::patch::SetInstalled;
use crate::ui::{self, Slots};

const STARS: usize = 28;
const PLANETS: usize = 3;
const SHIPS: usize = 18;
const CRYSTALS: usize = 5;

/// Points for a crystal.
const CRYSTAL: u64 = 50;

/// How close the ship must come to a crystal.
const REACH: f32 = 26.0;

/// How far from the edge of the view things appear, so that none is seen over a panel.
const EDGE: f32 = 12.0;

/// The ship's speed with keys, in pixels per second.
const SPEED: f32 = 320.0;

/// After this many seconds without input the ship flies by itself.
const PATIENCE: f32 = 3.0;

/// The time in which new colours appear, in seconds.
const TRANSITION: f32 = 1.5;

/// The colour of what no set has given a colour yet.
const BARE: Color = Color::srgb(0.34, 0.36, 0.45);

/// The player's points.
#[derive(Resource, Default)]
pub struct Points(pub u64);

/// The part of the window that shows the world, in world coordinates.
#[derive(Resource)]
struct View(Rect);

/// On what gets its colour from a set: the set, how much the hue differs, and the colours.
#[derive(Component)]
struct Painted {
    set: usize,
    shift: f32,
    lightness: f32,
    alpha: f32,
    from: Color,
    to: Color,
    /// Since the colour changed, in seconds.
    age: f32,
}

/// Drifts to the left, and comes back at the right.
#[derive(Component)]
struct Drift {
    /// In pixels per second.
    speed: f32,
    /// Its place between the lower and the upper edge of the view, from 0 to 1.
    height: f32,
}

/// Fills the view.
#[derive(Component)]
struct Sky;

/// Goes round the middle of the view.
#[derive(Component)]
struct Orbit {
    radius: Vec2,
    speed: f32,
    phase: f32,
}

#[derive(Component)]
struct Ship {
    /// Without input, in seconds.
    idle: f32,
}

#[derive(Component)]
struct Crystal;

pub fn plugin(app: &mut App) {
    app.init_resource::<Points>()
        .insert_resource(View(Rect::from_center_size(Vec2::ZERO, Vec2::splat(400.0))))
        .add_systems(Startup, spawn)
        .add_systems(
            Update,
            (
                measure_view,
                fill,
                drift,
                orbit,
                steer,
                collect,
                repaint,
                fade,
            )
                .chain(),
        );
}

fn spawn(mut commands: Commands, mut images: ResMut<Assets<Image>>) {
    let mut picture = |size: u32, paint: fn(Vec2) -> [f32; 4]| images.add(draw(size, paint));
    let glow = picture(64, |at| {
        let light = (1.0 - at.length()).max(0.0);
        [1.0, 1.0, 1.0, light * light]
    });
    let sky = picture(128, |at| {
        let cloud =
            |center: Vec2, size: f32| (1.0 - (at - center).length() / size).max(0.0).powi(2);
        let light = 0.42 * cloud(vec2(-0.25, 0.15), 0.95) + 0.3 * cloud(vec2(0.8, -0.6), 0.8);
        [0.035 + light * 0.9, 0.043 + light * 0.8, 0.086 + light, 1.0]
    });
    let planet = picture(96, |at| {
        let height = (1.0 - at.length_squared()).max(0.0).sqrt();
        let bands = 0.85 + 0.15 * (at.y * 11.0 + 1.5 * (at.x * 4.0).sin()).sin();
        let light = (0.2 + 0.8 * (height * 0.7 - at.x * 0.45 + at.y * 0.45)).clamp(0.12, 1.0);
        let edge = ((1.0 - at.length()) * 40.0).clamp(0.0, 1.0);
        [light * bands, light * bands, light * bands, edge]
    });
    let ship = picture(32, |at| {
        let half = 0.62 * (1.0 - at.y) * 0.5;
        let is_hull = at.x.abs() < half && at.y > -0.8 + 0.5 * (1.0 - at.x.abs() / 0.6);
        let light = if at.x < 0.0 { 1.0 } else { 0.72 };
        [light, light, light, f32::from(u8::from(is_hull))]
    });
    let crystal = picture(32, |at| {
        let size = at.x.abs() * 1.5 + at.y.abs();
        let light = if at.x * at.y > 0.0 { 1.0 } else { 0.7 };
        [light, light, light, ((0.95 - size) * 12.0).clamp(0.0, 1.0)]
    });

    // One sprite behind everything: each further layer would cost as much again without a graphics card.
    commands.spawn((
        sprite(&sky, 1.0),
        Sky,
        Painted::new(2, 0.0, 0.62, 1.0),
        at_depth(0.0),
    ));
    for star in 0..STARS {
        let depth = 0.3 + 0.7 * scatter(star * 3);
        commands.spawn((
            Sprite {
                color: ui::TEXT.with_alpha(depth * 0.8),
                custom_size: Some(Vec2::splat(1.0 + 2.0 * depth)),
                ..default()
            },
            Transform::from_xyz(660.0 * (scatter(star * 7) - 0.5), 0.0, 1.0),
            Drift {
                speed: 30.0 + 90.0 * depth,
                height: scatter(star * 11 + 5),
            },
        ));
    }
    for number in 0..PLANETS {
        let part = number as f32 / PLANETS as f32;
        let orbit = Orbit {
            radius: vec2(95.0, 58.0) + vec2(66.0, 38.0) * number as f32,
            speed: 0.55 - 0.13 * number as f32,
            phase: part * 5.0,
        };
        let size = 62.0 - 9.0 * number as f32;
        let color = Painted::new(0, 40.0 * number as f32, 0.62, 1.0);
        commands.spawn((sprite(&planet, size), color, orbit, at_depth(2.0)));
    }
    for number in 0..SHIPS {
        let part = number as f32 / SHIPS as f32;
        let orbit = Orbit {
            radius: vec2(210.0, 120.0) + 22.0 * vec2((part * 50.0).sin(), (part * 50.0).cos()),
            speed: -0.9,
            phase: part * std::f32::consts::TAU,
        };
        let color = Painted::new(1, 30.0 * part, 0.66, 1.0);
        commands.spawn((sprite(&ship, 20.0), color, orbit, at_depth(3.0)));
    }
    for number in 0..CRYSTALS {
        commands.spawn((
            sprite(&crystal, 18.0),
            Crystal,
            Drift {
                speed: 40.0 + 12.0 * number as f32,
                height: 0.1 + 0.8 * scatter(number * 9 + 4),
            },
            Transform::from_xyz(600.0 * (scatter(number * 5 + 2) - 0.5), 0.0, 4.0),
        ));
    }
    commands
        .spawn((sprite(&ship, 40.0), Ship { idle: PATIENCE }, at_depth(6.0)))
        .with_child((
            Sprite {
                color: ui::AMBER.with_alpha(0.5),
                ..sprite(&glow, 34.0)
            },
            Transform::from_xyz(0.0, -14.0, -0.5),
        ));
}

fn sprite(image: &Handle<Image>, size: f32) -> Sprite {
    Sprite {
        image: image.clone(),
        custom_size: Some(Vec2::splat(size)),
        ..default()
    }
}

fn at_depth(z: f32) -> Transform {
    Transform::from_xyz(0.0, 0.0, z)
}

/// A number from 0 to 1 that looks random.
fn scatter(number: usize) -> f32 {
    (number as f32 * 12.9898 + 4.1).sin().abs() * 43_758.547 % 1.0
}

/// Paints a square picture by a function of the place, which is from -1 to 1 in both directions.
fn draw(size: u32, paint: fn(Vec2) -> [f32; 4]) -> Image {
    let mut pixels = Vec::new();
    for y in 0..size {
        for x in 0..size {
            let at = (vec2(x as f32, y as f32) + 0.5) / size as f32 * 2.0 - 1.0;
            let pixel = paint(vec2(at.x, -at.y));
            pixels.extend(pixel.map(|channel| (channel * 255.0) as u8));
        }
    }
    Image::new(
        Extent3d {
            width: size,
            height: size,
            depth_or_array_layers: 1,
        },
        TextureDimension::D2,
        pixels,
        TextureFormat::Rgba8UnormSrgb,
        RenderAssetUsages::RENDER_WORLD,
    )
}

impl Painted {
    fn new(set: usize, shift: f32, lightness: f32, alpha: f32) -> Self {
        Self {
            set,
            shift,
            lightness,
            alpha,
            from: BARE,
            to: BARE,
            age: 0.0,
        }
    }
}

/// Follows the part of the window that the panels leave free.
fn measure_view(
    slots: Res<Slots>,
    nodes: Query<(&ComputedNode, &UiGlobalTransform)>,
    window: Single<&Window, With<PrimaryWindow>>,
    mut view: ResMut<View>,
) {
    if let Ok((node, transform)) = nodes.get(slots.view)
        && node.size.x > 0.0
    {
        let scale = window.scale_factor();
        let size = window.physical_size().as_vec2();
        let center = (transform.translation - size / 2.0) * vec2(1.0, -1.0) / scale;
        view.0 = Rect::from_center_size(center, node.size / scale);
    }
}

fn fill(view: Res<View>, sky: Single<(&mut Sprite, &mut Transform), With<Sky>>) {
    let (mut sprite, mut transform) = sky.into_inner();
    sprite.custom_size = Some(view.0.size());
    transform.translation = view.0.center().extend(0.0);
}

fn drift(time: Res<Time>, view: Res<View>, mut drifting: Query<(&Drift, &mut Transform)>) {
    for (drift, mut transform) in &mut drifting {
        transform.translation.x -= drift.speed * time.delta_secs();
        transform.translation.y = view.0.min.y + drift.height * view.0.height();
        if transform.translation.x < view.0.min.x {
            transform.translation.x = view.0.max.x - EDGE;
        }
    }
}

fn orbit(time: Res<Time>, view: Res<View>, mut orbiting: Query<(&Orbit, &mut Transform)>) {
    // The orbits were made for a view of this size.
    let scale = (view.0.size() / vec2(600.0, 340.0)).min_element();
    for (orbit, mut transform) in &mut orbiting {
        let angle = orbit.phase + orbit.speed * time.elapsed_secs();
        let place = view.0.center() + Vec2::from_angle(angle) * orbit.radius * scale;
        let ahead = (Vec2::from_angle(angle).perp() * orbit.radius) * orbit.speed.signum();
        transform.translation = place.extend(transform.translation.z);
        transform.rotation = match orbit.speed < 0.0 {
            true => Quat::from_rotation_z(Vec2::Y.angle_to(ahead)),
            false => Quat::IDENTITY,
        };
    }
}

/// The arrow keys or the mouse steer the ship. Without either it flies to the nearest crystal.
fn steer(
    time: Res<Time>,
    keys: Res<ButtonInput<KeyCode>>,
    typing: Res<Typing>,
    window: Single<&Window, With<PrimaryWindow>>,
    mut last_cursor: Local<Option<Vec2>>,
    view: Res<View>,
    crystals: Query<&Transform, (With<Crystal>, Without<Ship>)>,
    ship: Single<(&mut Ship, &mut Transform)>,
) {
    let (mut ship, mut transform) = ship.into_inner();
    let at = transform.translation.truncate();
    let key = |code| f32::from(u8::from(keys.pressed(code) && !typing.0));
    let direction = vec2(
        key(KeyCode::ArrowRight) - key(KeyCode::ArrowLeft),
        key(KeyCode::ArrowUp) - key(KeyCode::ArrowDown),
    );
    let half = vec2(window.width(), window.height()) / 2.0;
    let cursor = window
        .cursor_position()
        .map(|cursor| (cursor - half) * vec2(1.0, -1.0))
        .filter(|cursor| view.0.contains(*cursor));
    let has_moved = cursor.is_some() && cursor != *last_cursor;
    *last_cursor = cursor;
    ship.idle = match direction != Vec2::ZERO || has_moved {
        true => 0.0,
        false => ship.idle + time.delta_secs(),
    };
    let nearest = crystals
        .iter()
        .map(|crystal| crystal.translation.truncate())
        .filter(|crystal| view.0.contains(*crystal))
        .min_by(|one, other| one.distance(at).total_cmp(&other.distance(at)));
    let target = match cursor {
        _ if direction != Vec2::ZERO => at + direction.normalize() * SPEED,
        Some(cursor) if ship.idle < PATIENCE => cursor,
        _ => nearest.unwrap_or(view.0.center()),
    };
    let way = (target - at).clamp_length_max(SPEED * 0.6) * 2.0;
    let next = at + way.clamp_length_max(SPEED) * time.delta_secs();
    let next = next.clamp(view.0.min + 16.0, view.0.max - 16.0);
    transform.translation = next.extend(transform.translation.z);
    if way.length() > 5.0 {
        let wanted = Quat::from_rotation_z(Vec2::Y.angle_to(way));
        transform.rotation = transform
            .rotation
            .slerp(wanted, (8.0 * time.delta_secs()).min(1.0));
    }
}

fn collect(
    view: Res<View>,
    time: Res<Time>,
    ship: Single<&Transform, With<Ship>>,
    mut crystals: Query<(&mut Transform, &mut Sprite, &mut Drift), (With<Crystal>, Without<Ship>)>,
    mut points: ResMut<Points>,
) {
    for (mut crystal, mut sprite, mut drift) in &mut crystals {
        crystal.rotate_z(time.delta_secs());
        sprite.color = ui::AMBER;
        if crystal
            .translation
            .distance(ship.translation.with_z(crystal.translation.z))
            < REACH
        {
            points.0 += CRYSTAL;
            crystal.translation.x = view.0.max.x - EDGE;
            drift.height = 0.1 + 0.8 * scatter(points.0 as usize + 3);
        }
    }
}

/// A set has arrived.
fn repaint(mut installed: MessageReader<SetInstalled>, mut painted: Query<&mut Painted>) {
    for installed in installed.read() {
        for mut painted in painted.iter_mut().filter(|it| it.set == installed.set) {
            let hue = (installed.palette.hue + painted.shift).rem_euclid(360.0);
            painted.from = painted.to;
            painted.to = Color::hsl(hue, 0.75, painted.lightness);
            painted.age = 0.0;
        }
    }
}

fn fade(time: Res<Time>, mut painted: Query<(&mut Painted, &mut Sprite)>) {
    for (mut painted, mut sprite) in &mut painted {
        painted.age += time.delta_secs();
        let part = (painted.age / TRANSITION).min(1.0);
        let color = painted.from.mix(&painted.to, part);
        sprite.color = color.with_alpha(painted.alpha);
    }
}
