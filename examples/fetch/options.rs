//! The meaning of the options: for all transfers, and for each group of URLs between two `--next`.

use std::time::Duration;

use crate::arguments::{Argument, split, usage};
use crate::data::{self, Data};
use crate::exit_status::Failure;

/// A command line.
#[derive(Debug, Default)]
pub(crate) struct CommandLine {
    pub(crate) help: bool,
    pub(crate) version: bool,
    pub(crate) verbose: bool,
    pub(crate) silent: bool,
    pub(crate) show_error: bool,
    pub(crate) parallel: bool,
    pub(crate) parallel_max: Option<usize>,
    pub(crate) fail_early: bool,
    pub(crate) groups: Vec<Group>,
}

/// URLs and the options that hold for them.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) urls: Vec<String>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) uploads: Vec<String>,
    pub(crate) remote_name_all: bool,
    pub(crate) output_dir: Option<String>,
    pub(crate) create_dirs: bool,
    pub(crate) method: Option<String>,
    pub(crate) head: bool,
    pub(crate) get: bool,
    pub(crate) headers: Vec<String>,
    pub(crate) data: Option<Data>,
    pub(crate) form: Vec<(String, bool)>,
    pub(crate) user: Option<String>,
    pub(crate) scheme: AuthScheme,
    pub(crate) bearer: Option<String>,
    pub(crate) netrc: Netrc,
    pub(crate) cookies: Vec<String>,
    pub(crate) cookie_jar: Option<String>,
    pub(crate) junk_session_cookies: bool,
    pub(crate) proxy: Option<String>,
    pub(crate) proxy_user: Option<String>,
    pub(crate) proxy_tunnel: bool,
    pub(crate) no_proxy: Option<String>,
    pub(crate) compressed: bool,
    pub(crate) insecure: bool,
    pub(crate) ca_file: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) tls_min: Option<String>,
    pub(crate) tls_max: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) max_time: Option<Duration>,
    pub(crate) expect_timeout: Option<Duration>,
    pub(crate) resolve: Vec<String>,
    pub(crate) range: Option<String>,
    pub(crate) continue_at: Option<ContinueAt>,
    pub(crate) referer: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) limit_rate: Option<u64>,
    pub(crate) max_file_size: Option<u64>,
    pub(crate) retry: u32,
    pub(crate) retry_delay: Option<Duration>,
    pub(crate) retry_max_time: Option<Duration>,
    pub(crate) retry_connect_refused: bool,
    pub(crate) retry_all_errors: bool,
    pub(crate) fail: bool,
    pub(crate) fail_with_body: bool,
    pub(crate) include: bool,
    pub(crate) dump_header: Option<String>,
    pub(crate) write_out: Option<String>,
    pub(crate) location: bool,
    pub(crate) location_trusted: bool,
    pub(crate) max_redirects: Option<u32>,
    pub(crate) keep_post: [bool; 3],
    pub(crate) path_as_is: bool,
    pub(crate) request_target: Option<String>,
    pub(crate) http10: bool,
    pub(crate) family: Option<Family>,
    pub(crate) hsts: Option<String>,
}

/// Where content goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    File(String),
    RemoteName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AuthScheme {
    #[default]
    Basic,
    Digest,
    Any,
}

/// Whether a netrc file is asked for credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Netrc {
    #[default]
    No,
    Home,
    HomeIfThere,
    File(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContinueAt {
    /// Where the output file ends.
    EndOfFile,
    Offset(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl CommandLine {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut line = Self::default();
        let mut group = Group::default();
        for argument in split(words)? {
            match argument {
                Argument::Url(url) => group.urls.push(url),
                Argument::Switch("next", _) => {
                    let done = std::mem::take(&mut group);
                    line.groups.push(done.checked()?);
                }
                Argument::Switch(name, on) => {
                    if !line.switch(name, on) {
                        group.switch(name, on);
                    }
                }
                Argument::Value("parallel-max", value) => {
                    line.parallel_max = Some(number("parallel-max", &value)?);
                }
                Argument::Value(name, value) => group.set(name, value)?,
            }
        }
        if line.help || line.version {
            return Ok(line);
        }
        line.groups.push(group.checked()?);
        Ok(line)
    }

    pub(crate) fn shows_errors(&self) -> bool {
        !self.silent || self.show_error
    }

    /// Handles an option that holds for all groups. Returns whether it is one.
    fn switch(&mut self, name: &str, on: bool) -> bool {
        match name {
            "help" => self.help = on,
            "version" => self.version = on,
            "verbose" => self.verbose = on,
            "silent" => self.silent = on,
            "show-error" => self.show_error = on,
            "parallel" => self.parallel = on,
            "fail-early" => self.fail_early = on,
            _ => return false,
        }
        true
    }
}

impl Group {
    /// The output of a URL by its number.
    pub(crate) fn output(&self, index: usize) -> Option<Output> {
        let all = self.remote_name_all.then_some(Output::RemoteName);
        self.outputs.get(index).cloned().or(all)
    }

    /// Whether cookies are kept at all.
    pub(crate) fn keeps_cookies(&self) -> bool {
        self.cookie_jar.is_some() || self.cookies.iter().any(|it| !it.contains('='))
    }

    fn checked(self) -> Result<Self, Failure> {
        if self.urls.is_empty() {
            return Err(usage("no URL specified!".to_owned()));
        }
        let has_data = self.data.is_some() && !self.get;
        let kinds = [
            has_data,
            !self.form.is_empty(),
            self.head && !self.get,
            !self.uploads.is_empty(),
        ];
        if kinds.iter().filter(|kind| **kind).count() > 1 {
            return Err(usage(
                "You can only select one HTTP request method!".to_owned(),
            ));
        }
        Ok(self)
    }

    fn switch(&mut self, name: &str, on: bool) {
        match name {
            "anyauth" => self.scheme = AuthScheme::Any,
            "basic" => self.scheme = AuthScheme::Basic,
            "digest" => self.scheme = AuthScheme::Digest,
            "compressed" => self.compressed = on,
            "create-dirs" => self.create_dirs = on,
            "fail" => self.fail = on,
            "fail-with-body" => self.fail_with_body = on,
            "get" => self.get = on,
            "head" => self.head = on,
            "http1.0" => self.http10 = on,
            "http1.1" => self.http10 = !on,
            "include" => self.include = on,
            "insecure" => self.insecure = on,
            "ipv4" => self.family = on.then_some(Family::V4),
            "ipv6" => self.family = on.then_some(Family::V6),
            "junk-session-cookies" => self.junk_session_cookies = on,
            "location" => self.location = on,
            "location-trusted" => (self.location, self.location_trusted) = (on, on),
            "netrc" => self.netrc = if on { Netrc::Home } else { Netrc::No },
            "netrc-optional" => self.netrc = Netrc::HomeIfThere,
            "path-as-is" => self.path_as_is = on,
            "post301" => self.keep_post[0] = on,
            "post302" => self.keep_post[1] = on,
            "post303" => self.keep_post[2] = on,
            "proxytunnel" => self.proxy_tunnel = on,
            "remote-name" => self.outputs.push(Output::RemoteName),
            "remote-name-all" => self.remote_name_all = on,
            "retry-all-errors" => self.retry_all_errors = on,
            "retry-connrefused" => self.retry_connect_refused = on,
            "tlsv1.2" => self.tls_min = Some("1.2".to_owned()),
            "tlsv1.3" => self.tls_min = Some("1.3".to_owned()),
            // The remaining options have no effect here; `arguments` says so.
            _ => {}
        }
    }

    fn set(&mut self, name: &'static str, value: String) -> Result<(), Failure> {
        match name {
            "cacert" => self.ca_file = Some(value),
            "cert" => self.certificate = Some(value),
            "connect-timeout" => self.connect_timeout = Some(seconds(name, &value)?),
            "continue-at" => {
                self.continue_at = Some(match value.as_str() {
                    "-" => ContinueAt::EndOfFile,
                    offset => ContinueAt::Offset(number(name, offset)?),
                });
            }
            "cookie" => self.cookies.push(value),
            "cookie-jar" => self.cookie_jar = Some(value),
            "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "json" => {
                let data = self.data.get_or_insert_default();
                data::add(data, name, &value)?;
            }
            "dump-header" => self.dump_header = Some(value),
            "expect100-timeout" => self.expect_timeout = Some(seconds(name, &value)?),
            "form" => self.form.push((value, true)),
            "form-string" => self.form.push((value, false)),
            "header" => self.headers.extend(data::header_lines(&value)?),
            "hsts" => self.hsts = Some(value),
            "key" => self.key = Some(value),
            "limit-rate" => self.limit_rate = Some(rate(name, &value)?).filter(|it| *it > 0),
            "max-filesize" => self.max_file_size = Some(rate(name, &value)?),
            "max-redirs" => {
                let most: i64 = number(name, &value)?;
                self.max_redirects = Some(u32::try_from(most).unwrap_or(u32::MAX));
            }
            "max-time" => self.max_time = Some(seconds(name, &value)?),
            "netrc-file" => self.netrc = Netrc::File(value),
            "noproxy" => self.no_proxy = Some(value),
            "oauth2-bearer" => self.bearer = Some(value),
            "output" => self.outputs.push(Output::File(value)),
            "output-dir" => self.output_dir = Some(value),
            "proxy" => self.proxy = Some(value),
            "proxy-user" => self.proxy_user = Some(value),
            "range" => self.range = Some(value),
            "referer" => self.referer = Some(value),
            "request" => self.method = Some(value),
            "request-target" => self.request_target = Some(value),
            "resolve" => self.resolve.push(value),
            "retry" => self.retry = number(name, &value)?,
            "retry-delay" => self.retry_delay = Some(seconds(name, &value)?),
            "retry-max-time" => self.retry_max_time = Some(seconds(name, &value)?),
            "socks5" => self.proxy = Some(format!("socks5://{value}")),
            "socks5-hostname" => self.proxy = Some(format!("socks5h://{value}")),
            "tls-max" => self.tls_max = Some(value),
            "upload-file" => self.uploads.push(value),
            "url" => self.urls.push(value),
            "user" => self.user = Some(value),
            "user-agent" => self.user_agent = Some(value),
            "write-out" => self.write_out = Some(data::text_or_file(&value)?),
            _ => return Err(usage(format!("option --{name}: is unknown"))),
        }
        Ok(())
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, Failure> {
    value.trim().parse().map_err(|_| {
        usage(format!(
            "option --{name}: expected a proper numerical parameter"
        ))
    })
}

fn seconds(name: &str, value: &str) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(number(name, value)?)
        .map_err(|_| usage(format!("option --{name}: expected seconds")))
}

/// A number of bytes, with a unit.
fn rate(name: &str, value: &str) -> Result<u64, Failure> {
    let (digits, factor) = match value.trim_end_matches(['b', 'B']) {
        it if it.ends_with(['k', 'K']) => (&it[..it.len() - 1], 1024.0),
        it if it.ends_with(['m', 'M']) => (&it[..it.len() - 1], 1024.0 * 1024.0),
        it if it.ends_with(['g', 'G']) => (&it[..it.len() - 1], 1024.0 * 1024.0 * 1024.0),
        it => (it, 1.0),
    };
    let count: f64 = number(name, digits)?;
    if !(0.0..1e18).contains(&count) {
        return Err(usage(format!("option --{name}: expected bytes")));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((count * factor) as u64)
}
