//! [`HttpRequest`]: a request as a component, and the hooks that tie its life to that of its entity.
//!
//! The component is plain data, so that scenes can save it and inspectors can show it. `agent_request` makes the
//! agent's request of it, each time it is sent.

mod agent_request;

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
use bevy_ecs::name::Name;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use bevy_ecs::world::DeferredWorld;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::{Bytes, Request, Timeouts};
use serde_core::Serialize;

use crate::components::content::{Binary, Content};
use crate::components::phase::HttpPhase;
use crate::components::progress::HttpProgress;
use crate::components::timeouts::PhaseTimeouts;
use crate::resources::agent::HttpAgent;

/// A request. Spawn it, and the plugin sends it.
///
/// Its end triggers [`HttpResponse`](crate::HttpResponse) or [`HttpError`](crate::HttpError) at this
/// entity. Then the plugin removes the request's components, or despawns the entity if it has
/// [`DespawnOnFinish`](crate::DespawnOnFinish) or nothing but a request; [`KeepRequest`](crate::KeepRequest) and [`HttpRepeat`](crate::HttpRepeat)
/// prevent both. Despawning the entity, or removing or replacing this component, cancels the request: the
/// socket closes at once and no further event is triggered. Replacing it sends the new request.
///
/// It is immutable. These components next to it add to the request, and are read when it is sent:
/// [`HttpDownload`](crate::HttpDownload), [`HttpUpload`](crate::HttpUpload),
/// [`HttpStream`](crate::HttpStream), [`HttpRetry`](crate::HttpRetry). These apply at any time:
/// [`HttpRepeat`](crate::HttpRepeat), [`HttpPaused`](crate::HttpPaused),
/// [`HttpRateLimit`](crate::HttpRateLimit), [`HttpPriority`](crate::HttpPriority),
/// [`RequestedBy`](crate::RequestedBy).
///
/// An entity without a [`Name`] has one while it has the request, `GET https://game.example/scores`, for inspectors
/// and logs.
///
/// A scene saves everything except credentials ([`bearer`](Self::bearer),
/// [`secret_header`](Self::secret_header) and the fields `Authorization`, `Proxy-Authorization` and
/// `Cookie`), header values that are not UTF-8, and the functions of [`with`](Self::with). Insert those
/// again when you load the scene.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn fetch(mut commands: Commands) {
///     commands
///         .spawn(HttpRequest::get("https://game.example/scores").query("season", 7))
///         .observe(|on: On<HttpResponse>| println!("{}: {} bytes", on.status(), on.body.len()))
///         .observe(|on: On<HttpError>| eprintln!("{}", on.error));
/// }
/// ```
#[derive(Component, Clone)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug),
    type_path = "bevy_httpoll"
)]
#[component(immutable, on_insert = submit, on_discard = discard)]
#[require(HttpPhase, HttpProgress)]
pub struct HttpRequest {
    method: String,
    url: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    content: Vec<Content>,
    timeout: Option<Duration>,
    timeouts: Option<PhaseTimeouts>,
    max_body: Option<u64>,
    error_for_status: bool,
    stale_if_error: bool,
    /// Not reflected: scenes and inspectors must not show credentials.
    #[cfg_attr(feature = "reflect", reflect(ignore))]
    secrets: Secrets,
    /// Not reflected: functions are not data.
    #[cfg_attr(feature = "reflect", reflect(ignore))]
    steps: Steps,
}

/// Names and values of header fields that a redirect to another origin must not carry along.
type Secrets = Vec<(String, Vec<u8>)>;

/// Functions that change the agent's request, in order.
type Steps = Vec<Arc<dyn Fn(Request) -> Request + Send + Sync>>;

impl HttpRequest {
    /// A request with this method. `url` is absolute, or relative to
    /// [`HttpollPlugin::base_url`](crate::HttpollPlugin::base_url). An invalid method or URL is reported by
    /// [`HttpError`](crate::HttpError).
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            query: Vec::new(),
            headers: Vec::new(),
            content: Vec::new(),
            timeout: None,
            timeouts: None,
            max_body: None,
            error_for_status: false,
            stale_if_error: false,
            secrets: Vec::new(),
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
    pub fn query(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Sets a header field. It replaces the plugin's default for this name.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.into(), value.as_ref());
        if is_credential(&name) {
            return self.secret_header(name, value);
        }
        match std::str::from_utf8(value) {
            Ok(text) => {
                self.headers
                    .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
                self.headers.push((name, text.to_owned()));
                self
            }
            Err(_) => {
                let value = value.to_vec();
                self.with(move |request| request.header(&name, &value))
            }
        }
    }

    /// Sets a header field that is a credential: a redirect to another origin does not carry it along, and
    /// no scene saves it.
    #[must_use]
    pub fn secret_header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        let name = name.into();
        self.secrets
            .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.secrets.push((name, value.as_ref().to_vec()));
        self
    }

    /// `Authorization: Bearer …` (RFC 6750 §2.1), a credential as with
    /// [`secret_header`](Self::secret_header).
    #[must_use]
    pub fn bearer(self, token: impl Display) -> Self {
        self.secret_header("Authorization", format!("Bearer {token}"))
    }

    /// `Idempotency-Key`: a value that is different for each action of the player, and the same when that
    /// action is sent again. The server then carries it out only once, so [`HttpRetry`](crate::HttpRetry)
    /// may repeat methods such as `POST`. The server must support the field.
    #[must_use]
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.header(IDEMPOTENCY_KEY, key.into())
    }

    /// Content without a `Content-Type`.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.content(Content::Bytes(Binary(body.into())))
    }

    /// Text content, as `text/plain; charset=utf-8`.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.content(Content::Text(text.into()))
    }

    /// A value as JSON, `application/json`. A value that cannot be written as JSON fails the request.
    #[must_use]
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.content(Content::json(value))
    }

    /// A form of names and values, `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form<N: Into<String>, V: Into<String>>(
        self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.content(Content::Form(pairs.collect()))
    }

    fn content(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }

    /// How long the whole request may take, including redirects and retries, in real time. Default: no
    /// limit, but each phase has its own; see [`timeouts`](Self::timeouts).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long each phase may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = Some(timeouts.into());
        self
    }

    /// The most bytes of decoded content to accept. Default
    /// [`HttpollPlugin::max_body_bytes`](crate::HttpollPlugin::max_body_bytes), and no limit for files and
    /// [chunks](crate::HttpStream::Chunks). 0 means no limit.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Turns a status of 400 and above into an [`HttpError`](crate::HttpError). By default any status is a
    /// response.
    #[must_use]
    pub fn error_for_status(mut self) -> Self {
        self.error_for_status = true;
        self
    }

    /// Uses the [cached](crate::HttpollPlugin::cache) response, however old, if the server cannot be reached
    /// or responds with a 5xx status: for screens that should show something offline. Not for responses with
    /// `no-cache` or `must-revalidate`, which HTTP forbids to use then (RFC 9111 §4.2.4). See
    /// [`CacheMode::StaleIfError`](httpoll::agent::CacheMode::StaleIfError).
    #[must_use]
    pub fn stale_if_error(mut self) -> Self {
        self.stale_if_error = true;
        self
    }

    /// Sets anything else that [`httpoll::Request`] offers. `step` is called each time the request is sent,
    /// after everything else, and must not block.
    ///
    /// ```
    /// # use bevy_httpoll::prelude::*;
    /// # use bevy_httpoll::httpoll::range::RangeSpec;
    /// let tail = HttpRequest::get("https://game.example/log")
    ///     .with(|request| request.ranges(&[RangeSpec::Last(1024)]));
    /// ```
    #[must_use]
    pub fn with(mut self, step: impl Fn(Request) -> Request + Send + Sync + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL as it was given to the constructor.
    pub fn url(&self) -> &str {
        &self.url
    }
}

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Whether the values of this header field are credentials.
fn is_credential(name: &str) -> bool {
    ["Authorization", "Proxy-Authorization", "Cookie"]
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name))
}

impl Default for HttpRequest {
    /// A `GET` with an empty URL, which fails. For scenes and templates that set the rest.
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
    /// Shows method and URL, but no query, credentials, headers or content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRequest({self})")
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

/// Cancels the request, and removes the name that the plugin gave its entity.
fn discard(mut world: DeferredWorld, context: HookContext) {
    let entity = context.entity;
    if let (Some(name), Some(request)) =
        (world.get::<Name>(entity), world.get::<HttpRequest>(entity))
        && name.as_str() == request.to_string()
    {
        world.commands().entity(entity).try_remove::<Name>();
    }
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        http.discard(entity);
    }
}
