//! The head of a response, as far as the browser shows it to a page.

use http::{StatusCode, Version};
use js_sys::Array;
use web_sys::{Response, ResponseType, XmlHttpRequest};

use super::page::is_same_origin;
use crate::proto::{FieldLines, ResponseHead};

/// The head of a response, and what the browser says about it.
#[derive(Debug)]
pub(crate) struct FetchHead {
    pub(crate) head: ResponseHead,
    /// The URL of the response, if the browser followed redirects to it.
    pub(crate) redirected_to: Option<String>,
    /// The length of the content as the page gets it, where that is known.
    pub(crate) content_length: Option<u64>,
    pub(crate) has_content: bool,
    /// The response is a redirect that was not followed; a page sees nothing else of it.
    pub(crate) is_unfollowed_redirect: bool,
}

impl FetchHead {
    pub(super) fn of(response: &Response) -> Self {
        let mut fields = FieldLines::new();
        for entry in response.headers().entries().into_iter().flatten() {
            let pair = Array::from(&entry);
            if let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) {
                // The browser shows no field that is malformed.
                let _ = fields.append(&name, bytes(&value));
            }
        }
        let is_cors = response.type_() == ResponseType::Cors;
        let content_length = content_length(is_cors, &fields);
        Self {
            head: head(response.status(), response.status_text(), fields),
            redirected_to: response.redirected().then(|| response.url()),
            content_length,
            has_content: response.body().is_some(),
            is_unfollowed_redirect: response.type_() == ResponseType::Opaqueredirect,
        }
    }

    /// The same of an `XMLHttpRequest` to `url`, which follows redirects and does not say so. A redirect back to the
    /// same URL is not noticed.
    pub(super) fn of_upload(request: &XmlHttpRequest, url: &str) -> Self {
        let mut fields = FieldLines::new();
        let lines = request.get_all_response_headers().unwrap_or_default();
        for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
            // The browser shows no field that is malformed.
            let _ = fields.append(name, bytes(value.trim_ascii()));
        }
        let response_url = request.response_url();
        let status = request.status().unwrap_or_default();
        let content_length = content_length(!is_same_origin(&response_url), &fields);
        let reason = request.status_text().unwrap_or_default();
        let asked = url.split('#').next().unwrap_or_default();
        Self {
            head: head(status, reason, fields),
            redirected_to: (response_url != asked).then_some(response_url),
            content_length,
            has_content: !matches!(status, 204 | 205 | 304),
            is_unfollowed_redirect: false,
        }
    }

    /// About the bytes that the head had.
    pub(crate) fn size(&self) -> u64 {
        let fields = self.head.fields.iter();
        let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
        (fields + 1) as u64
    }
}

/// The bytes of a field's value, which JavaScript gets as the characters of the same numbers ("isomorphic decode").
fn bytes(value: &str) -> Vec<u8> {
    let bytes = value.chars().map(|it| u8::try_from(u32::from(it)));
    bytes
        .collect::<Result<_, _>>()
        .unwrap_or_else(|_| value.into())
}

fn head(status: u16, reason: String, mut fields: FieldLines) -> ResponseHead {
    // The browser has undone the coding.
    fields.remove("content-encoding");
    ResponseHead {
        version: Version::HTTP_11,
        status: StatusCode::from_u16(status).unwrap_or_default(),
        reason: reason.into(),
        fields,
    }
}

/// `Content-Length`, unless it counts the bytes of a content coding, which the browser undoes. Of another origin
/// the browser hides whether there is a coding, so there only content that is usually sent without one has a
/// length.
fn content_length(is_cors: bool, fields: &FieldLines) -> Option<u64> {
    let length = std::str::from_utf8(fields.get("content-length")?).ok()?;
    let length = length.trim().parse().ok()?;
    if fields.contains("content-encoding") {
        return None;
    }
    (!is_cors || is_rarely_coded(fields.get("content-type"))).then_some(length)
}

fn is_rarely_coded(content_type: Option<&[u8]>) -> bool {
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let is_picture = essence.starts_with("image/") && essence != "image/svg+xml";
    is_picture
        || essence.starts_with("audio/")
        || essence.starts_with("video/")
        || matches!(
            essence.as_str(),
            "application/octet-stream" | "application/zip" | "application/gzip"
        )
}
