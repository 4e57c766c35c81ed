//! Messages as a SCEF writes them, each of a seed. Written after TS 29.122 and knowing nothing of
//! what searches them: with all the digits that look as an IMSI does, where they belong.

use serde_json::{Value, json};

/// The numbers that a message is made of.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn one_of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len() as u64) as usize]
    }

    fn digits(&mut self, count: u64) -> String {
        (0..count)
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }

    fn hex(&mut self, count: u64) -> String {
        (0..count)
            .map(|_| char::from_digit(self.below(16) as u32, 16).unwrap())
            .collect()
    }

    fn octets(&mut self, count: u64) -> String {
        use base64::Engine as _;
        let octets: Vec<u8> = (0..count).map(|_| self.roll() as u8).collect();
        base64::engine::general_purpose::STANDARD.encode(octets)
    }

    fn uuid(&mut self) -> String {
        let parts = [8, 4, 3, 3, 12].map(|count| self.hex(count));
        format!(
            "{}-{}-4{}-8{}-{}",
            parts[0], parts[1], parts[2], parts[3], parts[4]
        )
    }

    /// Three in sixteen have 14 or 15 digits, and two of these begin as a test network's IMSIs do.
    fn msisdn(&mut self) -> String {
        match self.below(16) {
            0 => format!("999070{}", self.digits(9)),
            1 => format!("999070{}", self.digits(8)),
            2 => format!("8821{}", self.digits(11)),
            _ => format!("4477009{}", self.digits(5)),
        }
    }

    fn external_id(&mut self) -> String {
        let local = match self.below(4) {
            0 => self.digits(8),
            1 => format!("meter-{}", self.digits(6)),
            2 => self.hex(12),
            _ => format!("4477009{}", self.digits(5)),
        };
        format!(
            "{local}@{}",
            self.one_of(&["example.com", "iot.example.net", "acme.example"])
        )
    }

    fn id(&mut self) -> String {
        match self.below(4) {
            0 => self.digits(6),
            1 => self.hex(24),
            2 => format!("sub-{}", self.digits(9)),
            _ => self.uuid(),
        }
    }

    fn link(&mut self, api: &str, resource: &str) -> String {
        let host = self.one_of(&["scef.example", "t8.operator.example:8443"]);
        format!("https://{host}/{api}/v1/acme/{resource}/{}", self.id())
    }

    fn time(&mut self) -> String {
        let (day, hour) = (self.below(28) + 1, self.below(24));
        let minute = self.below(60);
        let fraction = ["", ".5", ".123", ".123456"][self.below(4) as usize];
        let zone = self.one_of(&["Z", "+01:00"]);
        format!(
            "2026-{:02}-{day:02}T{hour:02}:{minute:02}:40{fraction}{zone}",
            self.below(12) + 1
        )
    }

    /// Volumes up to what 63 bits hold, some of them as an IMSI begins.
    fn volume(&mut self) -> u64 {
        match self.below(4) {
            0 => 999_070_000_000_000 + self.below(1_000_000_000),
            1 => self.roll() >> 1,
            _ => self.below(1 << 40),
        }
    }

    fn location(&mut self) -> Value {
        let cell = format!("00101{}", self.digits(9));
        json!({
            "ageOfLocationInfo": self.below(600),
            "cellId": cell,
            "trackingAreaId": format!("00101{}", self.hex(4)),
            "enodeBId": format!("00101{}", self.hex(5)),
            "plmnId": "00101",
            "userLocation": {"eutraLocation": {
                "tai": {"plmnId": {"mcc": "001", "mnc": "01"}, "tac": self.hex(4)},
                "ecgi": {"plmnId": {"mcc": "999", "mnc": "070"}, "eutraCellId": self.digits(7)},
                "ueLocationTimestamp": self.time(),
            }},
            "geographicArea": {"shape": "POINT", "point": {
                "lat": self.roll() as f64 / u64::MAX as f64 * 180.0 - 90.0,
                "lon": self.roll() as f64 / u64::MAX as f64 * 360.0 - 180.0,
            }},
        })
    }

    fn text(&mut self) -> &'static str {
        self.one_of(&[
            "The UE is not reachable, try again at 11:06:40 on 2026-11-18.",
            "Quota of 1 000 000 requests in 24 h is used up (429).",
            "No subscription 1234567 for +44 7700 900123",
            "Not allowed: see TS 29.122 clause 5.3.2, table 5.3.2.1.2-1",
            "upstream 192.0.2.10:8443 and 198.51.100.200:8443 do not answer",
            "Stra\u{df}e gesperrt \u{2013} 10.5 %",
        ])
    }
}

fn monitoring(dice: &mut Dice) -> Value {
    let reports: Vec<Value> = (0..dice.below(4))
        .map(|_| {
            json!({
                "externalId": dice.external_id(),
                "msisdn": dice.msisdn(),
                "monitoringType": dice.one_of(&["LOCATION_REPORTING", "UE_REACHABILITY",
                    "CHANGE_OF_IMSI_IMEI_ASSOCIATION", "LOSS_OF_CONNECTIVITY"]),
                "imeiChange": "IMEISV",
                "eventTime": dice.time(),
                "locationInfo": dice.location(),
                "maxUEAvailabilityTime": dice.time(),
                "uePerLocationReport": {"ueCount": dice.below(500),
                    "msisdns": [dice.msisdn(), dice.msisdn()]},
                "pdnConnInfoList": [{"apn": "iot.example", "ipv4Addr": "192.168.100.200",
                    "ipv6Addrs": ["2001:db8::8a2e:370:7334"], "status": "CREATED"}],
            })
        })
        .collect();
    json!({
        "self": dice.link("3gpp-monitoring-event", "subscriptions"),
        "supportedFeatures": dice.digits(15),
        "mtcProviderId": format!("provider-{}", dice.digits(4)),
        "externalId": dice.external_id(),
        "msisdn": dice.msisdn(),
        "addedMsisdns": [dice.msisdn()],
        "notificationDestination": "https://as.example/notify/3gpp",
        "monitoringType": "LOCATION_REPORTING",
        "maximumNumberOfReports": dice.below(100),
        "monitorExpireTime": dice.time(),
        "repPeriod": dice.below(86_400),
        "monitoringEventReports": reports,
        "ueMacAddr": "00-10-10-12-34-56",
        "ipv4Addr": "198.51.100.200",
    })
}

fn nidd(dice: &mut Dice) -> Value {
    let length = dice.below(120);
    json!({
        "niddConfiguration": dice.link("3gpp-nidd", "configurations"),
        "gpsi": format!("msisdn-{}", dice.msisdn()),
        "externalId": dice.external_id(),
        "data": dice.octets(length),
        "reliableDataService": dice.below(2) == 0,
        "rdsPort": {"portUE": dice.below(16), "portSCEF": dice.below(16)},
        "maximumPacketSize": dice.below(1_500),
        "duration": dice.time(),
    })
}

fn qos(dice: &mut Dice) -> Value {
    json!({
        "self": dice.link("3gpp-as-session-with-qos", "subscriptions"),
        "gpsi": format!("extid-{}", dice.external_id()),
        "flowInfo": [{"flowId": dice.below(65_536), "flowDescriptions": [
            "permit out 17 from 198.51.100.10 5000-5100 to 192.0.2.7 40000"]}],
        "qosReference": format!("qos-{}", dice.digits(3)),
        "ueIpv4Addr": "192.0.2.77",
        "usageThreshold": {"duration": dice.below(86_400), "totalVolume": dice.volume(),
            "downlinkVolume": dice.volume(), "uplinkVolume": dice.volume()},
        "sponsorInformation": {"sponsorId": dice.uuid(), "aspId": dice.digits(9)},
        "referenceId": dice.hex(32),
    })
}

fn racs(dice: &mut Dice) -> Value {
    let id = dice.hex(16);
    json!({
        "self": dice.link("3gpp-racs-pp", "provisionings"),
        "racsConfigs": {id.clone(): {"racsId": id, "racsParamEps": dice.octets(40),
            "imeiTacs": [dice.digits(8), dice.digits(8), dice.digits(8)]}},
    })
}

fn group_message(dice: &mut Dice) -> Value {
    json!({
        "externalGroupId": dice.external_id(),
        "tmgi": format!("{}00101", dice.hex(6)),
        "tmgiExpiration": dice.time(),
        "mbmsLocArea": {"cellId": [format!("00101{}", dice.hex(7))],
            "enodeBId": [dice.hex(5)], "mbmsServiceAreaId": ["1", "2"]},
        "scefMessageDeliveryIPv4": "203.0.113.254",
        "scefMessageDeliveryPort": dice.below(65_536),
        "groupMessagePayload": dice.octets(200),
    })
}

fn problem(dice: &mut Dice) -> Value {
    json!({
        "type": "https://scef.example/problems/not-reachable",
        "title": "Not reachable",
        "status": 400 + dice.below(30),
        "detail": dice.text(),
        "instance": format!("/3gpp-nidd/v1/acme/configurations/{}", dice.id()),
        "cause": "UE_NOT_REACHABLE",
        "invalidParams": [{"param": "/externalId", "reason": dice.text()}],
    })
}

/// Members that a vendor has added.
fn extension(dice: &mut Dice) -> Value {
    json!({
        "vendorCreatedMs": 1_760_000_000_000_u64 + dice.below(100_000_000_000),
        "vendorTrace": dice.uuid(),
        "vendorSpan": dice.hex(16),
        "vendorHash": dice.hex(64),
        "vendorVersion": "v2.14.0-rc.1+build.20261118",
        "iccid": format!("8900101{}", dice.digits(12)),
        "vendorLoad": dice.roll() as f64 / u64::MAX as f64,
        "vendorToken": dice.octets(24),
        "vendorPhone": format!("+44 7700 900{}", dice.digits(3)),
    })
}

pub fn message(seed: u64) -> Value {
    let dice = &mut Dice(seed);
    let kinds = [monitoring, nidd, qos, racs, group_message, problem];
    let one = |dice: &mut Dice| {
        let mut made = kinds[dice.below(kinds.len() as u64) as usize](dice);
        if dice.below(3) == 0 {
            made["vendorExtension"] = extension(dice);
        }
        made
    };
    match dice.below(5) {
        0 => (0..dice.below(8)).map(|_| one(dice)).collect(),
        _ => one(dice),
    }
}

/// As one of several writers would write it.
pub fn written(seed: u64) -> String {
    let message = message(seed);
    match seed % 4 {
        0 => serde_json::to_string_pretty(&message).unwrap(),
        1 => message.to_string().replace('/', "\\/"),
        _ => message.to_string(),
    }
}
