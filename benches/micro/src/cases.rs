//! What is measured.

mod audit;
mod gate;
mod guard;
mod head;
mod policy;
mod record;
mod whole;

/// Something that can be done again and again at the same cost.
pub trait Rounds {
    /// Makes what the next so many rounds use up. Not measured.
    fn refill(&mut self, _rounds: usize) {}

    /// One round. Measured, so that it does nothing but what the case is about.
    fn round(&mut self);
}

/// One row of the table.
pub struct Case {
    pub name: &'static str,
    /// What one round of it is.
    pub what: &'static str,
    /// Rounds to count, once as many have warmed up: enough that what happens now and then (a full
    /// batch, a page of memory) and where random keys put things is averaged out.
    pub rounds: usize,
    /// Sets it up.
    pub make: fn() -> Box<dyn Rounds>,
}

/// All of them, in the order of a request's journey.
pub const CASES: &[Case] = &[
    Case {
        name: "record-open",
        what: "a record of a GET opened",
        rounds: 1_000,
        make: || Box::new(record::Open::new()),
    },
    Case {
        name: "head-get",
        what: "head of a GET read",
        rounds: 1_000,
        make: || Box::new(head::Request::get()),
    },
    Case {
        name: "head-post",
        what: "head of a POST read",
        rounds: 1_000,
        make: || Box::new(head::Request::post()),
    },
    Case {
        name: "gate-memo",
        what: "admitted by the connection's last token",
        rounds: 1_000,
        make: || Box::new(gate::Memorized::new()),
    },
    Case {
        name: "gate-cache",
        what: "admitted by a cached token, one of 10,000 in turn",
        rounds: gate::TOKENS_IN_TURN,
        make: || Box::new(gate::InTurn::new()),
    },
    Case {
        name: "gate-cold",
        what: "admitted by a token that is verified (ES256)",
        rounds: 500,
        make: || Box::new(gate::Cold::new()),
    },
    Case {
        name: "policy-decide",
        what: "a POST about one UE of a set of 100,000 judged by three services",
        rounds: 1_000,
        make: || Box::new(policy::Decide::new()),
    },
    Case {
        name: "guard-request",
        what: "head of a GET looked through for identities",
        rounds: 1_000,
        make: || Box::new(guard::Request::new()),
    },
    Case {
        name: "content-read",
        what: "body of a POST (500 bytes) read, and judged as above",
        rounds: 1_000,
        make: || Box::new(policy::Read::new()),
    },
    Case {
        name: "head-upstream",
        what: "head of a GET written for the SCEF",
        rounds: 1_000,
        make: || Box::new(head::Upstream::new()),
    },
    Case {
        name: "head-answer",
        what: "head of the SCEF's answer read",
        rounds: 1_000,
        make: || Box::new(head::Answer::new()),
    },
    Case {
        name: "guard-answer",
        what: "an answer's head read, and all of it looked through",
        rounds: 1_000,
        make: || Box::new(guard::Answer::new()),
    },
    Case {
        name: "guard-scan",
        what: "the answer's JSON looked through",
        rounds: 1_000,
        make: || Box::new(guard::Scan::new()),
    },
    Case {
        name: "record-seal",
        what: "an answer of 500 bytes sealed",
        rounds: 1_000,
        make: || Box::new(record::Seal::new()),
    },
    Case {
        name: "audit-record",
        what: "room promised and an audit record written down",
        rounds: 10_240,
        make: || Box::new(audit::Write::new()),
    },
    Case {
        name: "audit-line",
        what: "an audit record made a line of text",
        rounds: 1_000,
        make: || Box::new(audit::Line::new()),
    },
    Case {
        name: "request-whole",
        what: "a warm GET and its answer through all of the above but the audit",
        rounds: 1_000,
        make: || Box::new(whole::Get::new()),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_does_what_it_is_about() {
        for case in CASES {
            let mut made = (case.make)();
            for _ in 0..3 {
                made.refill(5);
                crate::measured_rounds(made.as_mut(), 5);
            }
        }
    }

    #[test]
    fn names_of_cases_differ() {
        for (place, case) in CASES.iter().enumerate() {
            assert!(CASES[..place].iter().all(|other| other.name != case.name));
        }
    }
}
