//! What a page cannot have: each is refused when the request is sent, and named.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use httpoll::access::AccessPolicy;
use httpoll::auth::Credentials;
use httpoll::cookies::CookieJar;
use httpoll::error::{Misuse, RedirectRefusal};
use httpoll::proxy::ProxySettings;
use httpoll::tls::TlsOptions;
use httpoll::{Agent, ErrorKind, Request};

use crate::harness::{Env, Outcome, fetch};
use crate::{cases, same};

cases![
    tls_options_are_refused,
    proxies_are_refused,
    address_rules_are_refused,
    an_access_policy_checks_the_url_and_forbids_redirects,
    a_cookie_jar_and_cookies_are_refused,
    headers_of_the_browser_are_refused,
    methods_of_the_browser_are_refused,
    digest_authentication_is_refused,
    a_request_target_is_refused,
    files_by_path_are_refused,
    content_in_a_get_is_refused,
];

fn refused_by(agent: &mut Agent, request: Request) -> Option<ErrorKind> {
    agent.send(request).err().map(|error| error.kind().clone())
}

fn refused(request: Request) -> Option<ErrorKind> {
    refused_by(&mut Agent::new(), request)
}

fn not_on_web(what: &'static str) -> Option<ErrorKind> {
    Some(ErrorKind::Misuse(Misuse::NotOnWeb(what)))
}

async fn tls_options_are_refused(_: Rc<Env>) -> Outcome {
    let built = TlsOptions::builder().insecure_no_verification().build();
    same!(
        built.err().map(|it| it.kind().clone()),
        not_on_web("TLS options")
    );
    let unsafe_options = TlsOptions::client_unsafe(None);
    same!(
        unsafe_options.err().map(|it| it.kind().clone()),
        not_on_web("TLS options")
    );
    let default = TlsOptions::builder()
        .build()
        .map_err(|error| error.to_string())?;
    same!(
        fetch(Request::get("/hello").tls(default)).await?.text()?,
        "hello"
    );
    Ok(())
}

async fn proxies_are_refused(_: Rc<Env>) -> Outcome {
    let proxies = ProxySettings::default()
        .with_all("http://proxy.example:3128")
        .map_err(|it| it.to_string())?;
    same!(
        refused(Request::get("/hello").proxies(proxies)),
        not_on_web("proxies")
    );
    Ok(())
}

async fn address_rules_are_refused(_: Rc<Env>) -> Outcome {
    let what = "an AccessPolicy about addresses; set non_public_addresses";
    let request = Request::get("https://game.example/").access(AccessPolicy::default());
    same!(refused(request), not_on_web(what));
    Ok(())
}

async fn an_access_policy_checks_the_url_and_forbids_redirects(_: Rc<Env>) -> Outcome {
    let mut policy = AccessPolicy::default();
    policy.non_public_addresses = true;
    let request = Request::get("/hello").access(policy.clone());
    let ended = fetch(request).await?;
    let scheme = httpoll::error::AccessRefusal::Scheme("http".to_owned());
    same!(*ended.error()?.kind(), ErrorKind::Access(scheme));
    policy.schemes = vec!["http".to_owned()];
    same!(
        fetch(Request::get("/hello").access(policy.clone()))
            .await?
            .text()?,
        "hello"
    );
    let request = Request::get("/redirect?to=/hello").access(policy);
    let refusal = RedirectRefusal::NotFollowedOnWeb;
    same!(
        *fetch(request).await?.error()?.kind(),
        ErrorKind::Redirect(refusal)
    );
    Ok(())
}

async fn a_cookie_jar_and_cookies_are_refused(_: Rc<Env>) -> Outcome {
    let jar = Arc::new(Mutex::new(CookieJar::default()));
    let mut agent = Agent::builder().cookies(jar).build();
    let what = "a cookie jar; the browser keeps cookies, see RequestOptions::credentials_mode";
    same!(
        refused_by(&mut agent, Request::get("/hello")),
        not_on_web(what)
    );
    same!(
        refused_by(&mut agent, Request::get("/hello").use_cookies(false)),
        None
    );
    let what = "Request::cookie; see RequestOptions::credentials_mode";
    same!(
        refused(Request::get("/hello").cookie("a", "b")),
        not_on_web(what)
    );
    Ok(())
}

async fn headers_of_the_browser_are_refused(_: Rc<Env>) -> Outcome {
    for (name, what) in [
        ("Host", "the header Host"),
        ("Connection", "the header Connection"),
        ("Expect", "the header Expect"),
        ("Trailer", "the header Trailer"),
        (
            "Cookie",
            "the header Cookie; see RequestOptions::credentials_mode",
        ),
        ("Sec-Fetch-Mode", "a header whose name begins with Sec-"),
        (
            "Proxy-Authorization",
            "a header whose name begins with Proxy-",
        ),
    ] {
        same!(
            refused(Request::get("/hello").header(name, "a")),
            not_on_web(what)
        );
    }
    Ok(())
}

async fn methods_of_the_browser_are_refused(_: Rc<Env>) -> Outcome {
    same!(
        refused(Request::trace("/hello")),
        not_on_web("the method TRACE")
    );
    let connect = Request::with_method_name("CONNECT", "/hello");
    same!(refused(connect), not_on_web("the method CONNECT"));
    Ok(())
}

async fn digest_authentication_is_refused(_: Rc<Env>) -> Outcome {
    let digest = Credentials::Digest {
        user: "ada".to_owned(),
        password: "secret".to_owned(),
    };
    same!(
        refused(Request::get("/hello").credentials(digest)),
        not_on_web("Digest authentication")
    );
    Ok(())
}

async fn a_request_target_is_refused(_: Rc<Env>) -> Outcome {
    let request = Request::get("/hello").request_target("/a/../b");
    same!(
        refused(request),
        not_on_web("RequestOptions::request_target")
    );
    Ok(())
}

async fn files_by_path_are_refused(_: Rc<Env>) -> Outcome {
    let what = "a file by its path as content";
    same!(
        refused(Request::post("/echo").file("save.bin")),
        not_on_web(what)
    );
    same!(
        refused(Request::post("/echo").form_file("save", "save.bin")),
        not_on_web(what)
    );
    let form = httpoll::multipart::Form::new().file("save", "save.bin");
    same!(
        refused(Request::post("/echo").multipart(form)),
        not_on_web(what)
    );
    Ok(())
}

async fn content_in_a_get_is_refused(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/echo").text("content")).await?;
    let what = Misuse::NotOnWeb("content in a GET or HEAD request");
    same!(*ended.error()?.kind(), ErrorKind::Misuse(what));
    Ok(())
}
