//! [`HttpOutbox`]: events that must arrive, queued in a file.

use std::path::PathBuf;

use bevy_ecs::resource::Resource;
use httpoll::Error;
use httpoll::outbox::{Outbox, OutboxState};
use serde_core::Serialize;

use crate::resources::agent::HttpAgent;

/// Telemetry and saved games that must arrive; see [`httpoll::outbox`]. Insert it as a resource: the plugin polls
/// it in [`HttpollSystems::Dispatch`], and the last frame of the app sends what waits, at most for
/// [`HttpOutbox::exit_deadline`]. What is not sent then is sent by the next run.
///
/// [`HttpollSystems::Dispatch`]: crate::HttpollSystems::Dispatch
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn set_up(mut http: ResMut<HttpAgent>, mut commands: Commands) -> Result {
///     let outbox = HttpOutbox::open(&mut http, "telemetry.outbox", "https://game.example/events")?;
///     commands.insert_resource(outbox);
///     Ok(())
/// }
///
/// fn level_up(mut outbox: ResMut<HttpOutbox>) -> Result {
///     outbox.push("level up")?;
///     Ok(())
/// }
/// ```
#[derive(Resource, Debug)]
pub struct HttpOutbox {
    outbox: Outbox,
    exit_deadline: std::time::Duration,
}

impl HttpOutbox {
    /// An outbox with the default options; see [`Outbox::open`].
    ///
    /// # Errors
    /// Those of [`Outbox::open`].
    pub fn open(
        http: &mut HttpAgent,
        file: impl Into<PathBuf>,
        url: impl Into<String>,
    ) -> Result<Self, Error> {
        Self::with(http, file, url, |outbox| outbox)
    }

    /// An outbox with other options: its limits, its interval, its form of batches.
    ///
    /// # Errors
    /// Those of [`Outbox::open`].
    pub fn with(
        http: &mut HttpAgent,
        file: impl Into<PathBuf>,
        url: impl Into<String>,
        configure: impl FnOnce(Outbox) -> Outbox,
    ) -> Result<Self, Error> {
        Ok(Self {
            outbox: configure(Outbox::open(&mut http.agent, file, url)?),
            exit_deadline: std::time::Duration::from_secs(1),
        })
    }

    /// Sets how long the last frame may take to send what waits. Default 1 s.
    #[must_use]
    pub fn exit_deadline(mut self, deadline: std::time::Duration) -> Self {
        self.exit_deadline = deadline;
        self
    }

    /// Queues an event; see [`Outbox::push`].
    ///
    /// # Errors
    /// Those of [`Outbox::push`].
    pub fn push<T: Serialize + ?Sized>(&mut self, event: &T) -> Result<(), Error> {
        self.outbox.push(event)
    }

    /// What waits, was sent, and was lost.
    pub fn state(&self) -> OutboxState {
        self.outbox.state()
    }

    /// Why the last batch was not sent, or the file not written.
    pub fn last_error(&self) -> Option<&Error> {
        self.outbox.last_error()
    }

    pub(crate) fn poll(&mut self, http: &mut HttpAgent) {
        self.outbox.poll(&mut http.agent);
    }

    /// Sends what waits, and blocks meanwhile.
    pub(crate) fn flush(&mut self, http: &mut HttpAgent) {
        if !self.outbox.flush(&mut http.agent, self.exit_deadline) {
            let waiting = self.outbox.state().waiting;
            log::info!("{waiting} events of the outbox stay for the next run");
        }
    }
}
