//! The kernel's notation for sets of CPUs: lists (`0-3,8`) and masks (`ff,ffffffff`).

/// No kernel has more (x86-64 allows 8,192); a bound on what a range may fill.
const CPU_MAX: usize = 65_535;

/// A list with one CPU at least. None for anything else.
pub fn parse(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        if first > last || last > CPU_MAX || cpus.len() > CPU_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// A mask, 32 bits between commas, the highest CPUs first. None for anything else.
pub fn parse_mask(text: &str) -> Option<Vec<usize>> {
    let words: Vec<&str> = text.trim().split(',').collect();
    if words.len() > CPU_MAX.div_ceil(32) {
        return None;
    }
    let mut cpus = Vec::new();
    for (place, word) in words.iter().rev().enumerate() {
        if word.is_empty() || word.len() > 8 {
            return None;
        }
        let bits = u32::from_str_radix(word, 16).ok()?;
        let set = (0..32).filter(|bit| bits >> bit & 1 == 1);
        cpus.extend(set.map(|bit| place * 32 + bit));
    }
    Some(cpus)
}

/// CPUs in ascending order as a list.
pub fn show(cpus: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => parts.push((cpu, cpu)),
        }
    }
    let part = |(first, last): &(usize, usize)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_list_is_read_and_shown() {
        assert_eq!(parse("\t0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(show(&[0, 1, 2, 3, 8]), "0-3,8");
        for broken in ["", "3-1", "a", "1-", "0-99999999"] {
            assert_eq!(parse(broken), None, "{broken:?}");
        }
        let again = "0-65535,".repeat(1_000);
        assert_eq!(parse(again.trim_end_matches(',')), None, "a bound");
    }

    #[test]
    fn kernel_mask_is_read_from_its_end() {
        assert_eq!(parse_mask("3\n"), Some(vec![0, 1]));
        assert_eq!(parse_mask("00000001,80000000"), Some(vec![31, 32]));
        assert_eq!(parse_mask("00"), Some(Vec::new()));
        for broken in ["", "g", "1,", "123456789", "-1"] {
            assert_eq!(parse_mask(broken), None, "{broken:?}");
        }
        assert_eq!(parse_mask(&"0,".repeat(5_000)), None, "a bound");
    }
}
