//! One record as one line of JSON. Members that say nothing are left out: no status is 0, no
//! number of bytes that is not there is none.
//!
//! The line is written member by member. A record is written for every request, and by a general
//! serializer it cost five times as much: a tenth of what the whole request costs.

use std::io::Write as _;
use std::net::SocketAddr;

use time::OffsetDateTime;

use super::revocation_notes::{By, Note};
use crate::audit::{Outcome, Record};
use crate::authz::apis::ApiId;
use crate::authz::scope::Rights;
use crate::clock::UnixMillis;

/// Nobody reads a record of a time that this cannot say: the end of the year 9999.
const SECONDS_MAX: u64 = 253_402_300_799;
/// Longer lines make the buffer grow more than once, and come to no harm.
const LINE_BYTES: usize = 512;

/// Appends the members of a line behind one another. Each name comes with its quotes, its colon
/// and the comma in front.
struct Members<'o>(&'o mut Vec<u8>);

impl Members<'_> {
    fn text(&mut self, name: &'static str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.0.extend_from_slice(name.as_bytes());
        self.string(value);
    }

    fn string(&mut self, value: &str) {
        let plain = |byte: &u8| !matches!(byte, 0..=0x1f | b'"' | b'\\');
        if value.as_bytes().iter().all(plain) {
            self.0.push(b'"');
            self.0.extend_from_slice(value.as_bytes());
            self.0.push(b'"');
        } else {
            // Writing to memory cannot fail, and neither can a string.
            let _ = serde_json::to_writer(&mut *self.0, value);
        }
    }

    fn number(&mut self, name: &'static str, value: u64) {
        if value > 0 {
            self.0.extend_from_slice(name.as_bytes());
            self.decimal(value);
        }
    }

    fn decimal(&mut self, value: u64) {
        self.0
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Nanoseconds, written as microseconds.
    fn micros(&mut self, name: &'static str, ns: u64) {
        if ns == 0 {
            return;
        }
        self.0.extend_from_slice(name.as_bytes());
        self.decimal(ns / 1_000);
        let mut rest = ns % 1_000;
        if rest > 0 {
            self.0.push(b'.');
        }
        for unit in [100, 10, 1] {
            if rest > 0 {
                self.0.push(b"0123456789"[(rest / unit) as usize]);
                rest %= unit;
            }
        }
    }

    fn address(&mut self, name: &'static str, address: SocketAddr) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'"');
        match address {
            SocketAddr::V4(address) => {
                for (place, octet) in address.ip().octets().into_iter().enumerate() {
                    if place > 0 {
                        self.0.push(b'.');
                    }
                    self.decimal(octet.into());
                }
                self.0.push(b':');
                self.decimal(address.port().into());
            }
            SocketAddr::V6(address) => {
                let _ = write!(self.0, "{address}");
            }
        }
        self.0.push(b'"');
    }

    /// What was granted, as a list of scope values.
    fn scope(&mut self, name: &'static str, granted: Rights) {
        if granted.is_empty() {
            return;
        }
        self.0.extend_from_slice(name.as_bytes());
        for (place, value) in granted.values().enumerate() {
            self.0.push(if place == 0 { b'[' } else { b',' });
            self.string(&value);
        }
        self.0.push(b']');
    }
}

/// Writes lines. It remembers the second of the last one: reckoning the date of every record
/// would cost more than all the rest of its line.
#[derive(Default)]
pub struct Lines {
    second: Option<u64>,
    /// `2026-11-23T23:40:12.345Z`, of which all but the fraction is kept.
    time: String,
}

/// Length of `2026-11-23T23:40:12`.
const SECOND_BYTES: usize = 19;

impl Lines {
    /// Appends a record's line, with the newline that ends it.
    pub fn append(&mut self, out: &mut Vec<u8>, record: &Record, client: &str) {
        self.set_time(record.at);
        out.reserve(LINE_BYTES);
        out.extend_from_slice(b"{\"time\":");
        let mut line = Members(out);
        line.string(&self.time);
        line.text(",\"kind\":", record.kind.word());
        let id = record.request_id.as_ref();
        line.text(",\"request_id\":", id.map_or("", |id| id.as_str()));
        line.text(",\"outcome\":", record.outcome.word());
        line.text(",\"reason\":", record.word);
        line.text(",\"detail\":", record.detail);
        line.number(",\"status\":", record.status.into());
        line.text(",\"client\":", client);
        line.address(",\"address\":", record.address);
        line.text(",\"method\":", record.method);
        line.text(",\"api\":", record.api.map_or("", ApiId::name));
        line.text(",\"resource\":", record.resource);
        line.scope(",\"scope\":", record.granted);
        if record.revoked != [0; 8] {
            // As what operators revoke is called in its line.
            let octets = record.revoked.iter();
            let name: String = octets.map(|octet| format!("{octet:02x}")).collect();
            line.text(",\"name\":", &name);
        }
        if let Some(found) = &record.identity {
            line.text(",\"identity\":", found.form);
            line.text(",\"tier\":", found.tier);
            line.text(",\"done\":", found.done);
            line.text(",\"at\":", &found.pointer);
            line.text(",\"pseudonym\":", &found.pseudonym);
        }
        line.text(",\"token\":", record.token.word());
        line.number(",\"request_bytes\":", record.request_bytes);
        line.number(",\"response_bytes\":", record.response_bytes);
        line.micros(",\"authorize_us\":", record.authorize_ns);
        line.micros(",\"upstream_us\":", record.upstream_ns);
        line.micros(",\"whole_us\":", record.whole_ns);
        out.extend_from_slice(b",\"shard\":");
        Members(out).decimal(record.shard.into());
        out.extend_from_slice(b"}\n");
    }

    /// Appends the line of a revocation.
    pub fn append_note(&mut self, out: &mut Vec<u8>, note: &Note) {
        self.set_time(note.at);
        out.extend_from_slice(b"{\"time\":");
        let mut line = Members(out);
        line.string(&self.time);
        line.text(",\"kind\":", "revocation");
        let refused = !note.reason.is_empty();
        let outcome = if refused {
            Outcome::Refused
        } else {
            Outcome::Answered
        };
        line.text(",\"outcome\":", outcome.word());
        line.text(",\"reason\":", note.reason);
        line.text(",\"act\":", note.act.word());
        line.text(",\"revoked\":", note.kind.word());
        line.text(",\"name\":", &note.name);
        match note.by {
            By::File => line.text(",\"by\":", "file"),
            By::Socket { uid, pid } => {
                line.text(",\"by\":", "socket");
                out.extend_from_slice(b",\"uid\":");
                Members(out).decimal(uid.into());
                let pid = pid.and_then(|pid| u64::try_from(pid).ok());
                Members(out).number(",\"pid\":", pid.unwrap_or(0));
            }
        }
        out.extend_from_slice(b"}\n");
    }

    /// RFC 3339, UTC, with milliseconds.
    fn set_time(&mut self, at: UnixMillis) {
        let second = at.seconds().0.min(SECONDS_MAX);
        if self.second != Some(second) {
            self.second = Some(second);
            self.time = date(second);
        }
        self.time.truncate(SECOND_BYTES);
        let ms = at.0 % 1_000;
        self.time.push('.');
        for digit in [ms / 100, ms / 10 % 10, ms % 10] {
            self.time
                .extend(char::from_digit(u32::try_from(digit).unwrap_or(0), 10));
        }
        self.time.push('Z');
    }
}

/// `2026-11-23T23:40:12`, with room for the rest.
fn date(second: u64) -> String {
    let at = i64::try_from(second).ok();
    let at = at.and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    let mut text = String::with_capacity(SECOND_BYTES + ".000Z".len());
    // Writing to a String cannot fail.
    let _ = std::fmt::Write::write_fmt(
        &mut text,
        format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
    );
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::audit::{FoundIdentity, Kind, Outcome, RequestId, TokenVerdict};
    use crate::peer::ClientIndex;

    /// A record with nothing but what each has.
    pub(crate) fn bare(kind: Kind, outcome: Outcome) -> Record {
        let at = UnixMillis(1_795_000_000_007);
        let address = std::net::SocketAddr::from(([192, 0, 2, 7], 40_001));
        Record {
            kind,
            outcome,
            ..Record::blank(at, 1, None, address)
        }
    }

    /// The record of a request that was answered.
    pub(crate) fn answered(count: u64) -> Record {
        Record {
            status: 201,
            client: Some(ClientIndex(0)),
            request_id: Some(RequestId::new(0xdead_beef_0000_0001, count)),
            method: "POST",
            api: ApiId::from_name("3gpp-monitoring-event"),
            resource: "/{scsAsId}/subscriptions",
            token: TokenVerdict::Cached,
            request_bytes: 310,
            response_bytes: 412,
            authorize_ns: 2_300,
            upstream_ns: 812_456,
            whole_ns: 861_000,
            ..bare(Kind::Request, Outcome::Answered)
        }
    }

    fn line(record: &Record) -> String {
        let mut out = Vec::new();
        Lines::default().append(&mut out, record, record.client.map_or("", |_| "scs-1"));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn record_of_a_request_says_all_it_has() {
        assert_eq!(
            line(&answered(1)),
            concat!(
                r#"{"time":"2026-11-18T11:06:40.007Z","kind":"request","#,
                r#""request_id":"deadbeef000000010000000000000001","outcome":"answered","#,
                r#""status":201,"client":"scs-1","address":"192.0.2.7:40001","method":"POST","#,
                r#""api":"3gpp-monitoring-event","resource":"/{scsAsId}/subscriptions","#,
                r#""token":"cached","request_bytes":310,"response_bytes":412,"#,
                r#""authorize_us":2.3,"upstream_us":812.456,"whole_us":861,"shard":1}"#,
                "\n"
            )
        );
    }

    #[test]
    fn record_of_a_grant_lists_its_scope_and_one_of_a_connection_says_little() {
        let granted = crate::authz::scope::rights("3gpp-nidd 3gpp-monitoring-event:read").unwrap();
        let grant = Record {
            granted,
            ..bare(Kind::Grant, Outcome::Answered)
        };
        let said = line(&grant);
        assert!(
            said.contains(r#""scope":["3gpp-monitoring-event:read","3gpp-nidd"]"#),
            "{said}"
        );
        assert!(!said.contains("\"name\""), "{said}");
        let revoked = Record {
            revoked: [0, 1, 2, 3, 0xa4, 5, 6, 7],
            ..bare(Kind::Grant, Outcome::Answered)
        };
        let said = line(&revoked);
        assert!(said.contains(r#""name":"00010203a4050607""#), "{said}");
        let refused = Record {
            word: "unknown_ca",
            detail: "a",
            ..bare(Kind::Connection, Outcome::Refused)
        };
        assert_eq!(
            line(&refused),
            concat!(
                r#"{"time":"2026-11-18T11:06:40.007Z","kind":"connection","outcome":"refused","#,
                r#""reason":"unknown_ca","detail":"a","address":"192.0.2.7:40001","shard":1}"#,
                "\n"
            )
        );
    }

    /// What is written by hand is what a general serializer would write.
    #[test]
    fn line_is_json_whatever_the_words_and_numbers() {
        let addresses = ["192.0.2.7:1", "255.255.255.255:65535", "[2001:db8::7]:443"];
        for (place, ns) in [1, 10, 999, 1_000, 1_001, 123_450, 60_000_000_007]
            .into_iter()
            .enumerate()
        {
            let record = Record {
                word: "a \"quoted\" word",
                detail: "back\\slash\nand line",
                address: addresses[place % 3].parse().unwrap(),
                authorize_ns: ns,
                ..answered(7)
            };
            let mut out = Vec::new();
            Lines::default().append(&mut out, &record, "\u{7f}\u{e9}\t");
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(read["reason"], record.word);
            assert_eq!(read["detail"], record.detail);
            assert_eq!(read["client"], "\u{7f}\u{e9}\t");
            assert_eq!(read["address"], record.address.to_string());
            let us = read["authorize_us"].as_f64().unwrap();
            assert!(
                (us * 1_000.0 - ns as f64).abs() < 0.5,
                "{us} is not {ns} ns"
            );
        }
    }

    #[test]
    fn identity_that_was_found_is_told_by_what_stands_for_it() {
        let record = Record {
            identity: Some(Box::new(FoundIdentity {
                form: "supi_imsi",
                tier: "explicit",
                done: "blocked",
                pseudonym: "imsi:00ff".to_owned(),
                pointer: "/details/0".to_owned(),
            })),
            ..answered(7)
        };
        let read: serde_json::Value = serde_json::from_str(&line(&record)).unwrap();
        for (member, value) in [
            ("identity", "supi_imsi"),
            ("tier", "explicit"),
            ("done", "blocked"),
            ("at", "/details/0"),
            ("pseudonym", "imsi:00ff"),
        ] {
            assert_eq!(read[member], value);
        }
    }

    #[test]
    fn times_are_written_in_full_whatever_came_before() {
        let mut lines = Lines::default();
        let mut time = |ms| {
            lines.set_time(UnixMillis(ms));
            lines.time.clone()
        };
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(999), "1970-01-01T00:00:00.999Z");
        assert_eq!(time(1_000), "1970-01-01T00:00:01.000Z");
        assert_eq!(time(951_782_400_050), "2000-02-29T00:00:00.050Z");
        assert_eq!(time(999), "1970-01-01T00:00:00.999Z");
        assert_eq!(time(u64::MAX), "9999-12-31T23:59:59.615Z");
    }
}
