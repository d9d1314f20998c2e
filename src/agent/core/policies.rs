//! What the agent remembers between requests and applies to each: cookies, credentials, secure hosts,
//! broken origins.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use url::Url;

use super::Core;
use super::driving::Step;
use super::hops::random_bytes;
use crate::agent::timers::Timer;
use crate::agent::transfer::{Stage, Then, Transfer};
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::proto::ResponseHead;
use crate::semantics::auth::AuthSession;
use crate::semantics::circuit::Admission;
use crate::semantics::origin::Origin;
use crate::semantics::retry::parse_retry_after;

/// Protection spaces that are remembered; the oldest go first.
const REMEMBERED_SPACES: usize = 64;

/// What one origin was found to want.
#[derive(Debug)]
pub(super) struct ProtectionSpace {
    origin: Origin,
    session: AuthSession,
}

impl Core {
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
        if !transfer.is_trusted {
            return Ok(None);
        }
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
        if head.status.as_u16() != 401 || !transfer.is_trusted || !transfer.payload.can_be_sent() {
            return None;
        }
        let cnonce = random_bytes().ok()?;
        let mut attempt = transfer.auth.clone();
        let challenges = head.fields.get_all("www-authenticate");
        let answered = self
            .session(transfer)?
            .challenged(&mut attempt, challenges, cnonce);
        transfer.auth = attempt;
        // The 401 is the response then, and says why.
        answered.ok().map(|()| Then::Again)
    }

    /// Whether the transfer's origin may be asked now (N16). `Some`: it may not, or not yet.
    pub(super) fn ask_circuit(
        &mut self,
        transfer: &mut Transfer,
        counted: Instant,
    ) -> Option<Step> {
        let circuits = self.circuits.as_mut()?;
        match circuits.admit(&Origin::of(&transfer.url)?, counted) {
            Admission::Go => None,
            Admission::Probe => {
                transfer.probes = true;
                None
            }
            Admission::Wait(until) => {
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
        let counted = self.counted();
        let wall = self.reactor.clock().wall();
        let (Some(circuits), Some(origin)) = (&mut self.circuits, Origin::of(&transfer.url)) else {
            return;
        };
        let Some(head) = head else {
            circuits.failed(&origin, counted);
            return;
        };
        let retry_after = head.fields.get("retry-after");
        let retry_after = retry_after.and_then(|value| parse_retry_after(value, wall));
        circuits.responded(&origin, head.status, retry_after, counted);
    }

    /// The transfer ends or is held back without any outcome: another one may probe its origin.
    pub(super) fn abandon_probe(&mut self, transfer: &mut Transfer) {
        if !std::mem::take(&mut transfer.probes) {
            return;
        }
        let counted = self.counted();
        if let (Some(circuits), Some(origin)) = (&mut self.circuits, Origin::of(&transfer.url)) {
            circuits.abandoned(&origin, counted);
        }
    }

    /// Turns to the next origin of the request's list, if there is one left.
    pub(super) fn try_next_origin(&mut self, transfer: &mut Transfer) -> bool {
        if !transfer.may_repeat() {
            return false;
        }
        let Some(next) = transfer.fail_over.pop_front() else {
            return false;
        };
        transfer.url = next;
        true
    }

    /// What is known of the origin that the transfer asks, for its credentials.
    fn session(&mut self, transfer: &Transfer) -> Option<&mut AuthSession> {
        let credentials = transfer.settings.credentials.as_ref()?;
        let origin = Origin::of(&transfer.url)?;
        let known = self
            .spaces
            .iter()
            .position(|space| space.origin == origin && space.session.credentials() == credentials);
        let index = known.unwrap_or_else(|| {
            if self.spaces.len() == REMEMBERED_SPACES {
                self.spaces.remove(0);
            }
            self.spaces.push(ProtectionSpace {
                origin,
                session: AuthSession::new(credentials.clone()),
            });
            self.spaces.len() - 1
        });
        self.spaces.get_mut(index).map(|space| &mut space.session)
    }
}

/// Locks what is shared with the caller, who holds it for moments only.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
