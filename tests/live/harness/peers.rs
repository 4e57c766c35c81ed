//! Peers we did not write: curl and openssl.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::client::HOST;
use super::pki::Identity;
use super::{Outcome, WAIT, command, run};

/// curl towards the gateway under its proper name, with a client certificate.
pub fn curl(address: SocketAddr, ca: &Path, identity: Option<&Identity>) -> Command {
    let mut curl = command("curl");
    // -q first: no configuration file of whoever runs the tests.
    curl.args([
        "-q",
        "--silent",
        "--show-error",
        "--http1.1",
        "--max-time",
        "10",
    ]);
    curl.arg("--resolve")
        .arg(format!("{HOST}:{}:{}", address.port(), address.ip()));
    curl.arg("--cacert").arg(ca);
    if let Some(identity) = identity {
        curl.arg("--cert")
            .arg(&identity.certificate)
            .arg("--key")
            .arg(&identity.key);
    }
    curl
}

/// The URL of a path at the gateway.
pub fn url(address: SocketAddr, path: &str) -> String {
    format!("https://{HOST}:{}{path}", address.port())
}

/// `openssl s_client` towards the gateway, fed `input`.
pub fn s_client(
    address: SocketAddr,
    ca: &Path,
    identity: Option<&Identity>,
    arguments: &[&str],
    input: &[u8],
) -> Outcome {
    let mut openssl = command("openssl");
    openssl.args(["s_client", "-connect", &address.to_string(), "-ign_eof"]);
    openssl.arg("-CAfile").arg(ca);
    if !arguments.contains(&"-noservername") && !arguments.contains(&"-servername") {
        openssl.args(["-servername", HOST]);
    }
    if let Some(identity) = identity {
        openssl
            .arg("-cert")
            .arg(&identity.certificate)
            .arg("-key")
            .arg(&identity.key);
    }
    openssl.args(arguments);
    run(&mut openssl, input, WAIT)
}
