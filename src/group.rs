//! Clients, agents and servers that are polled together: [`PollGroup`].
//!
//! What a group does lives in `transport`: one poller, one loop. Here is its public face.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::budget::{Budget, Polled};
use crate::error::Error;
use crate::transport::memory::MemoryNetwork;
use crate::transport::poll_loop::{AsMachine, Machine, PollLoop};
use crate::transport::poller::Poller;

/// What a [`PollGroup`] polls: [`HttpClient`](crate::HttpClient), [`Agent`](crate::Agent) and
/// [`Server`](crate::server::Server). Nothing else can implement it.
pub trait GroupMember: Sealed {}

/// Keeps others from implementing [`GroupMember`].
pub trait Sealed {
    #[doc(hidden)]
    fn member(&mut self) -> MachineOf<'_>;
}

/// The machine of a member, which nobody outside of this crate can use.
pub struct MachineOf<'a>(pub(crate) &'a mut dyn Machine);

impl fmt::Debug for MachineOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineOf").finish_non_exhaustive()
    }
}

impl AsMachine for dyn GroupMember + '_ {
    fn machine(&mut self) -> &mut dyn Machine {
        self.member().0
    }
}

/// Polls clients, agents and servers together: with one system call for all of them, and within one
/// budget.
///
/// Each member that has something to do gets a turn, then turns of at most some 100 µs in rotation go to
/// those that have more, until nothing or no budget is left. What an idle member does not need is there
/// for the others.
///
/// A client, an agent or a server joins when it is made: by
/// [`HttpClient::in_group`](crate::HttpClient::in_group) (or later, by
/// [`join`](crate::HttpClient::join)), [`AgentBuilder::group`](crate::agent::AgentBuilder::group) or
/// [`ServerBuilder::group`](crate::server::ServerBuilder::group). It leaves when it is dropped. It may
/// be polled by itself at any time, and others may be passed to [`poll`](Self::poll), too, for a system
/// call each. An agent [on a thread of its own](crate::agent::AgentBuilder::on_thread) never joins.
///
/// The members of a group are meant to be polled on one thread. Members share a memory pool; when one
/// has read content between two polls, less of the budget is left for the others.
///
/// ```
/// use httpoll::memory::MemoryNetwork;
/// use httpoll::{Budget, HttpClient, PollGroup, Status};
///
/// # let network = MemoryNetwork::new();
/// # network.add_name("game.example", &["10.0.0.1".parse()?]);
/// # network.serve("10.0.0.1:80".parse()?, || |_: &mut httpoll::memory::Peer| {});
/// # let group = PollGroup::on_memory(&network);
/// # /*
/// let group = PollGroup::new();
/// # */
/// let mut lobby = HttpClient::in_group(&group);
/// let mut scores = HttpClient::in_group(&group);
/// lobby.connect_to_host("game.example", -1, None)?;
/// scores.connect_to_host("game.example", -1, None)?;
/// while lobby.get_status() != Status::Connected || scores.get_status() != Status::Connected {
///     group.poll(&Budget::default(), &mut [&mut lobby, &mut scores])?; // once a frame
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PollGroup {
    poller: Poller,
    /// Whose turn comes first in the next poll.
    first: AtomicUsize,
}

impl PollGroup {
    /// A group without members. Opens nothing yet.
    pub fn new() -> Self {
        Self::on(Poller::group())
    }

    /// A group on an in-memory network with its virtual clock, for tests. Its members are on that network,
    /// too.
    pub fn on_memory(network: &MemoryNetwork) -> Self {
        Self::on(Poller::memory(network))
    }

    fn on(poller: Poller) -> Self {
        Self {
            poller,
            first: AtomicUsize::new(0),
        }
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Goes as far as sockets and `budget` allow. Call it once a frame, with all members. Their own
    /// budgets do not count here; the limits on accepting and on handler calls hold for each server.
    ///
    /// A failure of one client is reported by that client, not here.
    ///
    /// # Errors
    /// [`NetworkFault::System`](crate::error::NetworkFault::System) when the operating system's readiness call
    /// fails. Then the requests of all clients have failed, too. The group can be polled again.
    pub fn poll(
        &self,
        budget: &Budget,
        members: &mut [&mut dyn GroupMember],
    ) -> Result<Polled, Error> {
        let now = self.poller.clock().now();
        let first = self.first.fetch_add(1, Ordering::Relaxed);
        PollLoop::new(&self.poller, members)
            .starting_at(first)
            .poll(now, budget)
    }

    /// Sleeps until a member can do something or `timeout` is over, then polls for at most some 10 ms. For
    /// loops without frames; a game calls [`poll`](Self::poll).
    ///
    /// Pass only members that joined this group: the others cannot end the sleep, so that it lasts a
    /// millisecond at most.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn wait(
        &self,
        timeout: Option<Duration>,
        members: &mut [&mut dyn GroupMember],
    ) -> Result<Polled, Error> {
        let budget = Budget {
            accepts: None,
            ..Budget::frame(AWAKE)
        };
        let first = self.first.fetch_add(1, Ordering::Relaxed);
        PollLoop::new(&self.poller, members)
            .starting_at(first)
            .wait(timeout, &budget)
    }
}

/// What a wait may spend once it is awake: its caller's loop must turn, however much comes.
const AWAKE: Duration = Duration::from_millis(10);

impl Default for PollGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PollGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollGroup").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "agent", feature = "server"))]
mod tests;
