//! Settings of proxies and their exceptions: accepted or refused, and passwords are not shown.

#![no_main]

use httpoll::proxy::ProxySettings;
use libfuzzer_sys::fuzz_target;
use url::Url;

// A proxy, and a list of exceptions, each on a line; then a URL.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let proxy = lines.next().unwrap_or_default().to_owned();
    let exceptions = lines.next().unwrap_or_default().to_owned();
    let more = lines.next().unwrap_or_default();
    let settings = ProxySettings::from_environment_of(|name| match name {
        "http_proxy" | "ALL_PROXY" => Some(proxy.clone()),
        "NO_PROXY" => Some(exceptions.clone()),
        _ => None,
    });
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            assert!(!format!("{error} {error:?}").is_empty());
            ProxySettings::default()
                .with_all("http://ann:secret-word@proxy.example:3128")
                .unwrap()
                .with_no_proxy(&exceptions)
        }
    };
    assert!(proxy.contains("secret-word") || !format!("{settings:?}").contains("secret-word"));
    for url in [
        more,
        "http://a.example/",
        "https://x.a.example:8443/",
        "http://10.1.2.3/",
        "http://[::1]/",
    ] {
        if let Ok(url) = Url::parse(url) {
            let _ = settings.is_used_for(&url);
        }
    }
    let none = settings.with_no_proxy("*");
    assert!(!none.is_used_for(&Url::parse("http://a.example/").unwrap()));
});
