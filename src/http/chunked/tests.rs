use super::*;

fn refused(input: &[u8]) -> ChunkFault {
    let mut decoder = ChunkedDecoder::new();
    let mut at = 0;
    loop {
        match decoder.decode(&input[at..]) {
            Ok(chunk) => {
                assert!(chunk.consumed > 0 && !chunk.done, "accepted");
                at += chunk.consumed;
            }
            Err(fault) => {
                assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(fault), "a fault stays");
                return fault;
            }
        }
    }
}

//= RFC 9112 section 7.1 type=test
//# A chunk size is digits that cannot overflow, and nothing else.
#[test]
fn bad_chunk_sizes_are_refused() {
    for body in [
        "\r\n", "g\r\n", "+5\r\n", " 5\r\n", "5 \r\n", "0x5\r\n", "5 ;a\r\n", "5\n",
    ] {
        assert_eq!(
            refused(body.as_bytes()),
            ChunkFault::SizeMalformed,
            "{body:?}"
        );
    }
    assert_eq!(refused(b"0000000000000005\r\n"), ChunkFault::SizeTooLong);
    assert_eq!(refused(b"5\rhello"), ChunkFault::LineEnding);
}

#[test]
fn data_longer_or_shorter_than_its_size_is_refused() {
    assert_eq!(refused(b"3\r\nhello\r\n0\r\n\r\n"), ChunkFault::DataOverrun);
    assert_eq!(refused(b"5\r\nhello\n0\r\n\r\n"), ChunkFault::DataOverrun);
}

//= RFC 9112 section 7.1.1 type=test
//# Extensions are ignored, and bounded in total.
#[test]
fn extensions_over_their_bounds_are_refused() {
    let line = |length: usize| format!("1;{}\r\nx\r\n", "a".repeat(length - 1));
    assert_eq!(
        refused(line(CHUNK_EXTENSION_BYTES_MAX + 1).as_bytes()),
        ChunkFault::ExtensionTooLong
    );
    let full = CHUNK_EXTENSIONS_BYTES_MAX / CHUNK_EXTENSION_BYTES_MAX;
    let body = line(CHUNK_EXTENSION_BYTES_MAX).repeat(full) + &line(1);
    assert_eq!(refused(body.as_bytes()), ChunkFault::ExtensionTooLong);
}

#[test]
fn controls_in_extensions_are_refused() {
    for body in ["1;a\0\r\n", "1;a\n", "1;a=\"b\r\n\"", "1;\u{e4}\r\n"] {
        assert_eq!(
            refused(body.as_bytes()),
            ChunkFault::ExtensionMalformed,
            "{body:?}"
        );
    }
}

#[test]
fn malformed_and_long_trailers_are_refused() {
    for trailer in [" a: b", "a b", ": b", "a : b", "a: \0", "\n"] {
        let body = format!("0\r\n{trailer}\r\n\r\n");
        assert_eq!(
            refused(body.as_bytes()),
            ChunkFault::TrailerMalformed,
            "{trailer:?}"
        );
    }
    let long = format!("0\r\na: {}\r\n\r\n", "b".repeat(TRAILER_BYTES_MAX));
    assert_eq!(refused(long.as_bytes()), ChunkFault::TrailerTooLong);
}

#[test]
fn one_call_reads_one_chunk_with_its_framing() {
    let mut decoder = ChunkedDecoder::new();
    let chunk = decoder
        .decode(b"5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\nGET")
        .expect("valid");
    assert_eq!(
        chunk,
        Chunk {
            consumed: 27,
            data: 9..14,
            done: true
        }
    );
    assert!(decoder.is_done());
}
