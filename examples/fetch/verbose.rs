//! `-v`: what happens, to standard error. What logs in is hidden.

use std::io::{self, Write};

use httpoll::Event;
use httpoll::proto::{FieldLines, RequestHead, ResponseHead};

/// Tells an event, if it is worth a line.
pub(crate) fn tell(event: &Event) {
    // There is nobody to tell if standard error is closed.
    let _ = try_tell(event);
}

fn try_tell(event: &Event) -> io::Result<()> {
    let mut out = io::stderr().lock();
    match event {
        Event::Queued { .. } => writeln!(out, "* Waiting for a connection"),
        Event::StillQueued { waited, reason, .. } => {
            writeln!(
                out,
                "* Still waiting for a connection after {waited:?}: {reason}"
            )
        }
        Event::Phase { phase, .. } => writeln!(out, "* Now {phase}"),
        Event::HeadSent { head, .. } => request(&mut out, head),
        Event::HeadReceived { head, .. } => response(&mut out, head),
        Event::Redirect { location, .. } => writeln!(out, "* Following to {location}"),
        Event::WillRetry {
            attempt,
            after,
            cause,
            ..
        } => {
            writeln!(
                out,
                "* Attempt {attempt} failed, {cause:?}; again in {after:?}"
            )
        }
        Event::Done { response, .. } => match response.connection() {
            Some(connection) => {
                let reused = if connection.reused { "again" } else { "new" };
                write!(out, "* Connection")?;
                if let Some(address) = connection.peer_address {
                    write!(out, " to {address}")?;
                }
                write!(out, " ({reused})")?;
                if let Some(tls) = &connection.tls {
                    write!(out, ", {:?}, {}", tls.version, tls.cipher_suite)?;
                }
                writeln!(out)
            }
            None => Ok(()),
        },
        Event::Failed { error, .. } => match error.phase() {
            Some(phase) => writeln!(out, "* Failed while {phase}"),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn request(out: &mut impl Write, head: &RequestHead) -> io::Result<()> {
    writeln!(out, "> {} {} {:?}", head.method, head.target, head.version)?;
    fields(out, '>', &head.fields)
}

fn response(out: &mut impl Write, head: &ResponseHead) -> io::Result<()> {
    let status = head.status.as_str();
    writeln!(out, "< {:?} {status} {}", head.version, head.reason)?;
    fields(out, '<', &head.fields)
}

fn fields(out: &mut impl Write, sign: char, fields: &FieldLines) -> io::Result<()> {
    for (name, value) in fields.iter() {
        let value = match is_secret(name) {
            true => "(hidden)".into(),
            false => String::from_utf8_lossy(value),
        };
        writeln!(out, "{sign} {name}: {value}")?;
    }
    writeln!(out, "{sign}")
}

fn is_secret(name: &str) -> bool {
    [
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
    ]
    .iter()
    .any(|secret| name.eq_ignore_ascii_case(secret))
}
