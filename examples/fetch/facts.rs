//! What is known of one transfer: gathered while it runs, asked for by `-w`.

use std::net::SocketAddr;
use std::time::Duration;

use http::Version;
use httpoll::proto::{FieldLines, RequestHead, ResponseHead};
use httpoll::{Response, agent::Timings};
use url::Url;

use crate::exit_status::Failure;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) number: usize,
    pub(crate) given_url: String,
    pub(crate) url: Option<Url>,
    pub(crate) method: String,
    pub(crate) file_name: String,
    pub(crate) status: u16,
    pub(crate) proxy_status: u16,
    pub(crate) version: Option<Version>,
    /// The header lines of the latest response.
    pub(crate) fields: FieldLines,
    pub(crate) redirects: usize,
    pub(crate) connects: u32,
    pub(crate) header_count: usize,
    pub(crate) header_bytes: usize,
    pub(crate) request_bytes: usize,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) timings: Timings,
    pub(crate) total: Duration,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) failure: Option<Failure>,
    pub(crate) follows: bool,
}

impl Facts {
    pub(crate) fn note_sent(&mut self, head: &RequestHead) {
        let line = head.method.as_str().len() + head.target.len() + " HTTP/1.1\r\n ".len();
        self.method = head.method.to_string();
        self.request_bytes += line + lines(&head.fields);
    }

    pub(crate) fn note_received(&mut self, head: &ResponseHead, to_proxy: bool) {
        self.header_bytes += "HTTP/1.1 200 \r\n".len() + head.reason.len() + lines(&head.fields);
        self.header_count = head.fields.len();
        self.version = Some(head.version);
        if to_proxy {
            self.proxy_status = head.status.as_u16();
            return;
        }
        self.status = head.status.as_u16();
        self.fields = head.fields.clone();
    }

    pub(crate) fn note_response(&mut self, response: &Response) {
        self.timings = *response.timings();
        self.uploaded = response.transferred().sent;
        if let Some(url) = response.url() {
            self.url = Some(url.clone());
        }
        if let Some(connection) = response.connection() {
            self.local = connection.local_address;
            self.remote = connection.peer_address;
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let value = self.fields.get(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Where a redirect that was not followed leads.
    pub(crate) fn redirect_url(&self) -> Option<String> {
        if self.follows || !(300..400).contains(&self.status) {
            return None;
        }
        let location = self.header("location")?;
        Some(self.url.as_ref()?.join(&location).ok()?.into())
    }
}

/// The bytes of header lines and of the empty line behind them.
fn lines(fields: &FieldLines) -> usize {
    let each = fields
        .iter()
        .map(|(name, value)| name.len() + value.len() + ": \r\n".len());
    each.sum::<usize>() + "\r\n".len()
}
