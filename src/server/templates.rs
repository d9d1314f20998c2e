//! [`Templates`]: pages out of files, by MiniJinja. The engine is made, and a template read, when it is
//! used first.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, ErrorKind, path_loader};

use super::response::Response;

/// The templates of a folder. Those whose names end in `.html`, `.htm` or `.xml` escape what they are
/// given. Names are paths below the folder; none leads out of it.
pub struct Templates {
    folder: PathBuf,
    engine: Option<Environment<'static>>,
}

/// Why a template gave no page.
#[derive(Debug)]
#[non_exhaustive]
pub enum TemplateFault {
    /// There is no such folder. It is never made.
    NoFolder(io::Error),
    /// There is no such template in it.
    NotFound,
    /// The template is malformed, or failed with what it was given.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Templates {
    /// The templates of this folder. Nothing is looked at yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            engine: None,
        }
    }

    /// Renders a template with these values, as `text/html; charset=utf-8`. A template is read when it
    /// is used first, and again when its file has changed.
    ///
    /// # Errors
    /// See [`TemplateFault`]. A handler that returns the error answers `500`.
    pub fn render(
        &mut self,
        name: &str,
        values: &serde_json::Value,
    ) -> Result<Response, TemplateFault> {
        let engine = match &mut self.engine {
            Some(engine) => engine,
            none => none.insert(engine(&self.folder)?),
        };
        let template = engine.get_template(name).map_err(fault)?;
        let values = minijinja::value::Serde(values);
        template.render(values).map(Response::html).map_err(fault)
    }
}

impl Default for Templates {
    /// The templates of the folder `templates` in the working directory.
    fn default() -> Self {
        Self::new("templates")
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder(error) => write!(f, "there is no folder of templates: {error}"),
            Self::NotFound => f.write_str("there is no such template"),
            Self::Failed(error) => write!(f, "the template failed: {error}"),
        }
    }
}

impl std::error::Error for TemplateFault {}

fn engine(folder: &Path) -> Result<Environment<'static>, TemplateFault> {
    let folder = folder.canonicalize().map_err(TemplateFault::NoFolder)?;
    if !folder.is_dir() {
        return Err(TemplateFault::NoFolder(io::ErrorKind::NotADirectory.into()));
    }
    let mut engine = Environment::new();
    engine.set_loader(path_loader(folder));
    engine.set_auto_escape_callback(|name| {
        match Path::new(name).extension().and_then(|it| it.to_str()) {
            Some("html" | "htm" | "xml") => AutoEscape::Html,
            _ => AutoEscape::None,
        }
    });
    Ok(engine)
}

fn fault(error: minijinja::Error) -> TemplateFault {
    match error.kind() {
        ErrorKind::TemplateNotFound => TemplateFault::NotFound,
        _ => TemplateFault::Failed(Box::new(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn templates_of_a_folder() {
        let folder = std::env::temp_dir().join(format!("httpoll-templates-{}", std::process::id()));
        let mut templates = Templates::new(&folder);
        let absent = templates.render("page.html", &json!({}));
        assert!(matches!(absent, Err(TemplateFault::NoFolder(_))));
        assert!(!folder.exists());

        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("page.html"), "<b>{{ name }}</b>").unwrap();
        fs::write(folder.join("sub/mail.txt"), "{{ name }}").unwrap();
        fs::write(folder.join("broken.html"), "{% if %}").unwrap();
        let length = |rendered: Result<Response, TemplateFault>| rendered.unwrap().content_length();
        let values = json!({"name": "<i>"});
        assert_eq!(
            length(templates.render("page.html", &values)),
            Some("<b>&lt;i&gt;</b>".len() as u64)
        );
        assert_eq!(length(templates.render("sub/mail.txt", &values)), Some(3));
        for name in ["none.html", "../page.html", "/etc/passwd"] {
            let missing = templates.render(name, &values);
            assert!(matches!(missing, Err(TemplateFault::NotFound)), "{name}");
        }
        let broken = templates.render("broken.html", &values);
        assert!(matches!(broken, Err(TemplateFault::Failed(_))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
