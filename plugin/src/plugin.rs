//! [`HttpollPlugin`]: the settings, and which system runs when.

use std::fmt;
#[cfg(feature = "cache")]
use std::sync::Arc;
use std::time::Duration;

use bevy_app::{App, First, Last, OnAppExitSystems, Plugin, PreUpdate};
use bevy_ecs::entity::Entity;
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::query::{Allow, With};
use bevy_ecs::schedule::{InternedScheduleLabel, IntoScheduleConfigs, ScheduleLabel};
use bevy_ecs::world::World;
use httpoll::PollGroup;
use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::{
    Agent, Budget, Error, Timeouts,
    agent::{AgentBuilder, PoolLimits},
};

use crate::components::owner::RequestedBy;
use crate::components::phase::HttpPhase;
use crate::components::request::HttpRequest;
use crate::events::request::HttpFinished;
use crate::resources::agent::HttpAgent;
use crate::resources::budget::{HttpBudget, HttpPace};
use crate::resources::config::PluginConfig;
use crate::resources::frame::Frame;
use crate::resources::request_components::RequestComponents;
use crate::schedule::{HttpOnExit, HttpollSystems, is_exiting};
use crate::systems::{cancel, dispatch, exit, finished, nodes, owners, poll, submit};

/// Adds HTTP to an app. It sends [`HttpRequest`](crate::HttpRequest) entities and triggers events for their
/// responses, and it polls [`HttpClientNode`](crate::HttpClientNode) components.
///
/// It needs no other plugin, but an app needs a runner: `DefaultPlugins`, or `MinimalPlugins` with its
/// `ScheduleRunnerPlugin`. Without a runner `App::run` updates the app only once.
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
    /// What requests, nodes, assets and servers together may spend per frame. Default 1 ms. It becomes
    /// [`HttpBudget::frame`], which systems may change later.
    pub budget: Budget,
    /// How the budget follows the frame's load. Default [`HttpPace::Steady`].
    pub pace: HttpPace,
    /// The most connections in total and per host. Default 16 and 6. Further requests wait, ordered by
    /// [`HttpPriority`](crate::HttpPriority).
    pub pool: PoolLimits,
    /// Whether a thread drives the requests, also between frames. TLS, decompression and bursts of requests
    /// then cost the frame little, and the budget is left to nodes and servers. Events are still triggered
    /// during the frame. Default `false`. No effect on a [`network`](Self::network) in memory.
    pub on_thread: bool,
    /// How long each phase of a request may take, in real time. Defaults: see [`Timeouts`].
    pub timeouts: Timeouts,
    /// The `User-Agent` field; empty to send none. Default `bevy_httpoll/` and the version.
    pub user_agent: String,
    /// Header fields of every request that does not set the same field itself. Default empty.
    pub headers: Vec<(String, String)>,
    /// The base of relative URLs. Default `None`: all URLs must be absolute.
    pub base_url: Option<String>,
    /// The most bytes of one response's content in memory; a longer response fails. Default 64 MiB; 0 means
    /// no limit. It does not limit [chunks](crate::HttpStream::Chunks), which have
    /// [`max_body`](crate::HttpRequest::max_body), nor files, which have
    /// [`max_size`](crate::HttpDownload::max_size).
    pub max_body_bytes: u64,
    /// The TLS options of requests. Default `None`:
    /// [`TlsOptions::client`](httpoll::tls::TlsOptions::client).
    #[cfg(feature = "tls")]
    pub tls: Option<httpoll::tls::TlsOptions>,
    /// A file that caches responses from one run to the next, as far as HTTP allows (RFC 9111). Stale
    /// responses are revalidated by `ETag` or date. Includes assets. Default `None`.
    #[cfg(feature = "cache")]
    pub cache: Option<crate::resources::cache_file::HttpCacheFile>,
    /// [`on_json`](crate::HttpEntityCommandsExt::on_json) parses content with more bytes than this off the
    /// frame. Default 64 KiB.
    pub json_off_frame: usize,
    /// The log names observers that take longer than this. Default 4 ms; `None` logs none.
    pub slow_observer: Option<Duration>,
    /// What happens to requests when the app ends. Default [`HttpOnExit::Abort`].
    pub on_exit: HttpOnExit,
    /// Whether the entities of finished requests are despawned, unless they have
    /// [`KeepRequest`](crate::KeepRequest). Default `true`.
    pub despawn_finished: bool,
    /// The schedule of [`HttpollSystems::Poll`] and [`HttpollSystems::Dispatch`]. Default
    /// [`PreUpdate`], so that `Update` sees what arrived in this frame.
    pub poll_in: InternedScheduleLabel,
    /// The schedule of [`HttpollSystems::Submit`] and [`HttpollSystems::Flush`]. Default [`Last`], so that
    /// requests of this frame are sent before the next.
    pub flush_in: InternedScheduleLabel,
    /// A network in memory with a virtual clock, instead of the system's. For tests. Default `None`.
    pub network: Option<MemoryNetwork>,
    /// Sets anything else on the agent's builder: proxies, cookies, redirects, circuit breaker. Default
    /// `None`.
    pub configure: Option<Configure>,
}

/// See [`HttpollPlugin::configure`].
///
/// ```
/// # use bevy_httpoll::prelude::*;
/// # use bevy_httpoll::httpoll::agent::RequestOptions;
/// # use std::sync::Arc;
/// let plugin = HttpollPlugin {
///     configure: Some(Arc::new(|agent| {
///         agent.defaults(RequestOptions::new().error_for_status(true)).hsts()
///     })),
///     ..HttpollPlugin::default()
/// };
/// # let _ = plugin;
/// ```
pub type Configure = std::sync::Arc<dyn Fn(AgentBuilder) -> AgentBuilder + Send + Sync>;

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
    /// Leaves out headers and TLS keys, which may be secret.
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
        app.insert_resource(self.http_budget())
            .insert_resource(self.http_agent())
            .insert_resource(self.config())
            .add_message::<HttpFinished>()
            .add_observer(cancel::cancel)
            .add_observer(owners::break_cycle::<RequestedBy>)
            .configure_sets(
                poll_in,
                (HttpollSystems::Poll, HttpollSystems::Dispatch).chain(),
            )
            .configure_sets(
                flush_in,
                (HttpollSystems::Submit, HttpollSystems::Flush).chain(),
            )
            .add_systems(First, (poll::begin_frame, finished::forget_old))
            .add_systems(
                poll_in,
                (
                    (submit::submit, poll::poll)
                        .chain()
                        .in_set(HttpollSystems::Poll),
                    (nodes::dispatch_nodes, dispatch::dispatch)
                        .chain()
                        .in_set(HttpollSystems::Dispatch),
                ),
            )
            .add_systems(
                flush_in,
                (
                    submit::submit.in_set(HttpollSystems::Submit),
                    poll::flush.in_set(HttpollSystems::Flush),
                ),
            )
            .add_systems(
                Last,
                exit::leave
                    .run_if(is_exiting)
                    .after(HttpollSystems::Flush)
                    .in_set(OnAppExitSystems),
            );
        let components = RequestComponents::new(app.world_mut());
        app.insert_resource(components);
        submit_early(app.world_mut());
        #[cfg(feature = "websocket")]
        app.add_observer(cancel::send_message);
        #[cfg(feature = "outbox")]
        app.add_systems(
            poll_in,
            crate::systems::outbox::poll_outbox
                .after(dispatch::dispatch)
                .in_set(HttpollSystems::Dispatch),
        );
        #[cfg(feature = "patch")]
        app.add_systems(
            poll_in,
            crate::systems::patches::poll_patches
                .after(dispatch::dispatch)
                .in_set(HttpollSystems::Dispatch),
        );
        #[cfg(feature = "server")]
        crate::systems::servers::build(app, poll_in);
        crate::systems::snapshot::build(app);
        #[cfg(feature = "cache")]
        app.add_systems(
            Last,
            crate::systems::save_cache::save_cache.after(HttpollSystems::Flush),
        );
        #[cfg(feature = "diagnostics")]
        crate::systems::diagnostics::build(app);
        #[cfg(feature = "reflect")]
        crate::reflect::build(app);
    }
}

/// Submits the requests that were spawned before the plugin was added.
fn submit_early(world: &mut World) {
    let mut requests = world.query_filtered::<Entity, (With<HttpRequest>, Allow<Disabled>)>();
    let requests: Vec<Entity> = requests.iter(world).collect();
    let Some(mut http) = world.get_resource_mut::<HttpAgent>() else {
        return;
    };
    for request in requests {
        http.submit(request, HttpPhase::default());
    }
}

impl HttpollPlugin {
    fn config(&self) -> PluginConfig {
        PluginConfig {
            despawn_finished: self.despawn_finished,
            slow_observer: self.slow_observer,
            json_off_frame: self.json_off_frame,
            on_exit: self.on_exit,
            schedules: (self.poll_in, self.flush_in),
        }
    }

    fn http_budget(&self) -> HttpBudget {
        HttpBudget {
            frame: self.budget.clone(),
            pace: self.pace,
        }
    }

    fn http_agent(&self) -> HttpAgent {
        #[cfg(feature = "cache")]
        let cache = self
            .cache
            .as_ref()
            .map(crate::resources::cache_file::HttpCacheFile::load);
        let group = match &self.network {
            Some(network) => PollGroup::on_memory(network),
            None => PollGroup::new(),
        };
        HttpAgent::new(
            self.agent(
                &group,
                #[cfg(feature = "cache")]
                cache.as_ref(),
            ),
            group,
            self.network.clone(),
            self.base_url.clone().unwrap_or_default(),
            Frame::new(&self.http_budget()),
            #[cfg(feature = "cache")]
            cache,
        )
    }

    /// Builds the agent. Invalid settings are logged and left out, because adding a plugin cannot fail.
    fn agent(
        &self,
        group: &PollGroup,
        #[cfg(feature = "cache")] cache: Option<&crate::resources::cache_file::CacheHandle>,
    ) -> Agent {
        let builder = self.builder().unwrap_or_else(|error| {
            log::error!("HttpollPlugin ignores its user_agent, headers and base_url, because one is invalid: {error}");
            self.plain_builder()
        });
        #[cfg(feature = "cache")]
        let builder = match cache {
            Some(handle) => builder.cache(Arc::clone(&handle.cache)),
            None => builder,
        };
        let builder = match &self.configure {
            Some(configure) => configure(builder),
            None => builder,
        };
        let builder = builder.group(group);
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
            .defaults(
                RequestOptions::new()
                    .timeouts(self.timeouts.clone())
                    .max_body(self.max_body_bytes),
            );
        #[cfg(feature = "tls")]
        let builder = match &self.tls {
            Some(tls) => builder.defaults(RequestOptions::new().tls(tls.clone())),
            None => builder,
        };
        builder
    }
}
