//! The lines a visitor pastes into a shell. Each says before it what will come.

use std::path::Path;

use super::config::Addresses;

/// One command, and what it shows.
#[derive(Clone, Debug)]
pub struct Line {
    /// What comes of it: the status, where there is one, stands first.
    pub says: String,
    pub command: String,
}

/// Where the demo is, for a shell.
pub struct Place<'a> {
    pub state: &'a Path,
    pub program: &'a Path,
    pub addresses: Addresses,
    /// Of a request that was refused on the tour.
    pub refused_id: &'a str,
}

/// All lines, in an order in which they can be pasted.
pub fn lines(place: &Place<'_>) -> Vec<Line> {
    let origin = place.addresses.origin();
    let curl = format!(
        "curl -sS -i{} --cacert server-ca.pem",
        resolve(&place.addresses)
    );
    let meters = format!("{curl} --cert meters.pem --key meters.key.pem");
    let events = format!("{origin}/3gpp-monitoring-event/v1/meters/subscriptions");
    let bearer = "-H \"Authorization: Bearer $TOKEN\"";
    let token = format!(
        "TOKEN=$({} -d grant_type=client_credentials -d client_id=meters {origin}/oauth2/token \
         | sed -n 's/.*\"access_token\" *: *\"\\([^\"]*\\)\".*/\\1/p')",
        meters.replace(" -i", "")
    );
    let subscription = concat!(
        r#"{"externalId":"meter-2@meters.example.com","monitoringType":"UE_REACHABILITY","#,
        r#""maximumNumberOfReports":1,"#,
        r#""notificationDestination":"https://meters.example.com/t8"}"#
    );
    let line = |says: &str, command: String| Line {
        says: says.to_owned(),
        command,
    };
    vec![
        line(
            "the folder with the demo's certificates",
            format!("cd {}", quoted(&place.state.display().to_string())),
        ),
        line("a token by client credentials over mutual TLS", token),
        line(
            "200: the subscriptions of meters",
            format!("{meters} {bearer} {events}"),
        ),
        line(
            "201: a new one",
            format!(
                "{meters} {bearer} -H 'Content-Type: application/json' -d '{subscription}' {events}"
            ),
        ),
        line("401: without a token", format!("{meters} {events}")),
        line(
            "401: an expired token",
            format!("{meters} -H \"Authorization: Bearer $(cat expired-token)\" {events}"),
        ),
        line(
            "401: the token of meters on a connection of fleet",
            format!(
                "{curl} --cert fleet.pem --key fleet.key.pem {bearer} \
                 {origin}/3gpp-device-triggering/v1/fleet/transactions"
            ),
        ),
        line(
            "403: the path of another client",
            format!(
                "{meters} {bearer} {}",
                events.replace("/meters/", "/fleet/")
            ),
        ),
        line(
            "403: an API that meters has no scope for",
            format!("{meters} {bearer} {origin}/3gpp-device-triggering/v1/meters/transactions"),
        ),
        line(
            "alert certificate_required: no client certificate",
            format!("{curl} {bearer} {events}"),
        ),
        line(
            "why the request without a token was refused, as the audit file has it",
            format!(
                "{} explain --config demo.toml {}",
                quoted(&place.program.display().to_string()),
                place.refused_id
            ),
        ),
        line(
            "200: what is counted and measured",
            format!("curl -sS -i http://{}/metrics", reachable(&place.addresses)),
        ),
        line(
            "200: whether it can serve",
            format!("curl -sS -i http://{}/readyz", reachable(&place.addresses)),
        ),
    ]
}

/// What curl needs to find `localhost` at another address of this machine.
fn resolve(addresses: &Addresses) -> String {
    let ip = addresses.listen.ip();
    match ip.is_unspecified() || ip == std::net::Ipv4Addr::LOCALHOST {
        true => String::new(),
        false => format!(" --resolve localhost:{}:{ip}", addresses.listen.port()),
    }
}

fn reachable(addresses: &Addresses) -> String {
    match addresses.admin.ip().is_unspecified() {
        true => format!("localhost:{}", addresses.admin.port()),
        false => addresses.admin.to_string(),
    }
}

/// As one word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    match word.bytes().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn made(state: &str, listen: &str) -> Vec<Line> {
        lines(&Place {
            state: Path::new(state),
            program: Path::new("/opt/a b/t8gate"),
            addresses: Addresses {
                listen: listen.parse().unwrap(),
                admin: "127.0.0.1:9464".parse().unwrap(),
                scef: "127.0.0.1:1".parse().unwrap(),
            },
            refused_id: "0123456789abcdef0123456789abcdef",
        })
    }

    #[test]
    fn each_line_is_one_line_that_bash_reads() {
        for state in ["/var/demo", "/var/it's a demo"] {
            for line in made(state, "127.0.0.1:8443") {
                assert!(!line.command.contains('\n') && !line.says.contains('\n'));
                let read = Command::new("bash")
                    .args(["-n", "-c", &line.command])
                    .status();
                assert!(read.unwrap().success(), "{}", line.command);
            }
        }
    }

    #[test]
    fn folder_is_one_word_whatever_its_name() {
        let command = made("/var/it's a demo", "127.0.0.1:8443")[0]
            .command
            .clone();
        let script = command.replace("cd ", "printf %s ");
        let said = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(said.stdout, b"/var/it's a demo");
    }

    #[test]
    fn token_is_taken_out_of_an_answer_by_the_printed_sed() {
        let command = made("/d", "127.0.0.1:8443")[1].command.clone();
        let (_, sed) = command.split_once("| ").unwrap();
        let sed = sed.strip_suffix(')').unwrap();
        for answer in [
            r#"{"access_token":"a.b-c_d","token_type":"Bearer","scope":"x y"}"#,
            r#"{"token_type": "Bearer", "access_token": "a.b-c_d"}"#,
        ] {
            let script = format!("printf '%s' '{answer}' | {sed}");
            let said = Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "a.b-c_d");
        }
    }

    #[test]
    fn no_line_holds_a_secret() {
        for line in made("/d", "127.0.0.1:8443") {
            assert!(!line.command.contains("eyJ"), "{}", line.command);
            assert!(!line.command.contains("pin"), "{}", line.command);
        }
    }

    #[test]
    fn other_addresses_are_resolved() {
        assert!(
            made("/d", "127.0.0.2:8443")[2]
                .command
                .contains("--resolve localhost:8443:127.0.0.2")
        );
        assert!(
            !made("/d", "127.0.0.1:8443")[2]
                .command
                .contains("--resolve")
        );
        assert!(!made("/d", "0.0.0.0:8443")[2].command.contains("--resolve"));
    }
}
