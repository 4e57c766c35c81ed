//! Bodies that are compressed and do not say so: what is in them nobody has seen.

/// How what is compressed begins: by gzip and compress, Zstandard, LZ4, bzip2, xz, 7-Zip and ZIP.
const BEGINNINGS: [&[u8]; 9] = [
    &[0x1f, 0x8b],
    &[0x1f, 0x9d],
    &[0x28, 0xb5, 0x2f, 0xfd],
    &[0x04, 0x22, 0x4d, 0x18],
    b"BZh",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"PK\x03\x04",
    b"PK\x05\x06",
];

/// Whether a body begins as what is compressed does.
//= RFC 1952 section 2.3.1
//# A member of a gzip file begins with 31 and 139.
pub fn is_coded(body: &[u8]) -> bool {
    // Almost all of them.
    if let Some(b'{' | b'[') = body.first() {
        return false;
    }
    BEGINNINGS
        .iter()
        .any(|beginning| body.starts_with(beginning))
        || is_zlib(body)
}

//= RFC 1950 section 2.2
//# Of the first two octets the first says 8, deflate, in its lower half, and both are a multiple
//# of 31.
fn is_zlib(body: &[u8]) -> bool {
    const LOOKED_AT: usize = 64;
    let begins = body.first_chunk::<2>().is_some_and(|first| {
        first[0] & 0xf == 8 && first[0] >> 4 < 8 && u16::from_be_bytes(*first) % 31 == 0
    });
    // Some words begin so, and hold nothing but ASCII.
    begins && !body.iter().take(LOOKED_AT).all(u8::is_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    //= RFC 1952 section 2.3.1 type=test
    //# Known by its first octets.
    //= RFC 1950 section 2.2 type=test
    //# Known by its first octets, of which some are letters.
    #[test]
    fn what_is_compressed_is_known_by_how_it_begins() {
        for beginning in BEGINNINGS {
            assert!(is_coded(beginning));
            assert!(is_coded(&[beginning, b"more"].concat()));
            assert!(!is_coded(&beginning[1..]));
        }
        for flags in [0x01, 0x5e, 0x9c, 0xda] {
            assert!(is_coded(&[0x78, flags, 0xab, 0x56]), "{flags:x}");
            assert!(!is_coded(&[0x78, flags + 1, 0xab, 0x56]), "{flags:x}");
            assert!(!is_coded(&[0x79, flags, 0xab, 0x56]), "{flags:x}");
        }
        // A window that there is not.
        assert!(!is_coded(&[0x88, 0x1c, 0xab, 0x56]));
        for plain in [
            &b""[..],
            b"x",
            b"x^2 + y^2",
            b"{\"a\":1}",
            b"[]",
            b"\xef\xbb\xbf{}",
            b"PK",
        ] {
            assert!(!is_coded(plain), "{plain:?}");
        }
        // So far it is looked at, and no farther.
        let with_ascii = |count: usize| [b"x^", &vec![b'y'; count][..], b"\xe9"].concat();
        assert!(is_coded(&with_ascii(61)) && !is_coded(&with_ascii(62)));
    }
}
