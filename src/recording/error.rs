//! [`RecordingError`]: what is wrong with a recording, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a recording cannot be read, and where.
#[derive(Clone, Debug)]
pub struct RecordingError {
    file: Option<PathBuf>,
    place: Place,
    what: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Whole,
    /// From 1.
    Line {
        line: usize,
        column: usize,
    },
    /// As in `exchanges[2].response.status`, from 0; empty for the whole.
    Value(String),
}

impl RecordingError {
    /// The file, if the recording was to be loaded from one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Line and column, from 1, where the text is not JSON.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        match self.place {
            Place::Line { line, column } => Some((line, column)),
            Place::Whole | Place::Value(_) => None,
        }
    }

    /// Which value of the JSON is wrong or missing, as in `exchanges[2].response.status`, from 0.
    pub fn path(&self) -> Option<&str> {
        match &self.place {
            Place::Value(path) => Some(path),
            Place::Whole | Place::Line { .. } => None,
        }
    }

    pub(super) fn unreadable(error: io::Error) -> Self {
        Self::new(Place::Whole, "cannot be read".to_owned()).with_source(error)
    }

    pub(super) fn syntax(error: serde_json::Error) -> Self {
        let place = Place::Line {
            line: error.line(),
            column: error.column(),
        };
        Self::new(place, "is not JSON".to_owned()).with_source(error)
    }

    pub(super) fn value(path: String, what: String) -> Self {
        Self::new(Place::Value(path), what)
    }

    fn new(place: Place, what: String) -> Self {
        Self {
            file: None,
            place,
            what,
            source: None,
        }
    }

    fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    pub(super) fn in_file(mut self, path: &Path) -> Self {
        self.file = Some(path.to_owned());
        self
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        match &self.place {
            Place::Value(path) if !path.is_empty() => write!(f, "the recording's {path} {what}")?,
            Place::Whole | Place::Line { .. } | Place::Value(_) => {
                write!(f, "the recording {what}")?;
            }
        }
        match &self.source {
            // The message of a JSON error names line and column.
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RecordingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
