//! Parses credentials by host from the text of a `.netrc` file, in the format of curl and ftp(1).
//! The caller finds and reads the file, and decides when to use the credentials.

use std::fmt;

use super::auth::Credentials;
use crate::error::{NetrcError, NetrcFault};

/// The entries of a netrc text, in order.
///
/// ```
/// let netrc = httpoll::netrc::Netrc::parse("machine game.example login ann password \"s e c\"")?;
/// assert!(netrc.find("GAME.example", None).is_some());
/// assert!(netrc.find("other.example", None).is_none());
/// # Ok::<(), httpoll::netrc::NetrcError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Netrc {
    machines: Vec<(String, Entry)>,
    default: Vec<Entry>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Entry {
    login: Option<String>,
    password: Option<String>,
    account: Option<String>,
}

impl Netrc {
    /// Parses the whole text. The keywords are `machine`, `default`, `login`, `password` and
    /// `account`. Values may be quoted (with the escapes `\"`, `\\`, `\n`, `\r`, `\t`). `macdef` is
    /// skipped up to the next empty line, and `#` before a keyword starts a comment.
    ///
    /// # Errors
    /// [`NetrcError`] names the line that cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, NetrcError> {
        let mut parser = Parser {
            rest: text,
            line: 1,
        };
        let mut netrc = Self::default();
        let mut current = None;
        while let Some(keyword) = parser.keyword() {
            match keyword {
                "machine" => {
                    let host = parser.value()?;
                    netrc.machines.push((host, Entry::default()));
                    current = netrc.machines.last_mut().map(|(_, entry)| entry);
                }
                "default" => {
                    netrc.default.push(Entry::default());
                    current = netrc.default.last_mut();
                }
                "login" | "password" | "account" => {
                    let Some(entry) = current.as_deref_mut() else {
                        return Err(parser.error(NetrcFault::BeforeMachine));
                    };
                    let value = Some(parser.value()?);
                    match keyword {
                        "login" => entry.login = value,
                        "password" => entry.password = value,
                        _ => entry.account = value,
                    }
                }
                "macdef" => parser.skip_macro()?,
                _ => return Err(parser.error(NetrcFault::UnknownKeyword)),
            }
        }
        Ok(netrc)
    }

    /// The credentials for a host: those of the first `machine` with this name, ignoring letter
    /// case, or else those of `default`. With a `login`, only entries with that login or without
    /// one count.
    pub fn find(&self, host: &str, login: Option<&str>) -> Option<Credentials> {
        let host = host.trim_end_matches('.');
        self.machines
            .iter()
            .filter(|(name, _)| name.trim_end_matches('.').eq_ignore_ascii_case(host))
            .map(|(_, entry)| entry)
            .chain(&self.default)
            .find(|entry| match (login, &entry.login) {
                (Some(wanted), Some(login)) => wanted == login,
                (Some(_), None) => entry.password.is_some(),
                (None, login) => login.is_some(),
            })
            .map(|entry| Credentials::Basic {
                user: login
                    .or(entry.login.as_deref())
                    .unwrap_or_default()
                    .to_owned(),
                password: entry.password.clone().unwrap_or_default(),
            })
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netrc")
            .field("machines", &self.machines.len())
            .field("default", &!self.default.is_empty())
            .finish_non_exhaustive()
    }
}

struct Parser<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, fault: NetrcFault) -> NetrcError {
        NetrcError::new(self.line, fault)
    }

    fn skip_space(&mut self) {
        let space = self.rest.len() - self.rest.trim_ascii_start().len();
        self.advance(space);
    }

    fn advance(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += gone.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').map_or(self.rest.len(), |end| end + 1);
        self.advance(end);
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        self.advance(end);
        word
    }

    fn keyword(&mut self) -> Option<&'a str> {
        loop {
            self.skip_space();
            if !self.rest.starts_with('#') {
                break;
            }
            self.skip_line();
        }
        let word = self.word();
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Result<String, NetrcError> {
        let missing = self.error(NetrcFault::NoValue);
        self.skip_space();
        match self.rest.strip_prefix('"') {
            Some(_) => self.quoted(),
            None => match self.word() {
                "" => Err(missing),
                word => Ok(word.to_owned()),
            },
        }
    }

    fn quoted(&mut self) -> Result<String, NetrcError> {
        let open = self.error(NetrcFault::OpenQuote);
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.advance(at + 1);
                    return Ok(value);
                }
                '\n' => return Err(open),
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, '\n')) | None => return Err(open),
                    Some((_, other)) => value.push(other),
                },
                other => value.push(other),
            }
        }
        Err(open)
    }

    /// A macro has a name and lasts until an empty line (ftp(1)).
    fn skip_macro(&mut self) -> Result<(), NetrcError> {
        self.value()?;
        self.skip_line();
        while !self.rest.is_empty() {
            let is_empty = self.rest.starts_with('\n') || self.rest.starts_with("\r\n");
            self.skip_line();
            if is_empty {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    #[test]
    fn entries_are_found_by_host_and_login() {
        let text = "\
# the servers
machine a.b login ann password one   # a remark
machine A.B login bob
  password #two#
machine c.d
\tlogin \"cleo p\" account x
\tpassword \"th\\\"r\\\\e\\te\"

macdef init
cd /pub
machine evil login no password no

machine e.f. password only
default login anonymous password me@example
machine late login l password m
";
        let netrc = Netrc::parse(text).unwrap();
        for (host, login, found) in [
            ("a.b", None, basic("ann", "one")),
            ("a.b", Some("ann"), basic("ann", "one")),
            ("a.b.", Some("bob"), basic("bob", "#two#")),
            ("a.b", Some("zoe"), None),
            ("C.D", None, basic("cleo p", "th\"r\\e\te")),
            ("e.f", Some("eve"), basic("eve", "only")),
            ("e.f", None, basic("anonymous", "me@example")),
            ("late", None, basic("l", "m")),
            ("evil", None, basic("anonymous", "me@example")),
            ("other", Some("anonymous"), basic("anonymous", "me@example")),
            ("other", Some("ann"), None),
        ] {
            assert_eq!(netrc.find(host, login), found, "{host} {login:?}");
        }
        // Windows line endings and other spacing give the same result.
        assert_eq!(Netrc::parse(&text.replace('\n', "\r\n")).unwrap(), netrc);
    }

    #[test]
    fn an_empty_text_has_no_entries() {
        for text in [
            "",
            "\n \n",
            "# machine a.b login x",
            "macdef m\nmachine a.b",
        ] {
            let netrc = Netrc::parse(text).unwrap();
            assert_eq!(netrc.find("a.b", None), None, "{text:?}");
        }
        // A login without a password is one with an empty password.
        let netrc = Netrc::parse("machine a.b login x").unwrap();
        assert_eq!(netrc.find("a.b", None), basic("x", ""));
    }

    #[test]
    fn errors_name_the_line_and_no_secret() {
        for (text, line) in [
            ("machine a.b\nlogin x\npassword se cret", 3),
            ("login x", 1),
            ("\n\npassword secret", 3),
            ("machine", 1),
            ("machine a.b\nlogin\n\n", 2),
            ("machine a.b login \"x", 1),
            ("machine a.b\nlogin \"x\npassword secret\"", 2),
            ("machine a.b login \"x\\", 1),
            ("macdef", 1),
            ("secret", 1),
        ] {
            let error = Netrc::parse(text).unwrap_err();
            assert_eq!(error.line(), line, "{text:?}");
            let shown = error.to_string();
            assert!(shown.contains(&format!("line {line}")) && !shown.contains("cret"));
        }
    }

    #[test]
    fn a_truncated_text_is_parsed_or_refused() {
        let text = "machine \"a\\\"ü\" login x # y\nmacdef m\nz\n\ndefault login l password \"p\"";
        for (end, _) in text.char_indices() {
            let _ = Netrc::parse(&text[..end]);
        }
        let shown = format!("{:?}", Netrc::parse(text).unwrap());
        assert!(!shown.contains('x'), "{shown}");
    }
}
