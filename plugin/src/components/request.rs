//! What is asked for: [`HttpRequest`], a value that can be sent again and again, and the hooks that
//! tie a request's life to that of its entity.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use bevy_ecs::world::DeferredWorld;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::{Bytes, Error, ErrorKind, Request, Timeouts, error::Misuse, node::RequestUrl};
use serde_core::Serialize;

use crate::components::phase::HttpPhase;
use crate::components::progress::HttpProgress;
use crate::resources::agent::HttpAgent;

/// A request, asked for by spawning it.
///
/// The answer comes as [`HttpResponse`](crate::HttpResponse) or [`HttpError`](crate::HttpError) at
/// this entity, which is then despawned unless it has [`KeepRequest`] or
/// [`HttpRepeat`](crate::HttpRepeat). Despawning it, removing this component or replacing it cancels:
/// the socket is closed at once and nothing more is triggered. Replacing it starts anew.
///
/// It is immutable. What else belongs to a request is said by components beside it, looked at when
/// the request is sent: [`HttpDownload`](crate::HttpDownload), [`HttpUpload`](crate::HttpUpload),
/// [`HttpStream`](crate::HttpStream), [`HttpRetry`](crate::HttpRetry),
/// [`HttpPriority`](crate::HttpPriority), [`HttpRepeat`](crate::HttpRepeat),
/// [`RequestedBy`](crate::RequestedBy).
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn fetch(mut commands: Commands) {
///     commands
///         .spawn(HttpRequest::get("https://game.example/scores").query("season", 7))
///         .observe(|response: On<HttpResponse>| {
///             println!("{}: {} bytes", response.status(), response.body.len());
///         })
///         .observe(|failed: On<HttpError>| eprintln!("{}", failed.error));
/// }
/// ```
#[derive(Component, Clone)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
#[component(immutable, on_insert = submit, on_discard = discard)]
#[require(HttpPhase, HttpProgress)]
pub struct HttpRequest {
    method: String,
    url: String,
    has_idempotency_key: bool,
    /// What is done to the agent's request each time it is sent.
    steps: Vec<Step>,
}

type Step = Arc<dyn Fn(Request) -> Request + Send + Sync>;

/// Despawns the entity, with its children, when its [`HttpRequest`] has finished. The methods of
/// [`Http`](crate::Http) insert it on the entities that they spawn.
///
/// Without it the end of a request only removes the request's own components. An entity that has no other
/// components is despawned in any case.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug),
    type_path = "bevy_httpoll"
)]
pub struct DespawnOnFinish;

/// Keeps the entity of a finished [`HttpRequest`], with the request on it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug)
)]
pub struct KeepRequest;

impl HttpRequest {
    /// A request by the name of its method. `url` is absolute, or relative to
    /// [`HttpollPlugin::base_url`](crate::HttpollPlugin::base_url). What is wrong with either is told
    /// by [`HttpError`](crate::HttpError).
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            has_idempotency_key: false,
            steps: Vec::new(),
        }
    }

    /// `GET` (RFC 9110 §9.3.1).
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `HEAD` (RFC 9110 §9.3.2).
    pub fn head(url: impl Into<String>) -> Self {
        Self::new("HEAD", url)
    }

    /// `POST` (RFC 9110 §9.3.3).
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// `PUT` (RFC 9110 §9.3.4).
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// `DELETE` (RFC 9110 §9.3.5).
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// `PATCH` (RFC 5789).
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// Appends `name=value` to the query, percent-encoded.
    #[must_use]
    pub fn query(self, name: impl Into<String>, value: impl Display) -> Self {
        let (name, value) = (name.into(), value.to_string());
        self.with(move |request| request.query(name.as_str(), &value))
    }

    /// Sets a header, in place of the plugin's default of this name.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.into(), value.as_ref().to_vec());
        self.with(move |request| request.header(&name, &value))
    }

    /// Sets a header that tells who is asking: a redirect to another origin does not take it along.
    #[must_use]
    pub fn secret_header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.into(), value.as_ref().to_vec());
        self.with(move |request| request.secret_header(&name, &value))
    }

    /// `Authorization: Bearer …` (RFC 6750 §2.1). A redirect to another origin does not take it along.
    #[must_use]
    pub fn bearer(self, token: impl Display) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// `Idempotency-Key`: a value that is different for each action of the player, and the same when that
    /// action is sent again. The server then carries it out only once, so [`HttpRetry`](crate::HttpRetry)
    /// may repeat methods such as `POST`. The server must support the field.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.has_idempotency_key = true;
        self.header("Idempotency-Key", key.into())
    }

    /// Content as it is, without a `Content-Type`.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.with(move |request| request.body(body.clone()))
    }

    /// Text, as `text/plain; charset=utf-8`.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.with(move |request| request.text(text.as_str()))
    }

    /// A value as JSON, `application/json`. A value that cannot be JSON fails the request.
    #[must_use]
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        // Encoded once, by the agent's own rules; a request of no other use carries the result.
        match serde_json::to_vec(value) {
            Ok(json) => {
                let json = Bytes::from(json);
                self.with(move |request| {
                    request
                        .header("Content-Type", "application/json")
                        .body(json.clone())
                })
            }
            Err(_) => self.with(|request| request.json(&Unwritable)),
        }
    }

    /// A form of names and values, `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form<N: Into<String>, V: Into<String>>(
        self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self.with(move |request| request.form(pairs.clone()))
    }

    /// How long the whole request may take, over all redirects and retries. Real time, whatever the
    /// game's time does. Default no limit; each phase has its own, see [`timeouts`](Self::timeouts).
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(move |request| request.total_timeout(limit))
    }

    /// How long each phase may take.
    #[must_use]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with(move |request| request.timeouts(timeouts.clone()))
    }

    /// The most bytes of content to take, decoded. Default
    /// [`HttpollPlugin::max_body_bytes`](crate::HttpollPlugin::max_body_bytes); none for
    /// files and [chunks](crate::HttpStream::Chunks). 0 is no limit.
    #[must_use]
    pub fn max_body(self, bytes: u64) -> Self {
        self.with(move |request| request.max_body(bytes))
    }

    /// Makes a status of 400 and above an [`HttpError`](crate::HttpError). Default: any status is a
    /// response.
    #[must_use]
    pub fn error_for_status(self) -> Self {
        self.with(|request| request.error_for_status(true))
    }

    /// Anything else that [`httpoll::Request`] can be told. `step` is called each time the request
    /// is sent, also when it repeats, and must not wait.
    ///
    /// ```
    /// # use bevy_httpoll::prelude::*;
    /// # use bevy_httpoll::httpoll::{node::RequestBody, range::RangeSpec};
    /// let tail = HttpRequest::get("https://game.example/log")
    ///     .with(|request| request.ranges(&[RangeSpec::Last(1024)]));
    /// ```
    #[must_use]
    pub fn with(mut self, step: impl Fn(Request) -> Request + Send + Sync + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// The name of the method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL as it was given, with its query if it had one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server may get it twice without harm (RFC 9110 §9.2.2), or recognises the repetition.
    pub(crate) fn is_idempotent(&self) -> bool {
        const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
        METHODS.contains(&self.method.as_str()) || self.has_idempotency_key
    }

    /// The agent's request, made anew. `is_passed_on` says that its content is not held in memory, so
    /// that the plugin's cap does not hold for it.
    pub(crate) fn build(&self, is_passed_on: bool) -> Request {
        let mut request = Request::with_method_name(&self.method, self.url.as_str());
        if is_passed_on {
            request = request.max_body(0);
        }
        self.steps
            .iter()
            .fold(request, |request, step| step(request))
    }
}

impl Default for HttpRequest {
    /// A `GET` of nothing, which fails: for scenes and templates that fill in the rest.
    fn default() -> Self {
        Self::get("")
    }
}

impl fmt::Display for HttpRequest {
    /// Method and URL, without credentials, query and fragment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        match url.split_once("://") {
            Some((scheme, rest)) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                let host = authority.rsplit('@').next().unwrap_or_default();
                write!(f, "{} {scheme}://{host}{path}", self.method)
            }
            None => write!(f, "{} {url}", self.method),
        }
    }
}

impl fmt::Debug for HttpRequest {
    /// Shows method and host, but neither path, query, credentials nor headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = RequestUrl::parse(&self.url).map(|url| url.host);
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("host", &host.ok())
            .finish_non_exhaustive()
    }
}

/// What no JSON can say, for the agent to refuse.
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde_core::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        let error: Error = ErrorKind::Misuse(Misuse::InvalidContent).into();
        Err(serde_core::ser::Error::custom(error))
    }
}

/// Resets what an earlier request left behind, and submits the request.
fn submit(mut world: DeferredWorld, context: HookContext) {
    let entity = context.entity;
    let phase = match world.get_mut::<HttpPhase>(entity) {
        Some(mut phase) => std::mem::take(&mut *phase),
        None => HttpPhase::default(),
    };
    if let Some(mut progress) = world.get_mut::<HttpProgress>(entity) {
        progress.set_if_neq(HttpProgress::default());
    }
    match world.get_resource_mut::<HttpAgent>() {
        Some(mut http) => http.submit(entity, phase),
        None => {
            static WARNED: std::sync::Once = std::sync::Once::new();
            WARNED.call_once(|| {
                log::warn!(
                    "an HttpRequest was spawned, but HttpollPlugin was not added to the app: \
                     it will not be sent before the plugin is added"
                );
            });
        }
    }
}

fn discard(mut world: DeferredWorld, context: HookContext) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        http.discard(context.entity);
    }
}
