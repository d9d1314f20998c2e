//! [`CookieJar`]: the stored cookies (RFC 6265bis §5.7), and those that are sent (§5.8).

use std::fmt;
use std::time::SystemTime;

use cookie_store::{CookieDomain, CookiePath};
use url::Url;

use super::{Cookie, append, netscape, set_cookie};
use crate::error::{CookieFault, CookieFileFault};

/// RFC 6265bis §6.1 requires space for at least this many.
const MAX_PER_DOMAIN: usize = 50;
const MAX_COOKIES: usize = 3000;

/// The cookies of all hosts, stored and sent by the rules of RFC 6265bis.
///
/// Holds up to 50 cookies per domain and 3000 in total. Above these limits it removes expired
/// cookies first, then the least recently sent. It never reads the clock: every call that needs the
/// time takes it as an argument.
///
/// There is no public suffix list: a server may set cookies for `co.uk`, though not for `uk`.
#[derive(Clone, Default)]
pub struct CookieJar {
    cookies: Vec<StoredCookie>,
    /// Counts uses. The numbers order cookies by age and by last use.
    ticks: u64,
}

#[derive(Clone)]
struct StoredCookie {
    cookie: Cookie,
    domain: CookieDomain,
    path: CookiePath,
    created: u64,
    used: u64,
}

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `Cookie` for this URL: longer paths first, then older cookies. `None` when no
    /// cookie matches.
    pub fn cookie_header(&mut self, url: &Url, now: SystemTime) -> Option<String> {
        self.ticks += 1;
        let tick = self.ticks;
        let mut sent: Vec<&mut StoredCookie> = self
            .cookies
            .iter_mut()
            .filter(|stored| stored.goes_to(url) && !stored.cookie.is_expired(now))
            .collect();
        sent.sort_by_key(|stored| (std::cmp::Reverse(stored.cookie.path.len()), stored.created));
        let mut field = String::new();
        for stored in sent {
            stored.used = tick;
            append(&mut field, &stored.cookie.name, &stored.cookie.value);
        }
        (!field.is_empty()).then_some(field)
    }

    /// Processes the value of one `Set-Cookie` field line in a response from this URL. An expired
    /// cookie removes the stored cookie that it names.
    ///
    /// Fails when the cookie is not stored. The jar does not change then.
    pub fn store(
        &mut self,
        url: &Url,
        set_cookie: &[u8],
        now: SystemTime,
    ) -> Result<(), CookieFault> {
        let cookie = Cookie::parse(url, set_cookie, now)?;
        if !cookie.secure && !set_cookie::is_secure(url) && self.hides_secure(&cookie) {
            return Err(CookieFault::SecureExists);
        }
        self.keep(cookie, now);
        Ok(())
    }

    /// Adds a cookie by hand. This does not check its domain: even `com` is accepted.
    pub fn insert(&mut self, cookie: Cookie, now: SystemTime) -> Result<(), CookieFault> {
        let cookie = set_cookie::check(cookie)?;
        self.keep(cookie, now);
        Ok(())
    }

    /// All cookies that have not expired, the oldest first.
    pub fn iter(&self, now: SystemTime) -> impl Iterator<Item = &Cookie> {
        self.cookies
            .iter()
            .map(|stored| &stored.cookie)
            .filter(move |cookie| !cookie.is_expired(now))
    }

    /// Removes the cookies of this name, domain and path.
    pub fn remove(&mut self, name: &str, domain: &str, path: &str) {
        self.cookies.retain(|stored| {
            let cookie = &stored.cookie;
            cookie.name != name || cookie.domain != domain || cookie.path != path
        });
    }

    /// Removes all cookies.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    /// Removes session cookies, as a browser does when it is closed.
    pub fn clear_session(&mut self) {
        self.cookies
            .retain(|stored| stored.cookie.expires.is_some());
    }

    /// Writes all cookies that have not expired as a file that curl reads (`-b`), session cookies
    /// included. The format cannot express cookies that contain a tab, so they are left out. The
    /// result contains secrets: keep it where other users cannot read it.
    pub fn to_netscape(&self, now: SystemTime) -> String {
        netscape::write(self.iter(now))
    }

    /// Adds the cookies of a file that [`to_netscape`](Self::to_netscape) or curl (`-c`) wrote.
    /// Returns the lines that it could not read. The other lines are loaded all the same.
    pub fn load_netscape(&mut self, file: &[u8], now: SystemTime) -> Vec<CookieFileFault> {
        let mut faults = Vec::new();
        for (line, cookie) in netscape::read(file) {
            if let Err(fault) = cookie.and_then(|cookie| self.insert(cookie, now)) {
                faults.push(CookieFileFault { line, fault });
            }
        }
        faults
    }

    /// RFC 6265bis §5.7, step 14: whether this cookie would hide a stored `Secure` cookie of the
    /// same name: their domains overlap, and the new path is the stored path or below it.
    fn hides_secure(&self, new: &Cookie) -> bool {
        let below = |host: &str, domain: &str| {
            host == domain
                || host
                    .strip_suffix(domain)
                    .is_some_and(|front| front.ends_with('.'))
        };
        self.cookies.iter().map(|stored| &stored.cookie).any(|old| {
            old.secure
                && old.name == new.name
                && (below(&old.domain, &new.domain) || below(&new.domain, &old.domain))
                && path_below(&new.path, &old.path)
        })
    }

    /// RFC 6265bis §5.7, steps 23 and 24, then eviction.
    fn keep(&mut self, cookie: Cookie, now: SystemTime) {
        self.ticks += 1;
        let place = self.cookies.iter().position(|stored| {
            let old = &stored.cookie;
            old.name == cookie.name
                && old.domain == cookie.domain
                && old.host_only == cookie.host_only
                && old.path == cookie.path
        });
        if cookie.is_expired(now) {
            if let Some(place) = place {
                self.cookies.remove(place);
            }
            return;
        }
        let Some(path) = CookiePath::parse(&cookie.path) else {
            return;
        };
        let stored = StoredCookie {
            domain: if cookie.host_only {
                CookieDomain::HostOnly(cookie.domain.clone())
            } else {
                CookieDomain::Suffix(cookie.domain.clone())
            },
            path,
            created: self.ticks,
            used: self.ticks,
            cookie,
        };
        match place.and_then(|place| self.cookies.get_mut(place)) {
            Some(old) => {
                *old = StoredCookie {
                    created: old.created,
                    ..stored
                };
            }
            None => {
                self.make_room(&stored.cookie.domain, now);
                self.cookies.push(stored);
            }
        }
    }

    fn make_room(&mut self, domain: &str, now: SystemTime) {
        let of_domain = |stored: &&StoredCookie| stored.cookie.domain == domain;
        let full = |cookies: &Vec<StoredCookie>| {
            (
                cookies.iter().filter(of_domain).count() >= MAX_PER_DOMAIN,
                cookies.len() >= MAX_COOKIES,
            )
        };
        if full(&self.cookies) != (false, false) {
            self.cookies.retain(|stored| !stored.cookie.is_expired(now));
        }
        if full(&self.cookies).0 {
            // Cookies that are not `Secure` are removed before those that are.
            self.evict(|stored| {
                (
                    stored.cookie.domain != domain,
                    stored.cookie.secure,
                    stored.used,
                )
            });
        }
        if full(&self.cookies).1 {
            self.evict(|stored| (false, false, stored.used));
        }
    }

    fn evict(&mut self, order: impl Fn(&StoredCookie) -> (bool, bool, u64)) {
        let first = self.cookies.iter().enumerate();
        if let Some((index, _)) = first.min_by_key(|(_, stored)| order(stored)) {
            self.cookies.remove(index);
        }
    }
}

impl StoredCookie {
    fn goes_to(&self, url: &Url) -> bool {
        self.domain.matches(url)
            && self.path.matches(url)
            && (!self.cookie.secure || set_cookie::is_secure(url))
    }
}

/// Path matching of RFC 6265bis §5.1.4 for the paths of two cookies.
fn path_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || above.ends_with('/') || rest.starts_with('/'))
}

impl fmt::Debug for CookieJar {
    /// Shows the number of cookies, not the cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieJar({} cookies)", self.cookies.len())
    }
}
