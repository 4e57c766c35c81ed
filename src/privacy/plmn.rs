//! The networks whose subscribers are to be kept inside.

/// A network: MCC and MNC, as an IMSI begins with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plmn {
    number: u32,
    /// Of the MNC: 2 or 3.
    mnc_digits: u8,
}

impl Plmn {
    /// Of an MCC of three digits and an MNC of two or three.
    pub fn new(mcc: &str, mnc: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        if mcc.len() != 3 || !matches!(mnc.len(), 2 | 3) || !digits(mcc) || !digits(mnc) {
            return None;
        }
        Some(Self {
            number: format!("{mcc}{mnc}").parse().ok()?,
            mnc_digits: mnc.len() as u8,
        })
    }

    /// What an IMSI of this network begins with: five digits or six.
    pub(super) fn prefix(self) -> ([u8; 6], usize) {
        let length = 3 + usize::from(self.mnc_digits);
        let mut digits = [0; 6];
        let mut number = self.number;
        for digit in digits[..length].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        (digits, length)
    }
}

/// Networks, as a digit run is held against them.
#[derive(Clone, Debug, Default)]
pub struct Plmns {
    all: Vec<Plmn>,
    /// One bit for each MCC that occurs: most digit runs end here.
    mccs: [u64; 16],
}

impl Plmns {
    pub fn new(networks: impl IntoIterator<Item = Plmn>) -> Self {
        let mut all: Vec<Plmn> = networks.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        let mut mccs = [0; 16];
        for network in &all {
            let mcc = network.number / 10_u32.pow(u32::from(network.mnc_digits));
            mccs[mcc as usize / 64] |= 1 << (mcc % 64);
        }
        Self { all, mccs }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Plmn> {
        self.all.iter().copied()
    }

    /// Whether ASCII digits begin as an IMSI of one of these networks does.
    //= TS 23.003 section 2.2
    //# An IMSI is the MCC of three digits, the MNC of two or three, and the MSIN.
    pub(super) fn begin(&self, digits: &[u8]) -> bool {
        let Some((six, _)) = digits.split_first_chunk::<6>() else {
            return false;
        };
        let number = six.iter().fold(0_u32, |number, digit| {
            number * 10 + u32::from(digit.wrapping_sub(b'0') % 10)
        });
        let mcc = number / 1_000;
        if self.mccs[mcc as usize / 64] & 1 << (mcc % 64) == 0 {
            return false;
        }
        self.all.iter().any(|network| {
            let prefix = if network.mnc_digits == 2 {
                number / 10
            } else {
                number
            };
            network.number == prefix
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_an_mcc_of_three_digits_and_an_mnc_of_two_or_three() {
        for (mcc, mnc) in [
            ("01", "01"),
            ("0011", "01"),
            ("001", "1"),
            ("001", "0001"),
            ("0x1", "01"),
        ] {
            assert_eq!(Plmn::new(mcc, mnc), None, "{mcc} {mnc}");
        }
        assert_eq!(Plmn::new("001", "01").unwrap().prefix(), (*b"00101\0", 5));
        assert_eq!(Plmn::new("999", "070").unwrap().prefix(), (*b"999070", 6));
    }

    //= TS 23.003 section 2.2 type=test
    //# Both lengths of an MNC are held against a run, and leading zeroes count.
    #[test]
    fn both_lengths_of_an_mnc_are_told_apart() {
        let plmns = Plmns::new([
            Plmn::new("001", "01").unwrap(),
            Plmn::new("999", "070").unwrap(),
        ]);
        for (digits, begins) in [
            ("001010", true),
            ("001019", true),
            ("001100", false),
            ("999070", true),
            ("999071", false),
            ("999070123456789", true),
            ("00101", false),
            ("", false),
        ] {
            assert_eq!(plmns.begin(digits.as_bytes()), begins, "{digits}");
        }
        let one = Plmns::new([Plmn::new("001", "001").unwrap()]);
        assert!(one.begin(b"001001") && !one.begin(b"001010"));
    }
}
