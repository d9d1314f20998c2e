//! One request, built from the options of its group.

use std::sync::Arc;

use http::{Method, Version};
use httpoll::{Request, auth::Credentials, node::RequestBody};

use crate::address::Address;
use crate::exit_status::{BAD_ARGUMENT, Failure, READ_ERROR};
use crate::form;
use crate::network::Common;
use crate::options::{AuthScheme, Group};

/// Builds the request. `upload` is a file to send; `range_start` is where to continue.
pub(crate) fn build(
    group: &Group,
    common: &Common,
    address: &Address,
    upload: Option<&str>,
    range_start: Option<u64>,
) -> Result<Request, Failure> {
    let mut request = Request::new(method(group, upload)?, address.url.as_str())
        .stream()
        .report_heads(true)
        .decompress(group.compressed)
        .redirects(common.redirects.clone())
        .retries(common.retries.clone())
        .timeouts(common.timeouts.clone())
        .total_timeout(group.max_time.unwrap_or_default())
        .proxies(common.proxies.clone())
        .proxy_tunnel(group.proxy_tunnel)
        .rate_limit(group.limit_rate)
        .use_cookies(group.keeps_cookies())
        .max_body(group.max_file_size.unwrap_or(0))
        .error_for_status(group.fail);
    if let Some(tls) = &common.tls {
        request = request.tls(tls.clone());
    }
    if group.http10 {
        request = request.version(Version::HTTP_10);
    }
    if let Some(target) = &group.request_target {
        request = request.request_target(target);
    } else if group.path_as_is {
        request = request.request_target(address.raw_target());
    }
    if let (Some(netrc), AuthScheme::Basic) = (&common.netrc, group.scheme) {
        request = request.netrc(Arc::clone(netrc));
    }
    if let Some(credentials) = credentials(group, common, address) {
        request = request.credentials(credentials);
    }
    request = with_fields(request, group, upload)?;
    if let Some(start) = range_start {
        request = request.header("Range", format!("bytes={start}-"));
    } else if let Some(range) = &group.range {
        request = request.header("Range", format!("bytes={range}"));
    }
    request = with_cookies(request, group);
    with_content(request, group, upload)
}

fn method(group: &Group, upload: Option<&str>) -> Result<Method, Failure> {
    if let Some(name) = &group.method {
        return Method::from_bytes(name.as_bytes())
            .map_err(|_| Failure::new(BAD_ARGUMENT, format_args!("{name:?} is no method")));
    }
    Ok(if group.head {
        Method::HEAD
    } else if upload.is_some() {
        Method::PUT
    } else if group.data.is_some() && !group.get || !group.form.is_empty() {
        Method::POST
    } else {
        Method::GET
    })
}

fn with_fields(request: Request, group: &Group, upload: Option<&str>) -> Result<Request, Failure> {
    let mut request = request;
    if upload.is_some() {
        request = request.without_header("Content-Type");
    }
    if let Some(data) = group.data.as_ref().filter(|_| !group.get) {
        request = if data.is_json {
            request
                .header("Content-Type", "application/json")
                .header("Accept", "application/json")
        } else {
            request.header("Content-Type", "application/x-www-form-urlencoded")
        };
    }
    request = match group.user_agent.as_deref() {
        None => request,
        Some("") => request.without_header("User-Agent"),
        Some(name) => request.header("User-Agent", name),
    };
    request = match group.referer.as_deref().map(|it| it.strip_suffix(";auto")) {
        // Without ";auto" a redirect sends no Referer.
        None => request.without_header("Referer"),
        Some(Some("")) => request,
        Some(Some(first)) => request.header("Referer", first),
        Some(None) => match group.referer.as_deref() {
            Some("") | None => request.without_header("Referer"),
            Some(referer) => request.header("Referer", referer),
        },
    };
    let mut given: Vec<String> = Vec::new();
    for line in &group.headers {
        let (name, value) = match (line.split_once(':'), line.strip_suffix(';')) {
            (Some((name, value)), _) => (name, Some(value.trim()).filter(|it| !it.is_empty())),
            (None, Some(name)) => (name, Some("")),
            // Like curl, ignore a line that is not a header field.
            (None, None) => continue,
        };
        let is_repeated = given.iter().any(|other| other.eq_ignore_ascii_case(name));
        request = match value {
            None => request.without_header(name),
            Some(value) if is_repeated => request.append_header(name, value),
            Some(value) => request.header(name, value),
        };
        given.push(name.to_owned());
    }
    Ok(request)
}

/// `-b name=value`; a file's cookies are in the jar.
fn with_cookies(request: Request, group: &Group) -> Request {
    let pieces = group.cookies.iter().filter(|given| given.contains('='));
    pieces.fold(request, |request, given| {
        given
            .split(';')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .fold(request, |request, pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                request.cookie(name, value)
            })
    })
}

/// Whether a header asks for the chunked coding (RFC 9112 §7.1).
fn wants_chunks(group: &Group) -> bool {
    group.headers.iter().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.contains("chunked")
    })
}

fn with_content(request: Request, group: &Group, upload: Option<&str>) -> Result<Request, Failure> {
    if let Some(path) = upload {
        return Ok(match path {
            "-" | "." => request.body(RequestBody::reader(std::io::stdin(), None)),
            path if wants_chunks(group) => {
                let file = std::fs::File::open(path)
                    .map_err(|error| Failure::file(READ_ERROR, path, &error))?;
                request
                    .body(RequestBody::reader(file, None))
                    .expect_continue(Some(1))
            }
            path => {
                std::fs::metadata(path).map_err(|error| Failure::file(READ_ERROR, path, &error))?;
                // curl expects 100-continue for every upload.
                request.file(path).expect_continue(Some(1))
            }
        });
    }
    if !group.form.is_empty() {
        let form = form::build(&group.form)?;
        // curl expects 100-continue only for large content.
        return Ok(match form::is_small(&group.form) {
            true => request.multipart(form).expect_continue(None),
            false => request.multipart(form),
        });
    }
    let Some(data) = group.data.as_ref().filter(|_| !group.get) else {
        return Ok(request);
    };
    let bytes = data.bytes.clone();
    let is_chunked = wants_chunks(group);
    Ok(if is_chunked {
        let reader = RequestBody::reader(std::io::Cursor::new(bytes), None);
        request.body(reader).expect_continue(None)
    } else {
        request.body(bytes)
    })
}

fn credentials(group: &Group, common: &Common, address: &Address) -> Option<Credentials> {
    if let Some(token) = &group.bearer {
        return Some(Credentials::Bearer(token.clone()));
    }
    let given = group.user.as_ref().map(|given| {
        let (user, password) = given.split_once(':').unwrap_or((given, ""));
        (user.to_owned(), password.to_owned())
    });
    let found = || {
        let host = address.url.host_str()?;
        match common.netrc.as_ref()?.find(host, None)? {
            Credentials::Basic { user, password } => Some((user, password)),
            _ => None,
        }
    };
    let given = given.or_else(|| address.user.clone());
    let (user, password) = match group.scheme {
        // The agent itself resolves the host, at each hop.
        AuthScheme::Basic => given?,
        AuthScheme::Digest | AuthScheme::Any => given.or_else(found)?,
    };
    Some(match group.scheme {
        AuthScheme::Basic => Credentials::Basic { user, password },
        AuthScheme::Digest => Credentials::Digest { user, password },
        AuthScheme::Any => Credentials::Any { user, password },
    })
}
