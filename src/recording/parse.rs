//! Reads the text form of a recording.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use super::error::RecordingError;
use super::write::{FORMAT, VERSION};
use super::{RecordedBody, RecordedExchange, RecordedRequest, RecordedResponse, Recording};
use crate::proto::FieldLines;

type Parsed<T> = Result<T, RecordingError>;

pub(super) fn parse(text: &str) -> Parsed<Recording> {
    let value: Value = serde_json::from_str(text).map_err(RecordingError::syntax)?;
    let root = At::root(&value);
    let members = root.members(&["format", "version", "exchanges"])?;
    let format = members.get("format")?;
    if format.text()? != FORMAT {
        return Err(format.wrong(&format!("must be {FORMAT:?}")));
    }
    let version = members.get("version")?;
    if version.number()? != VERSION {
        return Err(version.wrong(&format!("must be {VERSION}, the one version known here")));
    }
    let exchanges = members.get("exchanges")?;
    let exchanges = exchanges.items()?.into_iter().map(|at| exchange(&at));
    Ok(Recording {
        exchanges: exchanges.collect::<Parsed<_>>()?,
    })
}

fn exchange(at: &At<'_>) -> Parsed<RecordedExchange> {
    let members = at.members(&["request", "response"])?;
    Ok(RecordedExchange {
        request: request(&members.get("request")?)?,
        response: response(&members.get("response")?)?,
    })
}

fn request(at: &At<'_>) -> Parsed<RecordedRequest> {
    let members = at.members(&["method", "url", "headers", "body"])?;
    let (method, url) = (members.get("method")?, members.get("url")?);
    let parsed = Url::parse(url.text()?).ok();
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    Ok(RecordedRequest {
        method: Method::from_bytes(method.text()?.as_bytes())
            .map_err(|_| method.wrong("must be a method, such as \"GET\""))?,
        url: parsed
            .filter(is_http)
            .ok_or_else(|| url.wrong("must be an http or https URL"))?,
        headers: headers(&members.get("headers")?)?,
        body: body(&members.get("body")?)?,
    })
}

fn response(at: &At<'_>) -> Parsed<RecordedResponse> {
    let keys = ["status", "headers", "body", "head_after_us", "end_after_us"];
    let members = at.members(&keys)?;
    let status = members.get("status")?;
    let code = u16::try_from(status.number()?).ok();
    let micros = |key| members.get(key)?.number().map(Duration::from_micros);
    Ok(RecordedResponse {
        status: code
            .and_then(|code| StatusCode::from_u16(code).ok())
            // An interim response answers nothing.
            .filter(|status| {
                !status.is_informational() || *status == StatusCode::SWITCHING_PROTOCOLS
            })
            .ok_or_else(|| status.wrong("must be 101 or from 200 to 999"))?,
        headers: headers(&members.get("headers")?)?,
        body: match body(&members.get("body")?)? {
            RecordedBody::Bytes(bytes) => bytes,
            RecordedBody::Omitted(_) => {
                let body = members.get("body")?;
                return Err(body.wrong("must be there: what was omitted cannot be played back"));
            }
        },
        head_after: micros("head_after_us")?,
        end_after: micros("end_after_us")?,
    })
}

fn headers(at: &At<'_>) -> Parsed<FieldLines> {
    let mut fields = FieldLines::new();
    for line in at.items()? {
        let bytes = match line.value {
            Value::String(line) => line.as_bytes().to_vec(),
            _ => line.members(&["base64"])?.get("base64")?.base64()?,
        };
        let mut parts = bytes.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| std::str::from_utf8(name).ok());
        name.zip(parts.next())
            .and_then(|(name, value)| fields.append(name, value).ok())
            .ok_or_else(|| line.wrong("must be a header line, \"Name: value\""))?;
    }
    Ok(fields)
}

fn body(at: &At<'_>) -> Parsed<RecordedBody> {
    let members = at.members(&["text", "base64", "omitted"])?;
    let forms = (
        members.find("text"),
        members.find("base64"),
        members.find("omitted"),
    );
    match forms {
        (Some(text), None, None) => {
            let lines: Vec<_> = text.items()?;
            let lines: Vec<_> = lines.iter().map(At::text).collect::<Parsed<_>>()?;
            Ok(lines.concat().into())
        }
        (None, Some(base64), None) => {
            let lines: Vec<_> = base64.items()?;
            let lines: Vec<_> = lines.iter().map(At::text).collect::<Parsed<_>>()?;
            let bytes = STANDARD.decode(lines.concat());
            Ok(bytes
                .map_err(|_| base64.wrong("must be base64 (RFC 4648 §4)"))?
                .into())
        }
        (None, None, Some(omitted)) => Ok(RecordedBody::Omitted(omitted.number()?)),
        _ => Err(at.wrong("must have one of \"text\", \"base64\" and \"omitted\"")),
    }
}

/// A value and where it stands.
struct At<'a> {
    value: &'a Value,
    path: String,
}

/// The members of an object.
struct Members<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> At<'a> {
    fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// The members; none may have a name outside `known`, for it would be ignored in silence.
    fn members(&self, known: &[&str]) -> Parsed<Members<'a>> {
        let Value::Object(map) = self.value else {
            return Err(self.wrong("must be an object"));
        };
        let members = Members {
            map,
            path: self.path.clone(),
        };
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                let what = format!("is not known: there may be {}", known.join(", "));
                Err(RecordingError::value(members.path_of(key), what))
            }
            None => Ok(members),
        }
    }

    fn items(&self) -> Parsed<Vec<At<'a>>> {
        let Value::Array(items) = self.value else {
            return Err(self.wrong("must be a list"));
        };
        let items = items.iter().enumerate().map(|(index, value)| At {
            value,
            path: format!("{}[{index}]", self.path),
        });
        Ok(items.collect())
    }

    fn text(&self) -> Parsed<&'a str> {
        let text = self.value.as_str();
        text.ok_or_else(|| self.wrong("must be text"))
    }

    fn number(&self) -> Parsed<u64> {
        let number = self.value.as_u64();
        number.ok_or_else(|| self.wrong("must be a whole number, not negative"))
    }

    fn base64(&self) -> Parsed<Vec<u8>> {
        let decoded = STANDARD.decode(self.text()?);
        decoded.map_err(|_| self.wrong("must be base64 (RFC 4648 §4)"))
    }

    fn wrong(&self, what: &str) -> RecordingError {
        RecordingError::value(self.path.clone(), what.to_owned())
    }
}

impl<'a> Members<'a> {
    fn find(&self, key: &str) -> Option<At<'a>> {
        let value = self.map.get(key)?;
        Some(At {
            value,
            path: self.path_of(key),
        })
    }

    fn get(&self, key: &str) -> Parsed<At<'a>> {
        self.find(key)
            .ok_or_else(|| RecordingError::value(self.path_of(key), "is missing".to_owned()))
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.path),
        }
    }
}
