//! Says of each line of its input, a message in JSON, whether the guard lets it out: `clean`, or
//! where it found what. A clean one has come out in parts as it went in, octet for octet, and of
//! another nothing has. Words behind the program's name are the IMSIs of all known subscribers;
//! without any there is no such set.

use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::sync::Arc;

use t8gate::privacy::filter;
use t8gate::privacy::{
    Action, Clearing, FieldKinds, Filter, Guard, Media, Plmn, Plmns, PseudonymKey, Scanner,
    Scratch, Verdict,
};

/// The gateway's default.
const BYTES_MAX: usize = 1 << 20;
/// No divisor of anything.
const PART_BYTES: usize = 997;

fn main() -> io::Result<()> {
    let key = PseudonymKey::new(&[7; 32]);
    let mut known: Vec<u64> = std::env::args()
        .skip(1)
        .map(|imsi| filter::hash(imsi.as_bytes(), &key))
        .collect();
    known.sort_unstable();
    let known = (!known.is_empty()).then(|| {
        let built = filter::build(&known, &key).expect("sorted");
        Filter::read(Arc::new(built), &key).expect("just built")
    });
    let networks = [("001", "01"), ("999", "070")];
    let networks = networks.iter().filter_map(|(mcc, mnc)| Plmn::new(mcc, mnc));
    let guard = Guard::new(
        Scanner::new(Plmns::new(networks), true),
        FieldKinds::default(),
        Action::Block,
        known,
        key,
    );
    let mut scratch = Scratch::default();
    let mut clearing = Clearing::new(BYTES_MAX);
    let mut input = io::stdin().lock();
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut line, mut out) = (Vec::new(), Vec::new());
    while input.read_until(b'\n', &mut line)? > 0 {
        let body = line.strip_suffix(b"\n").unwrap_or(&line);
        out.clear();
        let ended = cleared(body, &guard, &mut clearing, &mut scratch, &mut out);
        match guard.body(Media::Json, body, &mut scratch) {
            Verdict::Clean => {
                assert!(ended && out == body, "not let out as it went in");
                writeln!(output, "clean")?;
            }
            Verdict::Hit(hit) => {
                assert!(!ended && out.is_empty(), "let out in part");
                writeln!(output, "{hit}")?;
            }
        }
        line.clear();
    }
    output.flush()
}

/// Whether all of it is let out.
fn cleared(
    body: &[u8],
    guard: &Guard,
    clearing: &mut Clearing,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> bool {
    clearing.restart(Media::Json);
    for mut part in body.chunks(PART_BYTES) {
        while !part.is_empty() {
            let Ok(taken) = clearing.push(part, guard, scratch) else {
                return false;
            };
            out.extend_from_slice(clearing.cleared());
            clearing.give(clearing.cleared().len());
            part = &part[taken..];
        }
    }
    let ended = clearing.end(guard, scratch).is_ok();
    if ended {
        out.extend_from_slice(clearing.cleared());
    }
    ended
}
