//! What stands where in the bodies of TS 29.522: only what the table knows a kind for.

use super::shape::Kind::{
    AkmaKeyId, AnyUe, Application, Callback, Dnn, Event, ExternalGroupId, ExternalId, Gpsi,
    InternalGroupId, IpDomain, Ipv4, Ipv6, Ipv6Prefix, Mac, MtcProviderId, OtherAddress, Port,
    QosReference, ResourceLink, ScsAsId, SelfLink, Snssai, Sponsor, Supi,
};
use super::shape::Shape::{self, Alone, Beside, Is, Items, Members, Values};
use super::shared_bodies::{
    APPLIED_PARAMETER_CONFIGURATION, CONFIG_RESULT, CP_PARAMETER_SET, ETH_FLOW_DESCRIPTION,
    IP_ADDR, WEBSOCK_NOTIF_CONFIG,
};

pub(super) const CP_PARAMS: Shape = Members(&[("cpParameterSets", Values(&CP_PARAMETER_SET))]);

pub(super) const ACS_INFO: Shape = Members(&[
    ("acsIpv4Addr", Is(OtherAddress)),
    ("acsIpv6Addr", Is(OtherAddress)),
]);

pub(super) const ACS_PARAMS: Shape = Members(&[("acsInfo", ACS_INFO)]);

pub(super) const OTHER_IP_ADDR: Shape = Members(&[
    ("ipv4Addr", Is(OtherAddress)),
    ("ipv6Addr", Is(OtherAddress)),
    ("ipv6Prefix", Is(OtherAddress)),
]);

pub(super) const ECS_SERVER_ADDR: Shape = Members(&[("ecsIpAddressList", Items(&OTHER_IP_ADDR))]);

pub(super) const ECS_ADDR_PARAMS: Shape = Members(&[("ecsServerAddr", ECS_SERVER_ADDR)]);

pub(super) const LAN_PARAMETERS: Shape = Members(&[
    ("exterGroupId", Is(ExternalGroupId)),
    ("gpsis", Values(&Is(Gpsi))),
    ("dnn", Is(Dnn)),
    ("aaaIpv4Addr", Is(OtherAddress)),
    ("aaaIpv6Addr", Is(OtherAddress)),
    ("mtcProviderId", Is(MtcProviderId)),
    ("snssai", Is(Snssai)),
    ("cpParams", CP_PARAMS),
    ("acsParams", ACS_PARAMS),
    ("ecsAddrParams", ECS_ADDR_PARAMS),
    ("notifUri", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const LAN_PROVISION: Shape =
    Members(&[("self", Is(SelfLink)), ("5gLanParams", LAN_PARAMETERS)]);

pub(super) const NP_CONFIG_NOTIF: Shape = Members(&[
    ("configResults", Items(&CONFIG_RESULT)),
    ("appliedParam", APPLIED_PARAMETER_CONFIGURATION),
]);

pub(super) const LAN_NOTIFICATION: Shape = Members(&[("npConfigNotif", NP_CONFIG_NOTIF)]);

pub(super) const LAN_PARAMETERS_PATCH: Shape = Members(&[
    ("gpsis", Values(&Is(Gpsi))),
    ("cpParams", CP_PARAMS),
    ("acsParams", ACS_PARAMS),
    ("ecsAddrParams", ECS_ADDR_PARAMS),
    ("notifUri", Is(Callback)),
]);

pub(super) const LAN_PROVISION_PATCH: Shape =
    Members(&[("5gLanParamsPatch", LAN_PARAMETERS_PATCH)]);

pub(super) const ACS_CONFIGURATION_DATA: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("exterGroupId", Is(ExternalGroupId)),
    ("gpsi", Is(Gpsi)),
    ("acsInfo", ACS_INFO),
    ("mtcProviderId", Is(MtcProviderId)),
]);

pub(super) const ACS_CONFIGURATION_DATA_PATCH: Shape =
    Members(&[("acsInfo", ACS_INFO), ("mtcProviderId", Is(MtcProviderId))]);

pub(super) const AKMA_AF_KEY_REQUEST: Shape =
    Members(&[("afId", Is(ScsAsId)), ("aKId", Is(AkmaKeyId))]);

pub(super) const AKMA_AF_KEY_DATA: Shape = Members(&[("gpsi", Is(Gpsi)), ("supi", Is(Supi))]);

pub(super) const DNN_SNSSAI_INFORMATION: Shape =
    Members(&[("dnn", Is(Dnn)), ("snssai", Is(Snssai))]);

pub(super) const AM_INFLU_SUB: Shape = Members(&[
    ("gpsi", Is(Gpsi)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("anyUeInd", Is(AnyUe)),
    ("dnnSnssaiInfos", Items(&DNN_SNSSAI_INFORMATION)),
    ("self", Is(SelfLink)),
    ("subscribedEvents", Items(&Is(Event))),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const AM_INFLU_EVENT_NOTIF: Shape = Members(&[("event", Is(Event))]);

pub(super) const AM_INFLU_SUB_PATCH: Shape = Members(&[
    ("dnnSnssaiInfos", Items(&DNN_SNSSAI_INFORMATION)),
    ("subscribedEvents", Items(&Is(Event))),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const AM_EVENTS_SUBSC_DATA: Shape = Members(&[("eventNotifUri", Is(Callback))]);

pub(super) const APP_AM_CONTEXT_EXP_DATA: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("evSubscs", AM_EVENTS_SUBSC_DATA),
    ("gpsi", Is(Gpsi)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const APP_AM_CONTEXT_DATA: Shape = Members(&[
    ("supi", Is(Supi)),
    ("gpsi", Is(Gpsi)),
    ("termNotifUri", Is(Callback)),
    ("evSubsc", AM_EVENTS_SUBSC_DATA),
]);

pub(super) const APP_AM_CONTEXT_EXP_RESP_DATA: Shape = APP_AM_CONTEXT_DATA;

pub(super) const APP_AM_CONTEXT_EXP_UPDATE_DATA: Shape =
    Members(&[("evSubscs", AM_EVENTS_SUBSC_DATA)]);

pub(super) const ACCESS_TIME_DISTRIBUTION_DATA: Shape = Members(&[
    ("gpsis", Items(&Is(Gpsi))),
    ("exterGroupId", Is(ExternalGroupId)),
    ("astiNotifUri", Is(Callback)),
]);

pub(super) const ASTI_CONFIG_NOTIFICATION: Shape = Members(&[(
    "stateConfigs",
    Items(&Members(&[("supi", Is(Supi)), ("gpsi", Is(Gpsi))])),
)]);

pub(super) const STATUS_REQUEST_DATA: Shape = Members(&[("gpsis", Items(&Is(Gpsi)))]);

pub(super) const ACTIVE_UE: Shape = Members(&[("gpsi", Is(Gpsi))]);

pub(super) const STATUS_RESPONSE_DATA: Shape = Members(&[
    ("inactiveUes", Items(&Is(Gpsi))),
    ("activeUes", Items(&ACTIVE_UE)),
]);

pub(super) const ANALYTICS_EVENT_FILTER_SUBSC: Shape = Members(&[
    ("dnn", Is(Dnn)),
    ("dnns", Items(&Is(Dnn))),
    ("snssai", Is(Snssai)),
    ("snssais", Items(&Is(Snssai))),
]);

pub(super) const TARGET_UE_ID: Shape = Members(&[
    ("anyUeInd", Is(AnyUe)),
    ("gpsi", Is(Gpsi)),
    ("exterGroupId", Is(ExternalGroupId)),
]);

pub(super) const ANALYTICS_EVENT_SUBSC: Shape = Members(&[
    ("analyEvent", Is(Event)),
    ("analyEventFilter", ANALYTICS_EVENT_FILTER_SUBSC),
    ("tgtUe", TARGET_UE_ID),
]);

pub(super) const ABNORMAL_EXPOSURE: Shape = Members(&[
    ("gpsis", Items(&Is(Gpsi))),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
]);

pub(super) const QOS_SUSTAINABILITY_EXPOSURE: Shape = Members(&[("snssai", Is(Snssai))]);

pub(super) const ANALYTICS_EVENT_NOTIF: Shape = Members(&[
    ("analyEvent", Is(Event)),
    ("abnormalInfos", Items(&ABNORMAL_EXPOSURE)),
    ("qosSustainInfos", Items(&QOS_SUSTAINABILITY_EXPOSURE)),
]);

pub(super) const ANALYTICS_FAILURE_EVENT_INFO: Shape = Members(&[("event", Is(Event))]);

pub(super) const ANALYTICS_EXPOSURE_SUBSC: Shape = Members(&[
    ("analyEventsSubs", Items(&Alone(&ANALYTICS_EVENT_SUBSC))),
    ("notifUri", Is(Callback)),
    ("eventNotifis", Beside(&Items(&ANALYTICS_EVENT_NOTIF))),
    ("failEventReports", Items(&ANALYTICS_FAILURE_EVENT_INFO)),
    ("self", Is(SelfLink)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const ANALYTICS_EVENT_NOTIFICATION: Shape =
    Members(&[("analyEventNotifs", Items(&ANALYTICS_EVENT_NOTIF))]);

pub(super) const ANALYTICS_EVENT_FILTER: Shape = Members(&[
    ("dnn", Is(Dnn)),
    ("dnns", Items(&Is(Dnn))),
    ("snssai", Is(Snssai)),
    ("snssais", Items(&Is(Snssai))),
]);

pub(super) const ANALYTICS_REQUEST: Shape = Members(&[
    ("analyEvent", Is(Event)),
    ("analyEventFilter", ANALYTICS_EVENT_FILTER),
    ("tgtUe", TARGET_UE_ID),
]);

pub(super) const ANALYTICS_DATA: Shape = Members(&[
    ("abnormalInfos", Items(&ABNORMAL_EXPOSURE)),
    ("qosSustainInfos", Items(&QOS_SUSTAINABILITY_EXPOSURE)),
]);

pub(super) const APPLIED_BDT_POLICY: Shape = Members(&[
    ("externalGroupId", Is(ExternalGroupId)),
    ("gpsi", Is(Gpsi)),
    ("self", Is(SelfLink)),
]);

pub(super) const DNAI_MAP_SUB: Shape = Members(&[
    ("easIpAddrs", Items(&OTHER_IP_ADDR)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("notifUri", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const DATA_REPORTING_CONFIGURATION: Shape = Members(&[(
    "dataAccessProfiles",
    Items(&Members(&[(
        "userAccessRestrictions",
        Members(&[
            ("userIds", Items(&Is(Supi))),
            ("groupIds", Items(&Is(InternalGroupId))),
        ]),
    )])),
)]);

pub(super) const DNS_SERVER_IDENTIFIER: Shape = Members(&[("dnsServIpAddr", OTHER_IP_ADDR)]);

pub(super) const DNAI_INFORMATION: Shape = Members(&[
    ("dnsServIds", Items(&DNS_SERVER_IDENTIFIER)),
    ("easIpAddrs", Items(&OTHER_IP_ADDR)),
]);

pub(super) const EAS_DEPLOY_INFO: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("dnaiInfos", Values(&DNAI_INFORMATION)),
]);

pub(super) const EDI_DELETE_CRITERIA: Shape =
    Members(&[("afId", Is(ScsAsId)), ("dnnSnssai", DNN_SNSSAI_INFORMATION)]);

pub(super) const ECS_ADDR_INFO: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("ecsServerAddr", ECS_SERVER_ADDR),
    ("tgtUe", TARGET_UE_ID),
]);

pub(super) const ECS_ADDR_DELETE_CRITERIA: Shape = Members(&[
    ("afIds", Items(&Is(ScsAsId))),
    ("ecsAddrInfo", ECS_ADDR_INFO),
]);

pub(super) const ECS_ADDRESS_PROVISION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("ecsServerAddr", ECS_SERVER_ADDR),
    ("tgtUe", TARGET_UE_ID),
]);

pub(super) const DNN_SNSSAI_GRP_DATA: Shape = Members(&[
    ("extGroupId", Is(ExternalGroupId)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
]);

pub(super) const GRP_PP_DATA: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("dnnSnssaiGrpData", DNN_SNSSAI_GRP_DATA),
]);

pub(super) const GRP_PP_DATA_PATCH: Shape = Members(&[("dnnSnssaiGrpData", DNN_SNSSAI_GRP_DATA)]);

pub(super) const MULTICAST_ACCESS_CONTROL: Shape = Members(&[
    ("srcIpv4Addr", Is(OtherAddress)),
    ("srcIpv6Addr", Is(OtherAddress)),
    ("multicastV4Addr", Is(OtherAddress)),
    ("multicastV6Addr", Is(OtherAddress)),
]);

pub(super) const IPTV_CONFIG_DATA: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("gpsi", Is(Gpsi)),
    ("exterGroupId", Is(ExternalGroupId)),
    ("afAppId", Is(Application)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("multiAccCtrls", Values(&MULTICAST_ACCESS_CONTROL)),
    ("mtcProviderId", Is(MtcProviderId)),
]);

pub(super) const IPTV_CONFIG_DATA_PATCH: Shape =
    Members(&[("multiAccCtrls", Values(&MULTICAST_ACCESS_CONTROL))]);

pub(super) const LPI_PARAMETERS_PROVISION: Shape = Members(&[
    ("self", Is(SelfLink)),
    ("exterGroupId", Is(ExternalGroupId)),
    ("gpsi", Is(Gpsi)),
    ("mtcProviderId", Is(MtcProviderId)),
]);

pub(super) const LPI_PARAMETERS_PROVISION_PATCH: Shape =
    Members(&[("mtcProviderId", Is(MtcProviderId))]);

pub(super) const MBS_GROUP_MSG_DEL: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("notifUri", Is(Callback)),
]);

pub(super) const MBS_GROUP_MSG_DEL_PATCH: Shape = Members(&[("notifUri", Is(Callback))]);

pub(super) const SSM: Shape = Members(&[
    ("sourceIpAddr", OTHER_IP_ADDR),
    ("destIpAddr", OTHER_IP_ADDR),
]);

pub(super) const MBS_SESSION_ID: Shape = Members(&[("ssm", SSM)]);

pub(super) const TUNNEL_ADDRESS: Shape = Members(&[
    ("ipv4Addr", Is(OtherAddress)),
    ("ipv6Addr", Is(OtherAddress)),
]);

pub(super) const MBS_MEDIA_COMP: Shape = Members(&[("qosRef", Is(QosReference))]);

pub(super) const MBS_MEDIA_COMP_RM: Shape = MBS_MEDIA_COMP;

pub(super) const MBS_SERVICE_INFO: Shape = Members(&[
    ("mbsMediaComps", Values(&MBS_MEDIA_COMP_RM)),
    ("afAppId", Is(Application)),
]);

pub(super) const MBS_SESSION_EVENT: Shape = Members(&[("eventType", Is(Event))]);

pub(super) const MBS_SESSION_SUBSCRIPTION: Shape = Members(&[
    ("mbsSessionId", MBS_SESSION_ID),
    ("eventList", Items(&MBS_SESSION_EVENT)),
    ("notifyUri", Is(Callback)),
    ("mbsSessionSubscUri", Is(ResourceLink)),
]);

pub(super) const ASSOCIATED_SESSION_ID: Shape = SSM;

pub(super) const MBS_SESSION: Shape = Members(&[
    ("mbsSessionId", MBS_SESSION_ID),
    ("ingressTunAddr", Items(&TUNNEL_ADDRESS)),
    ("ssm", SSM),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("mbsServInfo", MBS_SERVICE_INFO),
    ("mbsSessionSubsc", MBS_SESSION_SUBSCRIPTION),
    ("anyUeInd", Is(AnyUe)),
    ("associatedSessionId", ASSOCIATED_SESSION_ID),
]);

pub(super) const MBS_SESSION_CREATE_REQ: Shape =
    Members(&[("afId", Is(ScsAsId)), ("mbsSession", MBS_SESSION)]);

pub(super) const INGRESS_TUN_ADDR_INFO: Shape =
    Members(&[("ingressTunAddr", Items(&TUNNEL_ADDRESS))]);

pub(super) const MBS_SESSION_EVENT_REPORT: Shape = Members(&[
    ("eventType", Is(Event)),
    ("ingressTunAddrInfo", INGRESS_TUN_ADDR_INFO),
]);

pub(super) const MBS_SESSION_EVENT_REPORT_LIST: Shape =
    Members(&[("eventReportList", Items(&MBS_SESSION_EVENT_REPORT))]);

pub(super) const MBS_SESSION_CREATE_RSP: Shape = Members(&[
    ("mbsSession", MBS_SESSION),
    ("eventList", MBS_SESSION_EVENT_REPORT_LIST),
]);

pub(super) const MBS_SESSION_SUBSC: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("subscription", MBS_SESSION_SUBSCRIPTION),
]);

pub(super) const MBS_SESSION_STATUS_NOTIF: Shape =
    Members(&[("eventList", MBS_SESSION_EVENT_REPORT_LIST)]);

pub(super) const MBS_SESS_AUTH_DATA: Shape = Members(&[
    ("extGroupId", Is(ExternalGroupId)),
    ("gpsisList", Values(&Is(Gpsi))),
]);

pub(super) const MBS_PP_DATA: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("mbsSessAuthData", MBS_SESS_AUTH_DATA),
]);

pub(super) const MBS_PP_DATA_PATCH: Shape = Members(&[("mbsSessAuthData", MBS_SESS_AUTH_DATA)]);

pub(super) const TMGI_ALLOC_REQUEST: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("notificationUri", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const TMGI_DEALLOC_REQUEST: Shape = Members(&[("afId", Is(ScsAsId))]);

pub(super) const MBS_USER_DATA_ING_STAT_SUBSC: Shape = Members(&[("notifUri", Is(Callback))]);

pub(super) const AF_EVENT_EXPOSURE_SUBSC: Shape = Members(&[
    (
        "eventsSubs",
        Items(&Alone(&Members(&[
            ("event", Is(Event)),
            (
                "eventFilter",
                Members(&[
                    ("gpsis", Items(&Is(Gpsi))),
                    ("supis", Items(&Is(Supi))),
                    ("exterGroupIds", Items(&Is(ExternalGroupId))),
                    ("interGroupIds", Items(&Is(InternalGroupId))),
                    ("anyUeInd", Is(AnyUe)),
                    ("ueIpAddr", IP_ADDR),
                ]),
            ),
        ]))),
    ),
    ("notifUri", Is(Callback)),
]);

pub(super) const QOS_FILTER_CRITERIA: Shape = Members(&[("dnn", Is(Dnn)), ("snssai", Is(Snssai))]);

pub(super) const ACCESS_RAT_TYPE_FILTER_CRITERIA: Shape =
    Members(&[("dnn", Is(Dnn)), ("snssai", Is(Snssai))]);

pub(super) const E2E_TRANS_TIME_FILTER_CRITERIA: Shape =
    Members(&[("dnn", Is(Dnn)), ("snssai", Is(Snssai))]);

pub(super) const SERVICE_EXP_FILTER_CRITERIA: Shape =
    Members(&[("dnn", Is(Dnn)), ("snssai", Is(Snssai))]);

pub(super) const DNN_FILTER_CRITERIA: Shape = Members(&[("dnn", Is(Dnn))]);

pub(super) const MEM_UE_SELECT_ASSIST_SUBSC: Shape = Members(&[
    ("tgtUes", Items(&Is(Gpsi))),
    ("notifUri", Is(Callback)),
    ("qosFilters", Items(&QOS_FILTER_CRITERIA)),
    ("accRatTypeFilters", Items(&ACCESS_RAT_TYPE_FILTER_CRITERIA)),
    (
        "e2eTransTimeFilters",
        Items(&E2E_TRANS_TIME_FILTER_CRITERIA),
    ),
    ("serviceExpFilters", Items(&SERVICE_EXP_FILTER_CRITERIA)),
    ("dnnFilters", Items(&DNN_FILTER_CRITERIA)),
]);

pub(super) const CANDI_UE_INFO: Shape = Members(&[("candiUes", Items(&Is(Gpsi)))]);

pub(super) const MEM_UE_SELET_ASSIST_NOTIF: Shape =
    Members(&[("candiUeInfos", Items(&CANDI_UE_INFO))]);

pub(super) const PDTQ: Shape = Members(&[
    ("aspId", Is(Sponsor)),
    ("notificationDestination", Is(Callback)),
    ("qosReference", Is(QosReference)),
    ("self", Is(SelfLink)),
]);

pub(super) const PDTQ_PATCH: Shape = Members(&[("notificationDestination", Is(Callback))]);

pub(super) const TRAFFIC_DESCRIPTOR_COMPONENTS: Shape = Members(&[
    ("ethFlowDescs", Items(&ETH_FLOW_DESCRIPTION)),
    ("dnns", Items(&Is(Dnn))),
]);

pub(super) const ROUTE_SELECTION_PARAMETER_SET: Shape =
    Members(&[("dnn", Is(Dnn)), ("snssai", Is(Snssai))]);

pub(super) const URSP_RULE_REQUEST: Shape = Members(&[
    ("trafficDesc", TRAFFIC_DESCRIPTOR_COMPONENTS),
    ("routeSelParamSets", Items(&ROUTE_SELECTION_PARAMETER_SET)),
]);

pub(super) const SERVICE_PARAMETER_DATA: Shape = Members(&[
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("anyUeInd", Is(AnyUe)),
    ("gpsi", Is(Gpsi)),
    ("ueIpv4", Is(Ipv4)),
    ("ueIpv6", Is(Ipv6)),
    ("ueMac", Is(Mac)),
    ("self", Is(SelfLink)),
    ("subNotifEvents", Items(&Is(Event))),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("urspGuidance", Items(&URSP_RULE_REQUEST)),
    ("mtcProviderId", Is(MtcProviderId)),
]);

pub(super) const AF_NOTIFICATION: Shape = Members(&[
    ("subscription", Is(ResourceLink)),
    ("reportEvent", Is(Event)),
    ("gpsis", Items(&Is(Gpsi))),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
]);

pub(super) const SERVICE_PARAMETER_DATA_PATCH: Shape = Members(&[
    ("urspGuidance", Items(&URSP_RULE_REQUEST)),
    ("subNotifEvents", Items(&Is(Event))),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const SLICE_USAGE_CONTROL_INFO: Shape = Members(&[("sNssai", Is(Snssai))]);

pub(super) const SLICE_PP_DATA: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("sliceUsgCtrlData", Values(&SLICE_USAGE_CONTROL_INFO)),
]);

pub(super) const SLICE_PP_DATA_PATCH: Shape =
    Members(&[("sliceUsgCtrlData", Values(&SLICE_USAGE_CONTROL_INFO))]);

pub(super) const TIME_SYNC_EXPOSURE_SUBSC: Shape = Members(&[
    ("exterGroupId", Is(ExternalGroupId)),
    ("gpsis", Items(&Is(Gpsi))),
    ("anyUeInd", Is(AnyUe)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("subsNotifUri", Is(Callback)),
    ("subscribedEvents", Items(&Is(Event))),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
]);

pub(super) const PTP_CAPABILITIES_PER_UE: Shape = Members(&[("gpsi", Is(Gpsi))]);

pub(super) const TIME_SYNC_CAPABILITY: Shape =
    Members(&[("ptpCapForUes", Values(&PTP_CAPABILITIES_PER_UE))]);

pub(super) const SUBS_EVENT_NOTIFICATION: Shape = Members(&[
    ("event", Is(Event)),
    ("timeSyncCapas", Items(&TIME_SYNC_CAPABILITY)),
]);

pub(super) const TIME_SYNC_EXPOSURE_SUBS_NOTIF: Shape =
    Members(&[("eventNotifs", Items(&SUBS_EVENT_NOTIFICATION))]);

pub(super) const CONFIG_FOR_PORT: Shape = Members(&[("gpsi", Is(Gpsi))]);

pub(super) const PTP_INSTANCE: Shape = Members(&[("portConfigs", Items(&CONFIG_FOR_PORT))]);

pub(super) const TIME_SYNC_EXPOSURE_CONFIG: Shape = Members(&[
    ("reqPtpIns", PTP_INSTANCE),
    ("configNotifUri", Is(Callback)),
]);

pub(super) const STATE_OF_DSTT: Shape = Members(&[("gpsi", Is(Gpsi))]);

pub(super) const STATE_OF_CONFIGURATION: Shape =
    Members(&[("stateOfDstts", Items(&STATE_OF_DSTT))]);

pub(super) const TIME_SYNC_EXPOSURE_CONFIG_NOTIF: Shape =
    Members(&[("stateOfConfig", STATE_OF_CONFIGURATION)]);

pub(super) const ROUTE_INFORMATION: Shape = Members(&[
    ("ipv4Addr", Is(OtherAddress)),
    ("ipv6Addr", Is(OtherAddress)),
]);

pub(super) const ROUTE_TO_LOCATION: Shape = Members(&[("routeInfo", ROUTE_INFORMATION)]);

pub(super) const EAS_SERVER_ADDRESS: Shape = Members(&[("ip", OTHER_IP_ADDR)]);

pub(super) const EAS_IP_REPLACEMENT_INFO: Shape = Members(&[
    ("source", EAS_SERVER_ADDRESS),
    ("target", EAS_SERVER_ADDRESS),
]);

pub(super) const EVENT_NOTIFICATION: Shape = Members(&[
    ("sourceTrafficRoute", ROUTE_TO_LOCATION),
    ("subscribedEvent", Is(Event)),
    ("targetTrafficRoute", ROUTE_TO_LOCATION),
    ("gpsi", Is(Gpsi)),
    ("srcUeIpv4Addr", Is(Ipv4)),
    ("srcUeIpv6Prefix", Is(Ipv6Prefix)),
    ("tgtUeIpv4Addr", Is(Ipv4)),
    ("tgtUeIpv6Prefix", Is(Ipv6Prefix)),
    ("ueMac", Is(Mac)),
    ("afAckUri", Is(ResourceLink)),
]);

pub(super) const TRAFFIC_INFLU_SUB: Shape = Members(&[
    ("afAppId", Is(Application)),
    ("dnn", Is(Dnn)),
    ("snssai", Is(Snssai)),
    ("externalGroupId", Is(ExternalGroupId)),
    ("externalGroupIds", Items(&Is(ExternalGroupId))),
    ("anyUeInd", Is(AnyUe)),
    ("subscribedEvents", Items(&Is(Event))),
    ("gpsi", Is(Gpsi)),
    ("ipv4Addr", Is(Ipv4)),
    ("ipDomain", Is(IpDomain)),
    ("ipv6Addr", Is(Ipv6)),
    ("macAddr", Is(Mac)),
    ("notificationDestination", Is(Callback)),
    ("websockNotifConfig", WEBSOCK_NOTIF_CONFIG),
    ("self", Is(SelfLink)),
    ("ethTrafficFilters", Items(&ETH_FLOW_DESCRIPTION)),
    ("trafficRoutes", Items(&ROUTE_TO_LOCATION)),
    ("easIpReplaceInfos", Items(&EAS_IP_REPLACEMENT_INFO)),
    ("eventReports", Beside(&Items(&EVENT_NOTIFICATION))),
    ("portNumber", Is(Port)),
]);

pub(super) const TRAFFIC_INFLU_SUB_PATCH: Shape = Members(&[
    ("ethTrafficFilters", Items(&ETH_FLOW_DESCRIPTION)),
    ("trafficRoutes", Items(&ROUTE_TO_LOCATION)),
    ("easIpReplaceInfos", Items(&EAS_IP_REPLACEMENT_INFO)),
    ("notificationDestination", Is(Callback)),
]);

pub(super) const UE_ADDRESS_REQ: Shape = Members(&[("afId", Is(ScsAsId)), ("gpsi", Is(Gpsi))]);

pub(super) const UE_ADDRESS_INFO: Shape = Members(&[("ueIpAddrs", Items(&IP_ADDR))]);

pub(super) const UE_ID_REQ: Shape = Members(&[
    ("afId", Is(ScsAsId)),
    ("appPortId", Is(Port)),
    ("dnn", Is(Dnn)),
    ("ipDomain", Is(IpDomain)),
    ("mtcProviderId", Is(MtcProviderId)),
    ("portNumber", Is(Port)),
    ("snssai", Is(Snssai)),
    ("ueIpAddr", IP_ADDR),
    ("ueMacAddr", Is(Mac)),
]);

pub(super) const UE_ID_INFO: Shape = Members(&[("externalId", Is(ExternalId))]);
