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
    socks_is_refused,
    a_stream_of_the_caller_is_refused,
    trailers_are_refused_and_interim_responses_are_not_seen,
    settings_of_the_browser_do_nothing,
    nothing_is_told_of_addresses_and_tls,
    hops_of_redirects_are_not_told,
    the_end_of_a_program_does_not_wait,
    set_cookie_is_not_shown,
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
        ("Set-Cookie", "the header Set-Cookie"),
        ("Accept-Encoding", "the header Accept-Encoding"),
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
    // Whichever the server asks for: the browser answers challenges itself.
    let any = Credentials::Any {
        user: "ada".to_owned(),
        password: "secret".to_owned(),
    };
    same!(
        refused(Request::get("/hello").credentials(any)),
        not_on_web("Credentials::Any")
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

async fn socks_is_refused(_: Rc<Env>) -> Outcome {
    let proxies = ProxySettings::default()
        .with_all("socks5://proxy.example:1080")
        .map_err(|it| it.to_string())?;
    same!(
        refused(Request::get("/hello").proxies(proxies)),
        not_on_web("proxies")
    );
    Ok(())
}

async fn a_stream_of_the_caller_is_refused(_: Rc<Env>) -> Outcome {
    #[derive(Debug)]
    struct Silent;
    impl std::io::Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::WouldBlock.into())
        }
    }
    impl std::io::Write for Silent {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::WouldBlock.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut http = httpoll::HttpClient::new();
    http.set_connection(Silent);
    same!(http.get_status(), httpoll::Status::CantConnect);
    same!(
        http.get_error().map(|error| error.kind().clone()),
        not_on_web("a stream of the caller")
    );
    Ok(())
}

async fn trailers_are_refused_and_interim_responses_are_not_seen(_: Rc<Env>) -> Outcome {
    for (name, what) in [("TE", "the header TE"), ("Trailer", "the header Trailer")] {
        let request = Request::get("/hello").header(name, "trailers");
        same!(refused(request), not_on_web(what));
    }
    // The server sends 103 and a trailer; the browser shows neither.
    let ended = fetch(Request::get("/trailers")).await?;
    same!(ended.text()?, "content");
    same!(ended.response()?.trailers().len(), 0);
    let heads = ended.events.iter().filter_map(|event| match event {
        httpoll::Event::Head { head, .. } => Some(head.status.as_u16()),
        _ => None,
    });
    same!(heads.collect::<Vec<_>>(), [200]);
    Ok(())
}

/// Lists of HSTS, resolvers, families of addresses and ages of idle connections are the browser's.
async fn settings_of_the_browser_do_nothing(env: Rc<Env>) -> Outcome {
    let resolver = httpoll::resolver::Resolver::with_lookup(|_| Ok(Vec::new()));
    let mut pool = httpoll::agent::PoolLimits::default();
    pool.idle_age = std::time::Duration::ZERO;
    let mut agent = Agent::builder()
        .resolver(resolver)
        .address_family(httpoll::agent::AddressFamily::Ipv6)
        .pool(pool)
        .load_hsts("localhost \"20991231 23:59:59\"")
        .map_err(|it| it.to_string())?
        .build();
    // Natively it would be https, at no address.
    let url = env.cors.replace("127.0.0.1", "localhost") + "/hello";
    for _ in 0..2 {
        let ended = crate::harness::drive(&mut agent, Request::get(&*url)).await?;
        same!(ended.text()?, "hello");
    }
    let ended = fetch(Request::get("/gzip").decompress(false)).await?;
    same!(ended.text()?, "a".repeat(100_000));
    let request = Request::post("/echo").text("sent").expect_continue(Some(0));
    let echo = fetch(request).await?.json()?;
    same!(echo["headers"].get("expect"), None);
    Ok(())
}

async fn nothing_is_told_of_addresses_and_tls(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/hello")).await?;
    let response = ended.response()?;
    if let Some(connection) = response.connection() {
        same!(connection.peer_address, None);
        same!(connection.local_address, None);
        same!(connection.tls.is_none(), true);
    }
    let timings = response.timings();
    // They count from the start, so steps that took no time of their own are as long as the queue.
    same!(timings.namelookup, timings.queue);
    same!(timings.connect, timings.queue);
    same!(timings.appconnect, std::time::Duration::ZERO);
    Ok(())
}

async fn hops_of_redirects_are_not_told(_: Rc<Env>) -> Outcome {
    // The browser follows more than our limit of one.
    let twice = "/redirect?to=/redirect?to=/hello";
    let mut policy = httpoll::redirect::RedirectPolicy::default();
    policy.max = 1;
    let ended = fetch(Request::get(twice).redirects(policy)).await?;
    let response = ended.response()?;
    same!(response.was_redirected(), true);
    same!(response.history().len(), 0);
    let hops = ended
        .events
        .iter()
        .filter(|event| matches!(event, httpoll::Event::Redirect { .. }));
    same!(hops.count(), 0);
    Ok(())
}

async fn the_end_of_a_program_does_not_wait(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let request = Request::get("/slow?count=100&pause=0.05")
        .download_to(httpoll::Download::to("test/at-exit.bin"));
    let handle = agent.send(request).map_err(|it| it.to_string())?;
    for _ in 0..10 {
        agent.poll();
        crate::harness::frame().await;
    }
    drop(handle);
    let began = httpoll::clock::Instant::now();
    agent.finish_files(std::time::Duration::from_secs(10));
    let took = began.elapsed();
    crate::holds!(took < std::time::Duration::from_secs(1), "it took {took:?}");
    Ok(())
}

async fn set_cookie_is_not_shown(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/cookie-set")).await?;
    same!(ended.text()?, "set");
    same!(ended.response()?.header("set-cookie"), None);
    Ok(())
}
