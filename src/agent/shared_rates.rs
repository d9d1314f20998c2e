//! The limits on the bandwidth that requests of an [`Agent`] share: all together, and those of each priority. How
//! they are kept is in `engine/bandwidth`.

use super::agent::Agent;
use super::engine::command::Command;
use super::settings::Priority;

impl Agent {
    /// Changes how many bytes of content per second all requests together may send, and receive; `None` and 0
    /// mean no limit.
    pub fn set_global_rate_limit(&mut self, bytes_per_second: Option<u64>) {
        self.command(Command::SetSharedRateLimit(None, bytes_per_second));
    }

    /// Changes how many bytes of content per second all requests of one priority together may send, and
    /// receive; `None` and 0 mean no limit. The [limit of all](Self::set_global_rate_limit) and those of single
    /// requests hold as well. What a priority may not use is left to the others.
    ///
    /// ```
    /// # use httpoll::{Agent, Priority};
    /// # let mut agent = Agent::new();
    /// // While the match runs, downloads leave the line to the game.
    /// agent.set_priority_rate_limit(Priority::Streaming, Some(500_000));
    /// agent.set_priority_rate_limit(Priority::Background, Some(50_000));
    /// // In the menu they may have all of it.
    /// agent.set_priority_rate_limit(Priority::Streaming, None);
    /// ```
    pub fn set_priority_rate_limit(&mut self, priority: Priority, bytes_per_second: Option<u64>) {
        self.command(Command::SetSharedRateLimit(
            Some(priority),
            bytes_per_second,
        ));
    }
}
