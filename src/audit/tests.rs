use super::*;

fn record(outcome: Outcome) -> Record {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    Record {
        outcome,
        ..Record::blank(UnixMillis(1), 0, None, address)
    }
}

const RECORDS: usize = 8 * AUDIT_BATCH_RECORDS;
const RESERVE: usize = RECORDS / 4;
const CAPACITY: usize = RECORDS + AUDIT_BATCH_RECORDS;

/// Takes everything out.
fn drained(batches: &Batches) -> usize {
    let mut count = 0;
    while let Some(batch) = batches.take() {
        count += batch.len();
        batches.give_back(batch);
    }
    count
}

#[test]
fn request_ids_are_32_hexadecimal_digits_and_differ() {
    let first = RequestId::new(0xdead_beef_0000_0001, 1);
    assert_eq!(first.as_str(), "deadbeef000000010000000000000001");
    assert_ne!(first, RequestId::new(0xdead_beef_0000_0001, 2));
}

#[test]
fn admission_stops_before_there_is_no_room_and_every_promise_is_kept() {
    let (journal, batches) = Journal::new(Keeps::AllOrRefuse, RECORDS);
    let mut admitted = 0;
    while journal.promise() {
        admitted += 1;
        assert!(admitted < CAPACITY);
        // Half of them end at once, half are still under way.
        if admitted % 2 == 0 {
            assert!(journal.write(&record(Outcome::Answered), true));
            journal.publish();
        }
    }
    // Refusals have their reserve, even now, and no more than that.
    for _ in 0..RESERVE {
        assert!(journal.write(&record(Outcome::Refused), false));
    }
    let flood = (0..CAPACITY).filter(|_| journal.write(&record(Outcome::Refused), false));
    let flood = flood.count();
    assert!(flood <= 1, "{flood} took the room of what was promised");
    for _ in 0..admitted / 2 + admitted % 2 {
        assert!(journal.write(&record(Outcome::Answered), true), "promised");
    }
    let mut whole = drained(&batches);
    assert!(journal.finish());
    whole += drained(&batches);
    assert_eq!(whole, admitted + RESERVE + flood);
    assert!(journal.promise(), "there is room again");
}

#[test]
fn lossy_journal_admits_always_and_says_what_it_lost() {
    let (journal, batches) = Journal::new(Keeps::AllOrLose, RECORDS);
    let mut lost = 0;
    for _ in 0..CAPACITY + 10 {
        assert!(journal.promise());
        lost += usize::from(!journal.write(&record(Outcome::Answered), true));
    }
    assert_eq!(lost, 10);
    assert_eq!(drained(&batches), CAPACITY - AUDIT_BATCH_RECORDS);
    assert!(journal.finish());
    assert_eq!(drained(&batches), AUDIT_BATCH_RECORDS);
}

#[test]
fn without_a_file_only_refusals_travel() {
    let (journal, batches) = Journal::new(Keeps::Refusals, RECORDS);
    assert!(journal.promise());
    assert!(journal.write(&record(Outcome::Answered), true));
    assert!(journal.write(&record(Outcome::Refused), false));
    journal.publish();
    assert_eq!(drained(&batches), 1);
}

#[test]
fn a_batch_comes_back_and_is_used_again() {
    let (journal, batches) = Journal::new(Keeps::AllOrRefuse, RECORDS);
    journal.write(&record(Outcome::Refused), false);
    journal.publish();
    let batch = batches.take().expect("published");
    let place = batch.as_ptr();
    batches.give_back(batch);
    journal.write(&record(Outcome::Refused), false);
    journal.publish();
    journal.write(&record(Outcome::Refused), false);
    journal.publish();
    let places = std::iter::from_fn(|| batches.take()).map(|batch| batch.as_ptr());
    assert!(places.collect::<Vec<_>>().contains(&place));
}
