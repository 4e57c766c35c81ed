//! What callgrind counted, read from its file: instructions of everything but aws-lc. valgrind
//! knows no AVX-512, so that of aws-lc it runs other code than the machine does.
//!
//! The format is described in valgrind's manual, "Callgrind Format Specification".

use std::collections::HashMap;

/// Instructions of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// Of our code and all that it calls, allocator and C library included.
    pub ours: u64,
    /// Of aws-lc and all that it calls.
    pub aws_lc: u64,
}

/// Reckons up a profile.
///
/// # Errors
/// It is no whole profile with instructions as its one event; or what functions cost by themselves
/// and what calls cost to their ends does not agree, as where assembly plays tricks with the stack.
pub fn read(profile: &str) -> Result<Instructions, String> {
    let sums = Reader::default().read(profile)?;
    let all = sums.own_ours + sums.own_aws_lc;
    if sums.totals != Some(all) {
        let totals = sums.totals;
        return Err(format!("the profile adds up to {all} and says {totals:?}"));
    }
    let ours = sums.own_ours.saturating_sub(sums.called_by_aws_lc);
    let aws_lc = sums.calls_of_aws_lc;
    if all.abs_diff(ours + aws_lc) * DISAGREEMENT > all {
        return Err(format!(
            "of {all} instructions {ours} are ours by functions, and {aws_lc} aws-lc's by calls"
        ));
    }
    Ok(Instructions {
        ours,
        aws_lc: all - ours,
    })
}

/// The two ways may differ by one part in so many.
const DISAGREEMENT: u64 = 1_000;

#[derive(Default)]
struct Sums {
    /// What functions cost by themselves.
    own_ours: u64,
    own_aws_lc: u64,
    /// What aws-lc called and is not of it: memory and copying.
    called_by_aws_lc: u64,
    /// What was called of aws-lc, to the end of the call.
    calls_of_aws_lc: u64,
    totals: Option<u64>,
}

/// Names stand in full once, with a number, and as the number from then on.
#[derive(Default)]
struct Names<'t>(HashMap<&'t str, &'t str>);

impl<'t> Names<'t> {
    fn of(&mut self, text: &'t str) -> Result<&'t str, String> {
        let Some((number, name)) = text.strip_prefix('(').and_then(|text| text.split_once(')'))
        else {
            return Ok(text);
        };
        match name.trim_start() {
            "" => {
                let known = self.0.get(number).copied();
                known.ok_or_else(|| format!("the name ({number}) was never given"))
            }
            name => {
                self.0.insert(number, name);
                Ok(name)
            }
        }
    }
}

/// Where the reader is in the profile.
#[derive(Default)]
struct Reader<'t> {
    files: Names<'t>,
    functions: Names<'t>,
    sums: Sums,
    /// The file of the current line, which inlining changes within a function.
    file: &'t str,
    in_aws_lc: bool,
    called_file: Option<&'t str>,
    called_function: &'t str,
    /// The next line is the cost of a call.
    is_call: bool,
    counts_instructions: bool,
}

impl<'t> Reader<'t> {
    fn read(mut self, profile: &'t str) -> Result<Sums, String> {
        for (at, line) in profile.lines().enumerate() {
            self.line(line)
                .map_err(|what| format!("line {}: {what}", at + 1))?;
        }
        Ok(self.sums)
    }

    fn line(&mut self, line: &'t str) -> Result<(), String> {
        if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            return self.cost(line);
        }
        if let Some((key, value)) = line.split_once('=') {
            return self.name(key, value);
        }
        match line.split_once(':') {
            Some(("events", "Ir" | " Ir")) => self.counts_instructions = true,
            Some(("events", events)) => return Err(format!("events{events}, not instructions")),
            Some(("totals", all)) => self.sums.totals = Some(number(all)?),
            _ => {}
        }
        Ok(())
    }

    fn name(&mut self, key: &str, value: &'t str) -> Result<(), String> {
        match key {
            "fl" | "fi" | "fe" => self.file = self.files.of(value)?,
            "fn" => self.in_aws_lc = is_aws_lc(self.file, self.functions.of(value)?),
            "cfi" | "cfl" => self.called_file = Some(self.files.of(value)?),
            "cfn" => self.called_function = self.functions.of(value)?,
            "calls" => self.is_call = true,
            _ => {}
        }
        Ok(())
    }

    /// A place and a cost: of the current function itself, or of a call to its end.
    fn cost(&mut self, line: &str) -> Result<(), String> {
        let cost = number(line.rsplit(' ').next().unwrap_or_default())?;
        if !self.counts_instructions || line.split(' ').count() != 2 {
            return Err(format!("{line:?} is no place and count of instructions"));
        }
        let sums = &mut self.sums;
        if !std::mem::take(&mut self.is_call) {
            match self.in_aws_lc {
                true => sums.own_aws_lc += cost,
                false => sums.own_ours += cost,
            }
            return Ok(());
        }
        let called_file = self.called_file.take().unwrap_or(self.file);
        match (self.in_aws_lc, is_aws_lc(called_file, self.called_function)) {
            (true, false) => sums.called_by_aws_lc += cost,
            (false, true) => sums.calls_of_aws_lc += cost,
            _ => {}
        }
        Ok(())
    }
}

/// What others may call has a prefix; what they may not, and assembly's inner functions, are known
/// by where their source stands in the crate.
fn is_aws_lc(file: &str, function: &str) -> bool {
    function.starts_with("aws_lc_") || file.contains("/aws-lc/")
}

fn number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `round` (100 itself) calls `open` of aws-lc and `memcpy`; `open` (30) calls assembly of its
    /// own without a prefix (500), and `memcpy` as well (7).
    const PROFILE: &str = "\
version: 1
positions: line
events: Ir

ob=(1) /x/counts
fl=(1) src/lib.rs
fn=(1) micro::round
8 60
fi=(2) src/inlined.rs
+2 40
cfi=(3) /aws-lc/crypto/aead.c
cfn=(2) aws_lc_0_47_0_open
calls=1 9
* 537
cob=(2) libc.so.6
cfi=(4) memcpy.S
cfn=(3) memcpy
calls=1 9
-1 11

fl=(3)
fn=(2)
9 30
cfi=(5) /aws-lc/generated/aes.S
cfn=(4) _inner_rounds
calls=1 9
10 500
cob=(2)
cfi=(4)
cfn=(3)
calls=1 9
10 7

fl=(5)
fn=(4)
1 500

ob=(2)
fl=(4)
fn=(3)
1 18

totals: 648
";

    #[test]
    fn aws_lc_and_what_it_calls_is_not_counted_as_ours() {
        let read = read(PROFILE);
        let (ours, aws_lc) = (111, 537);
        assert_eq!(read, Ok(Instructions { ours, aws_lc }));
    }

    #[test]
    fn calls_within_one_file_need_not_name_it() {
        let profile = PROFILE.replace("cfi=(5) /aws-lc/generated/aes.S\n", "");
        let profile = profile.replace("fl=(5)\n", "fl=(3)\n");
        assert_eq!(read(&profile).map(|read| read.ours), Ok(111));
    }

    #[test]
    fn profile_that_was_cut_off_is_refused() {
        let whole = PROFILE.len();
        for cut in [whole - "totals: 648\n".len(), whole / 2, 10, 0] {
            assert!(read(&PROFILE[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn profile_that_does_not_add_up_is_refused() {
        assert!(read(&PROFILE.replace("8 60", "8 61")).is_err());
    }

    #[test]
    fn inner_functions_of_aws_lc_need_not_be_recognized() {
        let stripped = PROFILE.replace("/aws-lc/generated/aes.S", "???");
        assert_eq!(read(&stripped).map(|read| read.ours), Ok(111));
    }

    #[test]
    fn calls_that_were_not_followed_to_their_ends_are_noticed() {
        let lost = PROFILE.replace("* 537", "* 30");
        let fault = read(&lost).expect_err("aws-lc seems to cost 30 by calls");
        assert!(fault.contains("aws-lc"), "{fault}");
    }

    #[test]
    fn other_events_and_names_never_given_are_refused() {
        assert!(read(&PROFILE.replace("events: Ir", "events: Ir Dr")).is_err());
        assert!(read(&PROFILE.replace("fn=(3)\n1", "fn=(9)\n1")).is_err());
        assert!(read(&PROFILE.replace("8 60", "8 9 60")).is_err());
        assert!(read(&PROFILE.replace("8 60", "8 x")).is_err());
    }
}
