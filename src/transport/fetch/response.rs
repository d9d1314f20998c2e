//! The head of a response, as far as the browser shows it to a page.

use http::{StatusCode, Version};
use js_sys::Array;
use web_sys::{Response, ResponseType};

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
                let _ = fields.append(&name, value);
            }
        }
        let content_length = content_length(response, &fields);
        // The browser has undone the coding.
        fields.remove("content-encoding");
        Self {
            head: ResponseHead {
                version: Version::HTTP_11,
                status: StatusCode::from_u16(response.status()).unwrap_or_default(),
                reason: response.status_text().into(),
                fields,
            },
            redirected_to: response.redirected().then(|| response.url()),
            content_length,
            has_content: response.body().is_some(),
            is_unfollowed_redirect: response.type_() == ResponseType::Opaqueredirect,
        }
    }

    /// About the bytes that the head had.
    pub(crate) fn size(&self) -> u64 {
        let fields = self.head.fields.iter();
        let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
        (fields + 1) as u64
    }
}

/// `Content-Length`, unless it counts the bytes of a content coding, which the browser undoes. Of another origin
/// the browser hides whether there is a coding, so there only content that is usually sent without one has a
/// length.
fn content_length(response: &Response, fields: &FieldLines) -> Option<u64> {
    let length = std::str::from_utf8(fields.get("content-length")?).ok()?;
    let length = length.trim().parse().ok()?;
    if fields.contains("content-encoding") {
        return None;
    }
    let may_be_hidden = response.type_() == ResponseType::Cors;
    (!may_be_hidden || is_rarely_coded(fields.get("content-type"))).then_some(length)
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
