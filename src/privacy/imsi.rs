//! The identities that must not leave, as they stand in plain text: what spec and operators call an
//! IMSI, a SUPI, a SUCI without concealment, an NAI of a 3GPP network, an internal group, an IMEI.
//!
//! Text comes here in plain ASCII (see `spelling`); what is packed into other octets is `packed`'s.

use std::ops::Range;

use memchr::{memchr2_iter, memmem};

use super::plmn::Plmns;

/// What was found, as it is counted and recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The digits of an IMSI of one of the operator's networks, or digits that call themselves one.
    Imsi,
    /// `imsi-` and digits.
    SupiImsi,
    /// `nai-` and a user at a realm.
    SupiNai,
    /// `gci-`: a cable line.
    SupiGci,
    /// `gli-`: a wire line.
    SupiGli,
    /// `suci-`: with the null scheme it holds the IMSI in clear.
    Suci,
    /// A user at a realm below `3gppnetwork.org`; or the digits of an IMSI behind the octet that
    /// says for which authentication they are.
    Nai,
    /// The internal identifier of a group of subscribers.
    GroupId,
    /// `imei-`, `imeisv-`, `eui-`: where they are asked for.
    Pei,
    /// Half-octets, as the network's own protocols pack an IMSI.
    Tbcd,
    /// A member that is for such an identity, whatever stands in it.
    Member,
    /// A member that tells of the inside of the network: DNN, S-NSSAI.
    NetworkInternal,
}

impl Form {
    /// The word in audit records and counters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Imsi => "imsi",
            Self::SupiImsi => "supi_imsi",
            Self::SupiNai => "supi_nai",
            Self::SupiGci => "supi_gci",
            Self::SupiGli => "supi_gli",
            Self::Suci => "suci",
            Self::Nai => "nai",
            Self::GroupId => "group_id",
            Self::Pei => "pei",
            Self::Tbcd => "tbcd",
            Self::Member => "member",
            Self::NetworkInternal => "network_internal",
        }
    }
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// It says itself what it is.
    Explicit,
    /// Digits that begin as those of the operator's subscribers do, where no digits have to be.
    Digits,
    /// Digits of a known subscriber, where others may stand.
    Known,
}

impl Tier {
    pub fn word(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Digits => "digits",
            Self::Known => "known",
        }
    }
}

/// Digits as an IMSI has them, with one before them at most that says what they are for.
pub(super) const IMSI_DIGITS: std::ops::RangeInclusive<usize> = 14..=15;
const NAI_DIGITS: std::ops::RangeInclusive<usize> = 15..=16;
const DIGITS_MAX: usize = 16;
/// Separators in a row that do not end a run of digits.
pub(super) const SEPARATORS_MAX: usize = 3;
/// The least digits of an IMSI that is called one.
//= TS 29.571 clause 5.3.2
//# A SUPI of the IMSI kind is `imsi-` and 5 to 15 digits.
const CALLED_DIGITS_MIN: usize = 5;

/// The digits of one identity. No `Debug`.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    octets: [u8; DIGITS_MAX],
    length: usize,
}

impl Digits {
    pub(super) fn new() -> Self {
        Self {
            octets: [0; DIGITS_MAX],
            length: 0,
        }
    }

    /// Whether there was room for it.
    pub(super) fn push(&mut self, digit: u8) -> bool {
        let Some(place) = self.octets.get_mut(self.length) else {
            return false;
        };
        *place = digit;
        self.length += 1;
        true
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// What a search has found. No `Debug`: it holds the identity.
pub(super) struct Found {
    pub form: Form,
    pub tier: Tier,
    pub identity: Identity,
}

pub(super) enum Identity {
    Digits(Digits),
    /// Where it stands in the text that was searched.
    Span(Range<usize>),
}

/// What is looked for, and whose.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    plmns: Plmns,
    imei: bool,
}

impl Scanner {
    /// Identities of the subscribers of these networks; with `imei` those of their devices, too.
    pub fn new(plmns: Plmns, imei: bool) -> Self {
        Self { plmns, imei }
    }

    pub(super) fn plmns(&self) -> &Plmns {
        &self.plmns
    }

    /// The first identity that says itself what it is: no field may hold one.
    pub(super) fn explicit(&self, text: &[u8]) -> Option<Found> {
        for at in memchr2_iter(b'-', b'@', text) {
            let found = match text[at] {
                b'@' => at_realm(text, at),
                _ => self.hyphenated(text, at),
            };
            if let Some((form, identity)) = found {
                return Some(explicit(form, identity));
            }
        }
        decorated(text).map(|span| explicit(Form::Nai, Identity::Span(span)))
    }

    /// The first run of digits that begins as an IMSI of the operator's does and that `weigh` takes
    /// for one. Digits of other networks are counted in `others`, unless something calls them an
    /// IMSI.
    pub(super) fn digits(
        &self,
        text: &[u8],
        weigh: &impl Fn(&[u8]) -> Option<Tier>,
        others: &mut u32,
    ) -> Option<Found> {
        self.digits_within(text, 0..text.len(), weigh, others)
    }

    /// The same of one place in a text: the runs of digits that begin there.
    pub(super) fn digits_within(
        &self,
        text: &[u8],
        place: Range<usize>,
        weigh: &impl Fn(&[u8]) -> Option<Tier>,
        others: &mut u32,
    ) -> Option<Found> {
        let mut groups = Groups::default();
        let mut at = place.start;
        while let Some(start) = next_digit(text, at).filter(|start| *start < place.end) {
            if !is_between(&text[at..start]) {
                groups.clear();
            }
            let length = digits_from(text, start);
            at = start + length;
            groups.push(start..at);
            if let Some(found) = self.joined(text, &groups, weigh, others) {
                return Some(found);
            }
        }
        None
    }

    /// Whether some of the last groups make an identity together, the very last among them.
    fn joined(
        &self,
        text: &[u8],
        groups: &Groups,
        weigh: &impl Fn(&[u8]) -> Option<Tier>,
        others: &mut u32,
    ) -> Option<Found> {
        let (mut total, mut weak) = (0, false);
        for first in (0..groups.count).rev() {
            let group = &groups.spans[first];
            total += group.len();
            if let Some(next) = groups.spans[..groups.count].get(first + 1) {
                weak |= text[group.end..next.start]
                    .iter()
                    .any(|octet| is_mark(*octet));
            }
            if total > DIGITS_MAX {
                break;
            }
            if !IMSI_DIGITS.contains(&total) && !NAI_DIGITS.contains(&total) {
                continue;
            }
            let spans = &groups.spans[first..groups.count];
            let mut digits = Digits::new();
            for span in spans {
                text[span.clone()].iter().all(|digit| digits.push(*digit));
            }
            let span = spans[0].start..spans[spans.len() - 1].end;
            let called = called_imsi(text, span.start);
            let fits = is_in_parts(spans) || (first == 0 && is_one_by_one(text, spans));
            if weak && !called && !fits {
                continue;
            }
            let Some(form) = self.form_of(digits.as_bytes()) else {
                if called && IMSI_DIGITS.contains(&total) {
                    return Some(explicit(Form::Imsi, Identity::Digits(digits)));
                }
                let alone = spans.len() == 1 && IMSI_DIGITS.contains(&total);
                *others = others.saturating_add(u32::from(alone));
                continue;
            };
            if form == Form::Nai {
                digits.octets.rotate_left(1);
                digits.length -= 1;
            }
            if called {
                return Some(explicit(form, Identity::Digits(digits)));
            }
            if is_part_of_hash(text, &span) || (spans.len() > 1 && is_date_or_uuid(text, spans)) {
                continue;
            }
            if let Some(tier) = weigh(digits.as_bytes()) {
                let identity = Identity::Digits(digits);
                return Some(Found {
                    form,
                    tier,
                    identity,
                });
            }
        }
        None
    }

    /// What digits would be if they were somebody's.
    fn form_of(&self, digits: &[u8]) -> Option<Form> {
        if IMSI_DIGITS.contains(&digits.len()) && self.plmns.begin(digits) {
            return Some(Form::Imsi);
        }
        //= TS 23.003 section 19.3.2
        //# A root NAI has a digit before the IMSI: 0 for EAP-AKA, 1 for EAP-SIM, 6 for EAP-AKA'.
        let (prefix, rest) = digits.split_first()?;
        let is_root = matches!(prefix, b'0' | b'1' | b'6') && IMSI_DIGITS.contains(&rest.len());
        (is_root && self.plmns.begin(rest)).then_some(Form::Nai)
    }

    /// What stands before and behind a hyphen.
    fn hyphenated(&self, text: &[u8], at: usize) -> Option<(Form, Identity)> {
        let before = &text[..at];
        let after = at + 1;
        if ends_with(before, b"imsi") {
            let digits = called_digits(text, after)?;
            return Some((Form::SupiImsi, Identity::Digits(digits)));
        }
        if ends_with(before, b"suci") && text.get(after).is_some_and(u8::is_ascii_digit) {
            //= TS 29.571 clause 5.3.2
            //# A SUCI with the null scheme shows the MSIN; with another, still whose network it is.
            let end = token_end(text, after);
            return Some((Form::Suci, Identity::Span(at - 4..end)));
        }
        for (word, form) in [
            (&b"nai"[..], Form::SupiNai),
            (b"gci", Form::SupiGci),
            (b"gli", Form::SupiGli),
        ] {
            if !ends_with_word(before, word) {
                continue;
            }
            let end = token_end(text, after);
            if end > after && (form != Form::SupiNai || text[after..end].contains(&b'@')) {
                return Some((form, Identity::Span(at - 3..end)));
            }
        }
        if self.imei {
            let digits = digits_from(text, after);
            let is_pei = (ends_with(before, b"imei") && (14..=15).contains(&digits))
                || (ends_with(before, b"imeisv") && digits == 16)
                || (ends_with_word(before, b"eui") && hex_from(text, after) == 16);
            if is_pei {
                return Some((
                    Form::Pei,
                    Identity::Span(after..after + hex_from(text, after)),
                ));
            }
        }
        group_id(text, at).map(|span| (Form::GroupId, Identity::Span(span)))
    }
}

fn explicit(form: Form, identity: Identity) -> Found {
    Found {
        form,
        tier: Tier::Explicit,
        identity,
    }
}

/// The groups of digits that may belong together, the latest of them.
struct Groups {
    spans: [Range<usize>; DIGITS_MAX],
    count: usize,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            spans: [const { 0..0 }; DIGITS_MAX],
            count: 0,
        }
    }
}

impl Groups {
    fn clear(&mut self) {
        self.count = 0;
    }

    fn push(&mut self, span: Range<usize>) {
        if self.count == DIGITS_MAX {
            self.spans.rotate_left(1);
            self.count -= 1;
        }
        self.spans[self.count] = span;
        self.count += 1;
    }
}

/// What may stand between two digits of one identity.
fn is_between(text: &[u8]) -> bool {
    text.len() <= SEPARATORS_MAX && text.iter().all(|octet| is_separator(*octet))
}

/// Anywhere among an identity's digits stand blanks, line ends, hyphens, dots and low lines; marks
/// stand among others' digits, too, and count between the parts of an IMSI: see [`is_in_parts`].
/// What is neither ends a run: `@`, `#`, `*`, `=` and `&` stand between a name and its value or two
/// identities, quotation marks and brackets around one.
pub(super) fn is_separator(octet: u8) -> bool {
    is_blank(octet) || matches!(octet, b'-' | b'.' | b'_') || is_mark(octet)
}

pub(super) fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | 9..=13)
}

fn is_mark(octet: u8) -> bool {
    matches!(octet, b',' | b'/' | b':' | b';' | b'|' | b'+' | b'\'')
}

/// Whether groups are the parts of an IMSI: MCC, MNC and MSIN, two of them in one or not. With
/// marks between, digits in other groups are times of day to the nanosecond (`23:41:05.123456789`
/// is 15 digits that begin as those of a British network), dates with a time (`31/01/2026
/// 11:06:40`: an American one's), coordinates (`31.0410,-77.036511`), IPv6 addresses, lists, and
/// numbers by the thousand.
fn is_in_parts(spans: &[Range<usize>]) -> bool {
    match spans {
        [mcc, mnc, _] => mcc.len() == 3 && matches!(mnc.len(), 2 | 3),
        [first, _] => matches!(first.len(), 3 | 5 | 6),
        _ => false,
    }
}

/// Whether each digit stands by itself, as many as an IMSI has and no more: a longer list has
/// such digits somewhere by chance. `spans` are the first of their run.
fn is_one_by_one(text: &[u8], spans: &[Range<usize>]) -> bool {
    let end = spans.last().map_or(0, |span| span.end);
    let next = next_digit(text, end);
    IMSI_DIGITS.contains(&spans.len())
        && spans.iter().all(|span| span.len() == 1)
        && !next.is_some_and(|next| is_between(&text[end..next]))
}

fn next_digit(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    Some(from + rest.iter().position(u8::is_ascii_digit)?)
}

fn run(text: &[u8], from: usize, of: impl Fn(&u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.iter()
        .position(|octet| !of(octet))
        .unwrap_or(rest.len())
}

fn digits_from(text: &[u8], from: usize) -> usize {
    run(text, from, u8::is_ascii_digit)
}

fn hex_from(text: &[u8], from: usize) -> usize {
    run(text, from, u8::is_ascii_hexdigit)
}

fn ends_with(text: &[u8], word: &[u8]) -> bool {
    let at = text.len().checked_sub(word.len());
    at.is_some_and(|at| text[at..].eq_ignore_ascii_case(word))
}

/// The same where it is no longer word's end, nor in a host's name.
fn ends_with_word(text: &[u8], word: &[u8]) -> bool {
    ends_with(text, word) && {
        let before = text[..text.len() - word.len()].last();
        !before.is_some_and(|o| o.is_ascii_alphanumeric() || matches!(o, b'-' | b'.'))
    }
}

/// Where what belongs together ends: at a blank or a bracket, or where it is longer than any
/// identity, of which an NAI has 253 octets at most. To its end however far that is, a text of
/// words would be gone through once for each.
fn token_end(text: &[u8], from: usize) -> usize {
    const TOKEN_BYTES_MAX: usize = 512;
    let within = text.get(..(from + TOKEN_BYTES_MAX).min(text.len()));
    let goes_on = |octet: &u8| !octet.is_ascii_whitespace() && !is_break(*octet);
    from + run(within.unwrap_or_default(), from, goes_on)
}

/// How many octets at a text's end an identity may begin with that goes on behind it: the last
/// groups of digits, and the word that calls them one.
pub(super) fn open_end(text: &[u8]) -> usize {
    let (mut digits, mut separators, mut open, mut seen) = (0, 0, 0, 0);
    for octet in text.iter().rev() {
        if octet.is_ascii_digit() {
            (digits, separators, open) = (digits + 1, 0, seen + 1);
        } else {
            separators += 1;
            let ends = digits > DIGITS_MAX || separators > SEPARATORS_MAX;
            if ends || !is_separator(*octet) {
                break;
            }
        }
        seen += 1;
    }
    // Without digits the separators have yet to come, or are the word's.
    let before = &text[..text.len() - open];
    call_before(before).map_or(open, |word| text.len() - word)
}

/// Where a text may be cut that is searched in parts: an identity reaches across it only with
/// digits on both sides, see [`open_end`].
pub(super) fn is_break(octet: u8) -> bool {
    matches!(
        octet,
        b'"' | b'\''
            | b','
            | b';'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'\n'
            | b'\r'
            | b'\t'
    )
}

/// The digits behind `imsi-`, separators between them or not.
fn called_digits(text: &[u8], from: usize) -> Option<Digits> {
    let mut digits = Digits::new();
    let mut separators = 0;
    for octet in text.get(from..)? {
        if octet.is_ascii_digit() {
            separators = 0;
            if !digits.push(*octet) {
                break;
            }
        } else {
            separators += 1;
            if !is_separator(*octet) || separators > SEPARATORS_MAX {
                break;
            }
        }
    }
    (digits.length >= CALLED_DIGITS_MIN).then_some(digits)
}

/// Whether the word before digits says that they are an IMSI, or a SUPI.
fn called_imsi(text: &[u8], start: usize) -> bool {
    call_before(&text[..start]).is_some()
}

/// Where that word begins.
fn call_before(text: &[u8]) -> Option<usize> {
    let between = text.iter().rev().take_while(|octet| {
        is_blank(**octet) || matches!(octet, b'-' | b'.' | b':' | b'=' | b'_' | b'/' | b'"' | b'#')
    });
    let between = between.count();
    let before = &text[..text.len() - between];
    let calls = between <= 4 && (ends_with(before, b"imsi") || ends_with(before, b"supi"));
    calls.then(|| before.len() - 4)
}

/// A user at a realm of a 3GPP network.
//= TS 23.003 section 28.7
//# Realms of NAIs end in 3gppnetwork.org, with MNC and MCC before it.
fn at_realm(text: &[u8], at: usize) -> Option<(Form, Identity)> {
    let behind = &text[at + 1..];
    let length = run(behind, 0, |o| {
        o.is_ascii_alphanumeric() || matches!(o, b'.' | b'-' | b'_')
    });
    let realm = &behind[..length];
    let is_ours = realm
        .windows(REALM.len())
        .any(|part| part.eq_ignore_ascii_case(REALM));
    // Only then: at each `@` the text before it would be gone through.
    is_ours.then(|| {
        let before = text[..at].iter().rev();
        let user = before.take_while(|o| !o.is_ascii_whitespace() && !is_break(**o) && **o != b'/');
        (
            Form::Nai,
            Identity::Span(at - user.count()..at + 1 + length),
        )
    })
}

const REALM: &[u8] = b"3gppnetwork.org";

/// A realm of a 3GPP network before the user: the NAI of who roams.
fn decorated(text: &[u8]) -> Option<Range<usize>> {
    let mark = memmem::find_iter(text, b"!").find(|at| ends_with(&text[..*at], REALM))?;
    Some(mark - REALM.len()..token_end(text, mark))
}

/// The internal identifier of a group around its first hyphen.
//= TS 29.571 clause 5.3.2
//# A group is 8 hexadecimal digits, MCC, MNC, and 1 to 10 pairs of them, with hyphens between.
fn group_id(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(8)?;
    let whole = |from: usize, length: usize| {
        text.get(from..from + length)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
            && text.get(from + length) == Some(&b'-')
    };
    if hex_from(text, start) != 8 || !whole(at + 1, 3) {
        return None;
    }
    let bounded = |octet: Option<&u8>| !octet.is_some_and(|o| o.is_ascii_alphanumeric());
    if start > 0 && !bounded(text.get(start - 1)) {
        return None;
    }
    let mnc = (2..=3).find(|length| whole(at + 5, *length))?;
    let local = at + 5 + mnc + 1;
    let length = hex_from(text, local);
    let fits = (2..=20).contains(&length) && length.is_multiple_of(2);
    (fits && bounded(text.get(local + length))).then_some(start..local + length)
}

/// Digits within a hash in hexadecimal are as random as its letters: of SHA-256 one in 60 has as
/// many in a row as an IMSI, so that each network would cost a message in some million.
fn is_part_of_hash(text: &[u8], span: &Range<usize>) -> bool {
    /// Longer is none.
    const LONGER: usize = 129;
    let hex = |octet: &&u8| octet.is_ascii_hexdigit();
    let before = text[..span.start].iter().rev().take(LONGER);
    let start = span.start - before.take_while(hex).count();
    let length = hex_from(
        text.get(..(start + LONGER).min(text.len()))
            .unwrap_or_default(),
        start,
    );
    let letters = text[start..start + length]
        .iter()
        .filter(|o| o.is_ascii_alphabetic());
    matches!(length, 32 | 40 | 48 | 56 | 64 | 96 | 128) && letters.count() >= 4
}

/// Groups that are a date, or of a UUID.
fn is_date_or_uuid(text: &[u8], spans: &[Range<usize>]) -> bool {
    if let [year, month, day, ..] = spans
        && (year.len(), month.len(), day.len()) == (4, 2, 2)
        && text.get(year.end) == Some(&b'-')
        && text.get(month.end) == Some(&b'-')
        && matches!(&text[month.clone()], b"10" | b"11" | b"12" | [b'0', _])
        && matches!(&text[day.clone()], [b'0'..=b'2', _] | b"30" | b"31")
    {
        return true;
    }
    /// Longer is none.
    const LONGER: usize = 37;
    let of_uuid = |octet: &&u8| octet.is_ascii_hexdigit() || **octet == b'-';
    let before = text[..spans[0].start].iter().rev().take(LONGER);
    let start = spans[0].start - before.take_while(of_uuid).count();
    let token = text[start..].iter().take(LONGER).take_while(of_uuid);
    let token = &text[start..start + token.count()];
    token.len() == 36 && [8, 13, 18, 23].iter().all(|hyphen| token[*hyphen] == b'-')
}

#[cfg(test)]
mod tests;
