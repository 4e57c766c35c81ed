//! `t8gate keys generate`.

use clap::Args;
use hsm::ceremony::{Ceremony, NewKey};

use super::{Access, Faults, fault, hexadecimal, list};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
    /// The key: p256, p384, rsa2048, rsa3072 or rsa4096.
    #[arg(long = "type", value_name = "TYPE", default_value = "p256", value_parser = new_key)]
    key: NewKey,
    /// Its label; without, the object that the URI names.
    #[arg(long)]
    label: Option<String>,
    /// Its id, hexadecimal; without, the id that the URI names, or else the lowest that is free.
    #[arg(long, value_name = "HEX", value_parser = octets)]
    id: Option<Id>,
}

/// CKA_ID. A type of its own, since a list of octets would be a repeated argument.
#[derive(Clone)]
struct Id(Vec<u8>);

/// Its URI goes to standard output; what the token says of it, to standard error.
pub(super) fn run(options: &Options) -> Result<(), Faults> {
    let (source, _) = options.access.resolve_for_login(&[])?;
    let ceremony = Ceremony::open(&source)?;
    let label = options.label.as_deref().or(ceremony.label_named());
    let label = label.filter(|label| !label.is_empty()).ok_or_else(|| {
        fault(
            "the new key has no label",
            "give --label, or a URI with object=LABEL",
        )
    })?;
    let id = options.id.as_ref().map(|id| id.0.as_slice());
    let made = ceremony.make(options.key, label, id.or(ceremony.id_named()))?;
    say!("{}", made.uri);
    eprintln!(
        "made {} key {label:?}, id {}: {}",
        options.key,
        hexadecimal(&made.id),
        list::custody_text(made.custody)
    );
    if !made.custody.cannot_leave() {
        return Err(fault(
            "the token has not made the key one that stays in it",
            "delete the key, and see the HSM's policy for keys that are sensitive and not \
             extractable",
        )
        .into());
    }
    eprintln!("  hint: next, have a certificate issued: t8gate keys csr");
    Ok(())
}

fn new_key(text: &str) -> Result<NewKey, String> {
    text.parse()
        .map_err(|fault: hsm::OpenFault| fault.to_string())
}

fn octets(text: &str) -> Result<Id, String> {
    let pairs = text.as_bytes().chunks(2);
    let octets = pairs.map(|pair| {
        let digits = std::str::from_utf8(pair).ok()?;
        let is_pair = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        is_pair.then(|| u8::from_str_radix(digits, 16).ok())?
    });
    match octets.collect::<Option<Vec<u8>>>() {
        Some(octets) if !octets.is_empty() => Ok(Id(octets)),
        _ => Err("an id is pairs of hexadecimal digits: 01".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_pairs_of_digits() {
        assert_eq!(octets("01aF").ok().map(|id| id.0), Some(vec![1, 0xaf]));
        for wrong in ["", "1", "0x01", "+1", "zz", "é1"] {
            assert!(octets(wrong).is_err(), "{wrong:?}");
        }
    }
}
