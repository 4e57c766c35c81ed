//! What the guard takes of a clean message: GB/s of a list of 64 KiB and of a GET's answer of one
//! KiB, through the sieve, as almost all go; of a list whose identifiers end in as many digits as
//! an IMSI has; and of the first value by value, as one goes that holds something to look into.
//! Prints one JSON object: medians with their quartiles.

use std::hint::black_box;

use serde_json::{Value, json};
use t8gate::clock::Nanos;
use t8gate::privacy::{
    Action, FieldKinds, Guard, Media, Plmn, Plmns, PseudonymKey, Scanner, Scratch, Verdict,
};

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LIST_BYTES: usize = 64 * 1024;
const ANSWER_BYTES: usize = 1024;
const ROUNDS: usize = 200;
/// Octets between two looks at the clock.
const ROUND_BYTES: usize = 4 << 20;

fn main() {
    let networks = [("001", "01"), ("999", "070"), ("999", "99")];
    let networks = networks.iter().filter_map(|(mcc, mnc)| Plmn::new(mcc, mnc));
    let guard = Guard::new(
        Scanner::new(Plmns::new(networks), false),
        FieldKinds::default(),
        Action::Block,
        None,
        PseudonymKey::new(&[7; 32]),
    );
    let list = list_of(LIST_BYTES, plain_id);
    let digits = list_of(LIST_BYTES, id_of_digits);
    let answer = subscription(7, plain_id).to_string();
    let answer = format!(
        "{answer}{}",
        " ".repeat(ANSWER_BYTES.saturating_sub(answer.len()))
    );
    // One value at its end that the sieve does not pass, and that is none.
    let looked_into = list.trim_end_matches(']').to_owned() + ",\"%20\"]";
    let found = json!({
        "list_bytes": list.len(),
        "list_gb_per_s": measured(&guard, &list),
        "list_of_digits_gb_per_s": measured(&guard, &digits),
        "answer_bytes": answer.len(),
        "answer_gb_per_s": measured(&guard, &answer),
        "list_by_value_gb_per_s": measured(&guard, &looked_into),
    });
    println!("{found:#}");
}

fn measured(guard: &Guard, body: &str) -> Value {
    let mut scratch = Scratch::default();
    let times = (ROUND_BYTES / body.len()).max(1);
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Nanos::now();
            for _ in 0..times {
                let verdict = guard.body(Media::Json, black_box(body.as_bytes()), &mut scratch);
                assert!(matches!(verdict, Verdict::Clean));
            }
            (times * body.len()) as f64 / Nanos::now().since(begun) as f64
        })
        .collect();
    rates.sort_unstable_by(f64::total_cmp);
    let at = |quarter: usize| (rates[rates.len() * quarter / 4] * 100.0).round() / 100.0;
    json!({"median": at(2), "quartiles": [at(1), at(3)]})
}

fn list_of(bytes: usize, id: fn(u32) -> String) -> String {
    let mut list = String::from("[");
    let mut number = 0;
    while list.len() < bytes {
        list += &subscription(number, id).to_string();
        list.push(',');
        number += 1;
    }
    list.truncate(list.len() - 1);
    list + "]"
}

fn plain_id(number: u32) -> String {
    format!(
        "{:08x}-9d41-4a63-8c21-b0c{number:09x}",
        number.wrapping_mul(0x9e37_79b9)
    )
}

/// Twelve decimal digits at its end, with two before them.
fn id_of_digits(number: u32) -> String {
    format!(
        "{:08x}-9d41-4a63-8c21-0012{number:08}",
        number.wrapping_mul(0x9e37_79b9)
    )
}

/// A subscription to where a meter is, as a SCEF answers it.
fn subscription(number: u32, id: fn(u32) -> String) -> Value {
    let id = id(number);
    json!({
        "self": format!("https://scef.example/3gpp-monitoring-event/v1/acme/subscriptions/{id}"),
        "supportedFeatures": "1f",
        "mtcProviderId": "acme-metering",
        "externalId": format!("meter-{number:06}@acme.example"),
        "msisdn": format!("4477009{:05}", number % 100_000),
        "notificationDestination": "https://as.acme.example/3gpp/notifications",
        "monitoringType": "LOCATION_REPORTING",
        "maximumNumberOfReports": 100,
        "monitorExpireTime": "2026-12-18T11:06:40Z",
        "repPeriod": 3600,
        "monitoringEventReport": {
            "monitoringType": "LOCATION_REPORTING",
            "eventTime": "2026-11-18T11:06:40.123Z",
            "locationInfo": {
                "ageOfLocationInfo": 12, "cellId": "00101-0a1b2c3", "trackingAreaId": "00101-0a1b",
                "geographicArea": {"shape": "POINT", "point": {"lon": 11.5755, "lat": 48.1374}},
            },
        },
        "ueReference": id,
    })
}
