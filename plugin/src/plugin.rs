//! The plugin: its settings, and what runs when.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy_app::{App, AppExit, First, Last, OnAppExitSystems, Plugin, PreUpdate};
use bevy_ecs::message::Messages;
use bevy_ecs::schedule::{InternedScheduleLabel, IntoScheduleConfigs, ScheduleLabel, SystemSet};
use bevy_ecs::system::{Query, Res, ResMut};
use httpoll::memory::MemoryNetwork;
use httpoll::{Agent, AgentBuilder, Budget, Error, PoolLimits, Timeouts};

use crate::agent::HttpAgent;
use crate::budget::{HttpBudget, HttpPace, Shares};
use crate::events::HttpFinished;
use crate::node::{HttpClientNode, dispatch_nodes, is_active};
use crate::{cancel, dispatch, exit, submit};

/// Adds HTTP to an app: [`HttpRequest`](crate::HttpRequest) entities are answered by events, and
/// [`HttpClientNode`] components are polled.
///
/// Needs no other plugin: it runs under `MinimalPlugins` and in a bare [`App`].
///
/// ```no_run
/// # use bevy_app::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// App::new().add_plugins(HttpollPlugin {
///     user_agent: "space-game/1.2".into(),
///     base_url: Some("https://api.game.example".into()),
///     ..HttpollPlugin::default()
/// });
/// ```
#[derive(Clone)]
pub struct HttpollPlugin {
    /// What requests, nodes, assets and servers together may spend in one frame. Default 1 ms. Becomes
    /// [`HttpBudget::frame`], which can be changed later.
    pub budget: Budget,
    /// How that goes with the frame. Default [`HttpPace::Steady`].
    pub pace: HttpPace,
    /// How many connections there are, in all and to one host. Default 16 and 6. What does not fit
    /// waits, by [`HttpPriority`](crate::HttpPriority).
    pub pool: PoolLimits,
    /// Drives requests on a thread of their own, also between frames: TLS, inflating and bursts of
    /// requests cost the frame little then, and the budget is the nodes' and the servers' alone. What is
    /// told is told in the frame as ever. Default no; without effect on a [`network`](Self::network) in
    /// memory.
    pub on_thread: bool,
    /// How long each phase of a request may take, in real time.
    pub timeouts: Timeouts,
    /// The `User-Agent`; empty for none.
    pub user_agent: String,
    /// Header lines of every request that has none of the same name.
    pub headers: Vec<(String, String)>,
    /// What relative URLs are below of. Default none: URLs are absolute.
    pub base_url: Option<String>,
    /// The most bytes of one response's content in memory; beyond it the request fails. Default
    /// 64 MiB; 0 is no limit. [Chunks](crate::HttpStream::Chunks) have no limit but
    /// [their own](crate::HttpRequest::max_body), files [theirs](crate::HttpDownload::max_size).
    pub max_body_bytes: u64,
    /// How requests speak TLS; `None`, the default, is
    /// [`TlsOptions::client`](httpoll::TlsOptions::client).
    #[cfg(feature = "tls")]
    pub tls: Option<httpoll::TlsOptions>,
    /// Keeps responses as far as HTTP allows, from one run to the next, and asks for them again only
    /// when they are stale, by their `ETag` or date (RFC 9111). Assets, too. Default none.
    #[cfg(feature = "cache")]
    pub cache: Option<crate::HttpCacheFile>,
    /// Content above so many bytes is parsed off the frame by
    /// [`on_json`](crate::HttpEntityCommandsExt::on_json). Default 64 KiB.
    pub json_off_frame: usize,
    /// Observers that take longer than this are named in the log. Default 4 ms; `None` for never.
    pub slow_observer: Option<Duration>,
    /// What becomes of requests when the app ends. Default [`HttpOnExit::Abort`].
    pub on_exit: HttpOnExit,
    /// Whether the entities of finished requests are despawned, unless they have
    /// [`KeepRequest`](crate::KeepRequest). Default yes.
    pub despawn_finished: bool,
    /// The schedule of [`HttpollSystems::Poll`] and [`HttpollSystems::Dispatch`]. Default
    /// [`PreUpdate`], so that `Update` sees what came in this frame.
    pub poll_in: InternedScheduleLabel,
    /// The schedule of [`HttpollSystems::Submit`] and [`HttpollSystems::Flush`]. Default [`Last`],
    /// so that what this frame asked for is on its way before the next.
    pub flush_in: InternedScheduleLabel,
    /// A network in memory with a virtual clock instead of the system's, for tests. Default none.
    pub network: Option<MemoryNetwork>,
    /// Decides about anything else of the agent: proxies, cookies, cache, redirects, circuit breaker.
    pub configure: Option<Configure>,
}

/// See [`HttpollPlugin::configure`].
///
/// ```
/// # use bevy_httpoll::prelude::*;
/// # use std::sync::Arc;
/// let plugin = HttpollPlugin {
///     configure: Some(Arc::new(|agent| agent.error_for_status(true).hsts())),
///     ..HttpollPlugin::default()
/// };
/// # let _ = plugin;
/// ```
pub type Configure = Arc<dyn Fn(AgentBuilder) -> AgentBuilder + Send + Sync>;

/// What becomes of requests when the app ends, by [`AppExit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpOnExit {
    /// They are cancelled.
    #[default]
    Abort,
    /// The last frame waits for them, at most so long: for telemetry and saved games. Observers are
    /// told as ever. Event streams and WebSockets are cancelled.
    Drain(Duration),
}

/// When the plugin works.
///
/// | set | schedule | does |
/// |---|---|---|
/// | `Poll` | `PreUpdate` | sends what was spawned, reads and writes sockets |
/// | `Dispatch` | `PreUpdate`, after `Poll` | triggers events, despawns requests that are done |
/// | `Submit` | `Last` | sends what this frame spawned |
/// | `Flush` | `Last`, after `Submit` | reads and writes sockets again; what comes is told in the next `Dispatch` |
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpollSystems {
    /// Sends what was spawned; polls requests and nodes, within the budget.
    Poll,
    /// Triggers the events, and despawns requests that are done.
    Dispatch,
    /// Sends what this frame spawned.
    Submit,
    /// Polls requests once more, with what is left of the budget.
    Flush,
}

impl Default for HttpollPlugin {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            pace: HttpPace::default(),
            pool: PoolLimits::default(),
            on_thread: false,
            timeouts: Timeouts::default(),
            user_agent: concat!("bevy_httpoll/", env!("CARGO_PKG_VERSION")).to_owned(),
            headers: Vec::new(),
            base_url: None,
            max_body_bytes: 64 * 1024 * 1024,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "cache")]
            cache: None,
            json_off_frame: 64 * 1024,
            slow_observer: Some(Duration::from_millis(4)),
            on_exit: HttpOnExit::default(),
            despawn_finished: true,
            poll_in: PreUpdate.intern(),
            flush_in: Last.intern(),
            network: None,
            configure: None,
        }
    }
}

impl fmt::Debug for HttpollPlugin {
    /// Shows what is no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpollPlugin")
            .field("budget", &self.budget)
            .field("pace", &self.pace)
            .field("pool", &self.pool)
            .field("on_thread", &self.on_thread)
            .field("timeouts", &self.timeouts)
            .field("user_agent", &self.user_agent)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("on_exit", &self.on_exit)
            .finish_non_exhaustive()
    }
}

impl Plugin for HttpollPlugin {
    fn build(&self, app: &mut App) {
        let (poll_in, flush_in) = (self.poll_in, self.flush_in);
        app.insert_resource(HttpBudget {
            frame: self.budget.clone(),
            pace: self.pace,
        })
        .insert_resource(HttpAgent::new(self))
        .add_message::<HttpFinished>()
        .add_observer(cancel::cancel)
        .configure_sets(
            poll_in,
            (HttpollSystems::Poll, HttpollSystems::Dispatch).chain(),
        )
        .configure_sets(
            flush_in,
            (HttpollSystems::Submit, HttpollSystems::Flush).chain(),
        )
        .add_systems(First, begin_frame)
        .add_systems(
            poll_in,
            (
                (submit::prioritise, submit::submit, poll)
                    .chain()
                    .in_set(HttpollSystems::Poll),
                (dispatch_nodes, dispatch::dispatch)
                    .chain()
                    .in_set(HttpollSystems::Dispatch),
            ),
        )
        .add_systems(
            flush_in,
            (
                submit::submit.in_set(HttpollSystems::Submit),
                flush.in_set(HttpollSystems::Flush),
            ),
        )
        .add_systems(
            Last,
            exit::leave
                .run_if(is_exiting)
                .after(HttpollSystems::Flush)
                .in_set(OnAppExitSystems),
        );
        #[cfg(feature = "websocket")]
        app.add_observer(crate::cancel::send_message);
        #[cfg(feature = "server")]
        crate::server::build(app, poll_in);
        #[cfg(feature = "diagnostics")]
        crate::diagnostics::build(app);
        #[cfg(feature = "reflect")]
        crate::reflect::build(app);
    }
}

impl HttpollPlugin {
    /// The agent that these settings make. What is wrong in them is logged and left out: a plugin
    /// cannot refuse to be added.
    pub(crate) fn agent(
        &self,
        #[cfg(feature = "cache")] kept: Option<&crate::cache::Kept>,
    ) -> Agent {
        let builder = self.builder().unwrap_or_else(|error| {
            log::error!("HttpollPlugin's user_agent, headers or base_url are left out: {error}");
            self.plain_builder()
        });
        #[cfg(feature = "cache")]
        let builder = match kept {
            Some(kept) => builder.cache(Arc::clone(&kept.cache)),
            None => builder,
        };
        let builder = match &self.configure {
            Some(configure) => configure(builder),
            None => builder,
        };
        match &self.network {
            Some(network) => builder.build_on_memory(network),
            None => builder.build(),
        }
    }

    fn builder(&self) -> Result<AgentBuilder, Error> {
        let mut builder = self.plain_builder().user_agent(&self.user_agent)?;
        for (name, value) in &self.headers {
            builder = builder.header(name, value)?;
        }
        match &self.base_url {
            Some(url) => builder.base_url(url),
            None => Ok(builder),
        }
    }

    fn plain_builder(&self) -> AgentBuilder {
        let builder = Agent::builder()
            .pool(self.pool.clone())
            .on_thread(self.on_thread)
            .timeouts(self.timeouts.clone())
            .max_body(self.max_body_bytes);
        #[cfg(feature = "tls")]
        let builder = match &self.tls {
            Some(tls) => builder.tls(tls.clone()),
            None => builder,
        };
        builder
    }
}

fn begin_frame(http: Option<ResMut<HttpAgent>>, budget: Option<Res<HttpBudget>>) {
    let Some(mut http) = http else { return };
    if let Some(budget) = budget {
        let granted = budget.granted(http.frame.busy);
        http.frame.granted = granted;
    }
    http.frame.latest = http.frame.spent;
    http.frame.spent = Duration::ZERO;
    http.frame.began = Some(Instant::now());
}

/// The first pump: three quarters of the budget, so that the second can still begin what this frame
/// asks for.
fn poll(
    http: Option<ResMut<HttpAgent>>,
    mut nodes: Query<&mut HttpClientNode>,
    #[cfg(feature = "server")] mut servers: Query<&mut crate::HttpServing>,
) {
    let Some(mut http) = http else { return };
    let began = Instant::now();
    let mut budget = http.frame.granted.clone();
    budget.time = budget
        .time
        .map(|time| (time - time / 4).saturating_sub(http.frame.spent));
    budget.bytes = budget.bytes.map(|bytes| bytes - bytes / 4);
    let requests = http.weight();
    let active = nodes.iter().filter(|node| is_active(node)).count();
    #[cfg(feature = "server")]
    let active = active + servers.iter().len();
    let mut shares = Shares::new(budget, requests + active);
    #[cfg(feature = "server")]
    for mut server in &mut servers {
        server.poll(&shares.next(1));
    }
    for mut node in &mut nodes {
        if is_active(&node) {
            node.set_budget(shares.next(1));
            // A failure is told by the dispatch system, from the client itself.
            let _ = node.poll();
        }
    }
    http.agent.poll_with(&shares.next(requests));
    http.frame.spent += began.elapsed();
}

/// The second pump: what is left of the budget. If nothing is, it does nothing, not even the little that
/// each poll does: the first pump does that in each frame.
fn flush(
    http: Option<ResMut<HttpAgent>>,
    #[cfg(feature = "server")] mut servers: Query<&mut crate::HttpServing>,
) {
    let Some(mut http) = http else { return };
    let mut budget = http.frame.granted.clone();
    let granted = budget.time;
    budget.time = granted.map(|time| time.saturating_sub(http.frame.spent));
    budget.bytes = budget.bytes.map(|bytes| bytes / 4);
    // A pump's first piece of work is done whatever it costs, a handshake's half a millisecond: with less
    // than half of the budget left it waits for the next frame.
    let is_enough_left = match (granted, budget.time) {
        (Some(granted), Some(left)) => left >= granted / 2 && !left.is_zero(),
        _ => true,
    };
    if is_enough_left {
        let began = Instant::now();
        #[cfg(not(feature = "server"))]
        http.agent.poll_with(&budget);
        #[cfg(feature = "server")]
        {
            let requests = http.weight();
            let mut shares = Shares::new(budget, requests + servers.iter().len());
            for mut server in &mut servers {
                server.poll(&shares.next(1));
            }
            http.agent.poll_with(&shares.next(requests));
        }
        http.frame.spent += began.elapsed();
    }
    let spent = http.frame.spent;
    http.frame.busy = http
        .frame
        .began
        .map(|frame| frame.elapsed().saturating_sub(spent));
}

fn is_exiting(exits: Option<Res<Messages<AppExit>>>) -> bool {
    exits.is_some_and(|exits| !exits.is_empty())
}
