//! Parses challenges in `WWW-Authenticate` and `Proxy-Authenticate` (RFC 9110 §11.6.1): a list of
//! schemes, each with a list of parameters, both separated by commas. What to do with a challenge
//! belongs to `auth`.

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    pub(super) parameters: Vec<Parameter>,
}

/// A name, and a value without quotes and escapes. No encoding is specified for values.
pub(super) type Parameter = (String, Vec<u8>);

impl Challenge {
    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }
}

/// The challenges in one field value, up to the first part that is malformed.
pub(super) fn parse(field: &[u8]) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = field;
    loop {
        skip(&mut rest, b", \t");
        let token = take_while(&mut rest, is_token);
        if token.is_empty() {
            return challenges;
        }
        let mut after = rest;
        skip(&mut after, b" \t");
        if after.first() == Some(&b'=') && !challenges.is_empty() {
            rest = &after[1..];
            let Some(value) = value(&mut rest) else {
                return challenges;
            };
            if let Some(challenge) = challenges.last_mut() {
                challenge.parameters.push((text(token), value));
            }
            continue;
        }
        challenges.push(Challenge {
            scheme: text(token),
            parameters: Vec::new(),
        });
        skip_token68(&mut rest);
    }
}

/// The parameters of `Authentication-Info` (RFC 9110 §11.6.3), up to the first that is malformed.
#[cfg(feature = "digest-auth")]
pub(super) fn parse_info(field: &[u8]) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    let mut rest = field;
    loop {
        skip(&mut rest, b", \t");
        let name = take_while(&mut rest, is_token);
        skip(&mut rest, b" \t");
        let Some(after) = rest.strip_prefix(b"=") else {
            return parameters;
        };
        rest = after;
        let Some(value) = value(&mut rest) else {
            return parameters;
        };
        parameters.push((text(name), value));
    }
}

/// Skips a `token68`, which stands in place of parameters, as in `Negotiate YII=`. None of the
/// supported schemes uses one.
fn skip_token68(rest: &mut &[u8]) {
    let mut after = *rest;
    skip(&mut after, b" \t");
    if take_while(&mut after, |byte| is_token(byte) || byte == b'/').is_empty() {
        return;
    }
    skip(&mut after, b"=");
    skip(&mut after, b" \t");
    if matches!(after.first(), None | Some(b',')) {
        *rest = after;
    }
}

fn value(rest: &mut &[u8]) -> Option<Vec<u8>> {
    skip(rest, b" \t");
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let token = take_while(rest, is_token);
        return (!token.is_empty()).then(|| token.to_vec());
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter();
    loop {
        match bytes.next()? {
            b'"' => break,
            b'\\' => value.push(*bytes.next()?),
            byte => value.push(*byte),
        }
    }
    *rest = bytes.as_slice();
    Some(value)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn skip(rest: &mut &[u8], what: &[u8]) {
    take_while(rest, |byte| what.contains(&byte));
}

fn take_while<'a>(rest: &mut &'a [u8], wanted: impl Fn(u8) -> bool) -> &'a [u8] {
    let end = rest
        .iter()
        .position(|byte| !wanted(*byte))
        .unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &[u8]) -> String {
        parse(field)
            .iter()
            .map(|challenge| {
                let parameters = challenge
                    .parameters
                    .iter()
                    .map(|(name, value)| format!("{name}={}", text(value)))
                    .collect::<Vec<_>>();
                format!("{}({})", challenge.scheme, parameters.join("|"))
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn nested_lists_are_parsed() {
        // RFC 9110 §11.6.1, RFC 7617 §2, RFC 7616 §3.9, RFC 4559 §4, RFC 6750 §3
        for (field, expected) in [
            ("Basic realm=\"simple\"", "Basic(realm=simple)"),
            (
                "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
                "Basic(realm=simple) Newauth(realm=apps|type=1|title=Login to \"apps\")",
            ),
            ("Basic", "Basic()"),
            ("Negotiate", "Negotiate()"),
            ("Negotiate, NTLM", "Negotiate() NTLM()"),
            (
                "Negotiate YII/+x==, Basic realm=x",
                "Negotiate() Basic(realm=x)",
            ),
            ("NTLM TlRM=", "NTLM()"),
            (
                "Digest realm=\"a, b=c\",nonce=\"x\",\tqop=\"auth,auth-int\" , stale=TRUE",
                "Digest(realm=a, b=c|nonce=x|qop=auth,auth-int|stale=TRUE)",
            ),
            (
                "Basic realm = \"x\" , charset = UTF-8",
                "Basic(realm=x|charset=UTF-8)",
            ),
            (",, ,Basic realm=x,, ,Digest,", "Basic(realm=x) Digest()"),
            (
                "Bearer error=\"invalid_token\"",
                "Bearer(error=invalid_token)",
            ),
            ("Basic realm=\"\"", "Basic(realm=)"),
            ("Basic realm=\"ü\"", "Basic(realm=ü)"),
            // A malformed part ends the list.
            ("", ""),
            ("=x", ""),
            ("realm=\"x\"", "realm()"),
            ("Basic realm=", "Basic()"),
            ("Basic realm=\"x", "Basic()"),
            ("Basic realm=\"x\\", "Basic()"),
            ("Basic realm=x, (", "Basic(realm=x)"),
            ("Basic realm=x, Digest nonce=\"y", "Basic(realm=x) Digest()"),
        ] {
            assert_eq!(shown(field.as_bytes()), expected, "{field}");
        }
        let latin_1 = &parse(b"Basic realm=\"\xff\"")[0].parameters[0];
        assert_eq!(latin_1.1, b"\xff", "as received");
    }

    #[test]
    fn a_truncated_field_yields_the_challenges_before_the_cut() {
        let field = b"Basic realm=\"a\\\"b\", Digest realm=\"c\", nonce=d, Negotiate YII==";
        let whole = parse(field);
        for end in 0..field.len() {
            let cut = parse(&field[..end]);
            for (cut, whole) in cut.iter().zip(&whole) {
                // A parameter name without a value looks like a scheme, so the schemes may differ.
                if cut.scheme == whole.scheme {
                    let known = &whole.parameters[..cut.parameters.len()];
                    assert_eq!(cut.parameters, known, "cut at {end}");
                }
            }
        }
    }

    #[test]
    fn long_invalid_input_is_parsed_in_one_pass() {
        assert_eq!(parse(&b"a,".repeat(30_000)).len(), 30_000);
        assert_eq!(parse(&b"a ".repeat(30_000)).len(), 29_999);
        assert!(parse(&b"\"".repeat(60_000)).is_empty());
        assert_eq!(
            parse(&[b"a b=\"".as_slice(), &b"\\\"".repeat(30_000)].concat()).len(),
            1
        );
    }
}
