//! What is asked of bare metal.

use super::*;
use crate::config::{HugePages, Steering};

fn listen(lines: &str) -> String {
    with("[listen]\n", &format!("[listen]\n{lines}\n"))
}

#[test]
fn steering_and_huge_pages_are_read() {
    let config = good(SMALL);
    assert_eq!(config.listen.steering.value, Steering::Off);
    assert_eq!(config.memory.huge_pages.value, HugePages::Transparent);
    let config = good(&listen("steering = \"cpu\""));
    let wanted = Located {
        value: Steering::Cpu,
        line: 2,
    };
    assert_eq!(config.listen.steering, wanted);
    for (word, value) in [
        ("off", HugePages::Off),
        ("transparent", HugePages::Transparent),
        ("reserved", HugePages::Reserved),
    ] {
        let config = good(&format!("{SMALL}[memory]\nhuge_pages = {word:?}\n"));
        assert_eq!(config.memory.huge_pages, Located { value, line: 18 });
    }
}

#[test]
fn other_words_are_refused_with_those_there_are() {
    let fault = refused(
        &listen("steering = \"queue\""),
        2,
        "listen.steering",
        "neither",
    );
    assert!(fault.cure.contains("\"cpu\""), "{fault:?}");
    refused(
        &listen("steering = true"),
        2,
        "listen.steering",
        "must be a text",
    );
    let text = format!("{SMALL}[memory]\nhuge_pages = \"2MiB\"\n");
    let fault = refused(&text, 18, "memory.huge_pages", "neither");
    assert!(fault.cure.contains("vm.nr_hugepages"), "{fault:?}");
    refused(
        &format!("{SMALL}[memory]\npages = 1\n"),
        18,
        "memory.pages",
        "",
    );
}

#[test]
fn steering_goes_by_places_that_no_other_process_may_stand_between() {
    let both = listen("steering = \"cpu\"\nshare_port = true");
    refused(&both, 2, "listen.steering", "listen.share_port");
    good(&listen("steering = \"off\"\nshare_port = true"));
}
