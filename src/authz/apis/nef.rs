//! The APIs of TS 29.522 that a NEF serves to AFs, by their titles.

use super::nef_bodies::{
    ACCESS_TIME_DISTRIBUTION_DATA, ACS_CONFIGURATION_DATA, ACS_CONFIGURATION_DATA_PATCH,
    AF_EVENT_EXPOSURE_SUBSC, AF_NOTIFICATION, AKMA_AF_KEY_DATA, AKMA_AF_KEY_REQUEST,
    AM_EVENTS_SUBSC_DATA, AM_INFLU_EVENT_NOTIF, AM_INFLU_SUB, AM_INFLU_SUB_PATCH, ANALYTICS_DATA,
    ANALYTICS_EVENT_NOTIFICATION, ANALYTICS_EXPOSURE_SUBSC, ANALYTICS_REQUEST,
    APP_AM_CONTEXT_EXP_DATA, APP_AM_CONTEXT_EXP_RESP_DATA, APP_AM_CONTEXT_EXP_UPDATE_DATA,
    APPLIED_BDT_POLICY, ASTI_CONFIG_NOTIFICATION, DATA_REPORTING_CONFIGURATION, DNAI_MAP_SUB,
    EAS_DEPLOY_INFO, ECS_ADDR_DELETE_CRITERIA, ECS_ADDR_INFO, ECS_ADDRESS_PROVISION,
    EDI_DELETE_CRITERIA, EVENT_NOTIFICATION, GRP_PP_DATA, GRP_PP_DATA_PATCH, IPTV_CONFIG_DATA,
    IPTV_CONFIG_DATA_PATCH, LAN_NOTIFICATION, LAN_PROVISION, LAN_PROVISION_PATCH,
    LPI_PARAMETERS_PROVISION, LPI_PARAMETERS_PROVISION_PATCH, MBS_GROUP_MSG_DEL,
    MBS_GROUP_MSG_DEL_PATCH, MBS_PP_DATA, MBS_PP_DATA_PATCH, MBS_SESSION, MBS_SESSION_CREATE_REQ,
    MBS_SESSION_CREATE_RSP, MBS_SESSION_STATUS_NOTIF, MBS_SESSION_SUBSC,
    MBS_USER_DATA_ING_STAT_SUBSC, MEM_UE_SELECT_ASSIST_SUBSC, MEM_UE_SELET_ASSIST_NOTIF, PDTQ,
    PDTQ_PATCH, SERVICE_PARAMETER_DATA, SERVICE_PARAMETER_DATA_PATCH, SLICE_PP_DATA,
    SLICE_PP_DATA_PATCH, STATUS_REQUEST_DATA, STATUS_RESPONSE_DATA, TIME_SYNC_EXPOSURE_CONFIG,
    TIME_SYNC_EXPOSURE_CONFIG_NOTIF, TIME_SYNC_EXPOSURE_SUBS_NOTIF, TIME_SYNC_EXPOSURE_SUBSC,
    TMGI_ALLOC_REQUEST, TMGI_DEALLOC_REQUEST, TRAFFIC_INFLU_SUB, TRAFFIC_INFLU_SUB_PATCH,
    UE_ADDRESS_INFO, UE_ADDRESS_REQ, UE_ID_INFO, UE_ID_REQ,
};
use super::resource::{
    Api, GPSIS, IP_ADDRS_FORM, IP_DOMAIN, MAC_ADDRS, Resource, SUPP_FEAT, create, delete, get,
    json_patch, merge, patch, post, put, to,
};
use super::shape::NOTHING;
use super::shape::Shape::Items;

pub(super) static APIS: [Api; 31] = [
    Api {
        name: "3gpp-5glan-pp",
        title: "5GLANParameterProvision",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&LAN_PROVISION)),
                    create(LAN_PROVISION, LAN_PROVISION)
                        .calling(&[to("/5gLanParams/notifUri", LAN_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(LAN_PROVISION),
                    put(LAN_PROVISION, LAN_PROVISION),
                    merge(LAN_PROVISION_PATCH, LAN_PROVISION),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-acs-pp",
        title: "ACSParameterProvision",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&ACS_CONFIGURATION_DATA)),
                    create(ACS_CONFIGURATION_DATA, ACS_CONFIGURATION_DATA),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(ACS_CONFIGURATION_DATA),
                    put(ACS_CONFIGURATION_DATA, ACS_CONFIGURATION_DATA),
                    merge(ACS_CONFIGURATION_DATA_PATCH, ACS_CONFIGURATION_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-akma",
        title: "AKMA",
        resources: &[Resource::new(
            "/retrieve",
            &[post(AKMA_AF_KEY_REQUEST, AKMA_AF_KEY_DATA)],
        )],
    },
    Api {
        name: "3gpp-am-influence",
        title: "AMInfluence",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&AM_INFLU_SUB)),
                    create(AM_INFLU_SUB, AM_INFLU_SUB)
                        .calling(&[to("/notificationDestination", Items(&AM_INFLU_EVENT_NOTIF))]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(AM_INFLU_SUB),
                    put(AM_INFLU_SUB, AM_INFLU_SUB),
                    merge(AM_INFLU_SUB_PATCH, AM_INFLU_SUB),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-am-policyauthorization",
        title: "AMPolicyAuthorization",
        resources: &[
            Resource::new(
                "/{afId}/app-am-contexts",
                &[
                    create(APP_AM_CONTEXT_EXP_DATA, APP_AM_CONTEXT_EXP_RESP_DATA)
                        .calling(&[to("/evSubscs/eventNotifUri", NOTHING)]),
                ],
            ),
            Resource::new(
                "/{afId}/app-am-contexts/{appAmContextId}",
                &[
                    get(APP_AM_CONTEXT_EXP_DATA),
                    merge(APP_AM_CONTEXT_EXP_UPDATE_DATA, APP_AM_CONTEXT_EXP_RESP_DATA),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/{afId}/app-am-contexts/{appAmContextId}/events-subscription",
                &[
                    put(AM_EVENTS_SUBSC_DATA, AM_EVENTS_SUBSC_DATA)
                        .creating()
                        .calling(&[to("/eventNotifUri", NOTHING)]),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-asti",
        title: "ASTI",
        resources: &[
            Resource::new(
                "/{afId}/configurations",
                &[
                    get(Items(&ACCESS_TIME_DISTRIBUTION_DATA)),
                    create(ACCESS_TIME_DISTRIBUTION_DATA, ACCESS_TIME_DISTRIBUTION_DATA)
                        .calling(&[to("/astiNotifUri", ASTI_CONFIG_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{afId}/configurations/retrieve",
                &[post(STATUS_REQUEST_DATA, STATUS_RESPONSE_DATA)],
            ),
            Resource::new(
                "/{afId}/configurations/{configId}",
                &[
                    get(ACCESS_TIME_DISTRIBUTION_DATA),
                    put(ACCESS_TIME_DISTRIBUTION_DATA, ACCESS_TIME_DISTRIBUTION_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-analyticsexposure",
        title: "AnalyticsExposure",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&ANALYTICS_EXPOSURE_SUBSC)).asking(&[SUPP_FEAT]),
                    create(ANALYTICS_EXPOSURE_SUBSC, ANALYTICS_EXPOSURE_SUBSC)
                        .calling(&[to("/notifUri", ANALYTICS_EVENT_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(ANALYTICS_EXPOSURE_SUBSC).asking(&[SUPP_FEAT]),
                    put(ANALYTICS_EXPOSURE_SUBSC, ANALYTICS_EXPOSURE_SUBSC),
                    delete(NOTHING),
                ],
            ),
            Resource::new("/{afId}/fetch", &[post(ANALYTICS_REQUEST, ANALYTICS_DATA)]),
        ],
    },
    Api {
        name: "3gpp-applying-bdt-policy",
        title: "ApplyingBdtPolicy",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&APPLIED_BDT_POLICY)),
                    create(APPLIED_BDT_POLICY, APPLIED_BDT_POLICY),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(APPLIED_BDT_POLICY),
                    merge(NOTHING, APPLIED_BDT_POLICY),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-dnai-mapping",
        title: "DNAIMapping",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&DNAI_MAP_SUB)),
                    create(DNAI_MAP_SUB, DNAI_MAP_SUB).calling(&[to("/notifUri", NOTHING)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[get(DNAI_MAP_SUB), delete(NOTHING)],
            ),
        ],
    },
    Api {
        name: "3gpp-data-reporting",
        title: "DataReporting",
        resources: &[
            Resource::new("/sessions", &[create(NOTHING, NOTHING)]),
            Resource::new(
                "/sessions/{sessionId}",
                &[get(NOTHING), put(NOTHING, NOTHING), delete(NOTHING)],
            ),
            Resource::new("/sessions/{sessionId}/report", &[post(NOTHING, NOTHING)]),
        ],
    },
    Api {
        name: "3gpp-data-reporting-provisioning",
        title: "DataReportingProvisioning",
        resources: &[
            Resource::new("/sessions", &[create(NOTHING, NOTHING)]),
            Resource::new("/sessions/{sessionId}", &[get(NOTHING), delete(NOTHING)]),
            Resource::new(
                "/sessions/{sessionId}/configurations",
                &[create(
                    DATA_REPORTING_CONFIGURATION,
                    DATA_REPORTING_CONFIGURATION,
                )],
            ),
            Resource::new(
                "/sessions/{sessionId}/configurations/{configurationId}",
                &[
                    get(DATA_REPORTING_CONFIGURATION),
                    put(DATA_REPORTING_CONFIGURATION, DATA_REPORTING_CONFIGURATION),
                    patch(DATA_REPORTING_CONFIGURATION, DATA_REPORTING_CONFIGURATION),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-eas-deployment",
        title: "EASDeployment",
        resources: &[
            Resource::new(
                "/{afId}/eas-deployment-info",
                &[
                    get(Items(&EAS_DEPLOY_INFO)),
                    create(EAS_DEPLOY_INFO, EAS_DEPLOY_INFO),
                ],
            ),
            Resource::new(
                "/{afId}/eas-deployment-info/{easDeployInfoId}",
                &[
                    get(EAS_DEPLOY_INFO),
                    put(EAS_DEPLOY_INFO, EAS_DEPLOY_INFO),
                    delete(NOTHING),
                ],
            ),
            Resource::new("/remove-edis", &[post(EDI_DELETE_CRITERIA, NOTHING)]),
        ],
    },
    Api {
        name: "3gpp-ecs-address",
        title: "ECSAddress",
        resources: &[
            Resource::new(
                "/{afId}/ecs-address-info",
                &[
                    get(Items(&ECS_ADDR_INFO)),
                    create(ECS_ADDR_INFO, ECS_ADDR_INFO),
                ],
            ),
            Resource::new(
                "/{afId}/ecs-address-info/{ecsAddrInfoId}",
                &[
                    get(ECS_ADDR_INFO),
                    put(ECS_ADDR_INFO, ECS_ADDR_INFO),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/remove-ecsaddr",
                &[post(ECS_ADDR_DELETE_CRITERIA, NOTHING)],
            ),
        ],
    },
    Api {
        name: "3gpp-ecs-address-provision",
        title: "EcsAddressProvision",
        resources: &[
            Resource::new(
                "/{afId}/configurations",
                &[
                    get(Items(&ECS_ADDRESS_PROVISION)),
                    create(ECS_ADDRESS_PROVISION, ECS_ADDRESS_PROVISION),
                ],
            ),
            Resource::new(
                "/{afId}/configurations/{configurationId}",
                &[
                    get(ECS_ADDRESS_PROVISION),
                    put(ECS_ADDRESS_PROVISION, ECS_ADDRESS_PROVISION),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-grp-pp",
        title: "GroupParametersProvisioning",
        resources: &[
            Resource::new(
                "/pp",
                &[get(Items(&GRP_PP_DATA)), create(GRP_PP_DATA, GRP_PP_DATA)],
            ),
            Resource::new(
                "/pp/{ppId}",
                &[
                    get(GRP_PP_DATA),
                    put(GRP_PP_DATA, GRP_PP_DATA),
                    merge(GRP_PP_DATA_PATCH, GRP_PP_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-iptvconfiguration",
        title: "IPTVConfiguration",
        resources: &[
            Resource::new(
                "/{afId}/configurations",
                &[
                    get(Items(&IPTV_CONFIG_DATA)),
                    create(IPTV_CONFIG_DATA, IPTV_CONFIG_DATA),
                ],
            ),
            Resource::new(
                "/{afId}/configurations/{configurationId}",
                &[
                    get(IPTV_CONFIG_DATA),
                    put(IPTV_CONFIG_DATA, IPTV_CONFIG_DATA),
                    merge(IPTV_CONFIG_DATA_PATCH, IPTV_CONFIG_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-lpi-pp",
        title: "LpiParameterProvision",
        resources: &[
            Resource::new(
                "/{afId}/provisionedLpis",
                &[
                    get(Items(&LPI_PARAMETERS_PROVISION)),
                    create(LPI_PARAMETERS_PROVISION, LPI_PARAMETERS_PROVISION),
                ],
            ),
            Resource::new(
                "/{afId}/provisionedLpis/{provisionedLpiId}",
                &[
                    get(LPI_PARAMETERS_PROVISION),
                    put(LPI_PARAMETERS_PROVISION, LPI_PARAMETERS_PROVISION),
                    patch(LPI_PARAMETERS_PROVISION_PATCH, LPI_PARAMETERS_PROVISION),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-mbs-group-msg",
        title: "MBSGroupMsgDelivery",
        resources: &[
            Resource::new(
                "/deliveries",
                &[
                    get(Items(&MBS_GROUP_MSG_DEL)),
                    create(MBS_GROUP_MSG_DEL, MBS_GROUP_MSG_DEL)
                        .calling(&[to("/notifUri", NOTHING)]),
                ],
            ),
            Resource::new(
                "/deliveries/{delRef}",
                &[
                    get(MBS_GROUP_MSG_DEL),
                    merge(MBS_GROUP_MSG_DEL_PATCH, MBS_GROUP_MSG_DEL),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-mbs-session",
        title: "MBSSession",
        resources: &[
            Resource::new(
                "/mbs-sessions",
                &[create(MBS_SESSION_CREATE_REQ, MBS_SESSION_CREATE_RSP)],
            ),
            Resource::new(
                "/mbs-sessions/subscriptions",
                &[
                    get(Items(&MBS_SESSION_SUBSC)),
                    create(MBS_SESSION_SUBSC, MBS_SESSION_SUBSC)
                        .calling(&[to("/subscription/notifyUri", MBS_SESSION_STATUS_NOTIF)]),
                ],
            ),
            Resource::new(
                "/mbs-sessions/{mbsSessionRef}",
                &[json_patch(MBS_SESSION, NOTHING), delete(NOTHING)],
            ),
            Resource::new(
                "/mbs-sessions/subscriptions/{subscriptionId}",
                &[get(MBS_SESSION_SUBSC), delete(NOTHING)],
            ),
            Resource::new(
                "/mbs-pp",
                &[get(Items(&MBS_PP_DATA)), create(MBS_PP_DATA, MBS_PP_DATA)],
            ),
            Resource::new(
                "/mbs-pp/{mbsPpId}",
                &[
                    get(MBS_PP_DATA),
                    put(MBS_PP_DATA, MBS_PP_DATA),
                    merge(MBS_PP_DATA_PATCH, MBS_PP_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-mbs-tmgi",
        title: "MBSTMGI",
        resources: &[
            Resource::new(
                "/allocate",
                &[post(TMGI_ALLOC_REQUEST, NOTHING).calling(&[to("/notificationUri", NOTHING)])],
            ),
            Resource::new("/deallocate", &[post(TMGI_DEALLOC_REQUEST, NOTHING)]),
        ],
    },
    Api {
        name: "3gpp-mbs-ud-ingest",
        title: "MBSUserDataIngestSession",
        resources: &[
            Resource::new("/sessions", &[get(NOTHING), create(NOTHING, NOTHING)]),
            Resource::new(
                "/sessions/{sessionId}",
                &[
                    get(NOTHING),
                    put(NOTHING, NOTHING),
                    merge(NOTHING, NOTHING),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/status-subscriptions",
                &[
                    get(Items(&MBS_USER_DATA_ING_STAT_SUBSC)),
                    create(MBS_USER_DATA_ING_STAT_SUBSC, MBS_USER_DATA_ING_STAT_SUBSC)
                        .calling(&[to("/notifUri", NOTHING)]),
                ],
            ),
            Resource::new(
                "/status-subscriptions/{subscriptionId}",
                &[
                    get(MBS_USER_DATA_ING_STAT_SUBSC),
                    put(MBS_USER_DATA_ING_STAT_SUBSC, MBS_USER_DATA_ING_STAT_SUBSC),
                    merge(MBS_USER_DATA_ING_STAT_SUBSC, MBS_USER_DATA_ING_STAT_SUBSC),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-mbs-us",
        title: "MBSUserService",
        resources: &[
            Resource::new(
                "/mbs-user-services",
                &[get(NOTHING), create(NOTHING, NOTHING)],
            ),
            Resource::new(
                "/mbs-user-services/{mbsUserServId}",
                &[
                    get(NOTHING),
                    put(NOTHING, NOTHING),
                    merge(NOTHING, NOTHING),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-ms-event-exposure",
        title: "MSEventExposure",
        resources: &[
            Resource::new(
                "/subscriptions",
                &[
                    get(Items(&AF_EVENT_EXPOSURE_SUBSC)),
                    create(AF_EVENT_EXPOSURE_SUBSC, AF_EVENT_EXPOSURE_SUBSC)
                        .calling(&[to("/notifUri", NOTHING)]),
                ],
            ),
            Resource::new(
                "/subscriptions/{subscriptionId}",
                &[
                    get(AF_EVENT_EXPOSURE_SUBSC),
                    put(AF_EVENT_EXPOSURE_SUBSC, AF_EVENT_EXPOSURE_SUBSC),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-musa",
        title: "MemberUESelectionAssistance",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&MEM_UE_SELECT_ASSIST_SUBSC)),
                    create(MEM_UE_SELECT_ASSIST_SUBSC, MEM_UE_SELECT_ASSIST_SUBSC)
                        .calling(&[to("/notifUri", Items(&MEM_UE_SELET_ASSIST_NOTIF))]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(MEM_UE_SELECT_ASSIST_SUBSC),
                    put(MEM_UE_SELECT_ASSIST_SUBSC, MEM_UE_SELECT_ASSIST_SUBSC),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-pdtq-policy-negotiation",
        title: "PDTQPolicyNegotiation",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&PDTQ)),
                    create(PDTQ, PDTQ).calling(&[to("/notificationDestination", NOTHING)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[get(PDTQ), merge(PDTQ_PATCH, PDTQ), delete(NOTHING)],
            ),
        ],
    },
    Api {
        name: "3gpp-service-parameter",
        title: "ServiceParameter",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&SERVICE_PARAMETER_DATA)).asking(&[
                        GPSIS,
                        IP_ADDRS_FORM,
                        IP_DOMAIN,
                        MAC_ADDRS,
                    ]),
                    create(SERVICE_PARAMETER_DATA, SERVICE_PARAMETER_DATA)
                        .calling(&[to("/notificationDestination", Items(&AF_NOTIFICATION))]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(SERVICE_PARAMETER_DATA),
                    put(SERVICE_PARAMETER_DATA, SERVICE_PARAMETER_DATA),
                    merge(SERVICE_PARAMETER_DATA_PATCH, SERVICE_PARAMETER_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-slice-pp",
        title: "SliceParamProvision",
        resources: &[
            Resource::new(
                "/pp",
                &[
                    get(Items(&SLICE_PP_DATA)),
                    create(SLICE_PP_DATA, SLICE_PP_DATA),
                ],
            ),
            Resource::new(
                "/pp/{ppId}",
                &[
                    get(SLICE_PP_DATA),
                    put(SLICE_PP_DATA, SLICE_PP_DATA),
                    merge(SLICE_PP_DATA_PATCH, SLICE_PP_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-time-sync",
        title: "TimeSyncExposure",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&TIME_SYNC_EXPOSURE_SUBSC)),
                    create(TIME_SYNC_EXPOSURE_SUBSC, TIME_SYNC_EXPOSURE_SUBSC)
                        .calling(&[to("/subsNotifUri", TIME_SYNC_EXPOSURE_SUBS_NOTIF)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(TIME_SYNC_EXPOSURE_SUBSC),
                    put(TIME_SYNC_EXPOSURE_SUBSC, TIME_SYNC_EXPOSURE_SUBSC),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}/configurations",
                &[
                    get(Items(&TIME_SYNC_EXPOSURE_CONFIG)),
                    create(TIME_SYNC_EXPOSURE_CONFIG, TIME_SYNC_EXPOSURE_CONFIG)
                        .calling(&[to("/configNotifUri", TIME_SYNC_EXPOSURE_CONFIG_NOTIF)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}/configurations/{instanceReference}",
                &[
                    get(TIME_SYNC_EXPOSURE_CONFIG),
                    put(TIME_SYNC_EXPOSURE_CONFIG, TIME_SYNC_EXPOSURE_CONFIG),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-traffic-influence",
        title: "TrafficInfluence",
        resources: &[
            Resource::new(
                "/{afId}/subscriptions",
                &[
                    get(Items(&TRAFFIC_INFLU_SUB)),
                    create(TRAFFIC_INFLU_SUB, TRAFFIC_INFLU_SUB)
                        .calling(&[to("/notificationDestination", EVENT_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{afId}/subscriptions/{subscriptionId}",
                &[
                    get(TRAFFIC_INFLU_SUB),
                    put(TRAFFIC_INFLU_SUB, TRAFFIC_INFLU_SUB),
                    merge(TRAFFIC_INFLU_SUB_PATCH, TRAFFIC_INFLU_SUB),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-ue-address",
        title: "UEAddress",
        resources: &[Resource::new(
            "/retrieve",
            &[post(UE_ADDRESS_REQ, UE_ADDRESS_INFO)],
        )],
    },
    Api {
        name: "3gpp-ueid",
        title: "UEId",
        resources: &[Resource::new("/retrieve", &[post(UE_ID_REQ, UE_ID_INFO)])],
    },
];
