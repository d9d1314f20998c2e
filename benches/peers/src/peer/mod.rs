//! One adapter for each client, all behind one face: ask, then poll in frames or wait.

mod agent;
mod floor;
mod hyper;
mod libcurl;
mod node;
mod reqwest;
mod ureq;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::Outcome;

/// A client. An answer that is not 200, or is cut short, is an error.
pub trait Peer {
    /// Asks. It may begin at once or in the next poll, as is the client's way.
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()>;

    /// What a game does once a frame.
    fn poll(&mut self, seen: &mut Seen) -> Outcome<()>;

    /// Sleeps until something happened, and takes all of it.
    fn wait(&mut self, seen: &mut Seen) -> Outcome<()>;

    /// Drops the answers that were kept.
    fn release(&mut self);
}

/// What came.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    /// Bytes of content.
    pub bytes: u64,
    /// Requests that are over.
    pub done: usize,
}

/// One `GET`, made before anything is measured.
pub struct Ask {
    pub address: SocketAddr,
    pub is_tls: bool,
    pub path: String,
    pub url: String,
    /// Whether the answer is collected and kept, or streamed and thrown away.
    pub keeps: bool,
    /// Whether the connection is to be closed behind the answer.
    pub closes: bool,
}

impl Ask {
    pub fn new(port: u16, is_tls: bool, path: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let scheme = if is_tls { "https" } else { "http" };
        Self {
            address,
            is_tls,
            path: path.to_owned(),
            url: format!("{scheme}://{address}{path}"),
            keeps: false,
            closes: false,
        }
    }

    pub fn keeping(self) -> Self {
        Self {
            keeps: true,
            ..self
        }
    }

    pub fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    /// For the rest of the process: clients queue it without copying.
    pub fn leak(self) -> &'static Self {
        Box::leak(Box::new(self))
    }
}

/// What a scenario asks of a client.
#[derive(Clone)]
pub struct Setup {
    /// The private authority's certificate, PEM.
    pub authority: PathBuf,
    /// The most connections.
    pub connections: usize,
    /// Of one poll.
    pub budget: Option<Duration>,
    /// Whether answers are awaited without a deadline.
    pub waits_long: bool,
}

impl Setup {
    pub fn authority_pem(&self) -> Outcome<Vec<u8>> {
        Ok(fs::read(&self.authority)?)
    }

    /// TLS 1.3 by rustls and ring, with the private authority only, without resumption.
    pub fn rustls(&self) -> Outcome<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

/// Names as they stand in tables.
pub const FLOOR: &str = "floor";
pub const FLOOR_LINGERING: &str = "floor lingering 500 us";
pub const AGENT: &str = "httpoll agent";
pub const AGENT_ON: &str = "httpoll agent polled on";
pub const AGENT_FILE: &str = "httpoll agent to a file";
pub const AGENT_LINGERING: &str = "httpoll agent lingering 500 us";
pub const AGENT_THREAD: &str = "httpoll agent on a thread";
pub const AGENT_THREAD_FILE: &str = "httpoll agent on a thread to a file";
pub const AGENT_BURST: &str = "httpoll agent burst()";
pub const NODE: &str = "httpoll node";
pub const CURL: &str = "libcurl 16 KiB";
pub const CURL_LARGE: &str = "libcurl 512 KiB";
pub const CURL_ONCE: &str = "libcurl 16 KiB once a frame";

pub const UREQ: &str = "ureq";
pub const REQWEST: &str = "reqwest";
pub const HYPER: &str = "hyper";

const LINGER: Duration = Duration::from_micros(500);

/// The client of this name.
pub fn of(name: &str, setup: &Setup) -> Outcome<Box<dyn Peer>> {
    use agent::{Agent, Manner};
    Ok(match name {
        FLOOR => Box::new(floor::Floor::new(setup, None)?),
        FLOOR_LINGERING => Box::new(floor::Floor::new(setup, Some(LINGER))?),
        AGENT => Box::new(Agent::new(setup, Manner::Plain)?),
        AGENT_ON => Box::new(Agent::new(setup, Manner::PolledOn)?),
        AGENT_FILE => Box::new(Agent::new(setup, Manner::ToFile)?),
        AGENT_LINGERING => Box::new(Agent::new(setup, Manner::Lingering(LINGER))?),
        AGENT_THREAD => Box::new(Agent::new(setup, Manner::OnThread)?),
        AGENT_THREAD_FILE => Box::new(Agent::new(setup, Manner::OnThreadToFile)?),
        AGENT_BURST => Box::new(Agent::new(setup, Manner::Burst)?),
        NODE => Box::new(node::Nodes::new(setup)?),
        CURL => Box::new(libcurl::Curl::new(setup, None, false)?),
        CURL_LARGE => Box::new(libcurl::Curl::new(setup, Some(512 * 1024), false)?),
        CURL_ONCE => Box::new(libcurl::Curl::new(setup, None, true)?),
        UREQ => Box::new(ureq::Ureq::new(setup)?),
        REQWEST => Box::new(reqwest::Reqwest::new(setup)?),
        HYPER => Box::new(hyper::Hyper::new(setup)?),
        _ => return Err(format!("no client is called {name:?}").into()),
    })
}
