//! Envoy: one worker, mutual TLS and proxying, with or without its JWT filter and that one's cache.

use serde_json::{Value, json};

use super::{Kind, Peer, Ports, Prepared, Programs};
use crate::fault::{Fault, about};
use crate::ground::{Ground, TOKENS_MANY};
use crate::process::Program;
use crate::token::{AUDIENCE, ISSUER};

const TYPES: &str = "type.googleapis.com/envoy.extensions";

pub(super) fn prepare(
    peer: Peer,
    ground: &Ground,
    programs: &Programs,
    ports: Ports,
) -> Result<Prepared, Fault> {
    let mut filters = Vec::new();
    if peer.kind == Kind::EnvoyJwt {
        let jwks = about(ground.jwks.display(), std::fs::read_to_string(&ground.jwks))?;
        filters.push(jwt_filter(&jwks));
    }
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": format!("{TYPES}.filters.http.router.v3.Router")},
    }));
    let bootstrap = json!({"static_resources": {
        "listeners": [listener(peer, ground, ports, &filters)],
        "clusters": [cluster(ports)],
    }});
    let configuration = format!("{bootstrap:#}");
    let file = ground
        .write("envoy.json", &configuration)?
        .display()
        .to_string();
    let arguments = [
        "-c",
        &file,
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "-l",
        "error",
    ];
    Ok(Prepared {
        program: Program::new(&programs.envoy, arguments),
        configuration,
        audit: None,
    })
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn listener(peer: Peer, ground: &Ground, ports: Ports, filters: &[Value]) -> Value {
    let server = ground.server(peer.key.kind());
    json!({
        "name": "t8",
        "address": address(ports.listen),
        "filter_chains": [{
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": format!("{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"),
                    "require_client_certificate": true,
                    "common_tls_context": {
                        "tls_params": {
                            "tls_minimum_protocol_version": "TLSv1_3",
                            "tls_maximum_protocol_version": "TLSv1_3",
                            "ecdh_curves": ["X25519"],
                        },
                        "alpn_protocols": ["http/1.1"],
                        "tls_certificates": [{
                            "certificate_chain": {"filename": server.certificate},
                            "private_key": {"filename": server.key},
                        }],
                        "validation_context": {"trusted_ca": {"filename": ground.client_ca}},
                    },
                },
            },
            "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": format!(
                        "{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
                    ),
                    "stat_prefix": "t8",
                    "codec_type": "HTTP1",
                    "common_http_protocol_options": {"idle_timeout": "3600s"},
                    "route_config": {"virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "scef"}}],
                    }]},
                    "http_filters": filters,
                },
            }],
        }],
    })
}

/// Connections to the origin are kept; the bounds that guard it are out of the way.
fn cluster(ports: Ports) -> Value {
    json!({
        "name": "scef",
        "type": "STATIC",
        "connect_timeout": "3s",
        "circuit_breakers": {"thresholds": [{
            "max_connections": 9_000, "max_pending_requests": 9_000, "max_requests": 9_000,
        }]},
        "load_assignment": {
            "cluster_name": "scef",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(ports.origin)}}]}],
        },
    })
}

fn jwt_filter(jwks: &str) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.jwt_authn.v3.JwtAuthentication"),
            "providers": {"bench": {
                "issuer": ISSUER,
                "audiences": [AUDIENCE],
                "local_jwks": {"inline_string": jwks},
                // Room for all that are used, so that none is verified twice.
                "jwt_cache_config": {"jwt_cache_size": 2 * TOKENS_MANY},
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
        },
    })
}
