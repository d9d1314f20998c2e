//! The leaderboard: a request that is repeated, and the player's points, which are posted.

use std::time::Duration;

use bevy::prelude::*;
use bevy_httpoll::prelude::*;
use serde::{Deserialize, Serialize};

use crate::faults::reason;
use crate::site::Site;
use crate::ui::{self, Slots};
use crate::world::Points;

/// A line of the leaderboard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Score {
    pub name: String,
    pub points: u64,
}

/// How many lines are shown.
const LINES: usize = 5;

/// The time from one refresh to the next.
const REFRESH: Duration = Duration::from_secs(1);

/// The longest time between refreshes while they fail.
const LONGEST: Duration = Duration::from_secs(3);

#[derive(Component)]
struct Line(usize);

#[derive(Component)]
struct Status;

pub fn plugin(app: &mut App) {
    app.add_systems(Startup, build.after(ui::build))
        .add_systems(
            Update,
            (
                refresh.run_if(resource_added::<Site>),
                submit.run_if(resource_exists::<Site>),
            ),
        );
}

fn build(mut commands: Commands, slots: Res<Slots>) {
    for line in 0..LINES {
        commands.spawn((
            ui::text("", 13.0, ui::TEXT),
            Line(line),
            ChildOf(slots.leaderboard),
        ));
    }
    commands.spawn((
        ui::text("", 11.0, ui::DIM),
        Status,
        ChildOf(slots.leaderboard),
    ));
}

fn refresh(site: Res<Site>, mut http: Http) {
    http.get(site.url("scores"))
        .insert(HttpRepeat {
            longest: LONGEST,
            ..HttpRepeat::every(REFRESH)
        })
        .on_json(show);
}

fn show(
    on: On<HttpJson<Vec<Score>>>,
    time: Res<Time<Real>>,
    mut lines: Query<(&Line, &mut Text, &mut TextColor), Without<Status>>,
    status: Single<(&mut Text, &mut TextColor), With<Status>>,
) {
    let (mut text, mut color) = status.into_inner();
    match &on.result {
        Ok(scores) => {
            for (line, mut text, mut color) in &mut lines {
                let Some(score) = scores.get(line.0) else {
                    continue;
                };
                text.0 = format!("{}. {:<22} {:>7}", line.0 + 1, score.name, score.points);
                color.0 = if score.name == "you" {
                    ui::AMBER
                } else {
                    ui::TEXT
                };
            }
            text.0 = format!("refreshed {:.0} s after the start", time.elapsed_secs());
            color.0 = ui::DIM;
        }
        Err(error) => {
            text.0 = ui::shorten(&format!("not refreshed: {}", reason(error)), 44);
            color.0 = ui::RED;
        }
    }
}

/// Posts the player's points, if there are more. A later post replaces an earlier one, so nothing is lost if one
/// fails.
fn submit(
    points: Res<Points>,
    site: Res<Site>,
    time: Res<Time<Real>>,
    mut due: Local<f32>,
    mut posted: Local<u64>,
    mut http: Http,
) {
    if points.0 != *posted && time.elapsed_secs() > *due {
        *due = time.elapsed_secs() + 1.0;
        *posted = points.0;
        http.post(site.url("scores"))
            .json(&Score {
                name: "you".to_owned(),
                points: points.0,
            })
            .on_error(|on: On<HttpError>| debug!("the points were not posted: {}", on.error));
    }
}
