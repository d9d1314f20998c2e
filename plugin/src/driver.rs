//! The requests in flight: each an `HttpClient` of its own, taken through connect, request and
//! content by the frame's polls.
//!
//! Connections are begun in the frame's poll, too, not at the spawn: beginning many costs time, which
//! is the budget's. Nothing is triggered from here: outcomes wait in the driver until the dispatch system sends them,
//! also those known at the spawn, when no observer can be attached yet.

use std::collections::VecDeque;
use std::time::Instant;

use bevy_ecs::entity::Entity;
use bevy_ecs::resource::Resource;
use httpoll::proto::ResponseHead;
use httpoll::{
    Bytes, Error, ErrorKind, HttpClient, Limit, Method, RequestUrl, Resolver, Status, TlsOptions,
    Transition,
};

use crate::plugin::HttpPlugin;
use crate::request::HttpRequest;

/// See the module's documentation.
#[derive(Resource)]
pub(crate) struct Driver {
    pub(crate) in_flight: VecDeque<Transfer>,
    resolver: Resolver,
    tls: Option<TlsOptions>,
    max_body_bytes: usize,
}

/// One request on its way.
pub(crate) struct Transfer {
    pub(crate) entity: Entity,
    pub(crate) client: HttpClient,
    /// Where to connect, until that was begun.
    start: Option<Start>,
    target: String,
    headers: Vec<String>,
    body: Vec<u8>,
    max_body_bytes: usize,
    pub(crate) outcome: Option<Result<(ResponseHead, Bytes), Error>>,
}

impl Driver {
    pub(crate) fn new(plugin: &HttpPlugin) -> Self {
        Self {
            in_flight: VecDeque::new(),
            resolver: Resolver::system(),
            #[cfg(feature = "tls")]
            tls: Some(plugin.tls.clone().unwrap_or_else(TlsOptions::client)),
            #[cfg(not(feature = "tls"))]
            tls: None,
            max_body_bytes: plugin.max_body_bytes,
        }
    }

    pub(crate) fn submit(&mut self, entity: Entity, request: &HttpRequest) {
        let mut transfer = Transfer {
            entity,
            client: HttpClient::with_resolver(self.resolver.clone()),
            start: None,
            target: String::new(),
            headers: request.headers().to_vec(),
            body: Vec::new(),
            max_body_bytes: self.max_body_bytes,
            outcome: None,
        };
        match RequestUrl::parse(request.url()) {
            Ok(url) => {
                transfer.target = url.target;
                transfer.headers.extend(url.authorization);
                transfer.start = Some(Start {
                    host: url.host,
                    port: url.port,
                    tls: self.tls.clone(),
                });
            }
            Err(error) => transfer.outcome = Some(Err(error)),
        }
        self.in_flight.push_back(transfer);
    }

    /// Drops the request of an entity, and with it the socket.
    pub(crate) fn cancel(&mut self, entity: Entity) {
        self.in_flight.retain(|transfer| transfer.entity != entity);
    }
}

struct Start {
    host: String,
    port: i32,
    tls: Option<TlsOptions>,
}

impl Transfer {
    /// Whether its connection was not begun yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.start.is_some()
    }

    /// One poll's worth of work.
    pub(crate) fn drive(&mut self, budget: &httpoll::Budget) {
        if self.outcome.is_some() {
            return;
        }
        if let Err(error) = self.advance(budget) {
            self.outcome = Some(Err(error));
        }
    }

    fn advance(&mut self, budget: &httpoll::Budget) -> Result<(), Error> {
        let began = Instant::now();
        if let Some(start) = self.start.take() {
            self.client
                .connect_to_host(&start.host, start.port, start.tls)?;
        }
        self.client.set_budget(budget.clone());
        if self.client.get_status() != Status::Disconnected {
            self.client.poll()?;
        }
        if self.client.get_status() == Status::Connected && !self.client.has_response() {
            let headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
            self.client
                .request(Method::Get, &self.target, &headers, "")?;
            // Sent in the frame in which the connection came about, with what is left of its share.
            let mut rest = budget.clone();
            rest.time = rest.time.map(|time| time.saturating_sub(began.elapsed()));
            self.client.set_budget(rest);
            self.client.poll()?;
        }
        while self.client.get_status() == Status::Body {
            let chunk = self.client.read_response_body_chunk()?;
            if chunk.is_empty() {
                break;
            }
            if self.body.len() + chunk.len() > self.max_body_bytes {
                return Err(ErrorKind::Limit(Limit::BodyBytes(self.max_body_bytes)).into());
            }
            self.body.extend_from_slice(&chunk);
        }
        let over = matches!(
            self.client.get_status(),
            Status::Connected | Status::Disconnected
        );
        if over && let Some(head) = self.client.get_response_head() {
            let body = std::mem::take(&mut self.body).into();
            self.outcome = Some(Ok((head.clone(), body)));
        }
        Ok(())
    }

    pub(crate) fn next_transition(&mut self) -> Option<Transition> {
        self.client.next_transition()
    }
}
