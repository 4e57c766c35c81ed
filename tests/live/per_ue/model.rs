//! Who is named where, and who may ask about whom, in plain words: nothing of the gateway's policy
//! or of its way through bodies is used, but the table that says where identities stand.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};
use t8gate::authz::apis::shape::{Kind, Role, Shape};

/// Whom an identity means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    ExternalId(String, String),
    Msisdn(u64),
    Group(String, String),
    Gpsi(String),
    /// The first address, how many leading bits count, and the IP domain.
    V4(u32, Option<String>),
    V6(u128, u8, Option<String>),
    Mac(String),
    /// Of a kind that nobody can be granted one by one.
    Unlisted,
    /// Everybody.
    Any,
    /// Some are named, and none of them says whom the whole is about.
    NobodySelected,
}

/// An identity that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One client's grant, as its service says it and as this model has it.
pub struct Grant {
    pub id: &'static str,
    /// None for a client without services.
    pub service: Option<&'static str>,
    pub takes: fn(&Who) -> bool,
    pub any_ue: bool,
}

pub const GRANTS: [Grant; 10] = [
    Grant {
        id: "unheld",
        service: None,
        takes: |_| true,
        any_ue: true,
    },
    grant("by-id", "ues = [\"meter-1@example.com\"]", |who| {
        *who == external_id("meter-1", "example.com")
    }),
    grant(
        "by-domain",
        "ues = [\"*@example.com\"]",
        |who| matches!(who, Who::ExternalId(_, domain) if domain == "example.com"),
    ),
    grant("by-msisdn", "ues = [\"msisdn:491512345678\"]", |who| {
        *who == Who::Msisdn(491_512_345_678)
    }),
    grant(
        "by-range",
        "ues = [\"msisdn:491512345670-491512345679\"]",
        |who| matches!(who, Who::Msisdn(491_512_345_670..=491_512_345_679)),
    ),
    grant("by-group", "ues = [\"group:fleet@example.com\"]", |who| {
        *who == Who::Group("fleet".to_owned(), "example.com".to_owned())
    }),
    grant(
        "by-prefix",
        "ues = [\"10.1.0.0/16 in apn.example\", \"2001:db8:1::/48\", \
         \"mac:02-1a-2b-3c-4d-5e\"]",
        |who| match who {
            Who::V4(address, Some(domain)) => address >> 16 == 0x0a01 && domain == "apn.example",
            Who::V6(address, length, None) => *length >= 48 && address >> 80 == 0x2001_0db8_0001,
            Who::Mac(mac) => mac == "02-1a-2b-3c-4d-5e",
            _ => false,
        },
    ),
    grant("by-gpsi", "ues = [\"gpsi:tag-7\"]", |who| {
        *who == Who::Gpsi("tag-7".to_owned())
    }),
    grant("by-any", "ues = [\"any\"]", |who| {
        !matches!(who, Who::Group(..))
    }),
    Grant {
        id: "by-any-ue",
        service: Some("any_ue = true"),
        takes: |_| false,
        any_ue: true,
    },
];

const fn grant(id: &'static str, service: &'static str, takes: fn(&Who) -> bool) -> Grant {
    Grant {
        id,
        service: Some(service),
        takes,
        any_ue: false,
    }
}

fn external_id(local: &str, domain: &str) -> Who {
    Who::ExternalId(local.to_owned(), domain.to_owned())
}

impl Grant {
    /// Why not, as a status; `malformed` is the status where it cannot be said who is named, and
    /// who is named elsewhere need not be named here.
    pub fn refuses(
        &self,
        named: &Result<Vec<Who>, Malformed>,
        malformed: u16,
        is_said_elsewhere: bool,
    ) -> Option<u16> {
        self.service?;
        let Ok(named) = named else {
            return Some(malformed);
        };
        let is_any = named.contains(&Who::Any)
            || (named.contains(&Who::NobodySelected) && !is_said_elsewhere);
        let mut ues = { named.iter() }.filter(|who| !matches!(who, Who::Any | Who::NobodySelected));
        if named.is_empty() && is_said_elsewhere {
            return None;
        }
        let is_granted = match is_any || named.is_empty() {
            true => self.any_ue,
            false => true,
        };
        let are_granted = ues.all(|who| (self.takes)(who));
        (!is_granted || !are_granted).then_some(403)
    }
}

/// Whether somebody can be named in it.
pub fn can_name(shape: Shape) -> bool {
    let mut places = shape.places().into_iter();
    places.any(|(_, kind)| kind.role() == Role::Subscriber || kind == Kind::IpDomain)
}

/// Members that leave somebody out, report of somebody, or name others beside whom the whole is
/// about.
const BESIDE: [&str; 11] = [
    "addedExternalIds",
    "addedMsisdns",
    "excludedExternalIds",
    "excludedMsisdns",
    "monitoringEventReport",
    "addnMonEventReports",
    "relatedUEs",
    "niddDownlinkDataTransfers",
    "listUeConsDtRt",
    "eventNotifis",
    "eventReports",
];
/// Lists of which each element is about whom it names itself, or about everybody.
const EACH: [&str; 3] = ["analyEventsSubs", "eventsSubs", "listUeAddrs"];

/// Whether who is named there is one whom the whole is about.
pub fn selects(pattern: &str) -> bool {
    let outermost = pattern.split('/').nth(1).unwrap_or_default();
    !BESIDE.contains(&outermost)
}

/// Everybody that a body names.
pub fn whom(body: &Value, shape: Shape) -> Result<Vec<Who>, Malformed> {
    let mut named = Vec::new();
    let mut is_selected = false;
    for (pattern, kind) in shape.places() {
        if kind.role() != Role::Subscriber {
            continue;
        }
        let tokens: Vec<&str> = pattern.split('/').skip(1).collect();
        let before = named.len();
        gather(body, &tokens, kind, None, &mut named)?;
        is_selected |= named.len() > before && selects(&pattern);
    }
    for list in EACH {
        let elements = body.get(list).and_then(Value::as_array);
        for element in elements.into_iter().flatten() {
            let alone = json!({ list: [element] });
            let mut inside = Vec::new();
            for (pattern, kind) in shape.places() {
                if kind.role() == Role::Subscriber && pattern.starts_with(&format!("/{list}/")) {
                    let tokens: Vec<&str> = pattern.split('/').skip(1).collect();
                    gather(&alone, &tokens, kind, None, &mut inside)?;
                }
            }
            if inside.is_empty() {
                named.push(Who::Any);
            }
        }
    }
    if !named.is_empty() && !is_selected {
        named.push(Who::NobodySelected);
    }
    Ok(named)
}

fn gather(
    value: &Value,
    tokens: &[&str],
    kind: Kind,
    ip_domain: Option<&str>,
    named: &mut Vec<Who>,
) -> Result<(), Malformed> {
    // The nearest around an address is the one that it is of.
    let ip_domain = value.get("ipDomain").and_then(Value::as_str).or(ip_domain);
    match tokens {
        [] => {
            named.extend(who(kind, value, ip_domain)?);
            Ok(())
        }
        ["*", rest @ ..] => { value.as_array().into_iter().flatten() }
            .try_for_each(|element| gather(element, rest, kind, ip_domain, named)),
        ["{}", rest @ ..] => { value.as_object().into_iter().flat_map(Map::values) }
            .try_for_each(|member| gather(member, rest, kind, ip_domain, named)),
        [name, rest @ ..] => { value.get(*name).into_iter() }
            .try_for_each(|member| gather(member, rest, kind, ip_domain, named)),
    }
}

fn who(kind: Kind, value: &Value, ip_domain: Option<&str>) -> Result<Option<Who>, Malformed> {
    if kind == Kind::AnyUe {
        return Ok((value == &Value::Bool(true)).then_some(Who::Any));
    }
    let text = value.as_str().ok_or(Malformed)?;
    let who = match kind {
        Kind::ExternalId => id(text).map(|(local, domain)| Who::ExternalId(local, domain)),
        Kind::ExternalGroupId => match text.starts_with("extgroupid-") {
            true => None,
            false => id(text).map(|(local, domain)| Who::Group(local, domain)),
        },
        Kind::Msisdn => msisdn(text),
        Kind::Gpsi => match text.split_once('-') {
            Some(("msisdn", digits)) => msisdn(digits),
            Some(("extid", text)) => id(text).map(|(local, domain)| external_id(&local, &domain)),
            Some(("extgroupid", text)) => id(text).map(|(local, domain)| Who::Group(local, domain)),
            Some(("MSISDN", _)) => None,
            _ => Some(Who::Gpsi(text.to_owned())),
        },
        Kind::Ipv4 => {
            let address = text.parse::<Ipv4Addr>().ok();
            address.map(|address| Who::V4(address.to_bits(), ip_domain.map(str::to_owned)))
        }
        Kind::Ipv6 => v6(text, 128, ip_domain),
        Kind::Ipv6Prefix => text.split_once('/').and_then(|(address, length)| {
            let length: u8 = length.parse().ok()?;
            v6(address, length, ip_domain)
        }),
        Kind::Mac => (text.len() == 17 && text.split('-').count() == 6)
            .then(|| Who::Mac(text.to_ascii_lowercase())),
        Kind::AkmaKeyId | Kind::ApplicationLayerId => Some(Who::Unlisted),
        _ => panic!("{kind:?} is no kind that forms are made of"),
    };
    who.map(Some).ok_or(Malformed)
}

fn id(text: &str) -> Option<(String, String)> {
    let (local, domain) = text.split_once('@')?;
    Some((local.to_owned(), domain.to_ascii_lowercase()))
}

fn msisdn(text: &str) -> Option<Who> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_number);
    number.map(Who::Msisdn)
}

/// Not one that stands for an address of IPv4, nor one with something behind its prefix.
fn v6(text: &str, length: u8, ip_domain: Option<&str>) -> Option<Who> {
    let address: Ipv6Addr = text.parse().ok()?;
    let is_clean = length == 128 || address.to_bits() << length == 0;
    let is_own = address.to_ipv4_mapped().is_none();
    (is_clean && is_own).then(|| Who::V6(address.to_bits(), length, ip_domain.map(str::to_owned)))
}

/// Identities of a kind, each with the IP domain beside it: granted to somebody, spelt otherwise,
/// somebody else, and none.
fn values(kind: Kind) -> Vec<(Value, Option<&'static str>)> {
    const APN: Option<&str> = Some("apn.example");
    let plain = |texts: &[&str]| {
        let texts = texts.iter().map(|text| (json!(text), None));
        texts.collect::<Vec<_>>()
    };
    match kind {
        Kind::ExternalId => plain(&[
            "meter-1@example.com",
            "meter-1@other.example",
            "meter-1@EXAMPLE.com",
            "METER-1@example.com",
            "meter-2@example.com",
            "meter-1@sub.example.com",
            "meter-1",
        ]),
        Kind::Msisdn => plain(&[
            "491512345678",
            "491512345680",
            "491512345679",
            "+491512345678",
            "0491512345678",
        ]),
        Kind::ExternalGroupId => plain(&[
            "fleet@example.com",
            "fleet@other.example",
            "fleet@EXAMPLE.COM",
            "Fleet@example.com",
            "extgroupid-fleet@example.com",
        ]),
        Kind::Gpsi => plain(&[
            "tag-7",
            "tag-8",
            "TAG-7",
            "msisdn-491512345678",
            "extid-meter-1@example.com",
            "extgroupid-fleet@example.com",
            "MSISDN-491512345678",
        ]),
        Kind::Ipv4 => vec![
            (json!("10.1.2.3"), APN),
            (json!("10.2.0.1"), APN),
            (json!("10.1.2.3"), None),
            (json!("10.1.2.3"), Some("other.example")),
            (json!("10.1.2.03"), APN),
        ],
        Kind::Ipv6 => plain(&[
            "2001:db8:1::5",
            "2001:db8:2::5",
            "2001:DB8:1:0::5",
            "::ffff:10.1.2.3",
        ]),
        Kind::Ipv6Prefix => plain(&["2001:db8:1::/64", "2001:db8::/32", "2001:db8:1::5/64"]),
        Kind::Mac => plain(&[
            "02-1a-2b-3c-4d-5e",
            "02-1a-2b-3c-4d-5f",
            "02-1A-2B-3C-4D-5E",
            "02:1a:2b:3c:4d:5e",
        ]),
        Kind::AkmaKeyId | Kind::ApplicationLayerId => plain(&["x-7"]),
        Kind::AnyUe => vec![(json!(true), None), (json!(false), None)],
        // They name nobody, or nobody outside may know them at all.
        _ => Vec::new(),
    }
}

/// Bodies of a shape: each identity of each kind where it stands first, a granted one and another
/// at every other place, nobody, and two of which one may be granted.
pub fn forms(shape: Shape) -> Vec<Value> {
    let mut forms = vec![json!({})];
    let places = shape.places();
    let has_ip_domain = places.iter().any(|(place, _)| place == "/ipDomain");
    let mut seen: Vec<Kind> = Vec::new();
    let mut before: Option<Value> = None;
    for (pattern, kind) in places {
        let all = values(kind);
        let is_first = !seen.contains(&kind);
        seen.push(kind);
        let count = if is_first {
            all.len()
        } else {
            all.len().min(2)
        };
        for (value, ip_domain) in all.iter().take(count) {
            let mut form = json!({});
            set(&mut form, &pattern, value, 1);
            if let Some(ip_domain) = ip_domain.filter(|_| has_ip_domain) {
                set(&mut form, "/ipDomain", &json!(ip_domain), 1);
            }
            forms.push(form);
        }
        let [(granted, _), .., (other, _)] = all.get(..2).unwrap_or_default() else {
            continue;
        };
        if pattern.contains("/*") && is_first {
            let (mut one, mut two) = (json!({}), json!({}));
            set(&mut one, &pattern, granted, 2);
            set(&mut two, &pattern, granted, 1);
            append(&mut two, &pattern, other);
            forms.extend([one, two]);
        }
        if let Some(list) =
            { EACH.into_iter() }.find(|list| pattern.starts_with(&format!("/{list}/*")))
            && is_first
        {
            let mut form = json!({});
            set(&mut form, &pattern, granted, 1);
            let elements = form[list].as_array_mut().expect("it was set");
            elements.push(json!({}));
            forms.push(form);
        }
        if let Some(before) = before.as_ref().filter(|_| is_first) {
            for value in [granted, other] {
                let mut form = before.clone();
                set(&mut form, &pattern, value, 1);
                forms.push(form);
            }
        }
        let mut alone = json!({});
        set(&mut alone, &pattern, granted, 1);
        before = Some(alone);
    }
    forms
}

/// Puts a value where a pattern says, in so many elements of each array.
fn set(at: &mut Value, pattern: &str, value: &Value, times: usize) {
    let Some((token, rest)) = pattern.strip_prefix('/').map(|pattern| {
        let end = pattern.find('/').unwrap_or(pattern.len());
        pattern.split_at(end)
    }) else {
        *at = value.clone();
        return;
    };
    match token {
        "*" => {
            let mut element = Value::Null;
            set(&mut element, rest, value, times);
            *at = Value::Array(vec![element; times]);
        }
        token => {
            let name = if token == "{}" { "k" } else { token };
            if !at.is_object() {
                *at = json!({});
            }
            set(&mut at[name], rest, value, times);
        }
    }
}

/// Puts one more element into the outermost array of a pattern.
fn append(form: &mut Value, pattern: &str, value: &Value) {
    let (outer, inner) = pattern.split_once("/*").expect("an array");
    let mut element = Value::Null;
    set(&mut element, inner, value, 1);
    let outer = outer.replace("{}", "k");
    let list = form.pointer_mut(&outer).and_then(Value::as_array_mut);
    list.expect("it was set").push(element);
}
