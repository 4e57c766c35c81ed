//! What stands where in the bodies of TS 29.122: only what the table knows a kind for. Named by
//! their schemas; members of two releases are together.

use super::shape::Kind::{
    Application, ApplicationLayerId, Callback, Dnn, Event, ExternalGroupId, ExternalId,
    FlowAddress, Gpsi, IpDomain, Ipv4, Ipv6, Ipv6Prefix, LineId, Mac, MonitoringType, Msisdn,
    MtcProviderId, OtherAddress, Port, QosReference, ResourceLink, ScsAsId, SelfLink, Snssai,
    Sponsor,
};
use super::shape::Shape::{self, Alone, Beside, Either, Is, Items, Members, Values};
use super::shared_bodies::{
    APPLIED_PARAMETER_CONFIGURATION, CONFIG_RESULT, CP_PARAMETER_SET, ETH_FLOW_DESCRIPTION,
    IP_ADDR, WEBSOCK_NOTIF_CONFIG,
};

pub(super) const ETH_FLOW_INFO: Shape =
    Members(&[("ethFlowDescriptions", Items(&ETH_FLOW_DESCRIPTION))]);

pub(super) const UE_ADD_INFO: Shape = Members(&[("ueIpAddr", IP_ADDR), ("portNumber", Is(Port))]);

pub(super) const SPONSOR_INFORMATION: Shape =
    Members(&[("sponsorId", Is(Sponsor)), ("aspId", Is(Sponsor))]);

pub(super) const EVENTS_SUBSC_REQ_DATA: Shape = Members(&[("notifUri", Is(Callback))]);

pub(super) const AS_SESSION_MEDIA_COMPONENT: Shape = Members(&[
    ("qosReference", Is(QosReference)),
    ("evSubsc", EVENTS_SUBSC_REQ_DATA),
]);

pub(super) const QOS_SUBSCRIPTION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("notificationDestination", Is(Callback)),
    ("exterAppId", Is(Application)),
    ("extGroupId", Is(ExternalGroupId)),
    ("gpsi", Is(Gpsi)),
    ("ethFlowInfo", Items(&ETH_FLOW_DESCRIPTION)),
    ("enEthFlowInfo", Items(&ETH_FLOW_INFO)),
    ("listUeAddrs", Items(&Alone(&UE_ADD_INFO))),
    ("qosReference", Is(QosReference)),
    ("ueIpv4Addr", Is(Ipv4)),
    ("ipDomain", Is(IpDomain)),
    ("ueIpv6Addr", Is(Ipv6)),
    ("macAddr", Is(Mac)),
    ("sponsorInfo", SPONSOR_INFORMATION),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("events", Items(&Is(Event))),
    ("multiModDatFlows", Values(&AS_SESSION_MEDIA_COMPONENT)),
    ("listUeConsDtRt", Beside(&Items(&IP_ADDR))),
]);

pub(super) const USER_PLANE_EVENT_REPORT: Shape = Members(&[("event", Is(Event))]);

pub(super) const USER_PLANE_NOTIFICATION_DATA: Shape = Members(&[
    ("transaction", Is(ResourceLink)),
    ("eventReports", Items(&USER_PLANE_EVENT_REPORT)),
]);

pub(super) const EVENTS_SUBSC_REQ_DATA_RM: Shape = Members(&[("notifUri", Is(Callback))]);

pub(super) const AS_SESSION_MEDIA_COMPONENT_RM: Shape = Members(&[
    ("qosReference", Is(QosReference)),
    ("evSubsc", EVENTS_SUBSC_REQ_DATA_RM),
]);

pub(super) const QOS_SUBSCRIPTION_PATCH: Shape = Members(&[
    ("exterAppId", Is(Application)),
    ("ethFlowInfo", Items(&ETH_FLOW_DESCRIPTION)),
    ("enEthFlowInfo", Items(&ETH_FLOW_INFO)),
    ("listUeAddrs", Items(&Alone(&UE_ADD_INFO))),
    ("qosReference", Is(QosReference)),
    ("notificationDestination", Is(Callback)),
    ("events", Items(&Is(Event))),
    ("multiModDatFlows", Values(&AS_SESSION_MEDIA_COMPONENT_RM)),
    ("listUeConsDtRt", Beside(&Items(&IP_ADDR))),
]);

pub(super) const CHARGEABLE_PARTY: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("exterAppId", Is(Application)),
    ("ipv4Addr", Is(Ipv4)),
    ("ipDomain", Is(IpDomain)),
    ("ipv6Addr", Is(Ipv6)),
    ("macAddr", Is(Mac)),
    ("ethFlowInfo", Items(&ETH_FLOW_DESCRIPTION)),
    ("sponsorInformation", SPONSOR_INFORMATION),
    ("events", Items(&Is(Event))),
]);

pub(super) const EVENT_REPORT: Shape = Members(&[("event", Is(Event))]);

pub(super) const NOTIFICATION_DATA: Shape = Members(&[
    ("transaction", Is(ResourceLink)),
    ("eventReports", Items(&EVENT_REPORT)),
]);

pub(super) const CHARGEABLE_PARTY_PATCH: Shape = Members(&[
    ("exterAppId", Is(Application)),
    ("ethFlowInfo", Items(&ETH_FLOW_DESCRIPTION)),
    ("notificationDestination", Is(Callback)),
    ("events", Items(&Is(Event))),
]);

pub(super) const CP_INFO: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("mtcProviderId", Is(MtcProviderId)),
    ("dnn", Is(Dnn)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("cpParameterSets", Values(&CP_PARAMETER_SET)),
    ("snssai", Is(Snssai)),
    ("ueIpAddr", IP_ADDR),
    ("ueMacAddr", Is(Mac)),
]);

pub(super) const DEVICE_TRIGGERING: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("applicationPortId", Is(Port)),
    ("appSrcPortId", Is(Port)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const TRIGGERING_REPORT: Shape = Members(&[("transaction", Is(ResourceLink))]);

pub(super) const DEVICE_TRIGGERING_PATCH: Shape = Members(&[
    ("applicationPortId", Is(Port)),
    ("appSrcPortId", Is(Port)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const ECR_CONTROL: Shape = Members(&[
    ("mtcProviderId", Is(MtcProviderId)),
    ("scsAsId", Is(ScsAsId)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
]);

pub(super) const TMGI_ALLOCATION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("externalGroupId", Is(ExternalGroupId)),
]);

pub(super) const TMGI_ALLOCATION_PATCH: Shape =
    Members(&[("externalGroupId", Is(ExternalGroupId))]);

pub(super) const GMD_BY_MB2: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("externalGroupId", Is(ExternalGroupId)),
    ("scefMessageDeliveryIPv4", Is(OtherAddress)),
    ("scefMessageDeliveryIPv6", Is(OtherAddress)),
]);

pub(super) const GMD_BY_MB2_NOTIFICATION: Shape = Members(&[("transaction", Is(ResourceLink))]);

pub(super) const GMD_BY_MB2_PATCH: Shape = Members(&[
    ("externalGroupId", Is(ExternalGroupId)),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const SERVICE_CREATION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("externalGroupId", Is(ExternalGroupId)),
]);

pub(super) const GMD_BY_XMB: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("scefMessageDeliveryIPv4", Is(OtherAddress)),
    ("scefMessageDeliveryIPv6", Is(OtherAddress)),
]);

pub(super) const GMD_BY_XMB_NOTIFICATION: Shape = Members(&[("transaction", Is(ResourceLink))]);

pub(super) const GMD_BY_XMB_PATCH: Shape = Members(&[("notificationDestination", Is(Callback))]);

pub(super) const UP_LOC_REP_ADDR_AF_RM: Shape = Members(&[
    ("ipv4Addrs", Items(&Is(OtherAddress))),
    ("ipv6Addrs", Items(&Is(OtherAddress))),
]);

pub(super) const DDD_TRAFFIC_DESCRIPTOR: Shape = Members(&[
    ("ipv4Addr", Is(FlowAddress)),
    ("ipv6Addr", Is(FlowAddress)),
    ("macAddr", Is(FlowAddress)),
]);

pub(super) const PDU_SESSION_INFORMATION: Shape = Members(&[
    ("snssai", Is(Snssai)),
    ("dnn", Is(Dnn)),
    ("ueIpv4", Is(Ipv4)),
    ("ueIpv6", Is(Ipv6Prefix)),
    ("ipDomain", Is(IpDomain)),
    ("ueMac", Is(Mac)),
]);

pub(super) const N3GA_LOCATION: Shape = Members(&[
    ("ueIpv4Addr", Is(Ipv4)),
    ("ueIpv6Addr", Is(Ipv6)),
    ("gli", Is(LineId)),
    ("gci", Is(LineId)),
]);

pub(super) const USER_LOCATION: Shape = Members(&[("n3gaLocation", N3GA_LOCATION)]);

pub(super) const LOCATION_INFO: Shape = Members(&[
    ("userLocation", USER_LOCATION),
    ("relatedApplicationlayerId", Is(ApplicationLayerId)),
]);

pub(super) const UE_PER_LOCATION_REPORT: Shape = Members(&[
    ("externalIds", Items(&Is(ExternalId))),
    ("msisdns", Items(&Is(Msisdn))),
]);

pub(super) const PDN_CONNECTION_INFORMATION: Shape = Members(&[
    ("apn", Is(Dnn)),
    ("ipv4Addr", Is(Ipv4)),
    ("ipv6Addrs", Items(&Is(Ipv6))),
    ("macAddrs", Items(&Is(Mac))),
]);

pub(super) const GROUP_MEMB_LIST_CHANGES: Shape = Members(&[
    ("addedUEs", Items(&Is(Gpsi))),
    ("removedUEs", Items(&Is(Gpsi))),
]);

pub(super) const MONITORING_EVENT_REPORT: Shape = Members(&[
    ("externalId", Is(ExternalId)),
    ("pduSessInfo", PDU_SESSION_INFORMATION),
    ("locationInfo", LOCATION_INFO),
    ("msisdn", Is(Msisdn)),
    ("monitoringType", Is(MonitoringType)),
    ("uePerLocationReport", UE_PER_LOCATION_REPORT),
    ("pdnConnInfoList", Items(&PDN_CONNECTION_INFORMATION)),
    ("dddTrafDescriptor", DDD_TRAFFIC_DESCRIPTOR),
    ("groupMembListChanges", GROUP_MEMB_LIST_CHANGES),
]);

pub(super) const RELATED_UE: Shape = Members(&[("applicationlayerId", Is(ApplicationLayerId))]);

pub(super) const MONITORING_SUBSCRIPTION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("mtcProviderId", Is(MtcProviderId)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("addedExternalIds", Beside(&Items(&Is(ExternalId)))),
    ("addedMsisdns", Beside(&Items(&Is(Msisdn)))),
    ("excludedExternalIds", Beside(&Items(&Is(ExternalId)))),
    ("excludedMsisdns", Beside(&Items(&Is(Msisdn)))),
    ("externalGroupId", Is(ExternalGroupId)),
    ("addExtGroupId", Items(&Is(ExternalGroupId))),
    ("ipv4Addr", Is(Ipv4)),
    ("ipv6Addr", Is(Ipv6)),
    ("dnn", Is(Dnn)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("monitoringType", Is(MonitoringType)),
    ("upLocRepAddrAf", UP_LOC_REP_ADDR_AF_RM),
    ("dddTraDescriptors", Items(&DDD_TRAFFIC_DESCRIPTOR)),
    ("monitoringEventReport", Beside(&MONITORING_EVENT_REPORT)),
    ("snssai", Is(Snssai)),
    ("addnMonTypes", Items(&Is(MonitoringType))),
    (
        "addnMonEventReports",
        Beside(&Items(&MONITORING_EVENT_REPORT)),
    ),
    ("ueIpAddr", IP_ADDR),
    ("ueMacAddr", Is(Mac)),
    ("revocationNotifUri", Is(Callback)),
    ("relatedUEs", Beside(&Items(&RELATED_UE))),
]);

pub(super) const MONITORING_NOTIFICATION: Shape = Members(&[
    ("subscription", Is(ResourceLink)),
    ("configResults", Items(&CONFIG_RESULT)),
    ("monitoringEventReports", Items(&MONITORING_EVENT_REPORT)),
    ("addedExternalIds", Items(&Is(ExternalId))),
    ("addedMsisdns", Items(&Is(Msisdn))),
    ("cancelExternalIds", Beside(&Items(&Is(ExternalId)))),
    ("cancelMsisdns", Beside(&Items(&Is(Msisdn)))),
    ("appliedParam", APPLIED_PARAMETER_CONFIGURATION),
]);

pub(super) const CONSENT_REVOKED: Shape =
    Members(&[("externalId", Is(ExternalId)), ("msisdn", Is(Msisdn))]);

pub(super) const CONSENT_REVOC_NOTIF: Shape =
    Members(&[("consentsRevoked", Items(&CONSENT_REVOKED))]);

pub(super) const RDS_PORT: Shape = Members(&[("portUE", Is(Port)), ("portSCEF", Is(Port))]);

pub(super) const NIDD_DOWNLINK_DATA_TRANSFER: Shape = Members(&[
    ("externalId", Is(ExternalId)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("msisdn", Is(Msisdn)),
    ("self", Is(SelfLink)),
    ("rdsPort", RDS_PORT),
]);

pub(super) const NIDD_CONFIGURATION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("mtcProviderId", Is(MtcProviderId)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("rdsPorts", Items(&RDS_PORT)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    (
        "niddDownlinkDataTransfers",
        Beside(&Items(&NIDD_DOWNLINK_DATA_TRANSFER)),
    ),
]);

pub(super) const GMD_RESULT: Shape =
    Members(&[("externalId", Is(ExternalId)), ("msisdn", Is(Msisdn))]);

pub(super) const MANAGE_PORT: Shape =
    Members(&[("self", Is(SelfLink)), ("appId", Is(Application))]);

pub(super) const NIDD_CONFIGURATION_PATCH: Shape = Members(&[
    ("rdsPorts", Items(&RDS_PORT)),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const NIDD_DOWNLINK_DATA_TRANSFER_PATCH: Shape = Members(&[("rdsPort", RDS_PORT)]);

pub(super) const NP_CONFIGURATION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("mtcProviderId", Is(MtcProviderId)),
    ("dnn", Is(Dnn)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("snssai", Is(Snssai)),
    ("ueIpAddr", IP_ADDR),
    ("ueMacAddr", Is(Mac)),
]);

pub(super) const CONFIGURATION_NOTIFICATION: Shape = Members(&[
    ("configuration", Is(ResourceLink)),
    ("configResults", Items(&CONFIG_RESULT)),
    ("appliedParam", APPLIED_PARAMETER_CONFIGURATION),
]);

pub(super) const NP_CONFIGURATION_PATCH: Shape =
    Members(&[("notificationDestination", Is(Callback))]);

pub(super) const PFD_DATA: Shape =
    Members(&[("externalAppId", Is(Application)), ("self", Is(SelfLink))]);

pub(super) const PFD_REPORT: Shape = Members(&[("externalAppIds", Items(&Is(Application)))]);

pub(super) const PFD_MANAGEMENT: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("pfdDatas", Values(&PFD_DATA)),
    ("pfdReports", Values(&PFD_REPORT)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const PFD_MANAGEMENT_PATCH: Shape = Members(&[
    ("pfdDatas", Values(&PFD_DATA)),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const RACS_PROVISIONING_DATA: Shape = Members(&[("self", Is(SelfLink))]);

pub(super) const STATUS_SUBSCRIPTION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const STATUS_NOTIFICATION: Shape = Members(&[("subscription", Is(ResourceLink))]);

pub(super) const STATUS_SUBSCRIPTION_PATCH: Shape =
    Members(&[("notificationDestination", Is(Callback))]);

pub(super) const BDT: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("aspId", Is(Sponsor)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const BDT_PATCH: Shape = Members(&[("notificationDestination", Is(Callback))]);

/// Made, or answered at once by one report or several.
pub(super) const MONITORING_CREATED: Shape = Either(&[
    MONITORING_SUBSCRIPTION,
    MONITORING_EVENT_REPORT,
    MONITORING_EVENT_REPORTS,
]);

pub(super) const NIDD_NOTIFICATION: Shape = Either(&[
    NIDD_STATUS,
    NIDD_UPLINK,
    NIDD_DELIVERY_STATUS,
    NIDD_GMD_DELIVERY,
    MANAGE_PORT_NOTIFICATION,
]);

pub(super) const MONITORING_EVENT_REPORTS: Shape =
    Members(&[("monitoringEventReports", Items(&MONITORING_EVENT_REPORT))]);

pub(super) const NIDD_STATUS: Shape = Members(&[
    ("niddConfiguration", Is(ResourceLink)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("rdsPort", RDS_PORT),
]);

pub(super) const NIDD_UPLINK: Shape = Members(&[
    ("niddConfiguration", Is(ResourceLink)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("rdsPort", RDS_PORT),
]);

pub(super) const NIDD_DELIVERY_STATUS: Shape =
    Members(&[("niddDownlinkDataTransfer", Is(ResourceLink))]);

pub(super) const NIDD_GMD_DELIVERY: Shape = Members(&[
    ("niddDownlinkDataTransfer", Is(ResourceLink)),
    ("gmdResults", Items(&GMD_RESULT)),
]);

pub(super) const MANAGE_PORT_NOTIFICATION: Shape = Members(&[
    ("niddConfiguration", Is(ResourceLink)),
    ("externalId", Is(ExternalId)),
    ("msisdn", Is(Msisdn)),
    ("managedPorts", Items(&MANAGE_PORT)),
]);
