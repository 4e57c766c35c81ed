//! A configuration that waives what it may, issues tokens, and has a client of its own certificate.

use super::*;

/// The rows that do not hold for certificates that clients have signed themselves.
const OF_ISSUERS: [&str; 6] = [
    "direct_issuer",
    "crl_distribution_points",
    "subject_alt_name",
    "revocation",
    "revocation_hard_fail",
    "next_update",
];

#[test]
fn each_row_of_a_lenient_configuration_says_what_clients_find() {
    let scene = Scene::open(|stage, lists| {
        name_lists(stage, lists);
        stage.issue_tokens();
        stage.config.set_text("revocation.policy", "soft-fail");
        stage.config.set_text("revocation.grace", "2h");
        stage.config.unset("listen.server_names");
        stage.config.set("listen.any_server_name", "true");
    });
    let rows = hold(&scene);
    says(&rows, "revocation", "met");
    for name in ["revocation_hard_fail", "next_update"] {
        says(&rows, name, "waived");
    }
    says(&rows, "server_name", "not_met");
    says(&rows, "token_by_certificate", "met");
    // What is not asked of a certificate without an issuer is said at each of these.
    let (_, told) = report(&scene.house, "json");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let said = |row: &&Value| {
        row.to_string()
            .contains("self-signed certificates of 1 [[client]]")
    };
    let said = told["clauses"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(said);
    let said: Vec<&str> = said.filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(said, OF_ISSUERS);
}
