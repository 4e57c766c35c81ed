//! What becomes of revocation lists when the configuration that names them changes while the
//! gateway serves.

use std::path::Path;

use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::San;
use crate::harness::stage::{House, Stage};
use crate::reload::{ON_SIGNAL, reload, reload_in_vain};

const DAY_S: i64 = 86_400;

/// A house whose clients come from a CA of openssl's that has revoked `globex`.
struct Listed {
    house: House,
}

impl Listed {
    fn open(change: impl FnOnce(&mut Stage, &Path)) -> Self {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
        let globex = ca.issue("globex", &San::Uri("urn:scs:globex"));
        ca.revoke(&globex, "keyCompromise");
        let list = ca.list("partner.crl", DAY_S);
        let certificate = ca.certificate.display();
        stage.config.set_text("tls.client_ca", certificate);
        stage.config.set("reload.watch", ON_SIGNAL);
        stage.watch();
        change(&mut stage, &list);
        let gateway = stage.start();
        let house = House {
            gateway,
            origin,
            stage,
        };
        Self { house }
    }

    fn entries(&self) -> usize {
        let metrics = self.house.gateway.admin().metrics();
        metrics.count("t8gate_crl_entries", &[])
    }
}

fn file(list: &Path) -> String {
    format!("file = {:?}", list.display().to_string())
}

#[test]
fn wrong_file_of_a_lists_issuer_is_a_fault_and_no_list_is_dropped_for_it() {
    let mut other = None;
    let listed = Listed::open(|stage, list| {
        let issuing = OpensslCa::new(stage.scratch.path(), "issuing", "Issuing CA of openssl");
        let someone = issuing.issue("someone", &San::Dns("someone.example"));
        issuing.revoke(&someone, "keyCompromise");
        let its = issuing.list("issuing.crl", DAY_S);
        let certificate = issuing.certificate.display().to_string();
        stage.config.table("crl", &file(list));
        let both = format!("{}\nissuer = {certificate:?}", file(&its));
        stage.config.table("crl", &both);
        other = Some(issuing.certificate);
    });
    assert_eq!(listed.entries(), 2);
    let certificate = other.expect("made above");
    let whole = std::fs::read(&certificate).expect("our own file");
    let torn = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    std::fs::write(&certificate, torn).expect("our own file");
    reload_in_vain(&listed.house);
    let log = listed.house.gateway.log();
    assert!(log.contains("crl.issuer"), "{log}");
    assert_eq!(listed.entries(), 2);
    std::fs::write(&certificate, whole).expect("our own file");
    reload(&listed.house);
    assert_eq!(listed.entries(), 2);
}
