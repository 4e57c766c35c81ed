//! How often clients may ask: the allowances of each.

use toml::de::DeValue;

use super::apis;
use super::policy::{WITH_TYPES, limit, monitoring_types, operations};
use crate::authz::apis::configured::Served;
use crate::authz::policy::Operations;
use crate::authz::quota::{Allowance, Period, Quota, Rate, Scope};
use crate::config::Located;
use crate::config::section::Section;
use crate::config::value::{Wrong, count, text, twice};
use crate::limits::{ALLOWANCE_UNITS_MAX, ALLOWANCES_MAX, QUOTA_UNITS_MAX};

const OF_RATES: [Period; 3] = [Period::Second, Period::Minute, Period::Hour];
const OF_QUOTAS: [Period; 3] = [Period::Minute, Period::Hour, Period::Day];

/// `[[client.allowance]]`, in a client's own file `[[allowance]]`.
pub(super) fn allowances(client: &mut Section<'_, '_>, served: &Served) -> Vec<Allowance> {
    let sections = client.sections("allowance");
    if sections.len() > ALLOWANCES_MAX
        && let Some(line) = client.line_of("allowance")
    {
        let what = format!("there are {} allowances", sections.len());
        let cure = format!("a client has {ALLOWANCES_MAX} at most: put some together");
        client.fault(line, "allowance", Wrong::new(what, cure));
    }
    let mut taken: Vec<Located<Allowance>> = Vec::with_capacity(sections.len());
    for section in sections {
        let line = section.line();
        let Some(value) = allowance(section, served) else {
            continue;
        };
        let same = |known: &&Located<Allowance>| known.value.scope == value.scope;
        match taken.iter().find(same) {
            // Which of them stays used across a reload could not be told.
            Some(first) => {
                let wrong = twice("an allowance for the same", first.line);
                client.fault(line, "allowance", wrong);
            }
            None => taken.push(Located { value, line }),
        }
    }
    taken.into_iter().map(|located| located.value).collect()
}

fn allowance(mut section: Section<'_, '_>, served: &Served) -> Option<Allowance> {
    let named = |value: &DeValue<'_>| apis::by_name(served, &text(value)?);
    let api = section.optional("api", named);
    let operations = match &api {
        None if !section.has("api") => of_any_api(&mut section),
        api => operations(&mut section, served, api.as_ref()),
    };
    let types = monitoring_types(&mut section);
    if let (Some(types), false) = (&types, section.has("api")) {
        let what = "are those of an API, and none is named";
        let cure = format!("name it: api = {:?}", WITH_TYPES[0]);
        section.fault(types.line, "monitoring_types", Wrong::new(what, cure));
    }
    let types = limit(
        &section,
        "monitoring_types",
        types,
        api.as_ref(),
        &WITH_TYPES,
    );
    let types: Vec<Box<str>> = types.into_iter().flatten().map(Into::into).collect();
    let rate = section.optional("rate", units(&OF_RATES, ALLOWANCE_UNITS_MAX, "\"100/s\""));
    let burst = section.optional("burst", count(1..=ALLOWANCE_UNITS_MAX));
    let example = "\"100000/day\"";
    let quota = section.optional("quota", units(&OF_QUOTAS, QUOTA_UNITS_MAX, example));
    if !section.has("rate") && !section.has("quota") && !section.is_said() {
        let cure = "say how often: rate = \"100/s\", quota = \"100000/day\", or both";
        section.fault(section.line(), "rate", Wrong::new("is missing", cure));
    }
    if let (Some(burst), false) = (&burst, section.has("rate")) {
        let what = "goes with rate only";
        let cure = "set rate as well, or remove it: a quota may be used up at once";
        section.fault(burst.line, "burst", Wrong::new(what, cure));
    }
    let at_once = u32::try_from(types.len()).unwrap_or(u32::MAX).max(1);
    let of_burst = burst
        .as_ref()
        .map(|burst| ("burst", burst.line, burst.value));
    let of_quota = { quota.as_ref() }.map(|quota| ("quota", quota.line, quota.value.0));
    for (key, line, units) in [of_burst, of_quota].into_iter().flatten() {
        if units < at_once {
            let what = format!("is less than the {at_once} event types that one request may name");
            let cure = format!("take {at_once} at least, or fewer monitoring_types");
            section.fault(line, key, Wrong::new(what, cure));
        }
    }
    let rate = rate.map(
        |Located {
             value: (units, per),
             ..
         }| Rate {
            units,
            per,
            burst: burst.map_or_else(
                || units.div_ceil(per.seconds()).max(at_once),
                |one| one.value,
            ),
        },
    );
    let quota = quota.map(
        |Located {
             value: (units, per),
             ..
         }| Quota { units, per },
    );
    let is_whole = rate.is_some() || quota.is_some();
    is_whole.then_some(Allowance {
        scope: Scope {
            api: api.map(|api| api.value),
            operations,
            monitoring_types: types,
        },
        rate,
        quota,
    })
}

/// All of every API, or a half: single operations are of one.
fn of_any_api(section: &mut Section<'_, '_>) -> Operations {
    const KEY: &str = "operations";
    let half = |value: &DeValue<'_>| match text(value)?.as_str() {
        "read" => Ok((true, false)),
        "write" => Ok((false, true)),
        word => {
            let what = format!("{word:?} is no operation of every API");
            Err(Wrong::new(
                what,
                "take \"read\" or \"write\", or name the api",
            ))
        }
    };
    let Some(words) = section.list(KEY, half) else {
        return Operations {
            read: true,
            write: true,
            ..Operations::default()
        };
    };
    if section.holds_empty_list(KEY) {
        let cure = "take \"read\" or \"write\", or leave it out for both";
        section.fault(words.line, KEY, Wrong::new("is empty", cure));
    }
    let words = words.value.iter().map(|word| word.value);
    let (read, write) = words.fold((false, false), |(read, write), (r, w)| {
        (read | r, write | w)
    });
    Operations {
        read,
        write,
        ..Operations::default()
    }
}

/// So many in a time: "100/s".
fn units(
    periods: &'static [Period],
    max: u64,
    example: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<(u32, Period), Wrong> {
    move |value| {
        let text = text(value)?;
        let words: Vec<&str> = periods.iter().map(|period| period.word()).collect();
        let wrong = |what: String| {
            let cure = format!(
                "write a number from 1 to {max}, and in what time, one of {}: {example}",
                words.join(", ")
            );
            Wrong::new(what, cure)
        };
        let Some((number, per)) = text.split_once('/') else {
            return Err(wrong(format!("{text:?} does not say in what time")));
        };
        let per = periods.iter().find(|period| period.word() == per);
        let per = per.ok_or_else(|| wrong(format!("{text:?} is in a time that is not counted")))?;
        let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
        let units = number.parse().ok().filter(|_| is_number);
        let units = units.filter(|units| (1..=max).contains(&u64::from(*units)));
        let units: u32 = units.ok_or_else(|| wrong(format!("{text:?} is out of range")))?;
        Ok((units, *per))
    }
}
