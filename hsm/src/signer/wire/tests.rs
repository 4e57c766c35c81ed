use super::*;

fn pin() -> PinAtToken {
    PinAtToken {
        serial: "0011".to_owned(),
        fingerprint: [9; 32],
    }
}

fn open() -> OpenKey {
    OpenKey {
        module: b"/lib/module.so".to_vec(),
        uri: b"pkcs11:token=t8gate".to_vec(),
        pin_file: Vec::new(),
        sessions: 3,
        identity: vec![0x30, 0x00],
    }
}

/// Whether a packet is read.
type Reads = fn(&[u8]) -> bool;

/// Every packet of the control socket, and how it is read.
fn all_of_control() -> Vec<(Vec<u8>, Reads)> {
    let ready = Ready {
        lacks: vec!["seccomp".to_owned()],
    };
    let key = Opened::Key {
        kind: KeyKind::Rsa,
        schemes: SCHEMES[2..].to_vec(),
        identity: vec![1; 294],
    };
    let fault = Opened::Fault {
        class: SignFault::KeyGone,
        fault: OpenFault::lasting("what", "cure"),
    };
    let ask = AskMacs {
        module: b"/lib/module.so".to_vec(),
        uri: b"pkcs11:token=t8gate".to_vec(),
        pin_file: b"/etc/pin".to_vec(),
        labels: vec![b"one".to_vec(), Vec::new()],
    };
    let macs = Macs::Said(vec![Mac::new([1; 32]), Mac::new([2; 32])]);
    let no_macs = Macs::Fault(OpenFault::new("what", "cure"));
    let may_try = MayTry { pin: pin() };
    assert_eq!(MayTry::read(&may_try.write()).as_ref(), Some(&may_try));
    let tried = OUTCOMES.map(|outcome| Tried {
        pin: pin(),
        outcome,
    });
    for tried in &tried {
        assert_eq!(Tried::read(&tried.write()).as_ref(), Some(tried));
    }
    assert_eq!(AskMacs::read(&ask.write()).as_ref(), Some(&ask));
    assert_eq!(Macs::read(&macs.write()).as_ref(), Some(&macs));
    assert_eq!(Macs::read(&no_macs.write()).as_ref(), Some(&no_macs));
    assert_eq!(Ready::read(&ready.write()).as_ref(), Some(&ready));
    assert_eq!(OpenKey::read(&open().write()), Some(open()));
    assert_eq!(Opened::read(&key.write()).as_ref(), Some(&key));
    assert_eq!(Opened::read(&fault.write()).as_ref(), Some(&fault));
    vec![
        (ready.write(), |packet| Ready::read(packet).is_some()),
        (open().write(), |packet| OpenKey::read(packet).is_some()),
        (key.write(), |packet| Opened::read(packet).is_some()),
        (fault.write(), |packet| Opened::read(packet).is_some()),
        (may_try.write(), |packet| MayTry::read(packet).is_some()),
        (tried[0].write(), |packet| Tried::read(packet).is_some()),
        (write_leave(Leave::Given).to_vec(), |packet| {
            read_leave(packet).is_some()
        }),
        (ask.write(), |packet| AskMacs::read(packet).is_some()),
        (macs.write().to_vec(), |packet| Macs::read(packet).is_some()),
        (no_macs.write().to_vec(), |packet| {
            Macs::read(packet).is_some()
        }),
    ]
}

#[test]
fn what_is_written_is_read_and_no_part_of_it_nor_more() {
    for (packet, reads) in all_of_control() {
        for end in 0..packet.len() {
            assert!(!reads(&packet[..end]), "{end} of {packet:?}");
        }
        assert!(!reads(&[packet.as_slice(), &[0]].concat()));
    }
}

#[test]
fn packet_of_another_version_or_kind_is_refused() {
    for (packet, reads) in all_of_control() {
        for place in 0..2 {
            let mut other = packet.clone();
            other[place] ^= 0x40;
            assert!(!reads(&other), "{other:?}");
        }
    }
}

#[test]
fn numbers_stand_for_what_they_stood_for() {
    for (place, scheme) in SCHEMES.iter().enumerate() {
        assert_eq!(usize::from(number(*scheme)), place);
    }
    for (place, kind) in KINDS.iter().enumerate() {
        assert_eq!(usize::from(kind_number(*kind)), place);
    }
    for (place, fault) in FAULTS.iter().enumerate() {
        assert_eq!(usize::from(fault_number(*fault)), place);
    }
    assert_eq!((scheme_of(8), kind_of(3), fault_of(5)), (None, None, None));
    for leave in LEAVES {
        assert_eq!(read_leave(&write_leave(leave)), Some(leave));
    }
    let [version, kind, _] = write_leave(Leave::Given);
    assert_eq!(read_leave(&[version, kind, 5]), None);
}

#[test]
fn hash_of_another_length_is_not_signed() {
    let mut out = [0; LANE_BYTES_MAX];
    for scheme in SCHEMES {
        for length in [0, 31, 32, 33, 48, 64, 65] {
            let hashed = &[5; 65][..length];
            let end = Ask::Sign { scheme, hashed }.write(&mut out).unwrap();
            let fits = length == scheme.hash().output_len();
            assert_eq!(
                Ask::read(&out[..end]).is_some(),
                fits,
                "{scheme:?} {length}"
            );
        }
    }
    assert_eq!(Ask::read(&[]), None);
    assert_eq!(Ask::read(&[REMEMBER, 0]), None, "no key at all");
    assert_eq!(Ask::read(&[REMEMBER, 1, 2]), None);
}

#[test]
fn answers_come_back_as_they_were_given() {
    let mut out = [0; LANE_BYTES_MAX];
    for answer in [
        Ok(vec![3; 512]),
        Ok(Vec::new()),
        Err(SignFault::TokenGone),
        Err(SignFault::Refused),
    ] {
        let end = write_answer(&mut out, &answer);
        assert_eq!(read_answer(&out[..end]), Some(answer));
    }
    let end = write_fault(&mut out, SignFault::TokenGone, "HostMemory");
    let answer = read_answer(&out[..end]);
    assert_eq!(answer, Some(Err(SignFault::TokenGone)));
    assert_eq!(read_why(&out[..end]), "HostMemory");
    let end = write_fault(&mut out, SignFault::Refused, &"x".repeat(2_000));
    assert_eq!(read_why(&out[..end]), "x".repeat(WHY_BYTES_MAX));
    let end = write_answer(&mut out, &Ok(vec![3; LANE_BYTES_MAX]));
    assert_eq!(read_answer(&out[..end]), Some(Err(SignFault::Refused)));
    for not in [
        &[][..],
        &[NOT_SIGNED],
        &[NOT_SIGNED, 5],
        &[NOT_SIGNED, 0, 0],
        &[NOT_SIGNED, 0, b'a', b'\n'],
        &[SIGN, 1],
    ] {
        assert_eq!(read_answer(not), None, "{not:?}");
    }
}

#[test]
fn text_that_is_too_long_is_cut_between_letters() {
    let long = "\u{fc}".repeat(3_000);
    let fault = Opened::Fault {
        class: SignFault::TokenGone,
        fault: OpenFault::new(format!("x{long}"), "cure"),
    };
    let packet = fault.write();
    assert!(packet.len() <= CONTROL_BYTES_MAX);
    let Some(Opened::Fault { fault, .. }) = Opened::read(&packet) else {
        panic!("it does not read");
    };
    assert_eq!(fault.what, format!("x{}", &long[..4_094]));
}
