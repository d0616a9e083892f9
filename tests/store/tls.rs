//! TLS to a PostgreSQL server whose certificate only the operator's own authority vouches for.

use crate::postgres::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reconnectd::store::{Store, StoreError};
use std::fs;

/// An authority.
fn authority() -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), root)
}

#[tokio::test]
async fn a_server_is_trusted_as_far_as_the_url_demands_it() {
    let (issuer, root) = authority();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap().pem();
    let Some(server) = PostgresServer::start_with_tls(&certificate, &key.serialize_pem()) else { return };
    assert!(server.psql("postgres", "CREATE ROLE app LOGIN PASSWORD 'hush' IN ROLE with_password"));
    assert!(server.psql("postgres", "CREATE DATABASE app OWNER app"));
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right.pem"), folder.path().join("wrong.pem"));
    fs::write(&right, root).unwrap();
    fs::write(&wrong, authority().1).unwrap();
    let open = async |host: &str, mode: &str, root: &std::path::Path| {
        let (port, root) = (server.port(), root.display());
        let url = format!("postgres://app:hush@{host}:{port}/app?sslmode={mode}&sslrootcert={root}");
        Store::open(&url.parse().unwrap()).await.map(drop)
    };
    for (host, mode, root, is_trusted) in [
        ("localhost", "verify-full", &right, true),
        ("localhost", "verify-full", &wrong, false),
        ("127.0.0.1", "verify-full", &right, false),
        ("127.0.0.1", "verify-ca", &right, true),
        ("localhost", "verify-ca", &wrong, false),
        ("localhost", "require", &right, true),
        ("localhost", "prefer", &right, true),
    ] {
        let opened = open(host, mode, root).await;
        match opened {
            Ok(()) => assert!(is_trusted, "{host} {mode}"),
            Err(StoreError::Open { path, reason }) => {
                assert!(!is_trusted, "{host} {mode}: {reason}");
                assert!(reason.contains("sslrootcert"), "{host} {mode}: {reason}");
                assert!(!format!("{path} {reason}").contains("hush"));
            }
            Err(other) => panic!("{host} {mode}: {other:?}"),
        }
    }
    let url = format!("postgres://app:hush@127.0.0.1:{}/app", server.port());
    let plain = Store::open(&format!("{url}?sslmode=disable").parse().unwrap()).await;
    assert!(matches!(plain, Err(StoreError::Open { .. })), "{plain:?}");
    let no_root = Store::open(&format!("{url}?sslmode=require").parse().unwrap()).await;
    assert!(no_root.is_ok(), "{no_root:?}");
}
