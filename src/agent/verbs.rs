//! Requests that are built on their agent and sent by it: `agent.get(url).send()`.

use http::Method;

use super::agent::Agent;
use super::handle::RequestHandle;
use super::request::Request;
use crate::error::Error;

/// The verbs return a request that [`send`](Request::send) hands to this agent:
///
/// ```no_run
/// # use std::time::Duration;
/// # let mut agent = httpoll::Agent::new();
/// let scores = agent.get("https://game.example/scores").send()?;
/// let posted = agent
///     .post("https://game.example/scores")
///     .json(&[1, 2, 3])
///     .total_timeout(Duration::from_secs(20))
///     .send()?;
/// # Ok::<(), httpoll::Error>(())
/// ```
impl Agent {
    /// A `GET` request (RFC 9110 §9.3.1).
    pub fn get(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::GET, url)
    }

    /// A `HEAD` request (RFC 9110 §9.3.2): the response has the head of a `GET` and no content.
    pub fn head(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::HEAD, url)
    }

    /// A `POST` request (RFC 9110 §9.3.3).
    pub fn post(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::POST, url)
    }

    /// A `PUT` request (RFC 9110 §9.3.4).
    pub fn put(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` request (RFC 5789).
    pub fn patch(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` request (RFC 9110 §9.3.5).
    pub fn delete(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::DELETE, url)
    }

    /// A request with any method.
    pub fn request(&mut self, method: Method, url: impl Into<String>) -> Request<&mut Self> {
        Request::with_sender(self, method, url.into())
    }
}

impl Request<&mut Agent> {
    /// Gives the request to its agent; see [`Agent::send`].
    ///
    /// # Errors
    /// Those of [`Agent::send`].
    pub fn send(self) -> Result<RequestHandle, Error> {
        self.sender.send(Request {
            parts: self.parts,
            sender: (),
        })
    }
}
