//! Who gets a token, who does not, and why.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::authz::assertion::AssertionFault;
use crate::authz::details::DetailsFault;
use crate::limits::FORM_BYTES_MAX;

/// Why this request of [`STAGE`] is refused.
#[track_caller]
fn refusal(form: impl AsRef<[u8]>) -> GrantFault {
    STAGE.decide(form).expect_err("the request was granted")
}

/// Whether a client registered so gets a token with this certificate.
fn fits(registered: TlsClientAuth, certificate: &[u8]) -> bool {
    let client = client("partner-1", Some(registered), &["3gpp-nidd"]);
    match Stage::new(client, certificate).decide(GOOD) {
        Ok(_) => true,
        Err(GrantFault::CertificateUnfit) => false,
        Err(other) => panic!("{other:?}"),
    }
}

//= RFC 6749 section 4.4.2 type=test
//# A client that authenticates gets what it asks for.
//= RFC 8705 section 3 type=test
//# The grant names the certificate of the connection.
#[test]
fn registered_client_is_granted_what_it_asks_for() {
    let grant = STAGE.decide(format!("{GOOD}&scope=3gpp-nidd")).unwrap();
    assert_eq!(grant.client_id(), "partner-1");
    assert_eq!(values(grant.rights()), ["3gpp-nidd"]);
    assert_eq!(grant.thumbprint().0, STAGE.peer.thumbprint().0);
}

//= RFC 6749 section 3.3 type=test
//# Without scope, or with an empty one, the default is all that is registered.
#[test]
fn scope_left_out_grants_all_that_is_registered() {
    let all = ["3gpp-monitoring-event", "3gpp-nidd"];
    assert_eq!(values(STAGE.grant().rights()), all);
    let empty = STAGE.decide(format!("{GOOD}&scope=")).unwrap();
    assert_eq!(values(empty.rights()), all);
}

//= RFC 6749 section 3.3 type=test
//# The order of scope values has no meaning.
#[test]
fn scope_values_may_stand_in_any_order_and_twice() {
    let scope = "3gpp-nidd+3gpp-monitoring-event+3gpp-nidd";
    let grant = STAGE.decide(format!("{GOOD}&scope={scope}")).unwrap();
    assert_eq!(
        values(grant.rights()),
        ["3gpp-monitoring-event", "3gpp-nidd"]
    );
}

#[test]
fn half_of_a_registered_api_is_granted_where_it_is_asked_for() {
    for (asked, granted) in [
        ("3gpp-nidd%3Aread", ["3gpp-nidd:read"]),
        ("3gpp-nidd%3Awrite", ["3gpp-nidd:write"]),
        ("3gpp-nidd%3Awrite+3gpp-nidd%3Aread", ["3gpp-nidd"]),
    ] {
        let grant = STAGE.decide(format!("{GOOD}&scope={asked}")).unwrap();
        assert_eq!(values(grant.rights()), granted);
    }
}

#[test]
fn scope_that_is_not_registered_is_refused_and_not_cut() {
    for scope in [
        "3gpp-bdt",
        "3gpp-nidd+3gpp-bdt",
        "3gpp-bdt+3gpp-nidd",
        "openid",
        "3gpp-nidd+openid",
        "3gpp-nidd%3Adelete",
        "3gpp-bdt%3Aread",
        "3GPP-NIDD",
    ] {
        let found = refusal(format!("{GOOD}&scope={scope}"));
        assert_eq!(found, GrantFault::ScopeUnregistered, "{scope}");
    }
}

#[test]
fn malformed_scope_is_refused() {
    for scope in [
        "+",
        "3gpp-nidd+",
        "+3gpp-nidd",
        "a++b",
        "a%09b",
        "%22",
        "%5C",
        "%C3%BC",
    ] {
        let found = refusal(format!("{GOOD}&scope={scope}"));
        assert_eq!(found, GrantFault::ScopeMalformed, "{scope}");
    }
}

#[test]
fn missing_grant_type_is_refused() {
    for form in ["client_id=partner-1", "grant_type=&client_id=partner-1"] {
        assert_eq!(refusal(form), GrantFault::GrantTypeMissing, "{form}");
    }
}

#[test]
fn other_grant_types_are_refused() {
    for kind in [
        "password",
        "authorization_code",
        "refresh_token",
        "Client_Credentials",
        "+",
    ] {
        let found = refusal(format!("grant_type={kind}&client_id=partner-1"));
        assert_eq!(found, GrantFault::GrantTypeUnsupported, "{kind}");
    }
}

//= RFC 8705 section 2 type=test
//# A request without client_id is refused, whatever the certificate says.
#[test]
fn missing_client_id_is_refused() {
    for form in [
        "",
        "grant_type=client_credentials",
        "grant_type=client_credentials&client_id=",
    ] {
        assert_eq!(refusal(form), GrantFault::ClientIdMissing);
    }
}

#[test]
fn client_id_of_another_client_is_refused() {
    for other in [
        "partner-2",
        "Partner-1",
        "partner-1+",
        "partner-10",
        "partner",
    ] {
        let found = refusal(format!("grant_type=client_credentials&client_id={other}"));
        assert_eq!(found, GrantFault::ClientIdForeign, "{other}");
    }
}

#[test]
fn parameters_without_a_meaning_are_passed_over() {
    assert!(
        STAGE
            .decide(format!("{GOOD}&resource=x&audience=y&z"))
            .is_ok()
    );
}

#[test]
fn faults_of_the_form_are_told_before_all_others() {
    assert_eq!(refusal("grant_type=%"), GrantFault::FormMalformed);
    let twice = format!("{GOOD}&grant_type=client_credentials");
    assert_eq!(refusal(twice), GrantFault::ParameterRepeated);
    assert_eq!(
        refusal(vec![b'a'; FORM_BYTES_MAX + 1]),
        GrantFault::FormTooLong
    );
}

#[test]
fn disabled_client_is_refused() {
    let disabled = Client {
        enabled: false,
        ..client(
            "partner-1",
            Some(TlsClientAuth::SanDns(HOST.to_owned())),
            &["3gpp-nidd"],
        )
    };
    let stage = Stage::new(disabled, &certificate(vec![dns(HOST)], &[]));
    assert_eq!(stage.decide(GOOD), Err(GrantFault::ClientDisabled));
}

#[test]
fn client_without_registration_is_refused() {
    let unregistered = client("partner-1", None, &[]);
    let stage = Stage::new(unregistered, &certificate(vec![dns(HOST)], &[]));
    assert_eq!(stage.decide(GOOD), Err(GrantFault::ClientUnregistered));
    // A place beyond the table is nobody's.
    let none = issuer_of(&[]).unwrap();
    let found = none.decide(GOOD.as_bytes(), &STAGE.caller(), NOW);
    assert_eq!(found, Err(GrantFault::ClientUnregistered));
}

#[test]
fn registration_is_that_of_the_clients_place() {
    let second = client(
        "partner-2",
        Some(TlsClientAuth::SanUri(URI.to_owned())),
        &["3gpp-bdt"],
    );
    let issuer = issuer_of(&[partner(), second.clone()]).unwrap();
    let certificate = certificate(vec![uri(URI)], &[]);
    let peer = Peer::new(
        ClientIndex(1),
        Thumbprint([1; 32]),
        certificate.into(),
        0,
        Arc::default(),
    );
    let form = b"grant_type=client_credentials&client_id=partner-2";
    let caller = Caller {
        peer: &peer,
        client: &second,
        policy: None,
        sets: None,
        authorization: None,
    };
    let grant = issuer.decide(form, &caller, NOW).unwrap();
    assert_eq!(values(grant.rights()), ["3gpp-bdt"]);
}

//= RFC 8705 section 2.1 type=test
//# A certificate without the registered name does not authenticate the client.
//= RFC 8705 section 2.1.2 type=test
//# A registered dNSName fits the same name in any case, and no other.
#[test]
fn registered_dns_name_must_be_in_the_certificate() {
    let registered = || TlsClientAuth::SanDns(HOST.to_owned());
    let with = |name| certificate(vec![dns("other.example"), name], &[]);
    assert!(fits(registered(), &with(dns(HOST))));
    assert!(fits(registered(), &with(dns("SCS.Partner.EXAMPLE"))));
    assert!(fits(
        TlsClientAuth::SanDns("SCS.Partner.EXAMPLE".into()),
        &with(dns(HOST))
    ));
    for other in [
        dns("*.partner.example"),
        dns("a.scs.partner.example"),
        dns("partner.example"),
        uri("scs.partner.example"),
        SanType::Rfc822Name("scs.partner.example".try_into().unwrap()),
    ] {
        assert!(!fits(registered(), &with(other.clone())), "{other:?}");
    }
    assert!(!fits(
        registered(),
        &certificate(vec![], &[(DnType::CommonName, HOST)])
    ));
}

//= RFC 8705 section 2.1.2 type=test
//# A registered URI fits only octet for octet.
#[test]
fn registered_uri_must_be_in_the_certificate_octet_for_octet() {
    let registered = || TlsClientAuth::SanUri(URI.to_owned());
    assert!(fits(
        registered(),
        &certificate(vec![dns("a.example"), uri(URI)], &[])
    ));
    for other in [
        uri("urn:example:scs-1"),
        uri("urn:example:SCS-1/"),
        dns("urn-example-scs-1"),
    ] {
        assert!(
            !fits(registered(), &certificate(vec![other.clone()], &[])),
            "{other:?}"
        );
    }
}

//= RFC 8705 section 2.1.2 type=test
//# A registered address fits the same octets, of its own family, and nothing else.
#[test]
fn registered_address_must_be_in_the_certificate_as_the_same_octets() {
    let ip = |text: &str| SanType::IpAddress(text.parse().unwrap());
    let registered = |text: &str| TlsClientAuth::SanIp(text.parse().unwrap());
    let with = |name| certificate(vec![dns("other.example"), name], &[]);
    assert!(fits(registered("192.0.2.1"), &with(ip("192.0.2.1"))));
    let spelt = registered("2001:DB8:0:0::0001");
    assert!(fits(spelt, &with(ip("2001:db8::1"))));
    for (ours, theirs) in [
        ("192.0.2.1", ip("192.0.2.2")),
        ("192.0.2.1", ip("::ffff:192.0.2.1")),
        ("::ffff:192.0.2.1", ip("192.0.2.1")),
        ("2001:db8::1", ip("2001:db8::2")),
        ("192.0.2.1", dns("192.0.2.1")),
        ("192.0.2.1", uri("192.0.2.1")),
    ] {
        assert!(
            !fits(registered(ours), &with(theirs.clone())),
            "{ours} {theirs:?}"
        );
    }
    // Octets that are no address of either family.
    let long = rcgen::CustomExtension::from_oid_content(
        &[2, 5, 29, 17],
        b"\x30\x07\x87\x05\xc0\x00\x02\x01\x00".to_vec(),
    );
    let mut params = CertificateParams::default();
    params.custom_extensions.push(long);
    let key = KeyPair::generate().unwrap();
    let odd = params.self_signed(&key).unwrap().der().to_vec();
    assert!(!fits(registered("192.0.2.1"), &odd));
}

//= RFC 8705 section 2.1.2 type=test
//# A registered mailbox fits an rfc822Name, and no other kind of name.
//= RFC 5280 section 7.5 type=test
//# Its domain fits in any case, its local part exactly.
#[test]
fn registered_mailbox_must_be_in_the_certificate() {
    let email = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
    let registered = || TlsClientAuth::SanEmail("Scs@Partner.example".to_owned());
    let with = |name| certificate(vec![dns("other.example"), name], &[]);
    assert!(fits(registered(), &with(email("Scs@Partner.example"))));
    assert!(fits(registered(), &with(email("Scs@PARTNER.EXAMPLE"))));
    for other in [
        email("scs@partner.example"),
        email("Scs@partner.example.org"),
        email("Scs@a.partner.example"),
        email("@partner.example"),
        email("partner.example"),
        email("x@Scs@partner.example"),
        uri("Scs@Partner.example"),
        dns("partner.example"),
    ] {
        assert!(!fits(registered(), &with(other.clone())), "{other:?}");
    }
    let common = (DnType::CommonName, "Scs@Partner.example");
    assert!(!fits(registered(), &certificate(vec![], &[common])));
}

//= RFC 8705 section 2.1.2 type=test
//# A registered subject fits the whole subject, and not a part of it.
#[test]
fn registered_subject_must_be_the_whole_subject() {
    let registered = || TlsClientAuth::SubjectDn("CN=scs-1,O=Partner\\, Ltd.,C=XX".to_owned());
    let country = (DnType::CountryName, "XX");
    let company = (DnType::OrganizationName, "Partner, Ltd.");
    let name = (DnType::CommonName, "scs-1");
    let of = |subject: &[(DnType, &str)]| certificate(vec![dns(HOST)], subject);
    assert!(fits(
        registered(),
        &of(&[country.clone(), company.clone(), name.clone()])
    ));
    for other in [
        &[company.clone(), name.clone()][..],
        &[name.clone(), company.clone(), country.clone()],
        &[
            country.clone(),
            company.clone(),
            (DnType::CommonName, "scs-2"),
        ],
        &[
            country.clone(),
            company.clone(),
            (DnType::CommonName, "SCS-1"),
        ],
        &[
            country.clone(),
            company,
            (DnType::OrganizationalUnitName, "scs-1"),
        ],
        &[country, name],
        &[],
    ] {
        assert!(!fits(registered(), &of(other)), "{other:?}");
    }
}

#[test]
fn what_is_no_certificate_fits_nobody() {
    for registered in [
        TlsClientAuth::SanDns(HOST.to_owned()),
        TlsClientAuth::SanUri(URI.to_owned()),
        TlsClientAuth::SubjectDn("CN=a".to_owned()),
    ] {
        for octets in [&b""[..], b"\x30\x03abc", &[0xff; 300]] {
            assert!(!fits(registered.clone(), octets));
        }
    }
}

//= RFC 6749 section 5.2 type=test
//# Errors have one of six codes, and descriptions of the characters that are allowed.
#[test]
fn every_fault_has_its_error_code_and_a_word_and_a_description() {
    use GrantFault::*;
    const DETAILS: &str = "invalid_authorization_details";
    let codes: Vec<_> = GrantFault::all()
        .map(|fault| (fault, fault.error()))
        .collect();
    let expected = [
        (FormTooLong, "invalid_request"),
        (FormMalformed, "invalid_request"),
        (FormCoded, "invalid_request"),
        (ParameterRepeated, "invalid_request"),
        (SecondAuthentication, "invalid_request"),
        (AuthorizationRefused(Scheme::Basic), "invalid_client"),
        (AuthorizationRefused(Scheme::Bearer), "invalid_client"),
        (GrantTypeMissing, "invalid_request"),
        (GrantTypeUnsupported, "unsupported_grant_type"),
        (ClientIdMissing, "invalid_request"),
        (ClientIdForeign, "invalid_client"),
        (ClientUnregistered, "unauthorized_client"),
        (ClientDisabled, "unauthorized_client"),
        (CertificateUnfit, "invalid_client"),
        (AssertionIncomplete, "invalid_request"),
        (AssertionMissing, "invalid_client"),
        (AssertionUnregistered, "invalid_client"),
        (AssertionReplayed, "invalid_client"),
        (AssertionsExhausted(1), "temporarily_unavailable"),
        (SecurityIdForeign, "invalid_client"),
        (ResourceOwnerUnsupported, "invalid_request"),
        (ScopeMalformed, "invalid_scope"),
        (ScopeUnregistered, "invalid_scope"),
        (Details(DetailsFault::Malformed), DETAILS),
        (Details(DetailsFault::TypeUnknown), DETAILS),
        (Details(DetailsFault::FieldUnknown), DETAILS),
        (Details(DetailsFault::FieldMalformed), DETAILS),
        (DetailsRefused, DETAILS),
        (DetailsTooLong, DETAILS),
        (TokenMissing, "invalid_request"),
        (IntrospectionUnregistered, "unauthorized_client"),
        (TokenForeign, "invalid_grant"),
        (TokenNotYetValid, "temporarily_unavailable"),
        (TokenKeyUnknown, "temporarily_unavailable"),
    ];
    let (plain, assertions) = codes.split_at(expected.len());
    assert_eq!(plain, expected);
    let invalid = |(_, code): &(_, &str)| *code == "invalid_client";
    assert!(assertions.len() == AssertionFault::ALL.len() && assertions.iter().all(invalid));
    let words: HashSet<_> = GrantFault::all().map(GrantFault::word).collect();
    assert_eq!(words.len(), codes.len());
    for fault in GrantFault::all() {
        assert!(fault.word().starts_with("grant_"), "{fault:?}");
        let allowed = |octet| matches!(octet, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        assert!(fault.description().bytes().all(allowed), "{fault:?}");
        assert!(fault.description().contains(' '), "a sentence: {fault:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_decided_on(form in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(STAGE.decide(form).is_err());
    }

    #[test]
    fn any_mixture_of_pieces_of_forms_is_decided_on(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "grant_type", "client_credentials", "client_id", "partner-1", "scope", "3gpp-nidd",
                "client_secret", "=", "=", "&", "&", "+", "%", "%3", "%20", "%C3", "\u{fc}", "\0",
            ]),
            0..24,
        ),
    ) {
        // Granted only where each of the two parameters it takes was there.
        let form = pieces.concat();
        if STAGE.decide(&form).is_ok() {
            prop_assert!(form.contains("grant_type=client_credentials"));
            prop_assert!(form.contains("client_id=partner-1"));
        }
    }

    #[test]
    fn whatever_is_granted_was_registered(scope in prop::collection::vec(
        prop::sample::select(vec![
            "3gpp-nidd", "3gpp-nidd:read", "3gpp-bdt:write", "3gpp-bdt",
            "3gpp-monitoring-event", "x", "",
        ]),
        0..4,
    )) {
        let registered = STAGE.grant().rights();
        match STAGE.decide(format!("{GOOD}&scope={}", scope.join("+"))) {
            Ok(grant) => prop_assert!(registered.contain(grant.rights())),
            Err(fault) => prop_assert_eq!(fault.error(), "invalid_scope"),
        }
    }
}
