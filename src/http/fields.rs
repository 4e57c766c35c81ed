//! What a field is to a gateway, by its name alone.

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldClass {
    /// Forwarded as it came.
    Plain,
    /// `Host`.
    Host,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Connection`.
    Connection,
    /// `Authorization`: read here, never forwarded.
    Authorization,
    /// `Accept`: read here, and forwarded.
    Accept,
    /// `Content-Type`: read here, and forwarded.
    ContentType,
    /// `Location`, `Content-Location`, `Link`: an answer's lead somewhere.
    Link,
    /// `Expect`.
    Expect,
    /// Meant for one connection only; dropped in both directions.
    HopByHop,
    /// Says who somebody is, or what was asked elsewhere: only the gateway may say that, so it is
    /// dropped from requests. So is every known name spelled with an underscore, which some
    /// servers read as the dashed one.
    Identity,
    /// `X-Request-Id`: the gateway sets its own in both directions.
    RequestId,
}

/// Classifies a field name: any case, and dashes and underscores alike.
#[must_use]
pub fn classify(name: &str) -> FieldClass {
    known(name.as_bytes())
}

/// Those that make a request conditional, one bit for each place.
//= RFC 9110 section 13.1
//# The fields of preconditions begin with If-.
#[must_use]
pub fn conditions(fields: &[httparse::Header<'_>]) -> u64 {
    let is_condition = |name: &str| starts(name.as_bytes(), b"if-");
    let places = fields.iter().enumerate();
    places.fold(0, |all, (place, field)| {
        all | u64::from(is_condition(field.name)) << place
    })
}

/// All of a head but a value that stands in it.
#[must_use]
pub fn around<'r>(raw: &'r [u8], value: &[u8]) -> [&'r [u8]; 2] {
    let start = value.as_ptr().addr().checked_sub(raw.as_ptr().addr());
    let around = start.and_then(|start| {
        let behind = raw.get(start..)?.get(value.len()..)?;
        Some([raw.get(..start)?, behind])
    });
    around.unwrap_or([raw, b""])
}

/// Whether they are of a body in a content coding: what others would decode nobody has looked
/// through.
#[must_use]
pub fn are_of_coded_body(fields: &[httparse::Header<'_>]) -> bool {
    fields.iter().any(|field| {
        // Most differ in length.
        field.name.len() == 16
            && field.name.eq_ignore_ascii_case("content-encoding")
            && !field.value.eq_ignore_ascii_case(b"identity")
    })
}

/// Would a message mean something else without this field? Then `Connection` must not name it.
#[must_use]
pub fn is_indispensable(name: &[u8]) -> bool {
    starts(name, b"content-")
        || starts(name, b"if-")
        || [
            &b"host"[..],
            b"authorization",
            b"transfer-encoding",
            b"expect",
            b"range",
        ]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// First byte and length decide which name it could be: at most two comparisons each.
fn known(name: &[u8]) -> FieldClass {
    use FieldClass::{
        Accept, Authorization, Connection, ContentLength, ContentType, Expect, HopByHop, Host,
        Identity, Link, Plain, TransferEncoding,
    };
    let Some(first) = name.first() else {
        return Plain;
    };
    let (wanted, class): (&[u8], FieldClass) = match (first.to_ascii_lowercase(), name.len()) {
        (b'x', _) => return extension(name),
        // Meant for those who serve APIs inside: what names a target to them must not come from
        // outside, nor leave.
        (b'3', 10..) if starts(name, b"3gpp-sbi-") => return HopByHop,
        (b'c', 16) if name.eq_ignore_ascii_case(b"content-location") => return Link,
        // It would lead clients past the gateway.
        (b'a', 7) => (b"Alt-Svc", HopByHop),
        (b's', 12..) if starts(name, b"ssl-client-") => return Identity,
        (b'r', 11) => (b"Remote-User", Identity),
        (b'a', 6) => (b"Accept", Accept),
        (b'a', 13) => (b"Authorization", Authorization),
        // An answer must come as it can be looked through: as it is, and whole.
        (b'a', 15) => (b"Accept-Encoding", HopByHop),
        (b'a', 4) => (b"A-IM", HopByHop),
        (b'i', 8) => (b"If-Range", HopByHop),
        (b'r', 5) => (b"Range", HopByHop),
        (b'c', 10) => (b"Connection", Connection),
        (b'c', 11) => (b"Client-Cert", Identity),
        (b'c', 12) => (b"Content-Type", ContentType),
        (b'c', 14) => (b"Content-Length", ContentLength),
        (b'c', 16) => (b"CF-Connecting-IP", Identity),
        (b'c', 17) => (b"Client-Cert-Chain", Identity),
        (b'e', 6) => (b"Expect", Expect),
        (b'f', 9) => (b"Forwarded", Identity),
        (b'h', 4) => (b"Host", Host),
        (b'h', 14) => (b"HTTP2-Settings", HopByHop),
        (b'k', 10) => (b"Keep-Alive", HopByHop),
        (b'l', 4) => (b"Link", Link),
        (b'l', 8) => (b"Location", Link),
        (b'p', 16) => (b"Proxy-Connection", HopByHop),
        (b'p', 18) => (b"Proxy-Authenticate", HopByHop),
        (b'p', 19) => (b"Proxy-Authorization", HopByHop),
        (b't', 2) => (b"TE", HopByHop),
        (b't', 7) => (b"Trailer", HopByHop),
        (b't', 14) => (b"True-Client-IP", Identity),
        (b't', 17) => (b"Transfer-Encoding", TransferEncoding),
        (b'u', 7) => (b"Upgrade", HopByHop),
        _ => return Plain,
    };
    // Most are spelled as they are here, and compared many octets at once. One that is not the same
    // in any case, and yet begins alike, has an underscore.
    match name == wanted || name.eq_ignore_ascii_case(wanted) {
        true => class,
        false if starts(name, wanted) => Identity,
        false => Plain,
    }
}

/// Names that start with `x`: the third byte decides.
fn extension(name: &[u8]) -> FieldClass {
    let whole = |wanted: &[u8]| name.len() == wanted.len() && starts(name, wanted);
    let identity = match name.get(2).map(u8::to_ascii_lowercase) {
        Some(b'a') => {
            starts(name, b"x-authenticated-")
                || starts(name, b"x-auth-request-")
                || starts(name, b"x-amzn-mtls-")
                || starts(name, b"x-arr-")
        }
        Some(b'c') => starts(name, b"x-client-") || whole(b"x-cluster-client-ip"),
        Some(b'e') => starts(name, b"x-envoy-"),
        Some(b'f') => whole(b"x-forwarded") || starts(name, b"x-forwarded-"),
        Some(b'h') => whole(b"x-http-method") || whole(b"x-http-method-override"),
        Some(b'm') => whole(b"x-method-override"),
        Some(b'o') => starts(name, b"x-original-"),
        Some(b'r') if name.eq_ignore_ascii_case(b"x-request-id") => return FieldClass::RequestId,
        Some(b'r') => [
            &b"x-request-id"[..],
            b"x-real-ip",
            b"x-rewrite-url",
            b"x-remote-user",
        ]
        .into_iter()
        .any(whole),
        Some(b's') => starts(name, b"x-ssl-") || whole(b"x-scs-as-id"),
        Some(b't') => starts(name, b"x-t8gate-") || starts(name, b"x-tls-client-"),
        Some(b'u') => whole(b"x-user"),
        _ => false,
    };
    if identity {
        FieldClass::Identity
    } else {
        FieldClass::Plain
    }
}

/// Does the name start with `prefix`, which has no underscore, in any case?
fn starts(name: &[u8], prefix: &[u8]) -> bool {
    let fold = |byte: u8| {
        if byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.len() >= prefix.len()
        && name
            .iter()
            .zip(prefix)
            .all(|(byte, want)| fold(*byte) == want.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
