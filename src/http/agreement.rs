//! Properties: the fast readers and the naive reference understand the same, whatever comes.

use std::mem::MaybeUninit;

use proptest::collection::vec;
use proptest::prelude::*;

use super::chunked::ChunkedDecoder;
use super::h1::{
    CHUNK_END, end_request_head, write_chunk_head, write_last_chunk, write_request_head,
};
use super::head::{self, BodyLength, HeadLimits, Method, Slots};
use super::path;
use super::reference::{self, Body, Read};
use crate::limits::FIELDS_MAX;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 64 * 1024,
    target_bytes_max: 64 * 1024,
};

fn ours(head: &[u8]) -> Option<Read> {
    let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
    let read = head::request(head, &mut slots, &LIMITS).ok()?;
    let field = |field: &httparse::Header<'_>| (field.name.to_owned(), field.value.to_vec());
    Some(Read {
        method: read.method_text.to_owned(),
        path: read.path.to_owned(),
        query: read.query.map(str::to_owned),
        host: read.host.to_owned(),
        fields: read.fields.iter().map(field).collect(),
        body: match read.body {
            BodyLength::None => Body::None,
            BodyLength::Length(length) => Body::Length(length),
            BodyLength::Chunked => Body::Chunked,
        },
        close: !read.keep_alive,
    })
}

fn rewritten(head: &[u8], identity: &[u8]) -> Option<Vec<u8>> {
    let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
    let read = head::request(head, &mut slots, &LIMITS).ok()?;
    let mut out = Vec::new();
    write_request_head(&mut out, &read, identity);
    let length = match read.body {
        BodyLength::None => None,
        BodyLength::Length(length) => Some(length),
        BodyLength::Chunked => Some(OF_CHUNKS),
    };
    end_request_head(&mut out, length);
    Some(out)
}

/// How long a body in chunks turns out to be.
const OF_CHUNKS: u64 = 7;

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "/[a-z0-9.~;:@-]{1,6}(/[a-z0-9.;-]{1,5}){0,3}(\\?[!-~]{0,6})?",
        1 => "/(%[0-9A-Fa-f]{2}|[a-z./]){1,6}",
        1 => "(https|HTTPS|http)://(scef|SCEF|other)(:443|:8443)?(/[a-z]{1,3})?(\\?a=b)?",
        1 => "[!-~]{1,8}",
    ]
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[A-Za-z_-]{1,12}:[ \t]{0,2}[!-~ \t]{0,40}",
        1 => "(Content-Length|content_length|CONTENT-LENGTH): ?[0-9]{1,3}",
        1 => "Content-Length: ([+-]?0{0,2}[0-9]{0,21}|5, 5|0x5)",
        1 => "Transfer-Encoding: ?(chunked|CHUNKED|gzip|chunked, chunked|identity)",
        1 => "Connection: (close|keep-alive|x-a, close|host|Content-Type|,|a b|if-match)",
        1 => "Expect: (100-continue|100-Continue|something)",
        1 => "(Content-Type|content_type|Accept): application/json",
        1 => "Host: (scef|scef:443|other)",
        1 => "[Xx]-[Ff]orwarded[-_][Ff]or: 1\\.2\\.3\\.4",
    ]
}

fn head_text() -> impl Strategy<Value = Vec<u8>> {
    let host = "Host: (scef|SCEF:443|\\[::1\\]:8443|scef:99999|a\\.b-c)";
    let method = "(GET|POST|HEAD|PATCH|get|X-Y)";
    (method, target(), host, vec(field(), 0..5), any::<bool>()).prop_map(
        |(method, target, host, fields, blank)| {
            let mut lines = format!("{method} {target} HTTP/1.1\r\n{host}\r\n");
            for field in fields {
                lines.push_str(&field);
                lines.push_str("\r\n");
            }
            let before = if blank { "\r\n" } else { "" };
            format!("{before}{lines}\r\n").into_bytes()
        },
    )
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(u8),
    Insert(&'static [u8]),
    Remove,
    RepeatLine,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let inserts: [&'static [u8]; 12] = [
        b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b"\x7f", b"\xff", b"%", b"\r\n ", b"\n\n",
    ];
    prop_oneof![
        any::<u8>().prop_map(Mutation::Replace),
        prop::sample::select(inserts.to_vec()).prop_map(Mutation::Insert),
        Just(Mutation::Remove),
        Just(Mutation::RepeatLine),
    ]
}

fn mutated(mut text: Vec<u8>, changes: Vec<(prop::sample::Index, Mutation)>) -> Vec<u8> {
    for (place, change) in changes {
        if text.is_empty() {
            break;
        }
        let at = place.index(text.len());
        match change {
            Mutation::Replace(byte) => text[at] = byte,
            Mutation::Insert(bytes) => drop(text.splice(at..at, bytes.iter().copied())),
            Mutation::Remove => drop(text.remove(at)),
            Mutation::RepeatLine => {
                let mut lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
                let line = lines[place.index(lines.len())];
                lines.insert(place.index(lines.len()), line);
                text = lines.concat();
            }
        }
    }
    text
}

fn decoded(input: &[u8], cuts: &[usize]) -> Option<(Vec<u8>, usize)> {
    let mut decoder = ChunkedDecoder::new();
    let mut data = Vec::new();
    let (mut from, mut to) = (0, 0);
    let mut cuts = cuts.iter().cycle();
    loop {
        let chunk = decoder.decode(&input[from..to]).ok()?;
        data.extend_from_slice(&input[from..to][chunk.data.clone()]);
        from += chunk.consumed;
        if chunk.done {
            return Some((data, from));
        }
        if chunk.consumed == 0 {
            if to == input.len() {
                return None;
            }
            to = input
                .len()
                .min(to + cuts.next().copied().unwrap_or(1).max(1));
        }
    }
}

fn chunked_text() -> impl Strategy<Value = Vec<u8>> {
    let data = vec(any::<u8>(), 1..40);
    let extension = "(;[a-z]{1,4}(=([a-z]{1,3}|\"[a-z\\\\]{0,3}\"))?){0,2}";
    let trailers = "([A-Za-z-]{1,8}: [!-~]{0,9}\r\n){0,2}";
    (vec((data, "0{0,2}", extension), 0..4), trailers).prop_map(|(chunks, trailers)| {
        let mut out = Vec::new();
        for (data, zeros, extension) in chunks {
            out.extend_from_slice(format!("{zeros}{:X}{extension}\r\n", data.len()).as_bytes());
            out.extend_from_slice(&data);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn heads_mean_the_same_to_both_readers(head in head_text()) {
        prop_assert_eq!(ours(&head), reference::request(&head));
    }

    #[test]
    fn damaged_heads_mean_the_same_to_both_readers(
        head in head_text(),
        changes in vec((any::<prop::sample::Index>(), mutation()), 1..4),
    ) {
        let head = mutated(head, changes);
        prop_assert_eq!(ours(&head), reference::request(&head));
    }

    #[test]
    fn what_is_written_upstream_means_what_was_read(
        head in head_text(),
        changes in vec((any::<prop::sample::Index>(), mutation()), 0..2),
    ) {
        let head = mutated(head, changes);
        if let Some(read) = ours(&head) {
            let written = rewritten(&head, b"X-Request-Id: 1\r\n").expect("read a moment ago");
            let again = reference::request(&written).expect("what we write is well-formed");
            prop_assert_eq!(again.method, read.method);
            prop_assert_eq!(again.path, read.path);
            prop_assert_eq!(again.query, read.query);
            prop_assert_eq!(again.host, read.host);
            let body = match read.body {
                Body::Chunked => Body::Length(OF_CHUNKS),
                body => body,
            };
            prop_assert_eq!(again.body, body);
            let folded = |name: &str| name.to_ascii_lowercase().replace('_', "-");
            // A name that only begins like one of these says nothing to anybody.
            let forges = |name: &str| {
                let name = folded(name);
                name == "x-forwarded" || name.starts_with("x-forwarded-")
            };
            let forged = again.fields.iter().any(|(name, _)| forges(name));
            prop_assert!(!forged);
            prop_assert_eq!(again.fields.iter().filter(|f| f.0 == "X-Request-Id").count(), 1);
        }
    }

    #[test]
    fn head_ends_are_the_same_at_any_split(
        head in head_text(),
        changes in vec((any::<prop::sample::Index>(), mutation()), 0..3),
        step in 1_usize..40,
    ) {
        let head = mutated(head, changes);
        let whole = head::head_end(&head, &mut 0);
        let mut scanned = 0;
        let mut found = None;
        let mut to = 0;
        while found.is_none() && to < head.len() {
            to = head.len().min(to + step);
            found = head::head_end(&head[..to], &mut scanned);
        }
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn what_is_refused_early_is_refused_whole(
        head in head_text(),
        changes in vec((any::<prop::sample::Index>(), mutation()), 0..3),
        cut in any::<prop::sample::Index>(),
    ) {
        let head = mutated(head, changes);
        let part = &head[..cut.index(head.len().max(1)).min(head.len())];
        if head::incomplete(part, &LIMITS).is_err() {
            prop_assert_eq!(ours(&head), None);
        }
    }

    #[test]
    fn readers_are_total_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(ours(&bytes), reference::request(&bytes));
        let _ = head::incomplete(&bytes, &LIMITS);
        let _ = head::head_end(&bytes, &mut 0);
        let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
        let _ = head::response(&bytes, &mut slots, Method::Get);
        prop_assert_eq!(decoded(&bytes, &[7]), reference::chunked(&bytes));
    }

    #[test]
    fn responses_are_read_without_panic(
        status in "HTTP/1\\.[01] [0-9]{3} [ -~]{0,5}",
        fields in vec(field(), 0..4),
        changes in vec((any::<prop::sample::Index>(), mutation()), 0..3),
    ) {
        let head = mutated(format!("{status}\r\n{}\r\n\r\n", fields.join("\r\n")).into(), changes);
        let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
        let _ = head::response(&head, &mut slots, Method::Get);
    }

    #[test]
    fn paths_are_judged_the_same(path in "/(%[0-9A-Fa-f]{2}|%C3%A9|%2e|[a-z./;\\\\%]){0,7}") {
        prop_assert_eq!(path::check(&path).is_ok(), reference::path_passes(path.as_bytes()));
    }

    #[test]
    fn chunked_bodies_are_the_same_at_any_split(
        body in chunked_text(),
        changes in vec((any::<prop::sample::Index>(), mutation()), 0..3),
        cuts in vec(1_usize..30, 1..5),
    ) {
        let body = mutated(body, changes);
        prop_assert_eq!(decoded(&body, &cuts), reference::chunked(&body));
    }

    #[test]
    fn what_is_written_in_chunks_is_read_back(pieces in vec(vec(any::<u8>(), 1..400), 0..5)) {
        let mut out = Vec::new();
        for piece in &pieces {
            write_chunk_head(&mut out, piece.len());
            out.extend_from_slice(piece);
            out.extend_from_slice(CHUNK_END);
        }
        write_last_chunk(&mut out);
        prop_assert_eq!(reference::chunked(&out), Some((pieces.concat(), out.len())));
    }
}
