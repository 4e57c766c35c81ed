//! nginx: one worker, as a rival and as the origin of all.

use super::{Key, Peer, Ports, Prepared, Programs};
use crate::fault::{Fault, about};
use crate::ground::Ground;
use crate::process::Program;
use crate::softhsm::SoftHsm;

/// Octets of the origin's answer.
const BODY_BYTES: usize = 306;

pub(super) fn prepare(
    peer: Peer,
    ground: &Ground,
    programs: &Programs,
    ports: Ports,
) -> Result<Prepared, Fault> {
    let server = ground.server(peer.key.kind());
    let (engine, key, environment) = match peer.key {
        Key::File(_) => (String::new(), server.key.display().to_string(), Vec::new()),
        Key::Hsm(kind) => {
            let Some(hsm) = &ground.hsm else {
                return Err(Fault::new("a row needs SoftHSM, and no token was made"));
            };
            let environment = vec![
                (
                    "SOFTHSM2_CONF".to_owned(),
                    hsm.configuration.display().to_string(),
                ),
                ("OPENSSL_CONF".to_owned(), hsm.openssl.display().to_string()),
            ];
            // Workers see only the variables that are named.
            let engine = "env SOFTHSM2_CONF;\nenv OPENSSL_CONF;\nssl_engine pkcs11;\n".to_owned();
            (
                engine,
                format!("\"engine:pkcs11:{}\"", SoftHsm::uri(kind)),
                environment,
            )
        }
    };
    let http = format!(
        "    upstream scef {{
        server 127.0.0.1:{origin};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 3600s;
    }}
    server {{
        listen 127.0.0.1:{listen} ssl backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {client_ca};
        ssl_verify_client on;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        ssl_ecdh_curve X25519;
        location / {{
            proxy_pass http://scef;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
",
        origin = ports.origin,
        listen = ports.listen,
        certificate = server.certificate.display(),
        client_ca = ground.client_ca.display(),
    );
    let mut prepared = serve(ground, programs, "nginx", &engine, &http)?;
    prepared.program.environment = environment;
    Ok(prepared)
}

/// The SCEF of the bench: the same short answer to everything, on kept connections.
///
/// # Errors
/// When its files cannot be written.
pub fn origin(ground: &Ground, programs: &Programs, port: u16) -> Result<Prepared, Fault> {
    let http = format!(
        "    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        return 200 '{}';
    }}
",
        answer()
    );
    serve(ground, programs, "origin", "", &http)
}

/// A list of subscriptions, brought to its length by a name.
fn answer() -> String {
    let around = |name: &str| {
        format!(
            "[{{\"self\":\"/3gpp-monitoring-event/v1/bench/subscriptions/1\",\
             \"monitoringType\":\"LOSS_OF_CONNECTIVITY\",\"maximumNumberOfReports\":10,\
             \"externalGroupId\":\"{name}\"}}]"
        )
    };
    let missing = BODY_BYTES - around("").len();
    around(&"g".repeat(missing))
}

fn serve(
    ground: &Ground,
    programs: &Programs,
    name: &str,
    before: &str,
    http: &str,
) -> Result<Prepared, Fault> {
    let directory = ground.directory.join(name);
    about(directory.display(), std::fs::create_dir_all(&directory))?;
    let below = directory.display();
    // As root nginx gives its workers another user, who may not read the token.
    let user = match rustix::process::geteuid().is_root() {
        true => "user root;\n",
        false => "",
    };
    let configuration = format!(
        "daemon off;
{user}{before}worker_processes 1;
pid {below}/pid;
error_log stderr warn;
events {{
    worker_connections 9000;
}}
http {{
    access_log off;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    client_body_temp_path {below}/body;
    proxy_temp_path {below}/proxy;
    fastcgi_temp_path {below}/fastcgi;
    uwsgi_temp_path {below}/uwsgi;
    scgi_temp_path {below}/scgi;
{http}}}
"
    );
    let file = ground.write(&format!("{name}.conf"), &configuration)?;
    let file = file.display().to_string();
    let prefix = below.to_string();
    let arguments = ["-p", &prefix, "-e", "stderr", "-c", &file];
    Ok(Prepared {
        program: Program::new(&programs.nginx, arguments),
        configuration,
        audit: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_answers_json_of_the_length_that_was_measured_with() {
        assert_eq!(answer().len(), BODY_BYTES);
        let read: serde_json::Value = serde_json::from_str(&answer()).expect("JSON");
        assert!(read.is_array());
    }
}
