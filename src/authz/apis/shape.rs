//! Where in a body stands what the gateway has to know: who a UE is, where a link leads, which
//! service is asked for. A [`Shape`] is a tree of member names, so that whoever walks through a
//! body walks through it as well, and nothing is parsed or allocated on the way.

/// What a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `local@domain`.
    ExternalId,
    /// Digits.
    Msisdn,
    /// `local@domain`, of a group.
    ExternalGroupId,
    /// `msisdn-`, `extid-` or whatever else.
    Gpsi,
    /// Legal in its schema, and never for an AF outside the operator's domain (TS 33.501 clause
    /// 5.9.2.3).
    Supi,
    /// The same of a group.
    InternalGroupId,
    /// An A-KID, which stands for a UE and a key.
    AkmaKeyId,
    /// What an application calls a UE.
    ApplicationLayerId,
    /// Of a UE.
    Ipv4,
    /// Of a UE.
    Ipv6,
    /// Of a UE.
    Ipv6Prefix,
    /// Of a UE.
    Mac,
    /// In which an IPv4 address of a UE is unique.
    IpDomain,
    /// The line or cable that a UE is behind.
    LineId,
    /// Of one end of a flow, which may be the UE or what it talks to.
    FlowAddress,
    /// Of something that is no UE: an application server, an AF, the core itself.
    OtherAddress,
    /// True where it is about every UE.
    AnyUe,
    /// The provider that an external id belongs to.
    MtcProviderId,
    /// Who asks, said again in the body.
    ScsAsId,
    Dnn,
    Snssai,
    /// The URI of the resource itself, made by the SCEF.
    SelfLink,
    /// The URI of a resource of the SCEF, in what it sends by itself.
    ResourceLink,
    /// Where the SCEF is to send something.
    Callback,
    /// Where the SCS/AS is to open a WebSocket.
    WebSocket,
    /// Which event, of MonitoringEvent.
    MonitoringType,
    /// Which event, of the other APIs.
    Event,
    /// A port of the application at the UE or at the SCEF.
    Port,
    /// An application, as the SCS/AS and the operator call it.
    Application,
    /// Who pays.
    Sponsor,
    QosReference,
}

/// What a [`Kind`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It says which UE, or which UEs, or about which of them nothing is said.
    Subscriber,
    /// It narrows down what a subscriber's identity means.
    Context,
    /// It leads somewhere.
    Link,
    /// It says which service of an API.
    Service,
}

impl Role {
    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Context => "context",
            Self::Link => "link",
            Self::Service => "service",
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::ExternalId,
        Self::Msisdn,
        Self::ExternalGroupId,
        Self::Gpsi,
        Self::Supi,
        Self::InternalGroupId,
        Self::AkmaKeyId,
        Self::ApplicationLayerId,
        Self::Ipv4,
        Self::Ipv6,
        Self::Ipv6Prefix,
        Self::Mac,
        Self::IpDomain,
        Self::LineId,
        Self::FlowAddress,
        Self::OtherAddress,
        Self::AnyUe,
        Self::MtcProviderId,
        Self::ScsAsId,
        Self::Dnn,
        Self::Snssai,
        Self::SelfLink,
        Self::ResourceLink,
        Self::Callback,
        Self::WebSocket,
        Self::MonitoringType,
        Self::Event,
        Self::Port,
        Self::Application,
        Self::Sponsor,
        Self::QosReference,
    ];

    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::ExternalId => "external_id",
            Self::Msisdn => "msisdn",
            Self::ExternalGroupId => "external_group_id",
            Self::Gpsi => "gpsi",
            Self::Supi => "supi",
            Self::InternalGroupId => "internal_group_id",
            Self::AkmaKeyId => "akma_key_id",
            Self::ApplicationLayerId => "application_layer_id",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ipv6Prefix => "ipv6_prefix",
            Self::Mac => "mac",
            Self::IpDomain => "ip_domain",
            Self::LineId => "line_id",
            Self::FlowAddress => "flow_address",
            Self::OtherAddress => "other_address",
            Self::AnyUe => "any_ue",
            Self::MtcProviderId => "mtc_provider_id",
            Self::ScsAsId => "scs_as_id",
            Self::Dnn => "dnn",
            Self::Snssai => "snssai",
            Self::SelfLink => "self_link",
            Self::ResourceLink => "resource_link",
            Self::Callback => "callback",
            Self::WebSocket => "websocket",
            Self::MonitoringType => "monitoring_type",
            Self::Event => "event",
            Self::Port => "port",
            Self::Application => "application",
            Self::Sponsor => "sponsor",
            Self::QosReference => "qos_reference",
        }
    }

    /// What it is for.
    pub fn role(self) -> Role {
        match self {
            Self::ExternalId
            | Self::Msisdn
            | Self::ExternalGroupId
            | Self::Gpsi
            | Self::Supi
            | Self::InternalGroupId
            | Self::AkmaKeyId
            | Self::ApplicationLayerId
            | Self::Ipv4
            | Self::Ipv6
            | Self::Ipv6Prefix
            | Self::Mac
            | Self::LineId
            | Self::AnyUe => Role::Subscriber,
            Self::IpDomain
            | Self::FlowAddress
            | Self::OtherAddress
            | Self::MtcProviderId
            | Self::ScsAsId
            | Self::Dnn
            | Self::Snssai => Role::Context,
            Self::SelfLink | Self::ResourceLink | Self::Callback | Self::WebSocket => Role::Link,
            Self::MonitoringType
            | Self::Event
            | Self::Port
            | Self::Application
            | Self::Sponsor
            | Self::QosReference => Role::Service,
        }
    }
}

/// A JSON value as far as the table knows it; what it does not name says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The value itself is what is looked for.
    Is(Kind),
    /// An object in which these members are known.
    Members(&'static [(&'static str, Shape)]),
    /// An array of such.
    Items(&'static Shape),
    /// An object whose members, whatever they are called, are such.
    Values(&'static Shape),
    /// One of these. What two of them name alike is alike.
    Either(&'static [Shape]),
    /// The same, of which whoever is named in it is judged, and whom the whole is about stands
    /// elsewhere: it leaves them out, or says what has come of it, or of others beside them.
    Beside(&'static Shape),
    /// One of several that are each about whom they name themselves, or about any UE.
    Alone(&'static Shape),
}

/// How an identity in a body stands to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// All of these together say whom the whole is about.
    With,
    /// As [`Shape::Beside`] says.
    Beside,
    /// As [`Shape::Alone`] says.
    Alone,
}

impl Stands {
    pub const ALL: [Self; 3] = [Self::With, Self::Beside, Self::Alone];

    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::With => "with",
            Self::Beside => "beside",
            Self::Alone => "alone",
        }
    }
}

/// Of which nothing is known, or nothing of use.
pub const NOTHING: Shape = Shape::Members(&[]);

impl Shape {
    /// What is known of a member of the object that this is.
    pub fn member(self, name: &str) -> Option<Self> {
        match self {
            Self::Members(members) => {
                let known = members.iter().find(|(known, _)| *known == name);
                known.map(|(_, shape)| *shape)
            }
            Self::Values(shape) => Some(*shape),
            Self::Either(shapes) => shapes.iter().find_map(|shape| shape.member(name)),
            Self::Beside(shape) | Self::Alone(shape) => shape.member(name),
            Self::Is(_) | Self::Items(_) => None,
        }
    }

    /// What is known of each element of the array that this is.
    pub fn item(self) -> Option<Self> {
        match self {
            Self::Items(shape) => Some(*shape),
            Self::Either(shapes) => shapes.iter().find_map(|shape| shape.item()),
            Self::Beside(shape) | Self::Alone(shape) => shape.item(),
            Self::Is(_) | Self::Members(_) | Self::Values(_) => None,
        }
    }

    /// What the value itself says.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Is(kind) => Some(kind),
            Self::Beside(shape) | Self::Alone(shape) => shape.kind(),
            _ => None,
        }
    }

    /// Every place in it with what stands there, as JSON pointers in which `*` stands for each
    /// element of an array and `{}` for each member of an object.
    pub fn places(self) -> Vec<(String, Kind)> {
        let places = self.places_standing().into_iter();
        places.map(|(place, kind, _)| (place, kind)).collect()
    }

    /// The same, with how each stands to whom the whole is about.
    pub fn places_standing(self) -> Vec<(String, Kind, Stands)> {
        let mut places = Vec::new();
        self.gather("", Stands::With, &mut places);
        places
    }

    fn gather(self, at: &str, stands: Stands, places: &mut Vec<(String, Kind, Stands)>) {
        match self {
            // Two shapes of an Either may name the same.
            Self::Is(kind) if places.iter().any(|known| known.0 == at && known.1 == kind) => {}
            Self::Is(kind) => places.push((at.to_owned(), kind, stands)),
            Self::Members(members) => {
                for (name, shape) in members {
                    shape.gather(&format!("{at}/{name}"), stands, places);
                }
            }
            Self::Items(shape) => shape.gather(&format!("{at}/*"), stands, places),
            Self::Values(shape) => shape.gather(&format!("{at}/{{}}"), stands, places),
            Self::Either(shapes) => {
                shapes
                    .iter()
                    .for_each(|shape| shape.gather(at, stands, places));
            }
            Self::Beside(shape) => shape.gather(at, Stands::Beside, places),
            // What is beside the whole says nothing of whom it is about, however it is parted.
            Self::Alone(shape) if stands == Stands::Beside => shape.gather(at, stands, places),
            Self::Alone(shape) => shape.gather(at, Stands::Alone, places),
        }
    }
}
