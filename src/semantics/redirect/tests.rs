use http::{HeaderMap, HeaderName};

use super::*;

const NO_UPGRADE: &dyn Fn(&Url) -> Option<Url> = &|_| None;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn follow(current: &str, location: &[u8]) -> Result<Option<Redirection>, RedirectRefusal> {
    redirect(
        &RedirectPolicy::default(),
        StatusCode::FOUND,
        &Method::GET,
        &url(current),
        Some(location),
        0,
        NO_UPGRADE,
    )
}

fn followed(current: &str, location: &[u8]) -> Redirection {
    follow(current, location).unwrap().unwrap()
}

#[test]
fn methods_by_status() {
    // (section of RFC 9110, status, method, method after, content kept)
    for (section, status, method, after, keeps) in [
        ("15.4.2", 301, "GET", "GET", true),
        ("15.4.2", 301, "HEAD", "HEAD", true),
        ("15.4.2", 301, "POST", "GET", false),
        ("15.4.2", 301, "PUT", "PUT", true),
        ("15.4.3", 302, "GET", "GET", true),
        ("15.4.3", 302, "POST", "GET", false),
        ("15.4.3", 302, "DELETE", "DELETE", true),
        ("15.4.4", 303, "GET", "GET", false),
        ("15.4.4", 303, "HEAD", "HEAD", false),
        ("15.4.4", 303, "POST", "GET", false),
        ("15.4.4", 303, "PUT", "GET", false),
        ("15.4.4", 303, "DELETE", "GET", false),
        ("15.4.8", 307, "POST", "POST", true),
        ("15.4.8", 307, "GET", "GET", true),
        ("15.4.9", 308, "POST", "POST", true),
        ("15.4.9", 308, "PATCH", "PATCH", true),
    ] {
        let next = redirect(
            &RedirectPolicy::default(),
            StatusCode::from_u16(status).unwrap(),
            &Method::from_bytes(method.as_bytes()).unwrap(),
            &url("http://a.b/"),
            Some(b"/x"),
            0,
            NO_UPGRADE,
        )
        .unwrap()
        .unwrap();
        let case = format!("RFC 9110 §{section}: {status} to {method}");
        assert_eq!(next.method.as_str(), after, "{case}");
        assert_eq!(next.keeps_content, keeps, "{case}");
    }
}

#[test]
fn a_post_stays_a_post_if_the_policy_says_so() {
    for (status, set) in [
        (301, (true, false, false)),
        (302, (false, true, false)),
        (303, (false, false, true)),
    ] {
        let mut policy = RedirectPolicy::default();
        (
            policy.keep_post_on_301,
            policy.keep_post_on_302,
            policy.keep_post_on_303,
        ) = set;
        for tried in [301, 302, 303] {
            let next = redirect(
                &policy,
                StatusCode::from_u16(tried).unwrap(),
                &Method::POST,
                &url("http://a.b/"),
                Some(b"/x"),
                0,
                NO_UPGRADE,
            )
            .unwrap()
            .unwrap();
            assert_eq!(next.method == Method::POST, tried == status, "{tried}");
            assert_eq!(next.keeps_content, tried == status, "{tried}");
        }
    }
}

#[test]
fn only_five_statuses_with_a_location_redirect() {
    let policy = RedirectPolicy::default();
    for status in 100..600 {
        let status = StatusCode::from_u16(status).unwrap();
        let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        for (location, expected) in [(Some(&b"/x"[..]), is_redirect), (None, false)] {
            let next = redirect(
                &policy,
                status,
                &Method::GET,
                &url("http://a.b/"),
                location,
                0,
                NO_UPGRADE,
            );
            assert_eq!(next.unwrap().is_some(), expected, "{status}");
        }
    }
    // An empty field counts as absent.
    assert_eq!(follow("http://a.b/", b""), Ok(None));
    assert_eq!(follow("http://a.b/", b" \t"), Ok(None));
}

#[test]
fn redirects_can_be_off_or_too_many() {
    let at = |policy: &RedirectPolicy, followed| {
        redirect(
            policy,
            StatusCode::FOUND,
            &Method::GET,
            &url("http://a.b/"),
            Some(b"/x"),
            followed,
            NO_UPGRADE,
        )
    };
    assert_eq!(at(&RedirectPolicy::none(), 0), Ok(None));
    let three = RedirectPolicy::up_to(3);
    assert!(at(&three, 2).unwrap().is_some());
    let refusal = at(&three, 3).unwrap_err();
    assert_eq!(refusal, RedirectRefusal::TooMany(3));
    assert!(refusal.to_string().contains("RedirectPolicy::max"));
    assert_eq!(
        at(&RedirectPolicy::up_to(0), 0),
        Err(RedirectRefusal::TooMany(0))
    );
    assert_eq!(at(&three, u32::MAX), Err(RedirectRefusal::TooMany(3)));
}

#[test]
fn locations_resolve_against_the_present_url() {
    // RFC 9110 §10.2.2, RFC 3986 §5.2; the last column is the resulting URL.
    for (current, location, expected) in [
        ("http://a.b/x/y?q=1", "z", "http://a.b/x/z"),
        ("http://a.b/x/y?q=1", "/z?r", "http://a.b/z?r"),
        ("http://a.b/x/y?q=1", "?r", "http://a.b/x/y?r"),
        ("http://a.b/x/y", "../../../z", "http://a.b/z"),
        ("http://a.b/x", "//c.d/y", "http://c.d/y"),
        ("https://a.b/x", "//c.d/y", "https://c.d/y"),
        ("http://a.b/x", "HTTPS://C.D", "https://c.d/"),
        ("http://a.b/x", "\\\\c.d\\y", "http://c.d/y"),
        ("http://a.b:81/x", "/y", "http://a.b:81/y"),
        ("http://a.b/x", "http://a.b:80/y", "http://a.b/y"),
        // Fragments: the reference's own, even an empty one, or else the inherited one.
        ("http://a.b/x#f", "/y", "http://a.b/y#f"),
        ("http://a.b/x#f", "/y#g", "http://a.b/y#g"),
        ("http://a.b/x#f", "/y#", "http://a.b/y#"),
        ("http://a.b/x#f", "#g", "http://a.b/x#g"),
        // Characters outside ASCII, and spaces.
        ("http://a.b/", "/ü?ä", "http://a.b/%C3%BC?%C3%A4"),
        ("http://a.b/", "/a b", "http://a.b/a%20b"),
        (
            "http://a.b/",
            "http://bücher.example/",
            "http://xn--bcher-kva.example/",
        ),
        ("http://a.b/", "/%FCx%zz", "http://a.b/%FCx%zz"),
    ] {
        let next = followed(current, location.as_bytes());
        assert_eq!(next.url.as_str(), expected, "{current} to {location}");
    }
    // Latin-1 bytes are kept.
    assert_eq!(
        followed("http://a.b/", b"/caf\xe9").url.as_str(),
        "http://a.b/caf%E9"
    );
}

#[test]
fn locations_that_are_not_http_urls_are_refused() {
    for (location, refusal) in [
        (&b"ftp://a.b/"[..], RedirectRefusal::UnsupportedScheme),
        (b"file:///etc/passwd", RedirectRefusal::UnsupportedScheme),
        (b"javascript:alert(1)", RedirectRefusal::UnsupportedScheme),
        (b"data:,x", RedirectRefusal::UnsupportedScheme),
        (b"http://", RedirectRefusal::InvalidLocation),
        (b"http://a b/", RedirectRefusal::InvalidLocation),
        (b"http://a:99999/", RedirectRefusal::InvalidLocation),
        (b"http://[::1/", RedirectRefusal::InvalidLocation),
        (b"http://\xff\xfe/", RedirectRefusal::InvalidLocation),
    ] {
        assert_eq!(follow("http://a.b/", location), Err(refusal));
        assert!(!refusal.to_string().is_empty());
    }
}

#[test]
fn a_downgrade_is_refused_unless_allowed_or_upgraded() {
    let mut policy = RedirectPolicy::default();
    let to_http = |policy: &RedirectPolicy, upgrade: &dyn Fn(&Url) -> Option<Url>| {
        redirect(
            policy,
            StatusCode::FOUND,
            &Method::GET,
            &url("https://a.b/x?token=1"),
            Some(b"http://a.b/y"),
            0,
            upgrade,
        )
    };
    assert_eq!(
        to_http(&policy, NO_UPGRADE),
        Err(RedirectRefusal::Downgrade)
    );

    // RFC 6797 §8.3: the upgrade comes first, so the origin stays the same.
    let upgraded = to_http(&policy, &|url| {
        let mut secure = url.clone();
        secure.set_scheme("https").unwrap();
        Some(secure)
    });
    let upgraded = upgraded.unwrap().unwrap();
    assert_eq!(upgraded.url.as_str(), "https://a.b/y");
    assert!(!upgraded.crosses_origin && upgraded.referer.is_some());

    policy.allow_downgrade = true;
    let allowed = to_http(&policy, NO_UPGRADE).unwrap().unwrap();
    assert_eq!(allowed.url.as_str(), "http://a.b/y");
    assert!(allowed.crosses_origin);
    assert_eq!(
        allowed.referer, None,
        "RFC 9110 §10.1.3: secure to insecure"
    );
}

#[test]
fn the_referer_is_the_url_redirected_from_without_secrets() {
    for (current, location, referer) in [
        ("http://a.b/x?q#f", "/y", "http://a.b/x?q"),
        ("http://u:p@a.b/x", "/y", "http://a.b/x"),
        ("http://a.b/x", "https://a.b/x", "http://a.b/x"),
        ("https://a.b/x", "https://c.d/", "https://a.b/x"),
    ] {
        let next = followed(current, location.as_bytes());
        assert_eq!(next.referer.as_deref(), Some(referer));
    }
}

#[test]
fn a_user_name_in_location_is_for_the_new_url() {
    for (current, location, expected, user) in [
        ("http://a.b/", "http://u:p@a.b/x", "http://a.b/x", Some("u")),
        ("http://a.b/", "http://u:p@c.d/x", "http://c.d/x", Some("u")),
        ("http://a.b/", "http://%75@c.d/x", "http://c.d/x", Some("u")),
        ("http://a.b/", "http://%ff@c.d/x", "http://c.d/x", None),
        (
            "http://u:p@a.b/",
            "http://v:w@a.b/x",
            "http://a.b/x",
            Some("v"),
        ),
        (
            "http://u:p@a.b/",
            "http://u:p@c.d/x",
            "http://c.d/x",
            Some("u"),
        ),
        // The caller's credentials stay at their origin.
        ("http://u:p@a.b/", "/x", "http://u:p@a.b/x", None),
        ("http://u:p@a.b/", "//c.d/x", "http://c.d/x", None),
    ] {
        let next = followed(current, location.as_bytes());
        assert_eq!(next.url.as_str(), expected);
        let found = match &next.credentials {
            Some(Credentials::Basic { user, .. }) => Some(user.as_str()),
            _ => None,
        };
        assert_eq!(found, user, "{location}");
    }
}

#[test]
fn debug_shows_no_secrets() {
    let next = followed("http://a.b/?secret", b"/y?secret");
    let text = format!("{next:?}");
    assert!(text.contains("http://a.b") && !text.contains("secret"));
}

fn all_fields() -> HeaderMap {
    let mut fields = HeaderMap::new();
    for name in [
        "host",
        "origin",
        "proxy-authorization",
        "authorization",
        "cookie",
        "cookie2",
        "x-api-key",
        "accept",
        "range",
        "content-type",
        "content-length",
        "content-encoding",
        "content-language",
        "content-location",
        "content-disposition",
        "content-digest",
        "transfer-encoding",
        "trailer",
        "expect",
        "digest",
        "last-modified",
    ] {
        fields.append(
            HeaderName::from_static(name),
            http::HeaderValue::from_static("1"),
        );
        fields.append(
            HeaderName::from_static(name),
            http::HeaderValue::from_static("2"),
        );
    }
    fields
}

fn left(
    current: &str,
    location: &str,
    status: u16,
    policy: &RedirectPolicy,
    keys: &[HeaderName],
) -> Vec<String> {
    let next = redirect(
        policy,
        StatusCode::from_u16(status).unwrap(),
        &Method::POST,
        &url(current),
        Some(location.as_bytes()),
        0,
        NO_UPGRADE,
    )
    .unwrap()
    .unwrap();
    let keys: Vec<String> = keys.iter().map(|key| key.to_string()).collect();
    all_fields()
        .keys()
        .filter(|name| !next.takes_along(name.as_str(), policy, &keys))
        .map(|name| name.to_string())
        .collect()
}

#[test]
fn which_fields_are_dropped() {
    let key = [HeaderName::from_static("x-api-key")];
    let mut policy = RedirectPolicy::default();
    let of_origin = ["host", "origin", "proxy-authorization"];
    let credentials = ["authorization", "cookie", "cookie2"];
    let secrets = [&of_origin[..], &credentials[..]].concat();

    // Same origin, content kept: no field is dropped.
    assert!(left("http://a.b/", "/x", 307, &policy, &key).is_empty());
    // RFC 9110 §15.4: another host, port or scheme.
    for location in ["http://c.d/", "http://a.b:81/", "https://a.b/"] {
        assert_eq!(left("http://a.b/", location, 307, &policy, &[]), secrets);
        let with_key = left("http://a.b/", location, 307, &policy, &key);
        assert_eq!(with_key, [&secrets[..], &["x-api-key"]].concat());
    }
    // Content dropped.
    let dropped = left("http://a.b/", "/x", 303, &policy, &key);
    assert_eq!(dropped.len(), 12);
    assert!(!dropped.iter().any(|name| name == "range"));

    policy.keep_credentials_across_origins = true;
    assert_eq!(
        left("http://a.b/", "http://c.d/", 307, &policy, &key),
        of_origin
    );
}

#[test]
fn any_bytes_are_followed_or_refused_and_stay_http() {
    let mut random = 1_u32;
    let mut draw = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    for _ in 0..5000 {
        let mut location = b"https://user:pw@a.example:8080/x/../y?z#f".to_vec();
        for _ in 0..=draw(6) {
            let at = draw(location.len());
            location[at] = draw(256) as u8;
        }
        location.truncate(draw(location.len() + 1));
        if let Ok(Some(next)) = follow("http://u:p@a.b/x#g", &location) {
            assert!(matches!(next.url.scheme(), "http" | "https"));
            assert!(next.url.has_host() && next.url.fragment().is_some());
            assert!(!next.crosses_origin || next.url.username().is_empty());
            assert_ne!(next.url.password(), Some("pw"));
        }
    }
}

#[test]
fn the_referer_is_replaced_only_if_the_policy_renews_it() {
    for renew_referer in [false, true] {
        let policy = RedirectPolicy {
            renew_referer,
            ..RedirectPolicy::default()
        };
        let next = follow("http://a.b/", b"/x").unwrap().unwrap();
        assert_eq!(next.takes_along("Referer", &policy, &[]), !renew_referer);
        assert!(next.takes_along("Accept", &policy, &[]));
    }
}
