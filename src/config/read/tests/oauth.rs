//! The issuer in this gateway, and who is registered at it.

use super::*;
use crate::clock::UnixSeconds;
use crate::config::KeySource;
use crate::peer::{ClientAuthentication, OwnFile, Registration, TlsClientAuth, TokenFormat};

/// The small configuration with an issuer, lines 1 to 3, and a client registered at it.
fn small() -> String {
    let oauth = "[oauth]\nissuer = \"https://t8.example.net:8443\"\nkey.file = \"own.key\"\n";
    let ids = "scs_as_ids = [\"one\"]\n";
    let client = "tls_client_auth_san_dns = \"SCS.example.org\"\nscopes = [\"3gpp-nidd\"]\n";
    format!("{oauth}{}", SMALL.replace(ids, &format!("{ids}{client}")))
}

/// The same, with one text in it replaced, which must be there.
fn small_with(old: &str, new: &str) -> String {
    let text = small();
    assert!(text.contains(old), "{old:?}");
    text.replacen(old, new, 1)
}

fn by(name: TlsClientAuth) -> ClientAuthentication {
    ClientAuthentication::Tls(name)
}

const ISSUER: &str = "https://t8.example.net:8443";
const SAN_DNS: &str = "tls_client_auth_san_dns = \"SCS.example.org\"";
const SCOPES: &str = "scopes = [\"3gpp-nidd\"]\n";

#[test]
fn embedded_issuer_is_read_with_defaults() {
    let config = good(&small());
    let oauth = config.oauth.unwrap();
    assert_eq!(
        (oauth.issuer.value.as_str(), oauth.issuer.line),
        (ISSUER, 2)
    );
    assert_eq!(oauth.audience, ISSUER);
    assert_eq!(oauth.token_lifetime, Duration::from_secs(600));
    let file = KeySource::File("/etc/t8gate/own.key".into());
    assert_eq!((oauth.key.value, oauth.key.line), (file, 3));
    let wanted = Registration {
        authentication: by(TlsClientAuth::SanDns("scs.example.org".into())),
        scopes: vec!["3gpp-nidd".into()],
        introspects: false,
        token_format: None,
    };
    assert_eq!(config.clients[0].registration, Some(wanted));
}

#[test]
fn keys_to_come_and_old_keys_are_read() {
    let more = "[[oauth.next_key]]\nfile = \"next.key\"\nsigns_from = 2027-01-01T01:00:00+01:00\n\
                [[oauth.next_key]]\nfile = \"spare.key\"\n\
                [[oauth.old_key]]\npem = \"old.pem\"\nsigned_until = \"2026-01-01T00:00:00Z\"\n";
    let oauth = good(&format!("{}{more}", small())).oauth.unwrap();
    let file = |name: &str| KeySource::File(format!("/etc/t8gate/{name}.key").into());
    let sources: Vec<_> = oauth.keys().map(|key| key.value.clone()).collect();
    assert_eq!(sources, ["own", "next", "spare"].map(file));
    let moments: Vec<_> = oauth.next_keys.iter().map(|next| next.signs_from).collect();
    assert_eq!(moments, [Some(UnixSeconds(1_798_761_600)), None]);
    let [old] = oauth.old_keys.as_slice() else {
        panic!("{:?}", oauth.old_keys);
    };
    assert_eq!(old.pem.value, Path::new("/etc/t8gate/old.pem"));
    assert_eq!(old.signed_until, Some(UnixSeconds(1_767_225_600)));
    for bad in [
        "2027-01-01",
        "12:00:00",
        "\"tomorrow\"",
        "1798761600",
        "1969-12-31T23:59:59Z",
    ] {
        let text = more.replace("2027-01-01T01:00:00+01:00", bad);
        let faults = parsed(&format!("{}{text}", small())).unwrap_err();
        assert_eq!(faults.len(), 1, "{bad}: {faults:#?}");
        assert_eq!(faults[0].key, "oauth.next_key[1].signs_from");
    }
}

#[test]
fn keys_to_come_that_begin_to_sign_at_one_moment_are_refused() {
    let next = |file: &str, from: &str| {
        format!("[[oauth.next_key]]\nfile = \"{file}.key\"\nsigns_from = {from}\n")
    };
    let first = next("next", "2027-01-01T01:00:00+01:00");
    let last = small().lines().count();
    let same = format!(
        "{}{first}{}",
        small(),
        next("other", "2027-01-01T00:00:00Z")
    );
    let key = "oauth.next_key[2].signs_from";
    let fault = refused(&same, last + 6, key, &format!("(line {})", last + 3));
    assert!(fault.cure.contains("a moment of its own"), "{fault:?}");
    let later = next("other", "2027-01-01T00:00:01Z");
    good(&format!("{}{first}{later}", small()));
    // Of those that only are published there may be many.
    let spare = |file: &str| format!("[[oauth.next_key]]\nfile = \"{file}.key\"\n");
    good(&format!("{}{}{}", small(), spare("a"), spare("b")));
}

#[test]
fn embedded_issuer_takes_what_is_chosen() {
    let more = "audience = \"t8\"\ntoken_lifetime = \"1m\"\nkey.file";
    let oauth = good(&small_with("key.file", more)).oauth.unwrap();
    assert_eq!(oauth.audience, "t8");
    assert_eq!(oauth.token_lifetime, Duration::from_secs(60));
    let key = small_with("key.file = \"own.key\"", TOKEN);
    let source = good(&key).oauth.unwrap().key.value;
    assert!(matches!(source, KeySource::Pkcs11 { sessions: 2, .. }));
}

//= RFC 8414 section 2 type=test
//# The issuer is an https URL without query and fragment; ours has no path either.
#[test]
fn issuer_that_is_no_plain_https_url_is_refused() {
    for (bad, what) in [
        ("http://t8.example.net", "not an https URL"),
        ("t8.example.net", "not an https URL"),
        ("HTTPS://t8.example.net", "not an https URL"),
        ("https://t8.example.net/", "has a path"),
        ("https://t8.example.net/oauth2", "has a path"),
        ("https://t8.example.net?a=b", "has a query"),
        ("https://t8.example.net/a?b", "has a query"),
        ("https://t8.example.net#a", "has a fragment"),
        (
            "https://user:98765@t8.example.net",
            "has a user or password",
        ),
        ("https://", "names no host"),
        ("https://:8443", "names no host"),
        ("https://t8.example.net:", "no port"),
        ("https://t8.example.net:0", "no port"),
        ("https://t8.example.net:65536", "no port"),
        ("https://t8.example.net:+1", "no port"),
        ("https://*.example.net", "names no host"),
        ("https://a b", "names no host"),
        ("https://[::1", "names no host"),
    ] {
        let fault = refused(&small_with(ISSUER, bad), 2, "oauth.issuer", what);
        assert!(!format!("{fault:?}").contains("98765"));
    }
    for taken in [
        "https://t8.example.net",
        "https://192.0.2.1",
        "https://[2001:db8::1]:8443",
        "https://[2001:db8::1]",
    ] {
        let config = good(&small_with(ISSUER, taken));
        assert_eq!(config.oauth.unwrap().issuer.value, taken);
    }
}

#[test]
fn token_lifetime_out_of_range_is_refused() {
    for bad in ["59s", "25h", "0s"] {
        let text = small_with("key.file", &format!("token_lifetime = \"{bad}\"\nkey.file"));
        let cure = refused(&text, 3, "oauth.token_lifetime", "out of range").cure;
        assert!(cure.contains("from 1m to 24h"), "{cure}");
    }
}

#[test]
fn opaque_tokens_are_read_with_what_seals_them() {
    let sealing = "[oauth.sealing]\nsecret_file = \"a\"\n";
    let format = "token_format = \"opaque\"\nkey.file";
    let text = format!("{}{sealing}", small_with("key.file", format));
    let oauth = good(&text).oauth.unwrap();
    assert_eq!(oauth.token_format, TokenFormat::Opaque);
    assert!(
        oauth
            .sealing
            .is_some_and(|sealing| sealing.second.is_none())
    );
    let silent = good(&small()).oauth.unwrap();
    assert_eq!(silent.token_format, TokenFormat::Jwt);
    assert_eq!(silent.sealing, None);
    // What seals may be there for tokens of before.
    good(&format!("{}{sealing}", small()));
    let of_client = small_with(SCOPES, &format!("{SCOPES}token_format = \"opaque\"\n"));
    let config = good(&format!("{of_client}{sealing}"));
    let registration = config.clients[0].registration.clone().unwrap();
    assert_eq!(registration.token_format, Some(TokenFormat::Opaque));
}

#[test]
fn opaque_tokens_without_what_seals_them_are_refused() {
    let opaque = small_with("key.file", "token_format = \"opaque\"\nkey.file");
    let cure = refused(&opaque, 3, "oauth.token_format", "no secret").cure;
    assert!(cure.contains("[oauth.sealing]"), "{cure}");
    // Where it is there and wrong, that is said and nothing else.
    let empty = format!("{opaque}[oauth.sealing]\n");
    let line = empty.lines().count();
    let key = "oauth.sealing.secret_file";
    refused(&empty, line, key, "is missing");
    let both = format!("{empty}secret_file = \"a\"\nsecond_secret_file = \"a\"\n");
    let key = "oauth.sealing.second_secret_file";
    refused(&both, line + 2, key, "is what seals already");
    let other = small_with("key.file", "token_format = \"JWT\"\nkey.file");
    refused(&other, 3, "oauth.token_format", "no format");
    // And what a client's registration says, once, in its line.
    let of_client = small_with(SCOPES, &format!("{SCOPES}token_format = \"opaque\"\n"));
    let key = "client[1].token_format";
    let cure = refused(&of_client, 20, key, "no secret").cure;
    assert!(cure.contains("[oauth.sealing]"), "{cure}");
    // Whoever looks further for what is wrong finds none of it once more.
    for text in [&opaque, &of_client] {
        let (config, ..) = as_meant(
            text,
            Path::new("t8gate.toml"),
            &cpus(),
            &mut super::own_files::no_folder,
        );
        let config = config.unwrap();
        assert_eq!(config.oauth.unwrap().token_format, TokenFormat::Jwt);
        let registration = config.clients[0].registration.clone().unwrap();
        assert_eq!(registration.token_format, None);
    }
    let nobody = small() + SECOND_CLIENT + "token_format = \"opaque\"\n";
    let faults = parsed(&nobody).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0].key, "client[2].token_format");
}

#[test]
fn embedded_issuer_without_its_keys_is_refused() {
    let none = small_with("key.file = \"own.key\"\n", "");
    refused(&none, 1, "oauth.key.module", "no private key is named");
    let none = small_with(&format!("issuer = \"{ISSUER}\"\n"), "");
    refused(&none, 1, "oauth.issuer", "missing");
    let both = small_with("key.file", "key.uri = \"pkcs11:token=t\"\nkey.file");
    let faults = parsed(&both).unwrap_err();
    assert!(faults.iter().any(|fault| fault.key == "oauth.key.file"));
    let pin = TOKEN.replace("token=t", "token=t?pin-value=98765");
    let text = small_with("key.file = \"own.key\"", &pin);
    let fault = refused(&text, 3, "oauth.key.uri", "the PIN");
    assert!(!format!("{fault:?}").contains("98765"));
}

#[test]
fn section_of_the_embedded_issuer_that_is_no_section_is_refused_once() {
    let text = format!(
        "oauth = 3\n{}",
        &small()[small().find("[listen]").unwrap()..]
    );
    refused(&text, 1, "oauth", "must be a section");
}

#[test]
fn issuers_elsewhere_may_be_missing_where_there_is_one_here() {
    let text = small();
    let (from, to) = (
        text.find("[[issuer]]").unwrap(),
        text.find("[[client]]").unwrap(),
    );
    let config = good(&format!("{}{}", &text[..from], &text[to..]));
    assert!(config.issuers.is_empty() && config.oauth.is_some());
    // Without either no token is taken.
    let none = &SMALL[..SMALL.find("[[issuer]]").unwrap()];
    let rest = &SMALL[SMALL.find("[[client]]").unwrap()..];
    let cure = refused(&format!("{none}{rest}"), 0, "issuer", "missing").cure;
    assert!(cure.contains("[oauth]"), "{cure}");
}

#[test]
fn issuer_named_like_the_one_here_is_refused() {
    let text = small_with("https://issuer.example", ISSUER);
    refused(&text, 11, "issuer[1].name", "line 2");
}

#[test]
fn embedded_issuer_that_no_client_is_registered_at_is_refused() {
    let text = small_with(&format!("{SAN_DNS}\n{SCOPES}"), "");
    let cure = refused(&text, 1, "oauth", "no client is registered").cure;
    assert!(cure.contains("tls_client_auth_san_dns"), "{cure}");
    // One of several is enough.
    good(&format!("{}{SECOND_CLIENT}", small()));
}

//= RFC 8705 section 2.1.2 type=test
//# A client that authenticates by PKI registers exactly one name of its certificate.
#[test]
fn second_and_third_name_of_a_certificate_are_refused() {
    let uri = "tls_client_auth_san_uri = \"urn:example:scs-1\"";
    let subject = "tls_client_auth_subject_dn = \"CN=scs-1,O=Example\"";
    let two = small_with(SAN_DNS, &format!("{uri}\n{SAN_DNS}"));
    refused(&two, 19, "client[1].tls_client_auth_san_dns", "line 18");
    let three = small_with(SAN_DNS, &format!("{SAN_DNS}\n{subject}\n{uri}"));
    let faults = parsed(&three).unwrap_err();
    let places: Vec<_> = faults.iter().map(|f| (f.line, f.key.as_str())).collect();
    assert_eq!(
        places,
        [
            (19, "client[1].tls_client_auth_subject_dn"),
            (20, "client[1].tls_client_auth_san_uri")
        ]
    );
    for (one, wanted) in [
        (uri, TlsClientAuth::SanUri("urn:example:scs-1".into())),
        (
            subject,
            TlsClientAuth::SubjectDn("CN=scs-1,O=Example".into()),
        ),
    ] {
        let config = good(&small_with(SAN_DNS, one));
        let registration = config.clients[0].registration.clone().unwrap();
        assert_eq!(registration.authentication, by(wanted));
    }
}

const OWN: &str = "self_signed_tls_client_auth = [\"own.pem\", \"/next.pem\"]";

/// The small configuration with a client of its own certificates.
fn small_own(old: &str, new: &str) -> String {
    let text = small_with(SAN_DNS, OWN).replace("sans = [\"dns:scs.example.org\"]\n", "");
    assert!(text.contains(old) && !text.contains("sans"), "{text}");
    text.replacen(old, new, 1)
}

//= RFC 8705 section 2.2 type=test
//# A client of its own certificates has registered them, and has no name beside them.
#[test]
fn spec_5_2_row_08_self_signed_certificates_are_read_in_place_of_names() {
    let client = good(&small_own(OWN, OWN)).clients.remove(0);
    let text = small_own(
        OWN,
        "self_signed_tls_client_auth = [\"own.pem\",\n\"/next.pem\"]",
    );
    let client_in_lines = good(&text).clients.remove(0);
    let line = line_of(&text, OWN_KEY);
    for (client, lines) in [
        (&client, [line, line]),
        (&client_in_lines, [line, line + 1]),
    ] {
        let paths = ["/etc/t8gate/own.pem", "/next.pem"].map(PathBuf::from);
        let files = paths.into_iter().zip(lines);
        let files = files.map(|(path, line)| OwnFile { path, line });
        let authentication = &client.registration.as_ref().unwrap().authentication;
        let wanted = ClientAuthentication::SelfSigned(files.collect());
        assert_eq!(*authentication, wanted);
    }
    assert!(client.sans.is_empty());
    let key = "client[1].self_signed_tls_client_auth";
    for (bad, what) in [
        ("[]", "names no file"),
        ("[\"a\", \"a\"]", "line"),
        ("\"a\"", "a list"),
    ] {
        let text = small_own(OWN, &format!("self_signed_tls_client_auth = {bad}"));
        let line = line_of(&text, "self_signed");
        refused(&text, line, key, what);
    }
}

#[test]
fn spec_5_2_row_08_self_signed_certificates_beside_names_or_another_method_are_refused() {
    let text = small_with(SAN_DNS, OWN);
    let cure = refused(&text, line_of(&text, "sans"), "client[1].sans", OWN_KEY).cure;
    assert!(cure.contains("remove sans"), "{cure}");
    for other in [SAN_DNS, "private_key_jwt = \"a.jwks\""] {
        let text = small_own(OWN, &format!("{OWN}\n{other}"));
        let key = other.split(' ').next().unwrap();
        let (line, first) = (line_of(&text, key), line_of(&text, OWN_KEY));
        let what = format!("says what {OWN_KEY} says already (line {first})");
        let cure = refused(&text, line, &format!("client[1].{key}"), &what).cure;
        assert!(cure.contains("keep one of them"), "{cure}");
    }
    // And without an issuer here there is nothing to authenticate at.
    let text = small_own(OWN, OWN);
    let rest = &text[text.find("[listen]").unwrap()..];
    refused(
        rest,
        line_of(rest, OWN_KEY),
        &format!("client[1].{OWN_KEY}"),
        "there is none",
    );
}

#[test]
fn spec_5_2_row_08_form_of_tokens_without_a_method_names_all_methods() {
    let text = small() + SECOND_CLIENT + "token_format = \"jwt\"\n";
    let key = "client[2].token_format";
    let what = "one of tls_client_auth_*, self_signed_tls_client_auth or private_key_jwt";
    refused(&text, line_of(&text, "token_format"), key, what);
}

const OWN_KEY: &str = "self_signed_tls_client_auth";

/// From 1.
fn line_of(text: &str, key: &str) -> usize {
    let mut lines = text.lines();
    lines
        .position(|line| line.starts_with(key))
        .expect("the key")
        + 1
}

#[test]
fn scopes_without_a_name_of_the_certificate_are_refused() {
    let text = small_with(SAN_DNS, "") + SECOND_CLIENT + SAN_DNS + "\n" + SCOPES;
    refused(&text, 19, "client[1].scopes", "tls_client_auth_*");
}

#[test]
fn client_that_introspects_needs_no_scopes_and_authenticates_all_the_same() {
    let alone = good(&small_with(SCOPES, "introspects = true\n"));
    let registration = alone.clients[0].registration.clone().unwrap();
    assert!(registration.introspects && registration.scopes.is_empty());
    let both = good(&small_with(
        SCOPES,
        &format!("{SCOPES}introspects = true\n"),
    ));
    assert_eq!(
        both.clients[0].registration.clone().unwrap().scopes.len(),
        1
    );
    let nobody = small() + SECOND_CLIENT + "introspects = true\n";
    let faults = parsed(&nobody).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0].key, "client[2].introspects");
}

#[test]
fn name_of_the_certificate_without_scopes_is_refused() {
    refused(&small_with(SCOPES, ""), 14, "client[1].scopes", "missing");
    let empty = small_with(SCOPES, "scopes = []\n");
    refused(&empty, 19, "client[1].scopes", "empty");
}

#[test]
fn registration_without_an_issuer_here_is_refused() {
    let text = with("[upstream]", &format!("{SAN_DNS}\n{SCOPES}[upstream]"));
    let cure = refused(
        &text,
        15,
        "client[1].tls_client_auth_san_dns",
        "there is none",
    )
    .cure;
    assert!(cure.contains("[oauth]"), "{cure}");
}

#[test]
fn scope_named_twice_or_of_no_api_is_refused() {
    let twice = small_with(SCOPES, "scopes = [\"3gpp-nidd\",\n\"3gpp-nidd\"]\n");
    refused(&twice, 20, "client[1].scopes", "stands already in line 19");
    let slip = small_with(SCOPES, "scopes = [\"3gpp-nid\"]\n");
    let cure = refused(&slip, 19, "client[1].scopes", "names no API").cure;
    assert_eq!(cure, "did you mean \"3gpp-nidd\"?");
    for bad in ["", "a b", "3GPP-NIDD", "everything"] {
        let text = small_with(SCOPES, &format!("scopes = [\"{bad}\"]\n"));
        refused(&text, 19, "client[1].scopes", "names no API");
    }
}

#[test]
fn bad_names_of_certificates_are_refused() {
    let line = |key: &str, value: &str| small_with(SAN_DNS, &format!("{key} = {value}"));
    let dns = "tls_client_auth_san_dns";
    refused(
        &line(dns, "\"*.example.org\""),
        18,
        &format!("client[1].{dns}"),
        "wildcards",
    );
    let uri = "tls_client_auth_san_uri";
    refused(
        &line(uri, "\"scs-1\""),
        18,
        &format!("client[1].{uri}"),
        "absolute URI",
    );
    let ip = "tls_client_auth_san_ip";
    for bad in [
        "192.0.2",
        "192.0.2.1:443",
        "192.0.2.01",
        "scs.example.org",
        "",
    ] {
        let text = line(ip, &format!("\"{bad}\""));
        refused(&text, 18, &format!("client[1].{ip}"), "is not an address");
    }
    let email = "tls_client_auth_san_email";
    for bad in [
        "scs",
        "@example.org",
        "scs@",
        "a b@example.org",
        "scs@*.example.org",
    ] {
        let text = line(email, &format!("\"{bad}\""));
        refused(&text, 18, &format!("client[1].{email}"), "is not a mailbox");
    }
}

#[test]
fn client_by_address_mailbox_or_assertion_is_read() {
    let read = |line: &str| {
        let config = good(&small_with(SAN_DNS, line));
        config.clients[0]
            .registration
            .clone()
            .unwrap()
            .authentication
    };
    let ip = TlsClientAuth::SanIp("2001:db8::1".parse().unwrap());
    assert_eq!(read("tls_client_auth_san_ip = \"2001:DB8::1\""), by(ip));
    let email = TlsClientAuth::SanEmail("Scs@example.org".into());
    assert_eq!(
        read("tls_client_auth_san_email = \"Scs@example.org\""),
        by(email)
    );
    let jwks = ClientAuthentication::PrivateKeyJwt(OwnFile {
        path: "/etc/t8gate/scs.jwks".into(),
        line: 18,
    });
    assert_eq!(read("private_key_jwt = \"scs.jwks\""), jwks);
}

//= RFC 6749 section 2.3 type=test
//# A client is registered for one way to authenticate.
#[test]
fn assertion_beside_a_name_of_the_certificate_is_refused() {
    let both = small_with(
        SAN_DNS,
        &format!("{SAN_DNS}\nprivate_key_jwt = \"scs.jwks\""),
    );
    refused(&both, 19, "client[1].private_key_jwt", "line 18");
}

//= RFC 4514 section 3 type=test
//# Attributes are type, equals sign, value; commas and plus signs in a value are escaped.
#[test]
fn subjects_that_are_no_distinguished_names_are_refused() {
    let key = "tls_client_auth_subject_dn";
    let line = |value: &str| small_with(SAN_DNS, &format!("{key} = '{value}'"));
    for bad in [
        "scs-1", "CN=", "CN=a,", "=a", "CN=a,b", "CN=a\\", "1.=a", "C N=a",
    ] {
        let full = format!("client[1].{key}");
        refused(&line(bad), 18, &full, "not a distinguished name");
    }
    refused(&line(""), 18, &format!("client[1].{key}"), "empty");
    for taken in [
        "CN=a",
        "CN=a\\, b,O=c",
        "2.5.4.3=a+OU=b,C=NO",
        "CN=a=b",
        "CN=Ærø",
    ] {
        let config = good(&line(taken));
        let registration = config.clients[0].registration.clone().unwrap();
        assert_eq!(
            registration.authentication,
            by(TlsClientAuth::SubjectDn(taken.into()))
        );
    }
}

#[test]
fn all_faults_of_issuer_and_clients_are_reported_in_line_order() {
    let text = small()
        .replace(ISSUER, "http://t8.example.net")
        .replace(
            "key.file = \"own.key\"",
            "token_lifetime = \"1s\"\nkey.file = \"own.key\"",
        )
        .replace("SCS.example.org", "*.example.org")
        .replace("3gpp-nidd", "nidd")
        + "[admin]\naddress = \"localhost:1\"\n[audit]\nwhen_unwritable = \"ignore\"\n";
    let faults = parsed(&text).unwrap_err();
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 3, 19, 20, 24, 25, 26], "{faults:#?}");
}
