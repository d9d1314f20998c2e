//! What the agent remembers between requests and applies to each: cookies, credentials, secure hosts,
//! broken origins.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use url::Url;

use super::Engine;
use super::step::Step;
use crate::agent::timers::Timer;
use crate::agent::transfer::response_state::Then;
use crate::agent::transfer::{Stage, Standby, Transfer};
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::proto::ResponseHead;
use crate::semantics::auth::{AuthSession, Credentials};
use crate::semantics::circuit::{Admission, FailOver};
use crate::semantics::origin::Origin;
use crate::semantics::retry::parse_retry_after;

/// Fail-over lists that are remembered.
const REMEMBERED_LISTS: usize = 64;

/// Protection spaces that are remembered; the oldest go first.
const REMEMBERED_SPACES: usize = 64;

/// What one origin was found to want.
#[derive(Debug)]
pub(super) struct ProtectionSpace {
    origin: Origin,
    session: AuthSession,
}

impl Engine {
    /// Takes in what the head of a response says beyond its own request.
    pub(super) fn learn(&mut self, transfer: &Transfer, head: &ResponseHead) {
        let wall = self.reactor.clock().wall();
        if let Some(hsts) = &self.config.hsts {
            for value in head.fields.get_all("strict-transport-security").take(1) {
                lock(hsts).note(&transfer.url, value, wall);
            }
        }
        #[cfg(feature = "cookies")]
        if let Some(jar) = &self.config.cookies
            && transfer.settings.cookies
        {
            let mut jar = lock(jar);
            for value in head.fields.get_all("set-cookie") {
                // One that breaks the rules is not stored; that is all.
                let _ = jar.store(&transfer.url, value, wall);
            }
        }
        let _ = wall;
    }

    /// The `Cookie` line: the jar's for this URL, and the caller's own.
    pub(super) fn cookie_line(&mut self, transfer: &Transfer) -> Option<String> {
        let mut line = String::new();
        #[cfg(feature = "cookies")]
        if let Some(jar) = &self.config.cookies
            && transfer.settings.cookies
        {
            let wall = self.reactor.clock().wall();
            line = lock(jar)
                .cookie_header(&transfer.url, wall)
                .unwrap_or_default();
        }
        for (name, value) in &transfer.cookies {
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(name);
            line.push('=');
            line.push_str(value);
        }
        (!line.is_empty()).then_some(line)
    }

    /// The secure form of a URL whose host asked for it (RFC 6797 §8.3).
    pub(super) fn secure_form(&self, url: &Url) -> Option<Url> {
        let hsts = self.config.hsts.as_ref()?;
        lock(hsts).upgrade(url, self.reactor.clock().wall())
    }

    /// The value of `Authorization`, when it is known what to say.
    pub(super) fn authorization(
        &mut self,
        transfer: &mut Transfer,
        target: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut attempt = transfer.auth.clone();
        let Some(session) = self.session(transfer) else {
            return Ok(None);
        };
        let value = session
            .authorize(&mut attempt, &transfer.method, target)
            .map_err(ErrorKind::Auth)?;
        transfer.auth = attempt;
        Ok(value.map(|value| value.as_bytes().to_vec()))
    }

    /// A `401` that can be answered (RFC 9110 §11.6.1): the request is sent again.
    pub(super) fn answer_challenge(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
    ) -> Option<Then> {
        if head.status.as_u16() != 401 || !transfer.payload.can_be_sent() {
            return None;
        }
        let cnonce = self.random.bytes().ok()?;
        let mut attempt = transfer.auth.clone();
        let challenges = head.fields.get_all("www-authenticate");
        let answered = self
            .session(transfer)?
            .challenged(&mut attempt, challenges, cnonce);
        transfer.auth = attempt;
        // The 401 is the response then, and says why.
        answered.ok().map(|()| Then::Again)
    }

    /// Whether the transfer's origin may be asked now. `Some`: it may not, or not yet.
    pub(super) fn ask_circuit(
        &mut self,
        transfer: &mut Transfer,
        active_now: Instant,
    ) -> Option<Step> {
        // A server that asked to be left alone does not mind gaps between polls: the clock counts.
        let now = self.now();
        let circuits = self.circuits.as_mut()?;
        match circuits.admit(&Origin::of(&transfer.url)?, now) {
            Admission::Go => None,
            Admission::Probe => {
                transfer.probes = true;
                None
            }
            Admission::Wait(until) => {
                let until = active_now + until.saturating_duration_since(now);
                transfer.stage = Stage::Waiting { until };
                self.timers.set(until, Timer::Request(transfer.id));
                Some(Step::MOVED)
            }
            Admission::Refuse(_) => {
                let error = ErrorKind::Refused(RequestRefused::CircuitOpen).into();
                Some(if self.try_next_origin(transfer) {
                    self.begin_hop(transfer)
                } else {
                    self.fail(transfer, error)
                })
            }
        }
    }

    /// Notes for the circuit of the origin what became of a request: a head, or nothing.
    pub(super) fn note_outcome(&mut self, transfer: &mut Transfer, head: Option<&ResponseHead>) {
        transfer.probes = false;
        if let (Some(standby), Some(head)) = (&transfer.fail_over, head)
            && transfer.history.is_empty()
            && !head.status.is_server_error()
            && let Some(list) = standby.list.and_then(|list| self.fail_overs.get_mut(list))
        {
            list.succeeded(standby.index);
        }
        let now = self.now();
        let wall = self.reactor.clock().wall();
        let Some(circuits) = &mut self.circuits else {
            return;
        };
        let Some(origin) = Origin::of(&transfer.url) else {
            return;
        };
        let Some(head) = head else {
            circuits.failed(&origin, now);
            return;
        };
        let retry_after = head.fields.get("retry-after");
        let retry_after = retry_after.and_then(|value| parse_retry_after(value, wall));
        circuits.responded(&origin, head.status, retry_after, now);
    }

    /// Turns a new transfer to the origin of its list that worked last.
    pub(super) fn choose_origin(&mut self, transfer: &mut Transfer) {
        if transfer.origins.is_empty() {
            return;
        }
        let mut first = Url::clone(&transfer.url);
        first.set_path("/");
        first.set_query(None);
        first.set_fragment(None);
        let others = std::mem::take(&mut transfer.origins);
        let known = self
            .fail_overs
            .iter()
            .position(|list| list.is_of(&first, &others));
        let fail_over = match known.and_then(|list| self.fail_overs.get(list)) {
            Some(known) => known.clone(),
            None => FailOver::new(first, others),
        };
        let order = fail_over.order();
        let mut left: VecDeque<_> = order.map(|(index, url)| (index, url.clone())).collect();
        let list = known.or_else(|| {
            // Beyond so many lists, what worked is not remembered.
            (self.fail_overs.len() < REMEMBERED_LISTS).then(|| {
                self.fail_overs.push(fail_over);
                self.fail_overs.len() - 1
            })
        });
        if let Some((index, origin)) = left.pop_front() {
            transfer.url = Arc::new(at_origin(&transfer.url, &origin));
            transfer.fail_over = Some(Standby { list, index, left });
        }
    }

    /// Turns to the next origin of the request's list, if there is one left.
    pub(super) fn try_next_origin(&mut self, transfer: &mut Transfer) -> bool {
        if !transfer.may_repeat() || !transfer.history.is_empty() {
            return false;
        }
        let Some(standby) = &mut transfer.fail_over else {
            return false;
        };
        if let Some(list) = standby.list.and_then(|list| self.fail_overs.get_mut(list)) {
            list.failed(standby.index);
        }
        let Some((index, origin)) = standby.left.pop_front() else {
            return false;
        };
        standby.index = index;
        transfer.url = Arc::new(at_origin(&transfer.url, &origin));
        true
    }

    /// A request that probed an origin ends without having learned anything.
    pub(super) fn abandon_probe(&mut self, transfer: &mut Transfer) {
        let now = self.now();
        if std::mem::take(&mut transfer.probes)
            && let (Some(circuits), Some(origin)) = (&mut self.circuits, Origin::of(&transfer.url))
        {
            circuits.abandoned(&origin, now);
        }
    }

    /// What is known of the origin that the transfer asks, for its credentials.
    fn session(&mut self, transfer: &Transfer) -> Option<&mut AuthSession> {
        let credentials = credentials(transfer)?;
        let origin = Origin::of(&transfer.url)?;
        let known = self.spaces.iter().position(|space| {
            space.origin == origin && *space.session.credentials() == credentials
        });
        let index = known.unwrap_or_else(|| {
            if self.spaces.len() == REMEMBERED_SPACES {
                self.spaces.remove(0);
            }
            self.spaces.push(ProtectionSpace {
                origin,
                session: AuthSession::new(credentials),
            });
            self.spaces.len() - 1
        });
        self.spaces.get_mut(index).map(|space| &mut space.session)
    }
}

/// Who is asking at this hop: the caller's own credentials as long as the request is at the origin
/// that they were given for, else those that a netrc text has for the host.
fn credentials(transfer: &Transfer) -> Option<Credentials> {
    let settings = &transfer.settings;
    let own = settings
        .credentials
        .as_ref()
        .filter(|_| transfer.is_trusted);
    own.cloned().or_else(|| {
        let host = transfer.url.host_str()?;
        settings.netrc.as_ref()?.find(host, None)
    })
}

/// Locks what is shared with the caller, who holds it for moments only.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same path and query at another origin.
fn at_origin(url: &Url, origin: &Url) -> Url {
    let mut moved = origin.clone();
    moved.set_path(url.path());
    moved.set_query(url.query());
    moved
}
