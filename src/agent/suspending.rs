//! The agent's calls for the end of a program, and for times in the background. What they do is in the engine.

use std::time::Duration;

use super::agent::{Agent, Backend};
use super::engine::command::Command;

impl Agent {
    /// Suspends the agent, for example when a console or phone moves the game to the background. No request is
    /// started; running requests have until `deadline` (from now) to end. Then all connections are closed and
    /// [`Event::Suspended`](crate::Event::Suspended) is reported: keep polling until then. Unfinished requests wait for
    /// [`resume_all`](Self::resume_all); those that must not be sent twice, and open WebSockets, fail.
    ///
    /// The deadline counts time in which nobody polls. Many systems allow no further frame: then use
    /// [`Duration::ZERO`] and poll once, which closes everything. Parts of downloads are written down on a thread; wait
    /// for it with [`finish_files`](Self::finish_files) if the system may end the program at once.
    ///
    /// A game that does not call this loses nothing, but may find out late that a connection is dead. After any gap
    /// between two polls, what arrived meanwhile is taken first. Of the gap, one second counts towards timeouts, so
    /// that a dead connection is noticed by its timeout, and [retries](crate::RetryPolicy) then continue. Connections
    /// that were idle for longer than [`idle_age`](crate::agent::PoolLimits::idle_age) are closed, and pauses before
    /// retries have passed. The guide's cookbook has the recipe "Suspend on phones".
    pub fn suspend(&mut self, deadline: Duration) {
        self.command(Command::Suspend(deadline));
    }

    /// Continues after [`suspend`](Self::suspend).
    pub fn resume_all(&mut self) {
        self.command(Command::ResumeAll);
    }

    /// Closes the connections that no request uses.
    pub fn close_idle_connections(&mut self) {
        self.command(Command::CloseIdle);
    }

    /// Waits at most `timeout` until all files are closed, renamed or removed, and returns whether they are.
    /// Call it before a program exits; otherwise part files may be left behind. It blocks: not for frames.
    pub fn finish_files(&mut self, timeout: Duration) -> bool {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.drain_files(timeout),
            Backend::Threaded(thread) => thread.finish_files(timeout),
        }
    }
}
