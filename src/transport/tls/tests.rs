//! Sessions against a rustls server, in memory. Here are the stories of trust and agreement; `data`
//! tells what happens afterwards, `waiting` and `silent_verifier` what a slow verifier does, and `pair` is the stage.

mod chains;
mod data;
mod floods;
mod pair;
#[cfg(all(feature = "agent", feature = "server"))]
mod silent_verifier;
#[cfg(all(feature = "agent", feature = "server"))]
mod waiting;

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, SupportedProtocolVersion};

use self::pair::{Authority, Pair, Peer, self_signed};
use super::fault::TlsFailure;
#[cfg(feature = "server")]
use super::server_options::ServerTlsOptions;
use super::*;
use crate::error::{Error, ErrorKind, Misuse, TlsFault};

const VERSIONS: [(&SupportedProtocolVersion, TlsVersion); 2] =
    [(&TLS12, TlsVersion::Tls12), (&TLS13, TlsVersion::Tls13)];

fn fault(result: Result<(), TlsFailure>) -> TlsFault {
    result.unwrap_err().fault
}

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .build()
        .unwrap()
}

/// The outcome of a handshake with `peer`, to whom the client thinks it talks as `host`.
fn outcome(options: &TlsOptions, host: &str, peer: Peer) -> Result<(), TlsFailure> {
    Pair::new(options, host, &peer.config()).drive()
}

#[test]
fn a_good_certificate_is_accepted() {
    let authority = Authority::new();
    for (version, expected) in VERSIONS {
        let peer = authority.issue("game.test").peer().version(version);
        let mut pair = Pair::new(&trusting(&authority), "game.test", &peer.config());
        assert!(pair.client.is_handshaking());
        assert!(pair.client.info().is_none());
        pair.drive().unwrap();
        assert!(!pair.client.is_handshaking());
        let info = pair.client.info().unwrap();
        assert_eq!(info.version, expected);
        assert!(info.cipher_suite.starts_with("TLS"), "{info:?}");
        assert_eq!(info.peer_certificates.len(), 1);
        assert!(!info.resumed);
        assert_eq!(pair.server.server_name(), Some("game.test"));
    }
}

#[test]
fn invalid_certificates_are_refused_with_the_reason() {
    let authority = Authority::new();
    let options = trusting(&authority);
    let old = authority.issue("game.test").valid(2001, 2002);
    let early = authority.issue("game.test").valid(2900, 2901);
    let stranger = Authority::new().issue("game.test");
    let table = [
        (old, TlsFault::CertificateExpired),
        (early, TlsFault::CertificateNotYetValid),
        (
            authority.issue("other.test"),
            TlsFault::CertificateNameMismatch,
        ),
        (stranger, TlsFault::CertificateUnknownIssuer),
        (
            self_signed("game.test", false),
            TlsFault::CertificateUnknownIssuer,
        ),
    ];
    for (leaf, expected) in table {
        for (version, _) in VERSIONS {
            let mut pair = Pair::new(
                &options,
                "game.test",
                &leaf.peer().version(version).config(),
            );
            assert_eq!(fault(pair.drive()), expected);
            assert!(pair.server_error.is_some(), "the alert reached the server");
            assert_eq!(fault(pair.drive_client(&mut [0])), expected, "for ever");
        }
    }
}

/// A certificate of X.509 version 1 for `game.test` and its key: `openssl x509 -req -signkey` without
/// extensions (OpenSSL 3.0).
const VERSION_1: &[u8] = include_bytes!("tests/version1.pem");

#[test]
fn a_certificate_of_version_1_is_named() {
    let pinned = TlsOptions::builder().trusted_chain_pem(VERSION_1);
    for options in [TlsOptions::client(), pinned.build().unwrap()] {
        for (version, _) in VERSIONS {
            let peer = Peer::of_pem(VERSION_1).version(version);
            let fault = fault(outcome(&options, "game.test", peer));
            assert_eq!(fault, TlsFault::CertificateVersion);
            assert!(fault.to_string().ends_with("reissued as version 3"));
        }
    }
    let anything = TlsOptions::client_unsafe(None).unwrap();
    outcome(&anything, "game.test", Peer::of_pem(VERSION_1)).unwrap();

    let client = TlsOptions::builder().client_certificate_pem(VERSION_1, VERSION_1);
    assert!(reason(&client.build().unwrap_err()).contains("version 3"));
    #[cfg(feature = "server")]
    {
        let server = ServerTlsOptions::builder().certificate_pem(VERSION_1, VERSION_1);
        assert!(reason(&server.build().err().unwrap()).contains("version 3"));
    }
}

fn reason(error: &Error) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn the_bundled_roots_do_not_know_our_authority() {
    let peer = || Authority::new().issue("game.test").peer();
    let unknown = TlsFault::CertificateUnknownIssuer;
    assert_eq!(
        fault(outcome(&TlsOptions::client(), "game.test", peer())),
        unknown
    );
    let authority = Authority::new();
    let added = TlsOptions::builder()
        .add_root_der(authority.der())
        .build()
        .unwrap();
    outcome(&added, "game.test", authority.issue("game.test").peer()).unwrap();
    assert_eq!(fault(outcome(&added, "game.test", peer())), unknown);
}

#[test]
fn ip_addresses_are_valid_names() {
    let authority = Authority::new();
    let options = trusting(&authority);
    for (name, host) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("::1", "[::1]"),
        ("fe80::1", "[fe80::1%25eth0]"),
    ] {
        outcome(&options, host, authority.issue(name).peer()).unwrap();
    }
    let wrong = outcome(&options, "127.0.0.2", authority.issue("127.0.0.1").peer());
    assert_eq!(fault(wrong), TlsFault::CertificateNameMismatch);
}

#[test]
fn host_names_are_taken_as_written_in_urls() {
    for (host, name) in [
        ("game.test", "game.test"),
        ("game.test.", "game.test"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ] {
        assert_eq!(identity::server_name(host).unwrap().to_str(), name);
    }
    for host in ["", ".", "a b", "[", "a%b", "-a.test", "2001:db8::g"] {
        let error = TlsSession::client(&TlsOptions::client(), host).unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Misuse(Misuse::InvalidHost),
            "{host:?}"
        );
    }
}

#[test]
fn unsafe_without_a_chain_accepts_everything() {
    let options = TlsOptions::client_unsafe(None).unwrap();
    for leaf in [
        self_signed("other.test", false),
        self_signed("other.test", true),
        self_signed("game.test", true).valid(2001, 2002),
        Authority::new().issue("game.test"),
    ] {
        for (version, _) in VERSIONS {
            outcome(&options, "game.test", leaf.peer().version(version)).unwrap();
        }
    }
}

#[test]
fn unsafe_with_a_chain_checks_all_but_the_name() {
    let authority = Authority::new();
    let options = TlsOptions::client_unsafe(Some(authority.pem().as_bytes())).unwrap();
    outcome(&options, "game.test", authority.issue("other.test").peer()).unwrap();
    let stranger = outcome(&options, "game.test", self_signed("game.test", true).peer());
    assert_eq!(fault(stranger), TlsFault::CertificateUnknownIssuer);
    let old = authority.issue("other.test").valid(2001, 2002);
    let expired = outcome(&options, "game.test", old.peer());
    assert_eq!(fault(expired), TlsFault::CertificateExpired);
}

#[test]
fn a_self_signed_certificate_can_be_trusted_itself() {
    for is_ca in [false, true] {
        let leaf = self_signed("game.test", is_ca);
        let options = TlsOptions::builder()
            .trusted_chain_pem(leaf.pem().as_bytes())
            .build()
            .unwrap();
        outcome(&options, "game.test", leaf.peer()).unwrap();
        let wrong = outcome(&options, "other.test", leaf.peer());
        assert_eq!(fault(wrong), TlsFault::CertificateNameMismatch);
        let lenient = TlsOptions::client_unsafe(Some(leaf.pem().as_bytes())).unwrap();
        outcome(&lenient, "other.test", leaf.peer()).unwrap();

        let old = self_signed("game.test", is_ca).valid(2001, 2002);
        let options = TlsOptions::client_unsafe(Some(old.pem().as_bytes())).unwrap();
        let expired = outcome(&options, "game.test", old.peer());
        assert_eq!(fault(expired), TlsFault::CertificateExpired, "CA: {is_ca}");
    }
}

#[test]
fn the_name_override_is_sent_and_checked() {
    let authority = Authority::new();
    let options = TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .common_name_override("game.test")
        .build()
        .unwrap();
    let peer = authority.issue("game.test").peer();
    let mut pair = Pair::new(&options, "127.0.0.1", &peer.config());
    pair.drive().unwrap();
    assert_eq!(pair.server.server_name(), Some("game.test"));
    let other = outcome(&options, "other.test", authority.issue("other.test").peer());
    assert_eq!(fault(other), TlsFault::CertificateNameMismatch);
}

#[test]
fn version_limits_are_kept() {
    let authority = Authority::new();
    let with = |min, max| {
        TlsOptions::builder()
            .trusted_chain_pem(authority.pem().as_bytes())
            .min_version(min)
            .max_version(max)
            .build()
            .unwrap()
    };
    for (of_peer, theirs) in VERSIONS {
        for (_, ours) in VERSIONS {
            let peer = authority.issue("game.test").peer().version(of_peer);
            let result = outcome(&with(ours, ours), "game.test", peer);
            match ours == theirs {
                true => result.unwrap(),
                false => assert_eq!(fault(result), TlsFault::Incompatible),
            }
        }
    }
}

#[test]
fn unusable_options_are_refused_with_the_reason() {
    let client = Authority::new().issue("player");
    let other = Authority::new().issue("player");
    let chain = client.pem();
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let table: Vec<Result<TlsOptions, Error>> = vec![
        TlsOptions::client_unsafe(Some(b"")),
        TlsOptions::client_unsafe(Some(b"no PEM at all")),
        TlsOptions::client_unsafe(Some(broken.as_bytes())),
        TlsOptions::client_unsafe(Some(client.key_pem().as_bytes())),
        TlsOptions::builder().add_root_der(b"nonsense").build(),
        TlsOptions::builder().common_name_override("a b").build(),
        TlsOptions::builder()
            .min_version(TlsVersion::Tls13)
            .max_version(TlsVersion::Tls12)
            .build(),
        TlsOptions::builder()
            .client_certificate_pem(chain.as_bytes(), b"")
            .build(),
        TlsOptions::builder()
            .client_certificate_pem(chain.as_bytes(), other.key_pem().as_bytes())
            .build(),
    ];
    for (row, result) in table.into_iter().enumerate() {
        let error = result.unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Misuse(Misuse::InvalidTlsOptions),
            "{row}"
        );
        assert!(std::error::Error::source(&error).is_some(), "{row}");
    }
}

#[test]
fn clones_of_options_share_one_configuration() {
    fn may_cross_threads<T: Send + Sync>() {}
    may_cross_threads::<TlsOptions>();
    may_cross_threads::<TlsSession>();
    let options = TlsOptions::client_unsafe(None).unwrap();
    assert_eq!(options, options.clone());
    assert_ne!(options, TlsOptions::client_unsafe(None).unwrap());
    assert_eq!(TlsOptions::client(), TlsOptions::for_https().unwrap());
}

#[test]
fn a_client_certificate_is_shown_on_request() {
    let (authority, players) = (Authority::new(), Authority::new());
    let player = players.issue("player");
    let options = TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .client_certificate_pem(player.pem().as_bytes(), player.key_pem().as_bytes())
        .build()
        .unwrap();
    for (version, _) in VERSIONS {
        let peer = authority.issue("game.test").peer().version(version);
        let peer = peer.asks_for_certificates_of(&players);
        let mut pair = Pair::new(&options, "game.test", &peer.config());
        pair.drive().unwrap();
        assert!(pair.server.peer_certificates().is_some());
        pair.exchange(b"ping");
    }
}

#[test]
fn a_missing_or_wrong_client_certificate_has_its_own_fault() {
    let (authority, players) = (Authority::new(), Authority::new());
    let stranger = Authority::new().issue("player");
    let wrong = TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .client_certificate_pem(stranger.pem().as_bytes(), stranger.key_pem().as_bytes())
        .build()
        .unwrap();
    for options in [trusting(&authority), wrong] {
        for (version, ours) in VERSIONS {
            let peer = authority.issue("game.test").peer().version(version);
            let peer = peer.asks_for_certificates_of(&players);
            let mut pair = Pair::new(&options, "game.test", &peer.config());
            assert_eq!(fault(pair.drive()), TlsFault::CertificateRequired);
            // With TLS 1.3 the refusal comes when the client already believes to be through.
            assert_eq!(!pair.client.is_handshaking(), ours == TlsVersion::Tls13);
        }
    }
}

#[test]
fn alerts_are_interpreted_in_context() {
    let table = [
        (
            AlertDescription::HandshakeFailure,
            false,
            TlsFault::Incompatible,
        ),
        (
            AlertDescription::HandshakeFailure,
            true,
            TlsFault::CertificateRequired,
        ),
        (
            AlertDescription::BadCertificate,
            true,
            TlsFault::CertificateRequired,
        ),
        (AlertDescription::BadCertificate, false, TlsFault::Alert),
        (
            AlertDescription::CertificateRequired,
            false,
            TlsFault::CertificateRequired,
        ),
        (
            AlertDescription::ProtocolVersion,
            false,
            TlsFault::Incompatible,
        ),
        (AlertDescription::InternalError, true, TlsFault::Alert),
        (AlertDescription::UnrecognisedName, false, TlsFault::Alert),
    ];
    for (alert, certificate_request, expected) in table {
        let seen = fault::Seen {
            tls: true,
            certificate_request,
        };
        let failure = TlsFailure::new(rustls::Error::AlertReceived(alert), seen);
        assert_eq!(failure.fault, expected, "{alert:?}");
        let error = Error::from(failure);
        assert_eq!(*error.kind(), ErrorKind::Tls(expected));
        assert!(
            std::error::Error::source(&error)
                .unwrap()
                .is::<rustls::Error>()
        );
    }
}

#[test]
fn sessions_resume_with_clones_of_the_same_options() {
    let authority = Authority::new();
    for (version, _) in VERSIONS {
        let options = trusting(&authority);
        let peer = authority
            .issue("game.test")
            .peer()
            .version(version)
            .config();
        let resumed = |options: &TlsOptions| {
            let mut pair = Pair::new(options, "game.test", &peer);
            pair.drive().unwrap();
            pair.exchange(b"ping");
            let info = pair.client.info().unwrap();
            assert_eq!(info.peer_certificates.len(), 1);
            info.resumed
        };
        assert!(!resumed(&options));
        assert!(resumed(&options.clone()));
        assert!(!resumed(&trusting(&authority)));
        let never = TlsOptions::builder()
            .trusted_chain_pem(authority.pem().as_bytes())
            .resumption(false)
            .build()
            .unwrap();
        assert!(!resumed(&never));
        assert!(!resumed(&never));
    }
}

#[test]
fn only_http_1_is_offered() {
    let authority = Authority::new();
    let options = trusting(&authority);
    for (theirs, expected) in [
        (&[][..], Some(None)),
        (&["h2", "http/1.1"][..], Some(Some("http/1.1"))),
        (&["h2"][..], None),
    ] {
        let peer = authority.issue("game.test").peer().protocols(theirs);
        let mut pair = Pair::new(&options, "game.test", &peer.config());
        let result = pair.drive();
        match expected {
            Some(alpn) => {
                result.unwrap();
                assert_eq!(pair.client.info().unwrap().alpn.as_deref(), alpn);
            }
            None => assert_eq!(fault(result), TlsFault::Incompatible),
        }
    }
}
