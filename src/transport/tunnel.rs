//! A tunnel through an HTTP proxy: `CONNECT` (RFC 9110 §9.3.6), Basic credentials, any 2xx.
//!
//! The framing fields of the proxy's 2xx response are ignored, as the RFC requires: after it, the
//! stream is the tunnel.

use std::collections::VecDeque;

use http::{Method, Version};

use crate::error::{Error, ErrorKind, NetworkFault, ProxyFault};
use crate::limits::Limits;
use crate::proto::{BodyLength, Exchange, ExchangeEvent, FieldLines, RequestHead, ResponseHead};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::{Link, LinkRead};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

/// A `CONNECT` request in progress.
#[derive(Debug)]
pub(crate) struct Tunnel {
    exchange: Exchange,
    out: Vec<u8>,
    out_sent: usize,
    recv: RecvBuffer,
}

impl Tunnel {
    /// Asks for a tunnel to `host_and_port`.
    pub(crate) fn new(
        host_and_port: &str,
        user_agent: &str,
        authorization: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut fields = FieldLines::new();
        fields.append("Host", host_and_port)?;
        if !user_agent.is_empty() {
            fields.append("User-Agent", user_agent)?;
        }
        if let Some(authorization) = authorization {
            fields.append("Proxy-Authorization", authorization)?;
        }
        let head = RequestHead {
            method: Method::CONNECT,
            target: host_and_port.to_owned(),
            version: Version::HTTP_11,
            fields,
        };
        let mut exchange = Exchange::client(limits.clone());
        let mut out = Vec::new();
        exchange.send_request(&head, BodyLength::None, &mut out)?;
        Ok(Self {
            exchange,
            out,
            out_sent: 0,
            recv: RecvBuffer::default(),
        })
    }

    /// Drives the request. Returns `true` once the tunnel is open. The heads of the proxy's responses
    /// go to `heads`.
    pub(crate) fn drive(
        &mut self,
        link: &mut Link,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        heads: &mut VecDeque<ResponseHead>,
    ) -> Result<bool, Error> {
        while self.out_sent < self.out.len() {
            match link.write(reactor, meter, &self.out[self.out_sent..])? {
                0 => return Ok(false),
                count => self.out_sent += count,
            }
            if self.out_sent < self.out.len() && meter.exhausted() {
                return Ok(false);
            }
        }
        loop {
            let received = self.exchange.receive(self.recv.unread())?;
            self.recv.consume(received.consumed, reactor.pool());
            if let Some(ExchangeEvent::Response(head) | ExchangeEvent::Interim(head)) =
                &received.event
            {
                heads.push_back(head.clone());
            }
            match received.event {
                Some(ExchangeEvent::Response(head)) if !head.status.is_success() => {
                    let fault = match head.status.as_u16() {
                        407 => ProxyFault::AuthenticationRequired,
                        status => ProxyFault::Refused { status },
                    };
                    return Err(ErrorKind::Proxy(fault).into());
                }
                // A server that sends first violates both TLS and HTTP.
                Some(ExchangeEvent::Switched) if self.recv.is_empty() => return Ok(true),
                Some(ExchangeEvent::Switched) => {
                    return Err(
                        ErrorKind::Peer(crate::error::PeerMisbehaved::UnexpectedData).into(),
                    );
                }
                Some(_) => continue,
                None => {}
            }
            if meter.exhausted() {
                return Ok(false);
            }
            match link.read(reactor, meter, &mut self.recv)? {
                LinkRead::Data(_) => {}
                LinkRead::Blocked => return Ok(false),
                LinkRead::Closed | LinkRead::Truncated => {
                    return Err(ErrorKind::Network(NetworkFault::Closed).into());
                }
            }
        }
    }
}
