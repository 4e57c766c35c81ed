//! `t8gate keys list`.

use std::fmt::Write as _;

use clap::Args;
use hsm::Pkcs11Source;
use hsm::ceremony::{CertificateEntry, Custody, KeyEntry, TokenEntry, inventory};
use serde_json::{Value, json};

use super::{Access, Faults, hexadecimal};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
    /// The same as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Faults> {
    let named = options.access.resolve(&[])?;
    let log_in = named.pin_file.is_some();
    let source = Pkcs11Source {
        module: named.module,
        uri: named.uri.map_or("pkcs11:".to_owned(), |uri| token_of(&uri)),
        pin_file: named.pin_file.unwrap_or_default(),
        sessions: 1,
    };
    let tokens = inventory(&source, log_in)?;
    if options.json {
        let tokens: Vec<_> = tokens.iter().map(|token| as_json(token, log_in)).collect();
        say!("{:#}", json!({ "tokens": tokens }));
    } else {
        for token in &tokens {
            say!("{}", as_text(token).trim_end());
        }
    }
    if tokens.is_empty() {
        eprintln!("there is no initialized token that is meant");
        eprintln!("  hint: initialize one by the HSM's own tool, or correct --uri");
    } else if !log_in {
        eprintln!("  hint: private keys show after a login: name the PIN with --pin-file");
    }
    Ok(())
}

/// Everything in the token is listed, whatever key the URI names.
fn token_of(uri: &str) -> String {
    let path = uri.split('?').next().unwrap_or_default();
    let (scheme, attributes) = path.split_once(':').unwrap_or((path, ""));
    let of_the_key = ["object=", "id=", "type="];
    let kept = attributes
        .split(';')
        .filter(|attribute| !of_the_key.iter().any(|name| attribute.starts_with(name)));
    let kept: Vec<&str> = kept.collect();
    format!("{scheme}:{}", kept.join(";"))
}

fn as_text(token: &TokenEntry) -> String {
    let mut text = format!(
        "token {:?}, {} {}, serial {}, slot-id {}\n",
        token.label, token.manufacturer, token.model, token.serial, token.slot_id
    );
    let mut line = |what: &str, said: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what:<12} {said}");
    };
    if let Some(pin) = token.pin {
        line("PIN", pin.to_owned());
    }
    for mechanism in &token.mechanisms {
        let verdict = if mechanism.present { "yes" } else { "ABSENT" };
        let said = format!("{:<26} {verdict:<6} {}", mechanism.name, mechanism.used_for);
        line("mechanism", said);
    }
    for key in &token.keys {
        line("key", key_text(key));
        if !key.uri.is_empty() {
            line("", key.uri.clone());
        }
    }
    for certificate in &token.certificates {
        let CertificateEntry {
            label,
            id,
            subject,
            not_after,
        } = certificate;
        let id = hexadecimal(id);
        line(
            "certificate",
            format!("id {id} {label:?}: {subject}, valid until {not_after}"),
        );
    }
    text
}

fn key_text(key: &KeyEntry) -> String {
    let named = format!("{} id {} {:?}", key.kind, hexadecimal(&key.id), key.label);
    let Some(custody) = key.custody else {
        return format!("{named}: the public key only");
    };
    let mut said = vec![custody_text(custody)];
    if !key.signs {
        said.push("MAY NOT SIGN".to_owned());
    }
    if !key.has_public {
        said.push("no public key beside it".to_owned());
    }
    format!("{named}: {}", said.join("; "))
}

/// What the token says of how it holds a key.
pub(super) fn custody_text(custody: Custody) -> String {
    let yes_or = |is: bool, yes: &str, no: &str| if is { yes } else { no }.to_owned();
    let mut said = vec![
        yes_or(custody.local, "made inside", "NOT MADE INSIDE"),
        yes_or(custody.sensitive, "sensitive", "NOT SENSITIVE"),
        match (custody.extractable, custody.never_extractable) {
            (true, _) => "EXTRACTABLE".to_owned(),
            (false, false) => "NOT ALWAYS UNEXTRACTABLE".to_owned(),
            (false, true) => "never extractable".to_owned(),
        },
    ];
    if custody.always_authenticate {
        said.push("WANTS THE PIN FOR EVERY SIGNATURE".to_owned());
    }
    let verdict = yes_or(
        custody.stays_in_token(),
        "stays in the token",
        "MAY LEAVE THE TOKEN",
    );
    format!("{verdict} ({})", said.join(", "))
}

fn as_json(token: &TokenEntry, logged_in: bool) -> Value {
    let mechanisms = token.mechanisms.iter();
    let mechanisms: Vec<Value> = mechanisms
        .map(|mechanism| json!({ "name": mechanism.name, "present": mechanism.present }))
        .collect();
    let keys: Vec<Value> = token.keys.iter().map(key_json).collect();
    let certificates = token.certificates.iter().map(|certificate| {
        json!({
            "label": certificate.label,
            "id": hexadecimal(&certificate.id),
            "subject": certificate.subject,
            "not_after": certificate.not_after,
        })
    });
    json!({
        "label": token.label,
        "manufacturer": token.manufacturer,
        "model": token.model,
        "serial": token.serial,
        "slot_id": token.slot_id,
        "pin": token.pin,
        "logged_in": logged_in,
        "mechanisms": mechanisms,
        "keys": keys,
        "certificates": certificates.collect::<Vec<_>>(),
    })
}

fn key_json(key: &KeyEntry) -> Value {
    let custody = key.custody.map(|custody| {
        json!({
            "stays_in_token": custody.stays_in_token(),
            "sensitive": custody.sensitive,
            "extractable": custody.extractable,
            "never_extractable": custody.never_extractable,
            "local": custody.local,
            "always_authenticate": custody.always_authenticate,
        })
    });
    json!({
        "label": key.label,
        "id": hexadecimal(&key.id),
        "uri": key.uri,
        "kind": key.kind,
        "private": custody,
        "signs": key.signs,
        "has_public": key.has_public,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_in_the_uri_does_not_narrow_the_list() {
        let uri = "pkcs11:token=a;object=b;id=%01;type=private;serial=2?pin-source=/p";
        assert_eq!(token_of(uri), "pkcs11:token=a;serial=2");
        assert_eq!(token_of("pkcs11:object=b"), "pkcs11:");
        assert_eq!(token_of("nonsense"), "nonsense:");
    }

    #[test]
    fn whatever_speaks_against_a_key_is_said() {
        let good = Custody {
            sensitive: true,
            extractable: false,
            never_extractable: true,
            local: true,
            always_authenticate: false,
        };
        assert!(custody_text(good).starts_with("stays in the token"));
        for (custody, word) in [
            (
                Custody {
                    sensitive: false,
                    ..good
                },
                "NOT SENSITIVE",
            ),
            (
                Custody {
                    extractable: true,
                    ..good
                },
                "EXTRACTABLE",
            ),
            (
                Custody {
                    never_extractable: false,
                    ..good
                },
                "NOT ALWAYS",
            ),
            (
                Custody {
                    local: false,
                    ..good
                },
                "NOT MADE INSIDE",
            ),
        ] {
            let said = custody_text(custody);
            assert!(
                said.starts_with("MAY LEAVE") && said.contains(word),
                "{said}"
            );
        }
        let asks = Custody {
            always_authenticate: true,
            ..good
        };
        assert!(custody_text(asks).contains("EVERY SIGNATURE"));
    }
}
