//! [`Content`]: what a request sends, as the caller gave it, and how a form of pairs is encoded. What is ready to be
//! sent is in `payload`.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;

use crate::connection::RequestBody;
use crate::error::{Error, Misuse};
#[cfg(feature = "multipart")]
use crate::semantics::multipart::Form;

/// Content as the caller gave it.
#[derive(Default)]
pub(crate) enum Content {
    #[default]
    None,
    /// Sent unchanged, without a `Content-Type` of ours.
    Raw(RequestBody),
    Typed {
        content_type: &'static str,
        bytes: Bytes,
    },
    /// Pairs and files; the header decides how they are encoded.
    Form {
        pairs: Vec<(String, String)>,
        files: Vec<(String, PathBuf)>,
    },
    #[cfg(feature = "multipart")]
    Multipart(Form),
    File(PathBuf),
}

impl Content {
    pub(super) fn raw(body: RequestBody) -> Self {
        Self::Raw(body)
    }

    pub(super) fn typed(content_type: &'static str, bytes: Bytes) -> Self {
        Self::Typed {
            content_type,
            bytes,
        }
    }

    #[cfg(feature = "multipart")]
    pub(super) fn multipart(form: Form) -> Self {
        Self::Multipart(form)
    }

    /// The same content, with pairs encoded. `asked` is the `Content-Type` that the caller set: it may ask for
    /// `multipart/form-data` or `application/json`. Files make a form multipart in any case.
    pub(super) fn encoded(self, asked: Option<&str>) -> Result<Self, Error> {
        let Self::Form { pairs, files } = self else {
            return Ok(self);
        };
        let asked = asked.unwrap_or_default().to_ascii_lowercase();
        let asked = asked.split(';').next().unwrap_or_default().trim();
        if !files.is_empty() || asked == "multipart/form-data" {
            return multipart(pairs, files);
        }
        if asked == "application/json" {
            let object: serde_json::Map<String, serde_json::Value> = pairs
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect();
            let json = serde_json::to_vec(&object)
                .map_err(|error| Error::from(Misuse::InvalidContent).with_source(error))?;
            return Ok(Self::Raw(json.into()));
        }
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(pairs);
        Ok(Self::Typed {
            content_type: "application/x-www-form-urlencoded",
            bytes: encoded.finish().into(),
        })
    }
}

#[cfg(feature = "multipart")]
fn multipart(
    pairs: Vec<(String, String)>,
    files: Vec<(String, PathBuf)>,
) -> Result<Content, Error> {
    let mut form = Form::new();
    for (name, value) in pairs {
        form = form.text(name, value);
    }
    for (name, path) in files {
        form = form.file(name, path);
    }
    Ok(Content::Multipart(form))
}

#[cfg(not(feature = "multipart"))]
fn multipart(
    _pairs: Vec<(String, String)>,
    _files: Vec<(String, PathBuf)>,
) -> Result<Content, Error> {
    Err(Misuse::FeatureNotBuilt("multipart").into())
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Raw(_) => "raw",
            Self::Typed { content_type, .. } => content_type,
            Self::Form { .. } => "form",
            #[cfg(feature = "multipart")]
            Self::Multipart(_) => "multipart",
            Self::File(_) => "file",
        })
    }
}
