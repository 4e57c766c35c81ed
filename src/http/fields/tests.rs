use super::*;

#[test]
fn identity_fields_are_known_in_every_spelling() {
    let names = [
        "client-cert",
        "client-cert-chain",
        "forwarded",
        "x-forwarded",
        "x-forwarded-for",
        "x-forwarded-client-cert",
        "x-real-ip",
        "x-client-cert",
        "x-client-verify",
        "x-ssl-cert",
        "ssl-client-s-dn",
        "x-scs-as-id",
        "x-t8gate-client",
        "true-client-ip",
        "cf-connecting-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-method-override",
        "x-envoy-peer-metadata",
        "x-authenticated-userid",
        "x-auth-request-user",
        "x-amzn-mtls-clientcert",
        "x-arr-clientcert",
        "x-cluster-client-ip",
        "x-http-method",
        "x-remote-user",
        "remote-user",
        "x-tls-client-cert",
        "x-user",
    ];
    for name in names {
        let spellings = [name.to_owned(), name.to_uppercase(), name.replace('-', "_")];
        for spelling in spellings {
            assert_eq!(classify(&spelling), FieldClass::Identity, "{spelling}");
        }
    }
    assert_eq!(classify("X-Request-Id"), FieldClass::RequestId);
    assert_eq!(classify("X_Request_Id"), FieldClass::Identity);
}

#[test]
fn fields_of_one_hop_are_known() {
    let names = [
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Alt-Svc",
        "3gpp-Sbi-Target-apiRoot",
        "3GPP-SBI-Callback",
        "3gpp_sbi_binding",
    ];
    for name in names {
        assert_eq!(classify(name), FieldClass::HopByHop, "{name}");
    }
}

#[test]
fn framing_fields_are_known_with_dashes_and_dropped_with_underscores() {
    assert_eq!(classify("content-LENGTH"), FieldClass::ContentLength);
    assert_eq!(classify("Transfer-Encoding"), FieldClass::TransferEncoding);
    assert_eq!(classify("Content_Length"), FieldClass::Identity);
    assert_eq!(classify("CONTENT-TYPE"), FieldClass::ContentType);
    assert_eq!(classify("Content_Type"), FieldClass::Identity);
    assert_eq!(classify("accept"), FieldClass::Accept);
    assert_eq!(classify("Transfer_Encoding"), FieldClass::Identity);
}

#[test]
fn fields_that_lead_somewhere_are_known() {
    for name in [
        "Location",
        "location",
        "Content-Location",
        "CONTENT-LOCATION",
        "Link",
    ] {
        assert_eq!(classify(name), FieldClass::Link, "{name}");
    }
}

#[test]
fn other_fields_are_plain() {
    for name in [
        "Accept-Language",
        "Via",
        "x",
        "X-Forwarder",
        "X-Custom",
        "Hosts",
        "Content-Types",
        "Locations",
        "Links",
        "3gpp-Optional-Features",
        "3gpp-sbi",
        "tee",
    ] {
        assert_eq!(classify(name), FieldClass::Plain, "{name}");
    }
}

#[test]
fn what_is_around_a_value_is_all_but_that() {
    let head = b"GET / HTTP/1.1\r\nAuthorization: Bearer x\r\nA: b\r\n\r\n";
    let value = &head[31..39];
    assert_eq!(value, b"Bearer x");
    assert_eq!(around(head, value), [&head[..31], &head[39..]]);
    for elsewhere in [&b"Bearer x"[..], b""] {
        let [before, behind] = around(head, elsewhere);
        assert_eq!([before, behind].concat(), head);
    }
}
