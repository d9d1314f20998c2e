//! The agent's calls for the end of a program, and for times in the background. What they do is in the engine.

use std::time::Duration;

use super::agent::{Agent, Backend};
use super::engine::command::Command;

impl Agent {
    /// Suspends the agent, for example when a console or phone moves the game to the background. No request is
    /// started; running requests have until `deadline` (from now) to end. Then all connections are closed and
    /// [`Event::Suspended`](crate::Event::Suspended) is reported: keep polling until then. Unfinished requests wait for
    /// [`resume_all`](Self::resume_all); those that must not be sent twice, and open WebSockets, fail.
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
