//! The gallery: pictures that Bevy's `AssetServer` loads from `http://` paths, one after the other.

use bevy::asset::{AssetLoadFailedEvent, LoadState};
use bevy::prelude::*;

use crate::site::Site;
use crate::ui::{self, Slots};

const ROWS: usize = 2;
const COLUMNS: usize = 6;
const SIZE: f32 = 46.0;

/// A new picture begins to load this often, in seconds.
const INTERVAL: f32 = 0.35;

/// How many load at a time.
const AT_ONCE: usize = 3;

/// How long a picture takes to appear, in seconds.
const FADE: f32 = 0.6;

/// A place of the gallery, and the picture that is loading for it.
#[derive(Component, Default)]
struct Place {
    loading: Option<Handle<Image>>,
    /// Since its picture is there, in seconds.
    age: f32,
}

#[derive(Component)]
struct Status;

#[derive(Default)]
struct Next {
    picture: usize,
    due: f32,
}

pub fn plugin(app: &mut App) {
    app.add_systems(Startup, build.after(ui::build))
        .add_systems(
            Update,
            (
                load.run_if(resource_exists::<Site>),
                arrive,
                report_failures,
            ),
        );
}

fn build(mut commands: Commands, slots: Res<Slots>) {
    for _ in 0..ROWS {
        let row = commands.spawn((ui::row(), ChildOf(slots.gallery))).id();
        for _ in 0..COLUMNS {
            commands.spawn((
                Place::default(),
                Node {
                    width: px(SIZE),
                    height: px(SIZE),
                    border: UiRect::all(px(1)),
                    border_radius: BorderRadius::all(px(4)),
                    ..default()
                },
                ImageNode::default().with_color(Color::NONE),
                BackgroundColor(ui::SPACE),
                BorderColor::all(ui::SPACE),
                ChildOf(row),
            ));
        }
    }
    commands.spawn((ui::text("", 11.0, ui::DIM), Status, ChildOf(slots.gallery)));
}

/// Begins to load the next picture.
fn load(
    time: Res<Time<Real>>,
    site: Res<Site>,
    assets: Res<AssetServer>,
    mut next: Local<Next>,
    mut places: Query<&mut Place>,
) {
    let loading = places
        .iter()
        .filter(|place| place.loading.is_some())
        .count();
    if time.elapsed_secs() < next.due || loading >= AT_ONCE {
        return;
    }
    next.due = time.elapsed_secs() + INTERVAL;
    // Places take turns. Each picture has another path, so that it is fetched.
    let index = next.picture % (ROWS * COLUMNS);
    if let Some(mut place) = places.iter_mut().nth(index)
        && place.loading.is_none()
    {
        let path = site.url(&format!("pictures/{}.png", next.picture));
        place.loading = Some(assets.load(path));
        next.picture += 1;
    }
}

/// Shows the pictures that have arrived.
fn arrive(
    time: Res<Time<Real>>,
    assets: Res<AssetServer>,
    mut places: Query<(&mut Place, &mut ImageNode, &mut BorderColor)>,
    mut status: Single<(&mut Text, &mut TextColor), With<Status>>,
    mut arrived: Local<usize>,
) {
    for (mut place, mut image, mut border) in &mut places {
        let state = place
            .loading
            .as_ref()
            .map(|handle| assets.load_state(handle));
        match state {
            Some(LoadState::Loaded) => {
                image.image = place.loading.take().unwrap_or_default();
                place.age = 0.0;
                *arrived += 1;
                let (text, color) = &mut *status;
                text.0 = format!("{} pictures arrived", *arrived);
                color.0 = ui::DIM;
            }
            Some(LoadState::Failed(_)) => place.loading = None,
            _ => {}
        }
        let edge = if place.loading.is_some() {
            ui::BLUE
        } else {
            ui::SPACE
        };
        border.set_if_neq(BorderColor::all(edge));
        place.age += time.delta_secs();
        let alpha = match image.image == Handle::default() {
            true => 0.0,
            false => (place.age / FADE).min(1.0),
        };
        if image.color.alpha() != alpha {
            image.color = Color::WHITE.with_alpha(alpha);
        }
    }
}

fn report_failures(
    mut failures: MessageReader<AssetLoadFailedEvent<Image>>,
    mut status: Single<(&mut Text, &mut TextColor), With<Status>>,
) {
    for failure in failures.read() {
        let (text, color) = &mut *status;
        debug!("a picture did not arrive: {}", failure.error);
        text.0 = "the latest picture did not arrive".to_owned();
        color.0 = ui::RED;
    }
}
