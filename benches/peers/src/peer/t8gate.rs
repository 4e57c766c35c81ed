//! The gateway with everything on.

use super::{Key, Peer, Ports, Prepared, Programs};
use crate::fault::Fault;
use crate::ground::{CLIENT_NAME, Ground, SCS_AS_ID, SERVER_NAME};
use crate::process::Program;
use crate::softhsm::SoftHsm;
use crate::token::{AUDIENCE, ISSUER};

pub(super) fn prepare(
    peer: Peer,
    ground: &Ground,
    programs: &Programs,
    ports: Ports,
) -> Result<Prepared, Fault> {
    let audit = ground.directory.join("audit.jsonl");
    if audit.exists() {
        crate::fault::about(audit.display(), std::fs::remove_file(&audit))?;
    }
    let (key, environment) = key(peer, ground)?;
    let server = ground.server(peer.key.kind());
    let cpus: Vec<usize> = (0..peer.shards).collect();
    let configuration = format!(
        r#"[listen]
address = "127.0.0.1:{listen}"
cpus = {cpus:?}
server_names = ["{SERVER_NAME}"]

[tls]
certificate = {certificate:?}
client_ca = {client_ca:?}

[tls.key]
{key}
[[issuer]]
name = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = {jwks:?}

[[client]]
name = "{SCS_AS_ID}"
client_id = "{SCS_AS_ID}"
sans = ["dns:{CLIENT_NAME}"]
scs_as_ids = ["{SCS_AS_ID}"]
{services}
[upstream]
address = "127.0.0.1:{origin}"

[admin]
address = "127.0.0.1:{admin}"

[audit]
file = {audit:?}

[deadlines]
drain = "2s"
"#,
        services = if peer.held { SERVICES } else { "" },
        listen = ports.listen,
        admin = ports.admin,
        origin = ports.origin,
        certificate = server.certificate,
        client_ca = ground.client_ca,
        jwks = ground.jwks,
    );
    let file = ground.write("t8gate.toml", &configuration)?;
    let arguments = [
        "serve".to_owned(),
        "--config".to_owned(),
        file.display().to_string(),
    ];
    let mut program = Program::new(&programs.t8gate, arguments);
    program.environment = environment;
    Ok(Prepared {
        program,
        configuration,
        audit: Some(audit),
    })
}

/// What a client is granted that is held to some UEs: whom it asks about is among the last.
const SERVICES: &str = r#"
[[client.service]]
api = "3gpp-nidd"
ues = ["*@example.com"]
[[client.service]]
api = "3gpp-monitoring-event"
monitoring_types = ["UE_REACHABILITY", "LOSS_OF_CONNECTIVITY"]
ues = ["*@example.com", "msisdn:48*"]
[[client.service]]
api = "3gpp-monitoring-event"
monitoring_types = ["LOCATION_REPORTING"]
ues = ["*@cars.example", "group:fleet@example.com", "msisdn:48*", "*@example.com"]
"#;

/// The lines of `[tls.key]`, and what the process needs in its environment.
fn key(peer: Peer, ground: &Ground) -> Result<(String, Vec<(String, String)>), Fault> {
    match peer.key {
        Key::File(kind) => {
            let file = ground.server(kind).key;
            Ok((format!("file = {file:?}\n"), Vec::new()))
        }
        Key::Hsm(kind) => {
            let Some(hsm) = &ground.hsm else {
                return Err(Fault::new("a row needs SoftHSM, and no token was made"));
            };
            let lines = format!(
                "module = {:?}\nuri = {:?}\npin_file = {:?}\n",
                hsm.module,
                SoftHsm::uri(kind),
                hsm.pin_file
            );
            let configuration = hsm.configuration.display().to_string();
            Ok((lines, vec![("SOFTHSM2_CONF".to_owned(), configuration)]))
        }
    }
}
