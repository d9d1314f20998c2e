//! What the agent remembers between requests and applies to each: cookies, credentials, secure hosts,
//! broken origins.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::Method;
use url::Url;

use crate::agent::config::Config;
use crate::agent::id::RequestId;
use crate::agent::transfer::{Standby, Transfer};
use crate::clock::Instant;
use crate::error::{AuthFault, Error, ErrorKind};
#[cfg(feature = "digest-auth")]
use crate::proto::FieldLines;
use crate::proto::ResponseHead;
use crate::semantics::auth::{AuthSession, Credentials};
use crate::semantics::circuit::{Admission, Circuits, FailOver};
#[cfg(feature = "cookies")]
use crate::semantics::cookies::CookieJar;
use crate::semantics::hsts::HstsStore;
use crate::semantics::origin::Origin;
use crate::semantics::retry::parse_retry_after;

/// How many fail-over lists are remembered.
const REMEMBERED_LISTS: usize = 64;

/// How many protection spaces are remembered. The oldest are forgotten first.
const REMEMBERED_SPACES: usize = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Policies {
    hsts: Option<Arc<Mutex<HstsStore>>>,
    #[cfg(feature = "cookies")]
    cookies: Option<Arc<Mutex<CookieJar>>>,
    circuits: Option<Circuits>,
    /// Requests that wait for the circuit of their origin.
    held: BTreeSet<RequestId>,
    /// Those that should ask again now.
    released: BTreeSet<RequestId>,
    fail_overs: Vec<FailOver>,
    spaces: Vec<ProtectionSpace>,
}

/// A protection space (RFC 9110 §11.5): an origin, and how it wants to be authenticated to.
#[derive(Debug)]
struct ProtectionSpace {
    origin: Origin,
    session: AuthSession,
}

impl Policies {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            hsts: config.hsts.clone(),
            #[cfg(feature = "cookies")]
            cookies: config.cookies.clone(),
            circuits: config.circuit.clone().map(Circuits::new),
            held: BTreeSet::new(),
            released: BTreeSet::new(),
            fail_overs: Vec::new(),
            spaces: Vec::new(),
        }
    }

    /// Learns what the head of a response says about later requests.
    pub(super) fn learn(&self, transfer: &Transfer, head: &ResponseHead, wall: SystemTime) {
        if let Some(hsts) = &self.hsts {
            for value in head.fields.get_all("strict-transport-security").take(1) {
                lock(hsts).note(&transfer.request.url, value, wall);
            }
        }
        #[cfg(feature = "cookies")]
        if let Some(jar) = &self.cookies
            && transfer.settings.cookies
        {
            let mut jar = lock(jar);
            for value in head.fields.get_all("set-cookie") {
                // A cookie that breaks the rules is not stored, and nothing else follows from it.
                let _ = jar.store(&transfer.request.url, value, wall);
            }
        }
    }

    /// The `Cookie` field: the jar's cookies for this URL, and the caller's own. The response to a `TRACE` would show
    /// them (RFC 9110 §9.3.8).
    pub(super) fn cookie_field(
        &self,
        transfer: &Transfer,
        wall: impl FnOnce() -> SystemTime,
    ) -> Option<String> {
        if transfer.request.method == Method::TRACE {
            return None;
        }
        let mut field = self.stored_cookies(transfer, wall);
        for (name, value) in &transfer.request.cookies {
            if !field.is_empty() {
                field.push_str("; ");
            }
            field.push_str(name);
            field.push('=');
            field.push_str(value);
        }
        (!field.is_empty()).then_some(field)
    }

    #[cfg(feature = "cookies")]
    fn stored_cookies(&self, transfer: &Transfer, wall: impl FnOnce() -> SystemTime) -> String {
        match &self.cookies {
            Some(jar) if transfer.settings.cookies => lock(jar)
                .cookie_header(&transfer.request.url, wall())
                .unwrap_or_default(),
            _ => String::new(),
        }
    }

    #[cfg(not(feature = "cookies"))]
    fn stored_cookies(&self, _transfer: &Transfer, _wall: impl FnOnce() -> SystemTime) -> String {
        String::new()
    }

    /// The secure form of a URL whose host asked for it (RFC 6797 §8.3).
    pub(super) fn secure_form(&self, url: &Url, wall: impl FnOnce() -> SystemTime) -> Option<Url> {
        // A browser has its own list.
        let hsts = self
            .hsts
            .as_ref()
            .filter(|_| !cfg!(target_family = "wasm"))?;
        lock(hsts).upgrade(url, wall())
    }

    /// The value of `Authorization`, when it is known how to authenticate.
    pub(super) fn authorization(
        &mut self,
        transfer: &mut Transfer,
        target: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut attempt = transfer.request.auth.clone();
        let Some(session) = self.session(transfer) else {
            return Ok(None);
        };
        let value = session
            .authorize(&mut attempt, &transfer.request.method, target)
            .map_err(ErrorKind::Auth)?;
        transfer.request.auth = attempt;
        Ok(value.map(|value| value.as_bytes().to_vec()))
    }

    /// Takes in the challenges of a `401` (RFC 9110 §11.6.1), or says why none can be answered. `None`: the
    /// request has no credentials, or a field of its own.
    pub(super) fn take_challenges(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
        cnonce: [u8; 16],
    ) -> Option<Result<(), AuthFault>> {
        if transfer.request.fields.contains("authorization") {
            return None;
        }
        let mut attempt = transfer.request.auth.clone();
        let session = self.session(transfer)?;
        let challenges = head.fields.get_all("www-authenticate");
        let taken = session.challenged(&mut attempt, challenges, cnonce);
        transfer.request.auth = attempt;
        Some(taken)
    }

    /// Takes in what a response says about the authentication of the next request, in its
    /// head or its trailers (RFC 7616 §3.5).
    #[cfg(feature = "digest-auth")]
    pub(super) fn take_authentication_info(&mut self, transfer: &Transfer, fields: &FieldLines) {
        if fields.contains("authentication-info")
            && let Some(session) = self.session(transfer)
        {
            let fields = fields.get_all("authentication-info");
            session.take_info(&transfer.request.auth, fields);
        }
    }

    pub(super) fn has_circuits(&self) -> bool {
        self.circuits.is_some()
    }

    /// Whether the circuit of the transfer's origin lets it pass. `None`: the origin has no circuit.
    pub(super) fn ask_circuit(
        &mut self,
        transfer: &mut Transfer,
        now: Instant,
    ) -> Option<Admission> {
        let circuits = self.circuits.as_mut()?;
        let admission = circuits.admit(&Origin::of(&transfer.request.url)?, now);
        transfer.attempts.probes |= matches!(admission, Admission::Probe);
        if let Admission::Wait(_) = admission {
            self.held.insert(transfer.id);
        } else {
            self.held.remove(&transfer.id);
        }
        Some(admission)
    }

    /// Takes the requests that waited for a circuit which changed: each asks its circuit again.
    pub(super) fn take_released(&mut self) -> BTreeSet<RequestId> {
        std::mem::take(&mut self.released)
    }

    /// A request has ended.
    pub(super) fn forget_held(&mut self, id: RequestId) {
        self.held.remove(&id);
    }

    fn release_held(&mut self) {
        self.released.append(&mut self.held);
    }

    /// Notes for the circuit of the origin that a request brought a response.
    pub(super) fn note_response(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
        now: Instant,
        wall: SystemTime,
    ) {
        transfer.attempts.probes = false;
        if let Some(standby) = &transfer.attempts.standby
            && transfer.attempts.history.is_empty()
            && !head.status.is_server_error()
            && let Some(list) = standby.list.and_then(|list| self.fail_overs.get_mut(list))
        {
            list.succeeded(standby.index);
        }
        if let Some(circuits) = &mut self.circuits
            && let Some(origin) = Origin::of(&transfer.request.url)
        {
            let retry_after = head.fields.get("retry-after");
            let retry_after = retry_after.and_then(|value| parse_retry_after(value, wall));
            if circuits.responded(&origin, head.status, retry_after, now) {
                self.release_held();
            }
        }
    }

    /// Notes for the circuit of the origin that a request brought no response.
    pub(super) fn note_failure(&mut self, transfer: &mut Transfer, now: Instant) {
        transfer.attempts.probes = false;
        if let Some(circuits) = &mut self.circuits
            && let Some(origin) = Origin::of(&transfer.request.url)
        {
            circuits.failed(&origin, now);
        }
    }

    /// Turns a new transfer to the origin of its list that worked last.
    pub(super) fn choose_origin(&mut self, transfer: &mut Transfer) {
        if transfer.attempts.origins.is_empty() {
            return;
        }
        let mut first = Url::clone(&transfer.request.url);
        first.set_path("/");
        first.set_query(None);
        first.set_fragment(None);
        let others = std::mem::take(&mut transfer.attempts.origins);
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
            // Of more lists, what worked is not remembered.
            (self.fail_overs.len() < REMEMBERED_LISTS).then(|| {
                self.fail_overs.push(fail_over);
                self.fail_overs.len() - 1
            })
        });
        if let Some((index, origin)) = left.pop_front() {
            transfer.request.url = Arc::new(at_origin(&transfer.request.url, &origin));
            transfer.attempts.standby = Some(Standby { list, index, left });
        }
    }

    /// The origin that a transfer was sent to does not work.
    pub(super) fn note_origin_failed(&mut self, transfer: &Transfer) {
        if transfer.can_change_origin()
            && let Some(standby) = &transfer.attempts.standby
            && let Some(list) = standby.list.and_then(|list| self.fail_overs.get_mut(list))
        {
            list.failed(standby.index);
        }
    }

    /// Turns to the next origin of the request's list, if there is one left.
    pub(super) fn use_next_origin(&self, transfer: &mut Transfer) -> bool {
        if !transfer.has_next_origin() {
            return false;
        }
        let standby = transfer.attempts.standby.as_mut();
        let next = standby.and_then(|standby| {
            let (index, origin) = standby.left.pop_front()?;
            standby.index = index;
            Some(origin)
        });
        let Some(origin) = next else {
            return false;
        };
        transfer.request.url = Arc::new(at_origin(&transfer.request.url, &origin));
        true
    }

    /// A request that probed an origin ends without having learned anything.
    pub(super) fn abandon_probe(&mut self, transfer: &mut Transfer, now: Instant) {
        if std::mem::take(&mut transfer.attempts.probes)
            && let (Some(circuits), Some(origin)) =
                (&mut self.circuits, Origin::of(&transfer.request.url))
        {
            circuits.abandoned(&origin, now);
            self.release_held();
        }
    }

    /// What is known of the transfer's origin, for its credentials.
    fn session(&mut self, transfer: &Transfer) -> Option<&mut AuthSession> {
        let credentials = credentials(transfer)?;
        let origin = Origin::of(&transfer.request.url)?;
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

/// The credentials for this hop: those of the redirect that led here, the caller's own while the request is at
/// the origin that they were given for, or those that a netrc text has for the host. None for a `TRACE`, whose
/// response would show them (RFC 9110 §9.3.8).
fn credentials(transfer: &Transfer) -> Option<Credentials> {
    let (settings, request) = (&transfer.settings, &transfer.request);
    if request.method == Method::TRACE {
        return None;
    }
    let own = settings.credentials.as_ref().filter(|_| request.is_trusted);
    let own = request.location_credentials.as_ref().or(own);
    own.cloned().or_else(|| {
        let host = request.url.host_str()?;
        settings.netrc.as_ref()?.find(host, None)
    })
}

/// Locks a store that is shared with the caller. No lock is held for long.
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
