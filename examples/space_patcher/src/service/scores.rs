//! The leaderboard: rivals whose points grow, and the player.

use std::time::Instant;

use bevy_httpoll::httpoll::server::{Request, Response};

use crate::leaderboard::Score;

/// Rivals: their name, and how many points they make in a second.
const RIVALS: [(&str, f64); 5] = [
    ("Quaternion", 31.0),
    ("polly", 27.0),
    ("Ada", 43.0),
    ("Mira", 12.0),
    ("zed", 36.0),
];

pub struct Scores {
    began: Instant,
    now: Instant,
    player: u64,
}

impl Default for Scores {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            now,
            player: 0,
        }
    }
}

impl Scores {
    pub fn turn(&mut self, now: Instant) {
        self.now = now;
    }

    /// The best first.
    pub fn table(&self) -> Vec<Score> {
        let seconds = (self.now - self.began).as_secs_f64();
        let mut table: Vec<Score> = RIVALS
            .iter()
            .enumerate()
            .map(|(rank, (name, speed))| Score {
                name: (*name).to_owned(),
                // They make their points in steps.
                points: 900 - 150 * rank as u64 + ((seconds * speed / 50.0) as u64) * 50,
            })
            .collect();
        table.push(Score {
            name: "you".to_owned(),
            points: self.player,
        });
        table.sort_by_key(|score| std::cmp::Reverse(score.points));
        table
    }

    pub fn submit(&mut self, request: &Request) -> Response {
        match serde_json::from_slice::<Score>(request.body()) {
            Ok(score) => {
                self.player = score.points;
                Response::status(204)
            }
            Err(_) => Response::status(400),
        }
    }
}
