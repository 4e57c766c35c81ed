//! One record as one line of JSON. Members that say nothing are left out: no status is 0, no
//! number of bytes that is not there is none.

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::audit::Record;
use crate::authz::apis::{ApiId, ApiSet};
use crate::clock::UnixMillis;

/// Nobody reads a record of a time that this cannot say: the end of the year 9999.
const SECONDS_MAX: u64 = 253_402_300_799;

/// A line, in the order of its members.
#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    client: &'a str,
    address: std::net::SocketAddr,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'static str,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: Scope,
    #[serde(skip_serializing_if = "str::is_empty")]
    token: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    request_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    response_bytes: u64,
    #[serde(skip_serializing_if = "Micros::is_zero")]
    authorize_us: Micros,
    #[serde(skip_serializing_if = "Micros::is_zero")]
    upstream_us: Micros,
    #[serde(skip_serializing_if = "Micros::is_zero")]
    whole_us: Micros,
    shard: u16,
}

fn is_zero<T: Copy + Into<u64>>(number: &T) -> bool {
    (*number).into() == 0
}

/// Nanoseconds, written as microseconds.
struct Micros(u64);

impl Micros {
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl Serialize for Micros {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a time of more than 2^53 ns is over a hundred days"
    )]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 % 1_000 {
            0 => to.serialize_u64(self.0 / 1_000),
            _ => to.serialize_f64(self.0 as f64 / 1_000.0),
        }
    }
}

/// What was granted, as a list of scope values.
struct Scope(ApiSet);

impl Scope {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(ApiId::name))
    }
}

/// Writes lines. It remembers the second of the last one: reckoning the date of every record
/// would cost more than all the rest of its line.
#[derive(Default)]
pub(super) struct Lines {
    second: Option<u64>,
    /// `2026-11-23T23:40:12.345Z`, of which all but the fraction is kept.
    time: String,
}

/// Length of `2026-11-23T23:40:12`.
const SECOND_BYTES: usize = 19;

impl Lines {
    /// Appends a record's line, with the newline that ends it.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, record: &Record, client: &str) {
        self.set_time(record.at);
        let line = Line {
            time: &self.time,
            kind: record.kind.word(),
            request_id: record.request_id.as_ref().map_or("", |id| id.as_str()),
            outcome: record.outcome.word(),
            reason: record.word,
            detail: record.detail,
            status: record.status,
            client,
            address: record.address,
            method: record.method,
            api: record.api.map_or("", ApiId::name),
            resource: record.resource,
            scope: Scope(record.granted),
            token: record.token.word(),
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            authorize_us: Micros(record.authorize_ns),
            upstream_us: Micros(record.upstream_ns),
            whole_us: Micros(record.whole_ns),
            shard: record.shard,
        };
        // Writing to memory cannot fail, and neither can what is written here.
        let _ = serde_json::to_writer(&mut *out, &line);
        out.push(b'\n');
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
    use crate::audit::{Kind, Outcome, RequestId, TokenVerdict};
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
        let mut granted = ApiSet::EMPTY;
        for name in ["3gpp-nidd", "3gpp-monitoring-event"] {
            granted.insert(ApiId::from_name(name).unwrap());
        }
        let grant = Record {
            granted,
            ..bare(Kind::Grant, Outcome::Answered)
        };
        let said = line(&grant);
        assert!(
            said.contains(r#""scope":["3gpp-monitoring-event","3gpp-nidd"]"#),
            "{said}"
        );
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
