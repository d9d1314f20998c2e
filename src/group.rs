//! [`PollGroup`]: clients, agents and servers that are polled together.
//!
//! This file holds the public API. The shared poller and the loop are in `transport`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::budget::{Budget, Polled};
use crate::error::Error;
use crate::transport::memory::MemoryNetwork;
use crate::transport::poll_loop::{AsMachine, Machine, PollLoop};
use crate::transport::poller::Poller;
use crate::transport::watcher::Watcher;

/// What a [`PollGroup`] polls: [`HttpClient`](crate::HttpClient), [`Agent`](crate::Agent) and
/// [`Server`](crate::server::Server). Nothing else can implement it.
pub trait GroupMember: Sealed {}

/// Prevents other crates from implementing [`GroupMember`].
pub trait Sealed {
    #[doc(hidden)]
    fn member(&mut self) -> MachineOf<'_>;
}

/// The state machine of a member. Other crates cannot use it.
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

/// Polls clients, agents and servers together, with one system call for all of them and within one budget.
///
/// In each poll, every member that has something to do gets a turn. Then members with more work get further
/// turns in rotation, of some 100 µs each, until no work or no budget is left. So what one member does not
/// use is available to the others.
///
/// A client, an agent or a server joins when it is made: with
/// [`HttpClient::in_group`](crate::HttpClient::in_group) (or later, with
/// [`join`](crate::HttpClient::join)), [`AgentBuilder::group`](crate::agent::AgentBuilder::group) or
/// [`ServerBuilder::group`](crate::server::ServerBuilder::group). It leaves when it is dropped. A member
/// may also be polled by itself at any time. [`poll`](Self::poll) also accepts clients, agents and servers
/// that did not join, at the cost of one system call each. An agent [on a thread of its
/// own](crate::agent::AgentBuilder::on_thread) never joins.
///
/// Poll the members of a group on one thread. They share a pool of receive buffers. Reads of content
/// between two polls reduce the budget of all members.
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
    /// The index of the member that gets the first turn of the next poll.
    first: AtomicUsize,
    watcher: Option<Watcher>,
}

impl PollGroup {
    /// A group without members. It opens nothing yet.
    pub fn new() -> Self {
        Self::on(Poller::group())
    }

    /// A group on an in-memory network with its virtual clock, for tests. Its members use that network,
    /// too.
    pub fn on_memory(network: &MemoryNetwork) -> Self {
        Self::on(Poller::memory(network))
    }

    fn on(poller: Poller) -> Self {
        Self {
            poller,
            first: AtomicUsize::new(0),
            watcher: None,
        }
    }

    /// Sets a function that is called when a [poll](Self::poll) of the group is worthwhile, for programs that draw
    /// only when something changes. It works as
    /// [`AgentBuilder::on_event`](crate::agent::AgentBuilder::on_event) does for an agent without a thread of its
    /// own, for all members: clients, agents and servers. After you gave a member something to do, poll once; only
    /// agents notice by themselves. On an in-memory network the function is never called, nor if the system
    /// refuses the thread: see [`calls_on_event`](Self::calls_on_event).
    #[must_use]
    pub fn on_event(mut self, notify: impl Fn() + Send + Sync + 'static) -> Self {
        self.watcher = Watcher::start(&self.poller, Arc::new(notify));
        self
    }

    /// Whether the function of [`on_event`](Self::on_event) is called.
    pub fn calls_on_event(&self) -> bool {
        self.watcher.is_some()
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Does what sockets and `budget` allow. Call it once per frame, with all members. The members' own
    /// budgets do not apply here; the limits on accepted connections and on handler calls apply to each
    /// server.
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

    /// A second poll in the same frame, for what the game gave members to do since the first: requests and responses
    /// leave in this frame, and what the first poll had to leave is continued. If there is nothing of that kind, it
    /// makes no system call; what arrived meanwhile is found by the next [`poll`](Self::poll). So a frame in which
    /// nothing happens costs one system call.
    ///
    /// Pass members that the first poll had; not all of them are needed.
    ///
    /// ```
    /// # use httpoll::memory::MemoryNetwork;
    /// use httpoll::{Budget, HttpClient, PollGroup};
    ///
    /// # let network = MemoryNetwork::new();
    /// # let group = PollGroup::on_memory(&network);
    /// # /*
    /// let group = PollGroup::new();
    /// # */
    /// let mut scores = HttpClient::in_group(&group);
    /// let budget = Budget::default();
    /// group.poll(&budget, &mut [&mut scores])?;
    /// // The game runs here, and may start requests.
    /// group.poll_again(&budget, &mut [&mut scores])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_again(
        &self,
        budget: &Budget,
        members: &mut [&mut dyn GroupMember],
    ) -> Result<Polled, Error> {
        let now = self.poller.clock().now();
        let first = self.first.load(Ordering::Relaxed);
        PollLoop::new(&self.poller, members)
            .starting_at(first)
            .poll_again(now, budget)
    }

    /// Sleeps until a member can do something or `timeout` has passed, then polls for at most some 10 ms.
    /// It is meant for loops without frames; a game calls [`poll`](Self::poll).
    ///
    /// Pass only members that joined this group. Others cannot end the sleep, so with them it lasts a
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

/// The budget of a wait after its sleep: the caller's loop must continue, however much arrives.
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
