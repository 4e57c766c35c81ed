//! What bodies of both families of APIs are made of.

use super::shape::Kind::{
    ExternalId, FlowAddress, Ipv4, Ipv6, Ipv6Prefix, Msisdn, SelfLink, WebSocket,
};
use super::shape::Shape::{self, Is, Items, Members};

pub(super) const ETH_FLOW_DESCRIPTION: Shape = Members(&[
    ("destMacAddr", Is(FlowAddress)),
    ("sourceMacAddr", Is(FlowAddress)),
    ("srcMacAddrEnd", Is(FlowAddress)),
    ("destMacAddrEnd", Is(FlowAddress)),
]);

pub(super) const IP_ADDR: Shape = Members(&[
    ("ipv4Addr", Is(Ipv4)),
    ("ipv6Addr", Is(Ipv6)),
    ("ipv6Prefix", Is(Ipv6Prefix)),
]);

pub(super) const WEBSOCK_NOTIF_CONFIG: Shape = Members(&[("websocketUri", Is(WebSocket))]);

pub(super) const CP_PARAMETER_SET: Shape = Members(&[("self", Is(SelfLink))]);

pub(super) const CONFIG_RESULT: Shape = Members(&[
    ("externalIds", Items(&Is(ExternalId))),
    ("msisdns", Items(&Is(Msisdn))),
]);

pub(super) const APPLIED_PARAMETER_CONFIGURATION: Shape = Members(&[
    ("externalIds", Items(&Is(ExternalId))),
    ("msisdns", Items(&Is(Msisdn))),
]);
