//! A command line taken apart into options and URLs.

use crate::exit_status::{FAILED_INIT, Failure};
use crate::option_list::{Known, OPTIONS};

/// A word of the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// An option that takes nothing; off when it was given as `--no-…`.
    Switch(&'static str, bool),
    /// An option and what it takes.
    Value(&'static str, String),
    Url(String),
}

/// Takes a command line apart, in curl's way: letters may be joined, the last may have its value
/// behind it; `--` ends the options.
pub(crate) fn split(words: impl Iterator<Item = String>) -> Result<Vec<Argument>, Failure> {
    let mut words = words;
    let mut arguments = Vec::new();
    let mut only_urls = false;
    while let Some(word) = words.next() {
        if only_urls || word == "-" || !word.starts_with('-') {
            arguments.push(Argument::Url(word));
        } else if word == "--" {
            only_urls = true;
        } else if let Some(name) = word.strip_prefix("--") {
            arguments.push(long(name, &mut words)?);
        } else {
            letters(&word[1..], &mut words, &mut arguments)?;
        }
    }
    Ok(arguments)
}

fn long(name: &str, words: &mut impl Iterator<Item = String>) -> Result<Argument, Failure> {
    if let Some(known) = OPTIONS.iter().find(|known| known.name == name) {
        return match known.takes {
            None => Ok(Argument::Switch(known.name, true)),
            Some(_) => value(known, words.next()),
        };
    }
    name.strip_prefix("no-")
        .and_then(|rest| OPTIONS.iter().find(|known| known.name == rest))
        .filter(|known| known.takes.is_none())
        .map(|known| Argument::Switch(known.name, false))
        .ok_or_else(|| usage(format!("option --{name}: is unknown")))
}

fn letters(
    cluster: &str,
    words: &mut impl Iterator<Item = String>,
    arguments: &mut Vec<Argument>,
) -> Result<(), Failure> {
    let mut rest = cluster;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        let known = OPTIONS
            .iter()
            .find(|known| known.letter == Some(letter))
            .ok_or_else(|| usage(format!("option -{letter}: is unknown")))?;
        if known.takes.is_none() {
            arguments.push(Argument::Switch(known.name, true));
            continue;
        }
        let joined = (!rest.is_empty()).then(|| rest.to_owned());
        arguments.push(value(known, joined.or_else(|| words.next()))?);
        return Ok(());
    }
    Ok(())
}

fn value(known: &'static Known, value: Option<String>) -> Result<Argument, Failure> {
    value
        .map(|value| Argument::Value(known.name, value))
        .ok_or_else(|| usage(format!("option --{}: requires parameter", known.name)))
}

pub(crate) fn usage(message: String) -> Failure {
    Failure::new(FAILED_INIT, message)
}
