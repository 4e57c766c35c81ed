//! What the gateway and a signer process say to one another, octet for octet.
//!
//! Each message is one packet of a Unix socket of type `SOCK_SEQPACKET`, so that its end is the
//! packet's. On the control socket the gateway asks for a key to be opened, with one lane for each
//! session as descriptors beside the packet; on a lane it asks for signatures, one at a time. On a
//! third kind, whose end comes beside the first packet, the process asks for leave to try a PIN.
//! Both sides refuse what is not exactly of this form. Numbers are big-endian; texts and octet
//! strings stand behind their length in two octets.

use zeroize::Zeroizing;

use crate::pin::{Fingerprint, Leave, Outcome, PinAtToken};
use crate::{KeyKind, Mac, OpenFault, Scheme, SignFault};

/// Of this language. The same binary stands on both sides: another version is a mistake.
pub const VERSION: u8 = 1;
/// The longest packet on the control socket.
pub const CONTROL_BYTES_MAX: usize = 32 * 1024;
/// The longest packet on a lane: a signature by RSA-4096, or the public key that proves one.
pub const LANE_BYTES_MAX: usize = 1024;
/// Lanes of one key, and so its sessions: the kernel passes on 253 descriptors at most.
pub const LANES_MAX: usize = 128;

/// The first that a signer process says. Beside it comes the socket on which it asks for leave.
#[derive(Debug, PartialEq, Eq)]
pub struct Ready {
    /// What of its sandbox this machine does not give.
    pub lacks: Vec<String>,
}

/// A key to be opened. Its lanes come beside it as descriptors, then the PIN's if it is in one,
/// then that of the key of fingerprints.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenKey {
    /// Path of the PKCS#11 module.
    pub module: Vec<u8>,
    /// RFC 7512 URI.
    pub uri: Vec<u8>,
    /// Path of the PIN file, as configured: where that names a descriptor, it comes behind those of
    /// the lanes.
    pub pin_file: Vec<u8>,
    /// Lanes, one for each session.
    pub sessions: u16,
    /// SubjectPublicKeyInfo of the only key that may be served; empty where none is known yet.
    pub identity: Vec<u8>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    Key {
        kind: KeyKind,
        schemes: Vec<Scheme>,
        /// SubjectPublicKeyInfo of what the token says that the public key is; empty: it does not.
        identity: Vec<u8>,
    },
    Fault {
        class: SignFault,
        fault: OpenFault,
    },
}

/// HMACs asked of a secret key, all at once. Descriptors come beside it as of [`OpenKey`].
#[derive(Debug, PartialEq, Eq)]
pub struct AskMacs {
    /// As of [`OpenKey`].
    pub module: Vec<u8>,
    pub uri: Vec<u8>,
    pub pin_file: Vec<u8>,
    pub labels: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Macs {
    /// One for each label.
    Said(Vec<Mac>),
    Fault(OpenFault),
}

/// A PIN that a process is about to try, and waits to be given leave for: whoever hears no more
/// then does not know what became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct MayTry {
    pub pin: PinAtToken,
}

/// What became of it. The process waits for [`HEARD`], so that whatever it says next comes later.
#[derive(Debug, PartialEq, Eq)]
pub struct Tried {
    pub pin: PinAtToken,
    pub outcome: Outcome,
}

/// What is asked on a lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Sign a message that has been hashed as the scheme says.
    Sign { scheme: Scheme, hashed: &'a [u8] },
    /// From now on sign for this key only (SubjectPublicKeyInfo).
    Remember { identity: &'a [u8] },
}

const READY: u8 = 0x10;
const OPEN: u8 = 0x11;
const OPENED: u8 = 0x12;
const FAULT: u8 = 0x13;
const ASK_MACS: u8 = 0x14;
const MACS: u8 = 0x15;
const NO_MACS: u8 = 0x16;
const MAY_TRY: u8 = 0x17;
const LEAVE: u8 = 0x18;
const TRIED: u8 = 0x19;
/// The answer to [`Tried`].
pub const HEARD: [u8; 2] = [VERSION, 0x1a];
const SIGN: u8 = 0x20;
const REMEMBER: u8 = 0x21;
const SIGNED: u8 = 0x22;
const NOT_SIGNED: u8 = 0x23;

impl Ready {
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, READY];
        out.extend(count(self.lacks.len()));
        self.lacks
            .iter()
            .for_each(|lack| put(&mut out, lack.as_bytes()));
        out
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        let mut from = Reader::of(packet, READY)?;
        let lacks = (0..from.number()?).map(|_| from.text());
        let lacks = lacks.collect::<Option<_>>()?;
        from.end(Self { lacks })
    }
}

impl OpenKey {
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, OPEN];
        put(&mut out, &self.module);
        put(&mut out, &self.uri);
        put(&mut out, &self.pin_file);
        out.extend(self.sessions.to_be_bytes());
        put(&mut out, &self.identity);
        out
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        let mut from = Reader::of(packet, OPEN)?;
        let open = Self {
            module: from.octets()?.to_vec(),
            uri: from.octets()?.to_vec(),
            pin_file: from.octets()?.to_vec(),
            sessions: from.number()?,
            identity: from.octets()?.to_vec(),
        };
        from.end(open)
    }
}

impl Opened {
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Key {
                kind,
                schemes,
                identity,
            } => {
                let mut out = vec![VERSION, OPENED, kind_number(*kind)];
                put(
                    &mut out,
                    &schemes.iter().map(|s| number(*s)).collect::<Vec<_>>(),
                );
                put(&mut out, identity);
                out
            }
            Self::Fault { class, fault } => {
                let mut out = vec![VERSION, FAULT, fault_number(*class)];
                put_fault(&mut out, fault);
                out
            }
        }
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        if let Some(mut from) = Reader::of(packet, OPENED) {
            let opened = Self::Key {
                kind: kind_of(from.octet()?)?,
                schemes: from
                    .octets()?
                    .iter()
                    .map(|octet| scheme_of(*octet))
                    .collect::<Option<_>>()?,
                identity: from.octets()?.to_vec(),
            };
            return from.end(opened);
        }
        let mut from = Reader::of(packet, FAULT)?;
        let opened = Self::Fault {
            class: fault_of(from.octet()?)?,
            fault: from.fault()?,
        };
        from.end(opened)
    }
}

impl AskMacs {
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, ASK_MACS];
        put(&mut out, &self.module);
        put(&mut out, &self.uri);
        put(&mut out, &self.pin_file);
        out.extend(count(self.labels.len()));
        self.labels.iter().for_each(|label| put(&mut out, label));
        out
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        let mut from = Reader::of(packet, ASK_MACS)?;
        let (module, uri, pin_file) = (from.octets()?, from.octets()?, from.octets()?);
        let labels = (0..from.number()?).map(|_| from.octets().map(<[_]>::to_vec));
        let labels = labels.collect::<Option<_>>()?;
        let ask = Self {
            module: module.to_vec(),
            uri: uri.to_vec(),
            pin_file: pin_file.to_vec(),
            labels,
        };
        from.end(ask)
    }
}

impl Macs {
    /// Wiped when dropped: secrets are derived from what it says.
    pub fn write(&self) -> Zeroizing<Vec<u8>> {
        let mut out = vec![VERSION];
        match self {
            Self::Said(macs) => {
                // Grown once, so that no copy is left behind.
                out.reserve_exact(3 + macs.len() * size_of::<Fingerprint>());
                out.push(MACS);
                out.extend(count(macs.len()));
                macs.iter().for_each(|mac| out.extend(mac.iter()));
            }
            Self::Fault(fault) => {
                out.push(NO_MACS);
                put_fault(&mut out, fault);
            }
        }
        Zeroizing::new(out)
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        if let Some(mut from) = Reader::of(packet, MACS) {
            let macs = (0..from.number()?).map(|_| from.fingerprint().map(Mac::new));
            let macs = macs.collect::<Option<_>>()?;
            return from.end(Self::Said(macs));
        }
        let mut from = Reader::of(packet, NO_MACS)?;
        let fault = from.fault()?;
        from.end(Self::Fault(fault))
    }
}

impl MayTry {
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, MAY_TRY];
        put_pin(&mut out, &self.pin);
        out
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        let mut from = Reader::of(packet, MAY_TRY)?;
        let pin = from.pin()?;
        from.end(Self { pin })
    }
}

impl Tried {
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, TRIED, self.outcome as u8];
        put_pin(&mut out, &self.pin);
        out
    }

    pub fn read(packet: &[u8]) -> Option<Self> {
        let mut from = Reader::of(packet, TRIED)?;
        let outcome = *OUTCOMES.get(usize::from(from.octet()?))?;
        let pin = from.pin()?;
        from.end(Self { pin, outcome })
    }
}

/// The answer to [`MayTry`].
pub fn write_leave(leave: Leave) -> [u8; LEAVE_BYTES] {
    [VERSION, LEAVE, leave as u8]
}

/// None: it is no answer to [`MayTry`].
pub fn read_leave(packet: &[u8]) -> Option<Leave> {
    match packet {
        [VERSION, LEAVE, number] => LEAVES.get(usize::from(*number)).copied(),
        _ => None,
    }
}

impl<'a> Ask<'a> {
    /// Writes it to the begin of `out` and says how long it is; None: it does not fit.
    pub fn write(&self, out: &mut [u8; LANE_BYTES_MAX]) -> Option<usize> {
        let (head, body) = match self {
            Self::Sign { scheme, hashed } => ([SIGN, number(*scheme)], *hashed),
            Self::Remember { identity } => ([REMEMBER, 0], *identity),
        };
        let end = head.len() + body.len();
        out[..head.len()].copy_from_slice(&head);
        out.get_mut(head.len()..end)?.copy_from_slice(body);
        Some(end)
    }

    pub fn read(packet: &'a [u8]) -> Option<Self> {
        match packet {
            [SIGN, scheme, hashed @ ..] => {
                let scheme = scheme_of(*scheme)?;
                (hashed.len() == scheme.hash().output_len()).then_some(())?;
                Some(Self::Sign { scheme, hashed })
            }
            [REMEMBER, 0, identity @ ..] if !identity.is_empty() => {
                Some(Self::Remember { identity })
            }
            _ => None,
        }
    }
}

/// Writes what came of a signature, or of a key to be remembered (empty), and says how long it is.
pub fn write_answer(out: &mut [u8; LANE_BYTES_MAX], answer: &Result<Vec<u8>, SignFault>) -> usize {
    match answer {
        Ok(signature) if signature.len() < LANE_BYTES_MAX => {
            out[0] = SIGNED;
            out[1..=signature.len()].copy_from_slice(signature);
            signature.len() + 1
        }
        Ok(_) => write_answer(out, &Err(SignFault::Refused)),
        Err(fault) => write_fault(out, *fault, ""),
    }
}

/// Writes why a signature was not made, and the module's word for that, and says how long it is.
pub fn write_fault(out: &mut [u8; LANE_BYTES_MAX], fault: SignFault, why: &str) -> usize {
    out[..2].copy_from_slice(&[NOT_SIGNED, fault_number(fault)]);
    let why = why.as_bytes();
    let length = why.len().min(WHY_BYTES_MAX);
    out[2..2 + length].copy_from_slice(&why[..length]);
    2 + length
}

/// The module's word for why there is no signature; empty: none, or it is no answer.
pub fn read_why(packet: &[u8]) -> &str {
    match packet {
        [NOT_SIGNED, _, why @ ..] => str::from_utf8(why).unwrap_or_default(),
        _ => "",
    }
}

/// None: it is no answer.
pub fn read_answer(packet: &[u8]) -> Option<Result<Vec<u8>, SignFault>> {
    match packet {
        [SIGNED, signature @ ..] => Some(Ok(signature.to_vec())),
        [NOT_SIGNED, fault, why @ ..] if is_a_word(why) => Some(Err(fault_of(*fault)?)),
        _ => None,
    }
}

/// Of the answer to [`MayTry`].
pub const LEAVE_BYTES: usize = 3;
const LEAVES: [Leave; 5] = [
    Leave::Given,
    Leave::Refused,
    Leave::UnderWay,
    Leave::Unheard,
    Leave::Ending,
];
const OUTCOMES: [Outcome; 5] = [
    Outcome::Taken,
    Outcome::Refused,
    Outcome::Standing,
    Outcome::NotReached,
    Outcome::Failed,
];
/// A return code's name.
const WHY_BYTES_MAX: usize = 128;

/// What may stand in a line of the log.
fn is_a_word(why: &[u8]) -> bool {
    let plain = |octet: &u8| (b' '..=b'~').contains(octet);
    why.len() <= WHY_BYTES_MAX && why.iter().all(plain)
}

const KINDS: [KeyKind; 3] = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa];
const SCHEMES: [Scheme; 8] = [
    Scheme::EcdsaP256Sha256,
    Scheme::EcdsaP384Sha384,
    Scheme::RsaPssSha256,
    Scheme::RsaPssSha384,
    Scheme::RsaPssSha512,
    Scheme::RsaPkcs1Sha256,
    Scheme::RsaPkcs1Sha384,
    Scheme::RsaPkcs1Sha512,
];
const FAULTS: [SignFault; 5] = [
    SignFault::Unsupported,
    SignFault::Busy,
    SignFault::TokenGone,
    SignFault::KeyGone,
    SignFault::Refused,
];

fn kind_number(kind: KeyKind) -> u8 {
    kind as u8
}

fn kind_of(number: u8) -> Option<KeyKind> {
    KINDS.get(usize::from(number)).copied()
}

fn number(scheme: Scheme) -> u8 {
    scheme as u8
}

fn scheme_of(number: u8) -> Option<Scheme> {
    SCHEMES.get(usize::from(number)).copied()
}

fn fault_number(fault: SignFault) -> u8 {
    fault as u8
}

fn fault_of(number: u8) -> Option<SignFault> {
    FAULTS.get(usize::from(number)).copied()
}

/// A length in two octets. What is longer than they can say is cut by [`put`].
fn count(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// An octet string behind its length. Only texts for people are ever as long as to be cut, and
/// their faults are said in full in the log of the process that found them.
fn put(out: &mut Vec<u8>, octets: &[u8]) {
    const OCTETS_MAX: usize = 4096;
    let mut end = octets.len().min(OCTETS_MAX);
    if end < octets.len()
        && let Err(cut) = str::from_utf8(&octets[..end])
    {
        end = cut.valid_up_to();
    }
    out.extend(count(end));
    out.extend(&octets[..end]);
}

fn put_fault(out: &mut Vec<u8>, fault: &OpenFault) {
    put(out, fault.what.as_bytes());
    put(out, fault.cure.as_bytes());
    out.push(u8::from(fault.lasts));
}

fn put_pin(out: &mut Vec<u8>, pin: &PinAtToken) {
    put(out, pin.serial.as_bytes());
    out.extend(pin.fingerprint);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn of(packet: &'a [u8], kind: u8) -> Option<Self> {
        let rest = packet.strip_prefix(&[VERSION, kind])?;
        Some(Self { rest })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn octets(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }

    fn text(&mut self) -> Option<String> {
        Some(str::from_utf8(self.octets()?).ok()?.to_owned())
    }

    fn fingerprint(&mut self) -> Option<Fingerprint> {
        self.take(size_of::<Fingerprint>())?.try_into().ok()
    }

    fn fault(&mut self) -> Option<OpenFault> {
        Some(OpenFault {
            what: self.text()?,
            cure: self.text()?,
            lasts: match self.octet()? {
                0 => false,
                1 => true,
                _ => return None,
            },
        })
    }

    fn pin(&mut self) -> Option<PinAtToken> {
        Some(PinAtToken {
            serial: self.text()?,
            fingerprint: self.fingerprint()?,
        })
    }

    fn end<T>(self, value: T) -> Option<T> {
        self.rest.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests;
