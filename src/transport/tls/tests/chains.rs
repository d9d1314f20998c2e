//! Chains of certificates that cost much to verify, and long ones that are usual. webpki tries every order of those that
//! could have signed one another.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};

use super::super::few_intermediates::MOST_INTERMEDIATES;
use super::pair::Peer;
use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(params(name), KeyPair::generate().unwrap()).unwrap()
}

/// Authorities of the same name, each of which could have signed all others, by its name.
fn same_named(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| root("One").der().to_vec()).collect()
}

/// A server with a certificate of this issuer.
fn issued_by(issuer: &Issuer<'_, KeyPair>) -> Peer {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["game.test".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, issuer).unwrap();
    Peer::of_pem(format!("{}{}", leaf.pem(), key.serialize_pem()).as_bytes())
}

#[test]
fn a_chain_of_authorities_of_one_name_is_refused_at_once() {
    let (trusted, unknown) = (root("Two"), root("One"));
    let options = TlsOptions::builder().trusted_chain_pem(trusted.pem().as_bytes());
    let options = options.build().unwrap();
    for count in [8, 100] {
        let peer = issued_by(&unknown);
        let result = outcome(&options, "game.test", peer.with_chain(same_named(count)));
        // webpki has tried everything, and not given up after 200,000 steps.
        assert_eq!(fault(result), TlsFault::CertificateUnknownIssuer);
    }
}

#[test]
fn long_chains_are_accepted_and_what_follows_them_does_not_matter() {
    let trusted = root("level 0");
    let options = TlsOptions::builder().trusted_chain_pem(trusted.pem().as_bytes());
    let options = options.build().unwrap();
    let mut levels = vec![trusted];
    for level in 1..=MOST_INTERMEDIATES {
        let key = KeyPair::generate().unwrap();
        let above = levels.last().unwrap();
        let next = CertifiedIssuer::signed_by(params(&format!("level {level}")), key, above);
        levels.push(next.unwrap());
    }
    let peer = issued_by(levels.last().unwrap());
    let chain = levels.iter().skip(1).rev().map(|it| it.der().to_vec());
    let peer = peer.with_chain(chain).with_chain(same_named(20));
    outcome(&options, "game.test", peer).unwrap();
}
