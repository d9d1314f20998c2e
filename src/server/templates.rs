//! [`Templates`]: pages from template files, rendered by MiniJinja. The engine is created at its first use,
//! and so is each template.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, ErrorKind, path_loader};

use super::response::Response;

/// The templates of a folder. Names are paths below the folder; no name leads out of it.
///
/// [`render`](Self::render) makes HTML pages and escapes every value, whatever the name of the template is:
/// `a.html`, `a.html.j2`, `a.svg`. [`render_as`](Self::render_as) makes content of another type.
pub struct Templates {
    folder: PathBuf,
    /// Two engines, because escaping is part of a compiled template.
    html: Option<Environment<'static>>,
    text: Option<Environment<'static>>,
}

/// Why a template could not be rendered.
#[derive(Debug)]
#[non_exhaustive]
pub enum TemplateFault {
    /// The folder does not exist or is not a folder. It is never created.
    NoFolder(PathBuf, io::Error),
    /// The folder has no template of this name.
    NotFound(String),
    /// The template of this name is malformed, or rendering failed with these values.
    Failed(String, Box<dyn std::error::Error + Send + Sync>),
}

impl Templates {
    /// The templates of this folder. Nothing is read yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            html: None,
            text: None,
        }
    }

    /// Renders a template with these values as a page of type `text/html; charset=utf-8`. Values are
    /// escaped for HTML, unless the template marks them as safe. A template is read at its first use,
    /// and again when its file has changed.
    ///
    /// # Errors
    /// See [`TemplateFault`]. A handler that returns the error responds with `500`.
    pub fn render(
        &mut self,
        name: &str,
        values: &serde_json::Value,
    ) -> Result<Response, TemplateFault> {
        let page = render(&mut self.html, &self.folder, AutoEscape::Html, name, values)?;
        Ok(Response::html(page))
    }

    /// Renders a template with these values as content of another type, such as
    /// `text/plain; charset=utf-8`. Values are escaped for types that a browser runs as HTML or XML
    /// (any that contains `html` or `xml`), and inserted as they are for others.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_as(
        &mut self,
        media_type: &str,
        name: &str,
        values: &serde_json::Value,
    ) -> Result<Response, TemplateFault> {
        let lower = media_type.to_ascii_lowercase();
        let content = if lower.contains("html") || lower.contains("xml") {
            render(&mut self.html, &self.folder, AutoEscape::Html, name, values)
        } else {
            render(&mut self.text, &self.folder, AutoEscape::None, name, values)
        }?;
        Ok(Response::content(media_type, content))
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
            Self::NoFolder(folder, error) => {
                write!(f, "the template folder {}: {error}", folder.display())
            }
            Self::NotFound(name) => write!(f, "no template is called {name:?}"),
            Self::Failed(name, error) => write!(f, "the template {name:?} failed: {error}"),
        }
    }
}

impl std::error::Error for TemplateFault {}

fn render(
    engine: &mut Option<Environment<'static>>,
    folder: &Path,
    escape: AutoEscape,
    name: &str,
    values: &serde_json::Value,
) -> Result<String, TemplateFault> {
    let engine = match engine {
        Some(engine) => engine,
        none => none.insert(open(folder, escape)?),
    };
    let fault = |error: minijinja::Error| match error.kind() {
        ErrorKind::TemplateNotFound => TemplateFault::NotFound(name.to_owned()),
        _ => TemplateFault::Failed(name.to_owned(), Box::new(error)),
    };
    let template = engine.get_template(name).map_err(fault)?;
    let values = minijinja::value::Serde(values);
    template.render(values).map_err(fault)
}

fn open(folder: &Path, escape: AutoEscape) -> Result<Environment<'static>, TemplateFault> {
    let no_folder = |error| TemplateFault::NoFolder(folder.to_owned(), error);
    let canonical = folder.canonicalize().map_err(no_folder)?;
    if !canonical.is_dir() {
        return Err(no_folder(io::ErrorKind::NotADirectory.into()));
    }
    let mut engine = Environment::new();
    engine.set_loader(path_loader(canonical));
    engine.set_auto_escape_callback(move |_| escape.clone());
    Ok(engine)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn pages_escape_values_whatever_the_template_is_called() {
        let folder = std::env::temp_dir().join(format!("httpoll-escaping-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut templates = Templates::new(&folder);
        let values = json!({"name": "<i>"});
        for name in [
            "a.html",
            "a.HTML",
            "a.htm",
            "a.html.j2",
            "a.jinja",
            "a.svg",
            "a.xml",
            "a.txt",
            "a",
            "a.js",
        ] {
            fs::write(folder.join(name), "{{ name }}").unwrap();
            let page = templates.render(name, &values).unwrap();
            assert_eq!(page.content_length(), Some(9), "{name}");
            let image = templates.render_as("image/svg+XML", name, &values).unwrap();
            assert_eq!(image.content_length(), Some(9), "{name}");
            let text = templates.render_as("text/plain", name, &values).unwrap();
            assert_eq!(text.content_length(), Some(3), "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn templates_of_a_folder() {
        let folder = std::env::temp_dir().join(format!("httpoll-templates-{}", std::process::id()));
        let mut templates = Templates::new(&folder);
        let absent = templates.render("page.html", &json!({}));
        assert!(matches!(absent, Err(TemplateFault::NoFolder(..))));
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
        let text = templates.render_as("text/plain", "sub/mail.txt", &values);
        assert_eq!(length(text), Some(3));
        for name in ["none.html", "../page.html", "/etc/passwd"] {
            let missing = templates.render(name, &values);
            assert!(matches!(missing, Err(TemplateFault::NotFound(_))), "{name}");
        }
        let broken = templates.render("broken.html", &values);
        assert!(matches!(broken, Err(TemplateFault::Failed(..))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
