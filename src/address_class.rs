//! What an address is for, by the registries of special-purpose addresses (RFC 6890 and what came
//! after it). Whatever is not known to be public is not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressClass {
    /// A host on the public internet.
    Public,
    /// This host or network: `0.0.0.0/8` (RFC 1122 §3.2.1.3), `::`.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` (RFC 1918), `fc00::/7` (RFC 4193),
    /// `fec0::/10` (RFC 3879).
    Private,
    /// `169.254.0.0/16` (RFC 3927), where clouds keep their secrets; `fe80::/10`.
    LinkLocal,
    /// Behind a provider's NAT: `100.64.0.0/10` (RFC 6598).
    CarrierNat,
    /// `224.0.0.0/4`, `ff00::/8`, `255.255.255.255`.
    Multicast,
    /// For examples (RFC 5737, RFC 3849, RFC 9637) and benchmarks (RFC 2544, RFC 5180).
    Documentation,
    /// IPv4 in the clothes of IPv6, in a form that no host is reached by: `::ffff:0:0/96`, `::/96`
    /// (RFC 4291 §2.5.5).
    Ipv4Mapped,
    /// Anything else that is no public host: protocol assignments, tunnels, reserved blocks.
    Reserved,
}

impl AddressClass {
    /// The class of an address. One that a gateway translates to IPv4 (`64:ff9b::/96` by RFC 6052,
    /// `2002::/16` by RFC 3056) is what that IPv4 address is.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Unspecified => "unspecified",
            Self::Loopback => "this machine's",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::CarrierNat => "behind a provider's NAT",
            Self::Multicast => "multicast or broadcast",
            Self::Documentation => "for documentation or benchmarks",
            Self::Ipv4Mapped => "IPv4 mapped into IPv6",
            Self::Reserved => "reserved",
        })
    }
}

fn of_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [169, 254, ..] => AddressClass::LinkLocal,
        [100, 64..=127, ..] => AddressClass::CarrierNat,
        [224..=239, ..] | [255, 255, 255, 255] => AddressClass::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18 | 19, ..] => {
            AddressClass::Documentation
        }
        // RFC 6890 §2.1, RFC 7526, RFC 1112 §4.
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] => AddressClass::Ipv4Mapped,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            of_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x2001, 2, 0, ..] => {
            AddressClass::Documentation
        }
        // Protocol assignments, Teredo among them (RFC 2928, RFC 4380).
        [0x2001, 0..=0x01ff, ..] => AddressClass::Reserved,
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_by_what_they_are_for() {
        use AddressClass::*;
        for (section, text, class) in [
            ("RFC 1122 §3.2.1.3", "0.0.0.0", Unspecified),
            ("RFC 1122 §3.2.1.3", "0.1.2.3", Unspecified),
            ("", "1.0.0.0", Public),
            ("", "8.8.8.8", Public),
            ("", "9.255.255.255", Public),
            ("RFC 1918 §3", "10.0.0.0", Private),
            ("RFC 1918 §3", "10.255.255.255", Private),
            ("", "11.0.0.0", Public),
            ("", "100.63.255.255", Public),
            ("RFC 6598 §7", "100.64.0.0", CarrierNat),
            ("RFC 6598 §7", "100.127.255.255", CarrierNat),
            ("", "100.128.0.0", Public),
            ("RFC 1122 §3.2.1.3", "127.0.0.1", Loopback),
            ("RFC 1122 §3.2.1.3", "127.255.255.255", Loopback),
            ("", "128.0.0.1", Public),
            ("RFC 3927 §2.1", "169.254.169.254", LinkLocal),
            ("", "169.253.255.255", Public),
            ("", "172.15.255.255", Public),
            ("RFC 1918 §3", "172.16.0.0", Private),
            ("RFC 1918 §3", "172.31.255.255", Private),
            ("", "172.32.0.0", Public),
            ("RFC 6890 §2.1", "192.0.0.1", Reserved),
            ("", "192.0.1.1", Public),
            ("RFC 5737 §3", "192.0.2.1", Documentation),
            ("RFC 7526", "192.88.99.1", Reserved),
            ("RFC 1918 §3", "192.168.0.1", Private),
            ("", "192.169.0.1", Public),
            ("RFC 2544 §C.2.2", "198.18.0.1", Documentation),
            ("RFC 2544 §C.2.2", "198.19.255.255", Documentation),
            ("", "198.20.0.1", Public),
            ("RFC 5737 §3", "198.51.100.1", Documentation),
            ("RFC 5737 §3", "203.0.113.1", Documentation),
            ("", "223.255.255.255", Public),
            ("RFC 1112 §4", "224.0.0.1", Multicast),
            ("RFC 1112 §4", "239.255.255.255", Multicast),
            ("RFC 1112 §4", "240.0.0.1", Reserved),
            ("RFC 919 §7", "255.255.255.255", Multicast),
            ("RFC 4291 §2.5.2", "::", Unspecified),
            ("RFC 4291 §2.5.3", "::1", Loopback),
            ("RFC 4291 §2.5.5.1", "::7f00:1", Ipv4Mapped),
            ("RFC 4291 §2.5.5.2", "::ffff:127.0.0.1", Ipv4Mapped),
            ("RFC 4291 §2.5.5.2", "::ffff:8.8.8.8", Ipv4Mapped),
            ("RFC 2765 §2.1", "::ffff:0:127.0.0.1", Reserved),
            ("RFC 6052 §2.1", "64:ff9b::127.0.0.1", Loopback),
            ("RFC 6052 §2.1", "64:ff9b::10.0.0.1", Private),
            ("RFC 6052 §2.1", "64:ff9b::169.254.169.254", LinkLocal),
            ("RFC 6052 §2.1", "64:ff9b::0.0.0.0", Unspecified),
            ("RFC 6052 §2.1", "64:ff9b::8.8.8.8", Public),
            ("RFC 8215", "64:ff9b:1::8.8.8.8", Reserved),
            ("RFC 6666", "100::1", Reserved),
            ("RFC 4380 §4", "2001::1", Reserved),
            ("RFC 5180", "2001:2::1", Documentation),
            ("RFC 7343", "2001:20::1", Reserved),
            ("RFC 2928", "2001:1ff::1", Reserved),
            ("", "2001:200::1", Public),
            ("RFC 3849", "2001:db8::1", Documentation),
            ("", "2001:4860:4860::8888", Public),
            ("RFC 3056", "2002:7f00:1::", Loopback),
            ("RFC 3056", "2002:a00:1::1", Private),
            ("RFC 3056", "2002:808:808::1", Public),
            ("", "2606:4700::1111", Public),
            ("RFC 9637", "3fff::1", Documentation),
            ("RFC 9637", "3fff:fff::1", Documentation),
            ("", "3fff:1000::1", Public),
            ("RFC 4291 §2.4", "4000::1", Reserved),
            ("RFC 9602", "5f00::1", Reserved),
            ("RFC 4193 §3", "fc00::1", Private),
            ("RFC 4193 §3", "fdff::1", Private),
            ("RFC 4291 §2.4", "fe00::1", Reserved),
            ("RFC 4291 §2.5.6", "fe80::1", LinkLocal),
            ("RFC 4291 §2.5.6", "febf::1", LinkLocal),
            ("RFC 3879", "fec0::1", Private),
            ("RFC 4291 §2.7", "ff02::1", Multicast),
        ] {
            let address = text.parse::<IpAddr>().unwrap();
            assert_eq!(AddressClass::of(address), class, "{text} ({section})");
            assert!(!class.to_string().is_empty());
        }
    }
}
