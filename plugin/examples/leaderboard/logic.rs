//! All that a game needs for its leaderboard. At most thirty lines of logic, which a test counts.

use std::time::Duration;

use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_state::prelude::*;
use serde::{Deserialize, Serialize};

/// What the game shows.
#[derive(States, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Screen {
    #[default]
    Match,
    Leaderboard,
}

/// A line of the leaderboard.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) player: String,
    pub(crate) points: u64,
}

/// The list to draw.
#[derive(Resource, Default)]
pub(crate) struct Leaderboard {
    pub(crate) scores: Vec<Score>,
    pub(crate) is_saved_copy: bool,
    pub(crate) problem: Option<String>,
}

/// Time between two refreshes of the open leaderboard.
pub(crate) const REFRESH: Duration = Duration::from_secs(5);

// logic: begin
/// In `OnEnter(Screen::Leaderboard)`.
pub(crate) fn open(mut http: Http) {
    http.get("scores")
        .error_for_status()
        .stale_if_error()
        .insert(HttpRepeat::every(REFRESH))
        .insert(DespawnOnExit(Screen::Leaderboard))
        .on_json(show);
}

fn show(mut on: On<HttpJson<Vec<Score>>>, mut board: ResMut<Leaderboard>) {
    board.is_saved_copy = on.response.as_ref().is_some_and(|it| it.is_from_cache());
    board.problem = on.result.as_ref().err().map(ToString::to_string);
    if let Ok(scores) = &mut on.result {
        board.scores = std::mem::take(scores);
    }
}

/// At the end of a match. `id` is different for each match.
pub(crate) fn submit(http: &mut Http, token: &str, id: &str, score: &Score) {
    http.post("scores")
        .bearer(token)
        .idempotency_key(id)
        .json(score)
        .error_for_status()
        .insert(HttpRetry::times(5))
        .on_error(|on: On<HttpError>| println!("the score was not submitted: {}", on.error));
}
// logic: end
