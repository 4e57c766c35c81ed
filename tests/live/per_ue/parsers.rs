//! What the gateway takes means the same to every parser behind it: bodies full of what parsers
//! differ about, and those that reach the SCEF read again by Python, by Node, and as Go reads.

use serde_json::json;
use t8gate::authz::apis::shape::Role;
use t8gate::authz::apis::{ApiId, Verb};

use super::model::selects;
use super::{answer_all, meters};
use crate::harness::stage::API;
use crate::harness::{Scratch, WAIT, command, run};

const SERVICE: &str = "ues = [\"meter-1@example.com\", \"meter-2@example.com\", \
                       \"msisdn:491512345678\"]";
const GRANTED: [&str; 4] = [
    "meter-1@example.com",
    "meter-2@example.com",
    "meter-1@EXAMPLE.com",
    "491512345678",
];
const SUBSCRIPTIONS: &str = "/3gpp-monitoring-event/v1/meters/subscriptions";
const BODIES: usize = 4_000;

/// A row of numbers that is the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = u64::try_from(limit).expect("small");
        usize::try_from((self.0 >> 11) % limit).expect("small")
    }

    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// Where somebody is named by a text.
const SINGLE: [&str; 3] = ["externalId", "msisdn", "externalGroupId"];
/// Where some are by a list.
const LISTS: [&str; 4] = [
    "addedExternalIds",
    "addedMsisdns",
    "excludedExternalIds",
    "addExtGroupId",
];
const UNKNOWN: [&str; 7] = [
    "note",
    "externalIds",
    "externalId ",
    "id",
    "value",
    "",
    "$serde_json::private::RawValue",
];

/// A name in quotation marks, in one of its spellings.
fn name(dice: &mut Dice, name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let at = dice.below(letters.len().max(1));
    let changed = |other: &str| {
        let mut text: String = letters.iter().take(at).collect();
        text.push_str(other);
        text.extend(letters.iter().skip(at + 1));
        text
    };
    let letter = letters.get(at).copied().unwrap_or('x');
    let spelt = match dice.below(24) {
        0 => changed(&format!("\\u{:04x}", u32::from(letter))),
        1 => changed(&format!("\\u{:04X}", u32::from(letter))),
        2 => changed(&letter.to_uppercase().to_string()),
        3 => name.to_ascii_uppercase(),
        4 => name.replace('s', "\u{17f}").replace('i', "\u{131}"),
        5 => name.replace('I', "\u{130}").replace('k', "\u{212a}"),
        6 => format!("{name}\\u0000"),
        7 => format!("{name}\\ud83d\\ude00"),
        8 => format!("{name}\\ud800"),
        9 => format!("\u{feff}{name}"),
        10 => name.replace('s', "\\u017f"),
        _ => name.to_owned(),
    };
    format!("\"{spelt}\"")
}

/// A text that may name somebody.
fn identity(dice: &mut Dice) -> String {
    let id = match dice.below(12) {
        0 => dice.pick(&["meter-3@example.com", "491512345679", "fleet@example.com"]),
        _ => dice.pick(&GRANTED),
    };
    let spelt = match dice.below(20) {
        0 => id.replace('@', "\\u0040"),
        1 => id.replace('1', "\\u0031"),
        2 => format!("{id}\\u0000x"),
        3 => format!("{id}\\ud800"),
        4 => id.replace('m', "\\u006D"),
        5 => format!(" {id}"),
        6 => id.replace('e', "\\/e"),
        _ => id.to_owned(),
    };
    format!("\"{spelt}\"")
}

/// A value that names nobody where it stands, whatever it looks like.
fn other(dice: &mut Dice, depth: usize) -> String {
    match dice.below(if depth > 3 { 12 } else { 16 }) {
        0 => "1e999".to_owned(),
        1 => "-0".to_owned(),
        2 => "123456789012345678901234567890".to_owned(),
        3 => "1.5E-7".to_owned(),
        4 => dice
            .pick(&["NaN", "Infinity", "01", "+1", "'x'", "undefined", ".5"])
            .to_owned(),
        5 => "null".to_owned(),
        6 => "\"\\ud83d\\ude00\\u2028\"".to_owned(),
        7 => "\"a\tb\"".to_owned(),
        8..=11 => identity(dice),
        12 => format!("[{}]", other(dice, depth + 1)),
        _ => object(dice, depth + 1),
    }
}

fn member(dice: &mut Dice, depth: usize) -> String {
    let (known, value) = match dice.below(10) {
        0..=3 => (dice.pick(&SINGLE[..2]), identity(dice)),
        4 => (dice.pick(&SINGLE), identity(dice)),
        5 | 6 => {
            let count = dice.below(3);
            let list: Vec<String> = (0..count).map(|_| identity(dice)).collect();
            (dice.pick(&LISTS), format!("[{}]", list.join(",")))
        }
        7 if depth < 3 => ("monitoringEventReport", object(dice, depth + 1)),
        7 => ("monitoringType", "\"LOCATION_REPORTING\"".to_owned()),
        _ => (dice.pick(&UNKNOWN), other(dice, depth)),
    };
    // Now and then something else than belongs there.
    let value = match dice.one_in(30) {
        true => other(dice, depth),
        false => value,
    };
    let blank = dice.pick(&["", "", "", " ", "\n\t", "\r"]);
    format!("{}{blank}:{blank}{value}", name(dice, known))
}

fn object(dice: &mut Dice, depth: usize) -> String {
    let count = dice.below(4);
    let members: Vec<String> = (0..count).map(|_| member(dice, depth)).collect();
    let comma = match dice.one_in(40) {
        true => dice.pick(&[",,", ", /* x */", ",\u{a0}", " "]),
        false => ",",
    };
    format!("{{{}}}", members.join(comma))
}

fn body(dice: &mut Dice) -> Vec<u8> {
    let mut text = object(dice, 0);
    if !dice.one_in(4) {
        // One that is granted at least.
        let rest = text.split_off(1);
        let comma = if rest == "}" { "" } else { "," };
        text = format!("{{\"externalId\":\"meter-1@example.com\"{comma}{rest}");
    }
    let mut body = text.into_bytes();
    match dice.below(40) {
        0 => body.extend_from_slice(b"{}"),
        1 => body.extend_from_slice(b",\"externalId\":\"x@other.example\"}"),
        2 => body.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        3 => body.push(0),
        4 => {
            let at = dice.below(body.len());
            body.insert(at, 0xff);
        }
        5 => drop(body.pop()),
        6 => {
            let at = dice.below(body.len());
            body.splice(at..at, *b"\xc0\xa2").for_each(drop);
        }
        7 => body.extend_from_slice(b" \r\n\t"),
        8 => body.extend_from_slice(b"//x"),
        _ => {}
    }
    body
}

#[test]
fn no_parser_sees_somebody_in_what_was_taken_who_was_not_granted() {
    let (house, mut held) = meters(&[API], SERVICE, |_| {});
    answer_all(&house, b"{}");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut taken = Vec::new();
    let mut refused = [0; 2];
    for _ in 0..BODIES {
        let body = body(&mut dice);
        match held.ask(&house, "POST", SUBSCRIPTIONS, "", &body).status {
            200 => taken.push(body),
            400 => refused[0] += 1,
            403 => refused[1] += 1,
            status => panic!("{status}: {}", String::from_utf8_lossy(&body)),
        }
    }
    let reached = house.origin.take().into_iter().map(|request| request.body);
    let reached: Vec<Vec<u8>> = reached.collect();
    assert_eq!(reached, taken, "what is taken goes on octet for octet");
    let [malformed, not_granted] = refused;
    println!(
        "{} taken, {malformed} malformed, {not_granted} not granted",
        taken.len()
    );
    assert!(taken.len() >= 300 && malformed >= 300 && not_granted >= 100);

    let api = ApiId::from_name(API)
        .and_then(ApiId::row)
        .expect("of the table");
    let takes = { api.resources.iter().flat_map(|resource| resource.actions) }
        .find(|action| action.verb == Verb::Post)
        .and_then(|action| action.takes)
        .expect("it takes a body");
    let places = takes.shape.places().into_iter();
    let places = places.filter(|(_, kind)| kind.role() == Role::Subscriber);
    let places: Vec<String> = places.map(|(place, _)| place).collect();
    assert!(places.iter().any(|place| place == "/externalId"));
    let scratch = Scratch::new();
    let selecting: Vec<&String> = places.iter().filter(|place| selects(place)).collect();
    let said = json!({"places": places, "selecting": selecting, "granted": GRANTED}).to_string();
    let places = scratch.write("places.json", said);
    let hex = |body: &Vec<u8>| {
        let digits = body.iter().map(|octet| format!("{octet:02x}"));
        digits.collect::<String>() + "\n"
    };
    let bodies = scratch.write("bodies", reached.iter().map(hex).collect::<String>());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/per_ue");
    let read = |program: &str, script: &str, bodies: &std::path::Path| {
        let mut command = command(program);
        command.arg(format!("{folder}/{script}"));
        run(command.arg(&places).arg(bodies), b"", WAIT)
    };
    let scripts = [("python3", "readers.py"), ("node", "readers.mjs")];
    for (program, script) in scripts {
        let outcome = read(program, script, &bodies);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.status.success(), "{said}");
        assert!(said.contains(&format!("read {}", taken.len())), "{said}");
    }
    // They would find one.
    let one = b"{\"externalId\":\"meter-3@example.com\"}".to_vec();
    let twice = b"{\"externalId\":\"meter-3@example.com\",\"EXTERNALID\":\"meter-1@example.com\"}";
    let left_out = b"{\"excludedExternalIds\":[\"meter-1@example.com\"]}";
    for one in [one, twice.to_vec(), left_out.to_vec()] {
        let bodies = scratch.write("one", hex(&one));
        for (program, script) in scripts {
            assert!(
                !read(program, script, &bodies).status.success(),
                "{program}"
            );
        }
    }
}
