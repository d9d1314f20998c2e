//! `-F`: parts of a form in curl's spelling.

use httpoll::multipart::{Form, Part};

use crate::arguments::usage;
use crate::data::read;
use crate::exit_status::Failure;

/// Builds a form of `-F` (with `@` and `<`) and `--form-string` values.
pub(crate) fn build(parts: &[(String, bool)]) -> Result<Form, Failure> {
    let mut form = Form::new();
    for (given, has_signs) in parts {
        let (name, content) = given
            .split_once('=')
            .ok_or_else(|| usage(format!("option --form: {given:?} has no name")))?;
        form = if *has_signs {
            add(form, name, content)?
        } else {
            form.part(name, Part::text(content))
        };
    }
    Ok(form)
}

/// Whether its files are small enough to be sent without asking first.
pub(crate) fn is_small(parts: &[(String, bool)]) -> bool {
    let paths = parts.iter().filter_map(|(given, has_signs)| {
        let (_, content) = given.split_once('=').filter(|_| *has_signs)?;
        attributes(content).0.strip_prefix('@')
    });
    let length = |path: &str| std::fs::metadata(unquoted(path)).map_or(0, |found| found.len());
    paths
        .flat_map(|paths| paths.split(','))
        .map(length)
        .sum::<u64>()
        < 1024 * 1024
}

fn add(form: Form, name: &str, content: &str) -> Result<Form, Failure> {
    let (content, attributes) = attributes(content);
    let Some(files) = content.strip_prefix('@') else {
        let part = match content.strip_prefix('<') {
            Some(path) => Part::bytes(read(path)?),
            None => Part::text(unquoted(content)),
        };
        return Ok(form.part(name, with(part, &attributes)));
    };
    let mut form = form;
    for path in files.split(',') {
        let path = unquoted(path);
        let part = match path.as_str() {
            "-" => Part::bytes(read("-")?).filename("-"),
            path => Part::file(path),
        };
        form = form.part(name, with(part, &attributes));
    }
    Ok(form)
}

fn with(part: Part, attributes: &[(&str, String)]) -> Part {
    attributes
        .iter()
        .fold(part, |part, (name, value)| match *name {
            "type" => part.content_type(value.clone()),
            _ => part.filename(value.clone()),
        })
}

/// Takes `;type=` and `;filename=` off the end. A type may have parameters of its own.
fn attributes(content: &str) -> (&str, Vec<(&'static str, String)>) {
    let mut found = Vec::new();
    let mut rest = content;
    while let Some((at, name)) = ["type", "filename"]
        .into_iter()
        .filter_map(|name| Some((rest.rfind(&format!(";{name}="))?, name)))
        .max()
    {
        let value = &rest[at + name.len() + 2..];
        found.push((name, unquoted(value)));
        rest = &rest[..at];
    }
    (rest, found)
}

/// A value in double quotes, without them.
fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}
