//! An agent moves to a thread of its own, or back into the caller's calls, while requests are under way.

use std::sync::Arc;

use super::agent::{Agent, Backend};
use super::engine::Engine;
use super::engine_thread::EngineThread;
use crate::transport::poller::Poller;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Resolver;
use crate::transport::watcher::Watcher;

impl Agent {
    /// Whether the agent runs [on a thread of its own](crate::agent::AgentBuilder::on_thread). It does not if the
    /// system refused to start one.
    pub fn is_on_thread(&self) -> bool {
        matches!(self.backend, Backend::Threaded(_))
    }

    /// Moves the agent to a thread of its own, or back into the calls of the caller, as if it had been built
    /// [so](crate::agent::AgentBuilder::on_thread). Requests that are under way continue, and no event is lost. May be
    /// called at any time, such as when a player changes a setting. Moving back waits for the thread to finish its
    /// current poll, normally less than a millisecond.
    ///
    /// Returns whether the agent now runs as wanted. It does not if the system refused a thread, if the thread has
    /// panicked, on an in-memory network, and in a browser.
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let url = format!("http://{}/", server.local_addr()?);
    /// let mut agent = httpoll::Agent::new();
    /// let news = agent.get(url).send()?;
    /// agent.poll();
    /// assert!(agent.set_on_thread(true) && agent.is_on_thread());
    /// // `news` continues there.
    /// assert!(agent.set_on_thread(false) && !agent.is_on_thread());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_on_thread(&mut self, on_thread: bool) -> bool {
        self.cancel_dropped();
        if on_thread != self.is_on_thread() && self.home.is_some() {
            match on_thread {
                true => self.leave_home(),
                false => self.return_home(),
            }
        }
        on_thread == self.is_on_thread()
    }

    fn leave_home(&mut self) {
        let Some((home, notify)) = self.home.clone() else {
            return;
        };
        let Backend::Inline(engine) = &mut self.backend else {
            return;
        };
        if !engine.move_to(&Poller::alone()) {
            return;
        }
        // It opens nothing, and is dropped at once.
        let reactor = Reactor::system(Resolver::system());
        let stand_in = Box::new(Engine::new(reactor, Arc::clone(&self.config)));
        let engine = std::mem::replace(engine, stand_in);
        self.backend = match EngineThread::start(engine, notify) {
            Ok(thread) => Backend::Threaded(thread),
            Err(mut engine) => {
                engine.move_to(&home);
                Backend::Inline(engine)
            }
        };
        if self.is_on_thread() {
            self.watcher = None;
        }
    }

    fn return_home(&mut self) {
        let Some((home, notify)) = self.home.clone() else {
            return;
        };
        if let Backend::Threaded(thread) = &mut self.backend
            && let Some(mut engine) = thread.take_engine()
        {
            engine.move_to(&home);
            self.backend = Backend::Inline(engine);
            self.watcher = notify.and_then(|notify| Watcher::start(&home, notify));
        }
    }
}
