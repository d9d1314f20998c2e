//! Authorities, origins, networks, patterns of hosts and what responses are made of.

#![no_main]

use http::StatusCode;
use httpoll::access::{AddressClass, HostPattern};
use httpoll::server::cookies::SetCookie;
use httpoll::server::forwarded::IpNetwork;
use httpoll::server::guard::WebOrigin;
use httpoll::server::host::HostField;
use httpoll::server::redirect::redirect_location;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(host) = text.parse::<HostField>() {
        assert!((1..=65535).contains(&host.port_or_default(false)) || host.port == Some(0));
        let written = match host.port {
            Some(port) => format!("{}:{port}", host.host),
            None => host.host.to_string(),
        };
        assert_eq!(written.parse::<HostField>(), Ok(host));
    }
    let _ = HostField::of_target(text);
    let _ = text.parse::<WebOrigin>();
    if let Ok(network) = text.parse::<IpNetwork>() {
        let _ = network.contains("10.0.0.1".parse().unwrap());
        let _ = network.contains("::1".parse().unwrap());
    }
    if let Ok(pattern) = text.parse::<HostPattern>() {
        assert!(
            pattern.to_string().parse::<HostPattern>().is_ok(),
            "{pattern}"
        );
    }
    if let Ok(address) = text.parse() {
        assert!(!AddressClass::of(address).to_string().is_empty());
    }
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if let Ok(field) = SetCookie::new(name, value)
        .path(value)
        .domain(name)
        .header_value()
    {
        assert!(field.to_str().is_ok());
    }
    if let Ok(field) = redirect_location(text, StatusCode::FOUND) {
        assert_eq!(field.as_bytes(), input);
    }
});
