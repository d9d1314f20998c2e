//! Who asks, behind proxies: what an untrusted peer says counts for nothing.

#![no_main]

use std::net::IpAddr;

use httpoll::proto::FieldLines;
use httpoll::server::forwarded::{ForwardedBy, TrustedProxies};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut fields = FieldLines::new();
    for line in input.split(|&byte| byte == b'\n') {
        if let Some(colon) = line.iter().position(|&byte| byte == b':')
            && let Ok(name) = std::str::from_utf8(&line[..colon])
        {
            let _ = fields.append(name, &line[colon + 1..]);
        }
    }
    let trusted: IpAddr = "10.0.0.9".parse().unwrap();
    let stranger: IpAddr = "192.0.2.1".parse().unwrap();
    for by in [ForwardedBy::XForwarded, ForwardedBy::Forwarded] {
        let proxies = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()], by);
        let direct = proxies.client(stranger, true, &fields);
        assert_eq!((direct.ip, direct.is_secure), (stranger, true));
        let client = proxies.client(trusted, false, &fields);
        assert_eq!(client.ip, client.ip.to_canonical());
        let mapped: IpAddr = "::ffff:10.0.0.9".parse().unwrap();
        assert_eq!(proxies.client(mapped, false, &fields), client);
        if !fields.contains("forwarded") && !fields.contains("x-forwarded-for") {
            assert_eq!(client.ip, trusted);
        }
    }
});
