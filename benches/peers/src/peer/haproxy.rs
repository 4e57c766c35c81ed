//! HAProxy: one thread, mutual TLS and proxying, or proxying alone.

use super::{Kind, Peer, Ports, Prepared, Programs};
use crate::fault::{Fault, about};
use crate::ground::Ground;
use crate::process::Program;

pub(super) fn prepare(
    peer: Peer,
    ground: &Ground,
    programs: &Programs,
    ports: Ports,
) -> Result<Prepared, Fault> {
    let tls = match peer.kind {
        Kind::HaproxyClear => String::new(),
        _ => tls(peer, ground)?,
    };
    let configuration = format!(
        "global
    nbthread 1
    maxconn 9000
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256

defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 3s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h

frontend t8
    bind 127.0.0.1:{listen}{tls}
    default_backend scef

backend scef
    server origin 127.0.0.1:{origin}
",
        listen = ports.listen,
        origin = ports.origin,
    );
    let file = ground.write("haproxy.cfg", &configuration)?;
    // -db: in the foreground, one process.
    let arguments = [
        "-db".to_owned(),
        "-f".to_owned(),
        file.display().to_string(),
    ];
    Ok(Prepared {
        program: Program::new(&programs.haproxy, arguments),
        configuration,
        audit: None,
    })
}

/// HAProxy wants certificate and key in one file.
fn tls(peer: Peer, ground: &Ground) -> Result<String, Fault> {
    let server = ground.server(peer.key.kind());
    let read = |path: &std::path::Path| about(path.display(), std::fs::read_to_string(path));
    let both = read(&server.certificate)? + &read(&server.key)?;
    let file = ground.write("haproxy-server.pem", &both)?;
    Ok(format!(
        " ssl crt {} ca-file {} verify required curves X25519 alpn http/1.1",
        file.display(),
        ground.client_ca.display()
    ))
}
