//! The server for the web page, without a window: the page's files, and the same service as in the game.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bevy_httpoll::httpoll::server::Server;
use bevy_httpoll::httpoll::server::files::{FolderRoot, StaticFiles};

use crate::service::SharedService;

/// How long the loop sleeps when nothing arrives. Paced content needs it to come round often.
const TURN: Duration = Duration::from_millis(15);

pub fn serve(port: u16, page: Option<PathBuf>) -> Result<(), Box<dyn Error>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/web/pkg");
    let page = page.unwrap_or_else(|| PathBuf::from(beside));
    let root = FolderRoot::new(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let service = SharedService::new()?;
    let mut server = Server::builder().bind_local(port)?;
    service.register(&mut server)?;
    server.files(StaticFiles::new("/", root));
    println!("http://{}/", server.local_addr());
    loop {
        server.wait(Some(TURN))?;
        service.lock().turn(Instant::now());
    }
}
