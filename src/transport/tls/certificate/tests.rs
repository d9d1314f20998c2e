use std::time::Duration;

use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::transport::tls::TlsVersion;

/// Made by `openssl req -x509`, with what is unusual in names.
fn by_openssl() -> Vec<u8> {
    let pem = include_bytes!("openssl.pem");
    CertificateDer::from_pem_slice(pem).unwrap().to_vec()
}

fn by_rcgen(params: &CertificateParams) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn with_extension(content: &[u8], times: usize) -> Vec<u8> {
    let mut params = CertificateParams::default();
    for _ in 0..times {
        let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], content.to_vec());
        params.custom_extensions.push(extension);
    }
    by_rcgen(&params)
}

/// By ring, which the module itself does not use.
fn sha256_by_ring(bytes: &[u8]) -> [u8; 32] {
    let suites = rustls::crypto::ring::default_provider().cipher_suites;
    let suite = suites
        .iter()
        .find(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256)
        .unwrap();
    let hash = suite.tls13().unwrap().common.hash_provider.hash(bytes);
    hash.as_ref().try_into().unwrap()
}

fn after_epoch(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn dns(name: &str) -> SubjectAlternativeName {
    SubjectAlternativeName::Dns(name.to_owned())
}

/// One element of DER: tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u16::try_from(content.len()).unwrap() {
        short @ 0..0x80 => der.push(short as u8),
        middle @ 0x80..0x100 => der.extend([0x81, middle as u8]),
        long => {
            der.push(0x82);
            der.extend(long.to_be_bytes());
        }
    }
    der.extend_from_slice(content);
    der
}

/// A certificate by hand, which nobody signed.
struct ByHand {
    serial: Vec<u8>,
    subject: Vec<u8>,
    not_before: Vec<u8>,
    not_after: Vec<u8>,
}

impl Default for ByHand {
    fn default() -> Self {
        Self {
            serial: vec![1],
            subject: Vec::new(),
            not_before: element(0x17, b"200101000000Z"),
            not_after: element(0x17, b"300101000000Z"),
        }
    }
}

impl ByHand {
    fn parse(&self) -> Result<CertificateFacts, CertificateFault> {
        let ecdsa_with_sha256 = element(0x30, &[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]);
        let key = [ecdsa_with_sha256.clone(), element(3, &[0, 1])].concat();
        let facts = [
            element(0xA0, &[2, 1, 2]),
            element(2, &self.serial),
            ecdsa_with_sha256.clone(),
            element(0x30, &[]),
            element(0x30, &[&self.not_before[..], &self.not_after].concat()),
            element(0x30, &self.subject),
            element(0x30, &key),
        ];
        let signed = [
            element(0x30, &facts.concat()),
            ecdsa_with_sha256,
            element(3, &[0, 1]),
        ];
        CertificateFacts::parse(&element(0x30, &signed.concat()))
    }
}

#[test]
fn a_certificate_reads_as_openssl_shows_it() {
    let der = by_openssl();
    let facts = CertificateFacts::parse(&der).unwrap();
    // As by `openssl x509 -nameopt RFC2253,utf8,-esc_msb`, which calls EMAIL emailAddress and turns
    // the set of DC and OU round. RFC 4514 allows both.
    assert_eq!(
        facts.subject,
        r"CN=game.example,1.3.6.1.4.1.32473.1=#0c036f6464,EMAIL=a@b.example,OU=\  padded\ +DC=mv,OU=\#1 \\ team,O=Größe\, Söhne \+ Co\; \<KG\>,C=DE"
    );
    assert_eq!(facts.issuer, facts.subject);
    assert_eq!(facts.serial, "FEDCBA9876543210");
    assert_eq!(facts.not_before, after_epoch(1_795_250_179));
    assert_eq!(facts.not_after, after_epoch(4_387_250_179));
    let fingerprint: String = facts.sha256.iter().map(|it| format!("{it:02X}")).collect();
    assert_eq!(
        fingerprint,
        "0821AB618D1C54B868D82D2DF285527FE79D5422794035D11265B683C142758B"
    );
    assert_eq!(
        facts.subject_alternative_names,
        [
            dns("game.example"),
            dns("*.game.example"),
            SubjectAlternativeName::Ip("192.0.2.7".parse().unwrap()),
            SubjectAlternativeName::Ip("2001:db8::7".parse().unwrap()),
            SubjectAlternativeName::Uri("spiffe://games/x".to_owned()),
            SubjectAlternativeName::Email("admin@game.example".to_owned()),
            SubjectAlternativeName::Other(8),
            SubjectAlternativeName::Other(0),
            SubjectAlternativeName::Other(4),
        ]
    );
}

#[test]
fn names_validity_and_fingerprint_of_a_generated_certificate() {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    let uri = SanType::URI("https://game.example/".try_into().unwrap());
    params.subject_alt_names.push(uri);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "AU");
    params.distinguished_name.push(DnType::CommonName, "a, b");
    params.serial_number = Some(rcgen::SerialNumber::from(0x0A0B_u64));
    params.not_before = date_time_ymd(1975, 1, 1);
    params.not_after = date_time_ymd(4096, 1, 1);
    let der = by_rcgen(&params);
    let facts = CertificateFacts::parse(&der).unwrap();
    assert_eq!(facts.subject, r"CN=a\, b,C=AU");
    assert_eq!(facts.serial, "0A0B");
    assert_eq!(
        facts.subject_alternative_names,
        [
            dns("localhost"),
            SubjectAlternativeName::Ip("127.0.0.1".parse().unwrap()),
            SubjectAlternativeName::Ip("::1".parse().unwrap()),
            SubjectAlternativeName::Uri("https://game.example/".to_owned()),
        ]
    );
    assert_eq!(facts.not_before, after_epoch(157_766_400));
    assert_eq!(facts.not_after, after_epoch(67_090_118_400));
    assert_eq!(facts.sha256, sha256_by_ring(&der));
}

#[test]
fn a_certificate_without_alternative_names_has_none() {
    let facts = CertificateFacts::parse(&by_rcgen(&CertificateParams::default())).unwrap();
    assert!(facts.subject_alternative_names.is_empty());
    let facts = ByHand::default().parse().unwrap();
    assert!(facts.subject_alternative_names.is_empty());
    assert_eq!((&facts.subject[..], &facts.issuer[..]), ("", ""));
}

#[test]
fn alternative_names_by_their_kind() {
    use SubjectAlternativeName::{Email, Ip, Other, Uri};
    let v6 = [0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    // GeneralName, RFC 5280 §4.2.1.6.
    let table = [
        (element(0xA0, &[6, 1, 42]), Ok(Other(0))),
        (element(0x81, b"a@b"), Ok(Email("a@b".to_owned()))),
        (element(0x81, "ä@b".as_bytes()), Ok(Other(1))),
        (element(0x82, b"a.b"), Ok(dns("a.b"))),
        (element(0x82, b""), Ok(dns(""))),
        (element(0x82, b"a.b\0.c"), Ok(dns("a.b\0.c"))),
        (element(0x82, b"\xFF"), Ok(Other(2))),
        (element(0xA2, &[0x16, 1, b'a']), Ok(Other(2))),
        (element(0xA3, &[0x30, 0]), Ok(Other(3))),
        (element(0xA4, &[0x30, 0]), Ok(Other(4))),
        (element(0xA5, &[0xA1, 0]), Ok(Other(5))),
        (element(0x86, b"x:y"), Ok(Uri("x:y".to_owned()))),
        (element(0x86, b"x:\x80"), Ok(Other(6))),
        (element(0x87, &[10, 0, 0, 1]), Ok(Ip([10, 0, 0, 1].into()))),
        (element(0x87, &v6), Ok(Ip(v6.into()))),
        (element(0x87, &[]), Ok(Other(7))),
        (element(0x87, &[10, 0, 0]), Ok(Other(7))),
        (element(0x87, &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(Other(7))),
        (element(0x88, &[42]), Ok(Other(8))),
        (element(0x89, &[42]), Err(CertificateFault::Malformed)),
        (vec![0x9F, 0x81, 2, 0], Err(CertificateFault::Malformed)),
        (element(0x0C, b"a.b"), Err(CertificateFault::Malformed)),
        (vec![0x82, 9, b'a'], Err(CertificateFault::Malformed)),
        (vec![0x82], Err(CertificateFault::Malformed)),
    ];
    for (name, expected) in table {
        let facts = CertificateFacts::parse(&with_extension(&element(0x30, &name), 1));
        let names = facts.map(|facts| facts.subject_alternative_names);
        assert_eq!(names, expected.map(|name| vec![name]), "{name:02x?}");
    }
    for content in [&b""[..], &[4, 0], &[0x30, 0, 0]] {
        let facts = CertificateFacts::parse(&with_extension(content, 1));
        assert_eq!(facts, Err(CertificateFault::Malformed), "{content:02x?}");
    }
    let one = element(0x30, &element(0x82, b"a.b"));
    assert!(CertificateFacts::parse(&with_extension(&one, 1)).is_ok());
    let twice = CertificateFacts::parse(&with_extension(&one, 2));
    assert_eq!(twice, Err(CertificateFault::Malformed));
}

#[test]
fn dates_up_to_the_ends_of_their_ranges() {
    const UTC: u8 = 0x17;
    const GENERALIZED: u8 = 0x18;
    // RFC 5280 §4.1.2.5.
    let table: [(u8, &[u8], Option<u64>); 17] = [
        (UTC, b"700101000000Z", Some(0)),
        (UTC, b"991231235959Z", Some(946_684_799)),
        (UTC, b"000229000000Z", Some(951_782_400)),
        (UTC, b"491231235959Z", Some(2_524_607_999)),
        (GENERALIZED, b"20500101000000Z", Some(2_524_608_000)),
        (GENERALIZED, b"99991231235959Z", Some(253_402_300_799)),
        (UTC, b"691231235959Z", None),
        (UTC, b"500101000000Z", None),
        (UTC, b"010229000000Z", None),
        (UTC, b"011301000000Z", None),
        (UTC, b"010101000060Z", None),
        (UTC, b"0101010000Z", None),
        (UTC, b"010101000000+0100", None),
        (UTC, b"", None),
        (GENERALIZED, b"19691231235959Z", None),
        (GENERALIZED, b"00000101000000Z", None),
        (GENERALIZED, b"20500101000000.5Z", None),
    ];
    for (tag, text, expected) in table {
        let expected = expected.map(after_epoch).ok_or(CertificateFault::Date);
        let start = ByHand {
            not_before: element(tag, text),
            ..ByHand::default()
        };
        let end = ByHand {
            not_after: element(tag, text),
            ..ByHand::default()
        };
        let text = text.escape_ascii();
        let not_before = start.parse().map(|facts| facts.not_before);
        assert_eq!(not_before, expected, "{text}");
        let not_after = end.parse().map(|facts| facts.not_after);
        assert_eq!(not_after, expected, "{text}");
    }
    let number = ByHand {
        not_before: element(2, &[1]),
        ..ByHand::default()
    };
    assert_eq!(number.parse(), Err(CertificateFault::Malformed));
}

#[test]
fn valid_and_unusual_serial_numbers() {
    let table: [(&[u8], Result<&str, CertificateFault>); 7] = [
        (&[0], Ok("00")),
        (&[0x7F], Ok("7F")),
        (&[0, 0x80], Ok("80")),
        // Negative, and longer than 20 bytes (RFC 5280 §4.1.2.2).
        (&[0x80], Ok("80")),
        (
            &[0x11; 25],
            Ok("11111111111111111111111111111111111111111111111111"),
        ),
        (&[0, 1], Err(CertificateFault::Malformed)),
        (&[], Err(CertificateFault::Malformed)),
    ];
    for (serial, expected) in table {
        let certificate = ByHand {
            serial: serial.to_vec(),
            ..ByHand::default()
        };
        let found = certificate.parse().map(|facts| facts.serial);
        assert_eq!(found, expected.map(str::to_owned), "{serial:02x?}");
    }
}

/// `count` attributes, in an order that a set must not have.
fn attributes(count: u8) -> impl Iterator<Item = Vec<u8>> {
    let attribute = |value| element(0x30, &[6, 3, 85, 4, 3, 12, 1, value]);
    (0..count).rev().map(attribute)
}

#[test]
fn names_have_a_bounded_number_of_attributes() {
    let limit = CertificateFacts::MAX_NAME_ATTRIBUTES;
    for (count, fits) in [(1, true), (128, true), (129, false), (255, false)] {
        let in_one_set: Vec<u8> = attributes(count).flatten().collect();
        let each_in_its_own = attributes(count)
            .flat_map(|it| element(0x31, &it))
            .collect();
        for subject in [element(0x31, &in_one_set), each_in_its_own] {
            let certificate = ByHand {
                subject,
                ..ByHand::default()
            };
            match certificate.parse() {
                Ok(facts) => {
                    assert!(fits, "{count}");
                    assert_eq!(facts.subject.matches("CN=").count(), usize::from(count));
                }
                Err(fault) => {
                    assert!(!fits, "{count}");
                    assert_eq!(fault, CertificateFault::TooManyNameAttributes(limit));
                }
            }
        }
    }
}

#[test]
fn attributes_have_their_registered_names() {
    let user_id = [9, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1];
    let domain_component = [9, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25];
    // RFC 4514 §3, and what authorities put into names besides.
    let table: [(&[u8], &str); 14] = [
        (&[85, 4, 3], "CN"),
        (&[85, 4, 7], "L"),
        (&[85, 4, 8], "ST"),
        (&[85, 4, 10], "O"),
        (&[85, 4, 11], "OU"),
        (&[85, 4, 6], "C"),
        (&[85, 4, 9], "STREET"),
        (&domain_component, "DC"),
        (&user_id, "UID"),
        (&[85, 4, 4], "SN"),
        (&[85, 4, 5], "SERIALNUMBER"),
        (&[85, 4, 12], "TITLE"),
        (&[85, 4, 15], "BUSINESSCATEGORY"),
        (&[85, 4, 17], "POSTALCODE"),
    ];
    for (oid, name) in table {
        let attribute = [element(6, oid), element(19, b"x")].concat();
        let certificate = ByHand {
            subject: element(0x31, &element(0x30, &attribute)),
            ..ByHand::default()
        };
        assert_eq!(certificate.parse().unwrap().subject, format!("{name}=x"));
    }
}

#[test]
fn attributes_that_are_not_text_are_hexadecimal() {
    let table: [(&[u8], &str); 6] = [
        (&[12, 2, b'a', 0], r"CN=a\00"),
        (&[12, 1, 0xFF], "2.5.4.3=#0c01ff"),
        (&[0x1E, 2, 0, b'a'], "2.5.4.3=#1e020061"),
        (&[2, 1, 7], "2.5.4.3=#020107"),
        (&[12, 0], "CN="),
        (&[5, 0], "2.5.4.3=#0500"),
    ];
    for (value, expected) in table {
        let attribute = element(0x30, &[&[6, 3, 85, 4, 3], value].concat());
        let certificate = ByHand {
            subject: element(0x31, &attribute),
            ..ByHand::default()
        };
        assert_eq!(certificate.parse().unwrap().subject, expected);
    }
}

#[test]
fn sizes_are_bounded() {
    let limit = CertificateFacts::MAX_BYTES;
    let zeros = vec![0; limit + 1];
    assert_eq!(
        CertificateFacts::parse(&zeros),
        Err(CertificateFault::TooLarge(limit))
    );
    assert_eq!(
        CertificateFacts::parse(&zeros[..limit]),
        Err(CertificateFault::Malformed)
    );
}

#[test]
fn truncated_and_extended_certificates_are_refused() {
    let whole = by_openssl();
    for end in 0..whole.len() {
        let facts = CertificateFacts::parse(&whole[..end]);
        assert_eq!(facts, Err(CertificateFault::Malformed), "cut at {end}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(
        CertificateFacts::parse(&longer),
        Err(CertificateFault::Malformed)
    );
}

#[test]
fn a_certificate_with_a_wrong_byte_is_read_or_refused() {
    let whole = by_openssl();
    let mut wrong = whole.clone();
    for at in 0..whole.len() {
        let flipped = (0..8).map(|bit| whole[at] ^ (1 << bit));
        for byte in flipped.chain([0, 0x30, 0xFF]) {
            wrong[at] = byte;
            if let Ok(facts) = CertificateFacts::parse(&wrong) {
                assert!(facts.subject.len() + facts.issuer.len() < whole.len());
            }
        }
        wrong[at] = whole[at];
    }
}

#[test]
fn the_first_certificate_of_a_chain_is_the_peers() {
    let mut info = TlsInfo {
        version: TlsVersion::Tls13,
        cipher_suite: "TLS13_AES_128_GCM_SHA256",
        alpn: None,
        peer_certificates: Vec::new(),
        resumed: false,
    };
    assert_eq!(info.certificate(), None);
    info.peer_certificates = vec![by_openssl(), vec![0]];
    let facts = info.certificate().unwrap().unwrap();
    assert_eq!(facts.serial, "FEDCBA9876543210");
    info.peer_certificates.swap(0, 1);
    assert_eq!(info.certificate(), Some(Err(CertificateFault::Malformed)));
}
