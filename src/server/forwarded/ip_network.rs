//! [`IpNetwork`]: addresses that share a prefix (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that share a prefix, as in `10.0.0.0/8` or `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    address: IpAddr,
    prefix: u8,
}

/// The text is not an address with an optional prefix length, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIpNetwork;

impl IpNetwork {
    /// Whether the address is in this network. An IPv4 address in IPv6 form is its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => shares_prefix(
                own.to_bits().into(),
                other.to_bits().into(),
                32,
                self.prefix,
            ),
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                shares_prefix(own.to_bits(), other.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for IpNetwork {
    /// A network of this address alone.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }
}

impl FromStr for IpNetwork {
    type Err = InvalidIpNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidIpNetwork> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text
                .parse::<IpAddr>()
                .map(Self::from)
                .map_err(|_| InvalidIpNetwork);
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidIpNetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        match prefix.parse() {
            Ok(prefix) if is_number && prefix <= longest => Ok(Self { address, prefix }),
            _ => Err(InvalidIpNetwork),
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for InvalidIpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither an address nor an address with a prefix length, as in 10.0.0.0/8")
    }
}

impl std::error::Error for InvalidIpNetwork {}

fn shares_prefix(own: u128, other: u128, bits: u32, prefix: u8) -> bool {
    // A shift by all 128 bits leaves nothing that could differ.
    let free = bits.saturating_sub(prefix.into());
    (own ^ other).checked_shr(free).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1/31", "10.0.0.0", true),
            ("0.0.0.0/0", "255.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::1", "0.0.0.1", false),
        ] {
            let network: IpNetwork = network.parse().unwrap();
            assert_eq!(
                network.contains(ip(address)),
                expected,
                "{network} {address}"
            );
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0/8",
            "a/8",
            "::1/+1",
            "1/8/8",
        ] {
            assert_eq!(text.parse::<IpNetwork>(), Err(InvalidIpNetwork), "{text}");
        }
    }
}
