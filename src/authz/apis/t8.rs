//! The APIs of TS 29.122 that a SCEF serves, in the order of its clauses.

use super::resource::{
    Api, EXTERNAL_APP_IDS, IP_ADDRS, IP_DOMAIN, MAC_ADDRS, Resource, create, delete, get,
    json_patch, merge, patch, post, put, to,
};
use super::shape::NOTHING;
use super::shape::Shape::Items;
use super::shared_bodies::{CONFIG_RESULT, CP_PARAMETER_SET};
use super::t8_bodies::{
    BDT, BDT_PATCH, CHARGEABLE_PARTY, CHARGEABLE_PARTY_PATCH, CONFIGURATION_NOTIFICATION,
    CONSENT_REVOC_NOTIF, CP_INFO, DEVICE_TRIGGERING, DEVICE_TRIGGERING_PATCH, ECR_CONTROL,
    GMD_BY_MB2, GMD_BY_MB2_NOTIFICATION, GMD_BY_MB2_PATCH, GMD_BY_XMB, GMD_BY_XMB_NOTIFICATION,
    GMD_BY_XMB_PATCH, MANAGE_PORT, MONITORING_CREATED, MONITORING_EVENT_REPORT,
    MONITORING_NOTIFICATION, MONITORING_SUBSCRIPTION, NIDD_CONFIGURATION, NIDD_CONFIGURATION_PATCH,
    NIDD_DOWNLINK_DATA_TRANSFER, NIDD_DOWNLINK_DATA_TRANSFER_PATCH, NIDD_NOTIFICATION,
    NOTIFICATION_DATA, NP_CONFIGURATION, NP_CONFIGURATION_PATCH, PFD_DATA, PFD_MANAGEMENT,
    PFD_MANAGEMENT_PATCH, PFD_REPORT, QOS_SUBSCRIPTION, QOS_SUBSCRIPTION_PATCH,
    RACS_PROVISIONING_DATA, SERVICE_CREATION, STATUS_NOTIFICATION, STATUS_SUBSCRIPTION,
    STATUS_SUBSCRIPTION_PATCH, TMGI_ALLOCATION, TMGI_ALLOCATION_PATCH, TRIGGERING_REPORT,
    USER_PLANE_NOTIFICATION_DATA,
};

const NIDD_DELIVERY: &str = "/{scsAsId}/configurations/{configurationId}/downlink-data-deliveries/\
                             {downlinkDataDeliveryId}";

pub(super) static APIS: [Api; 14] = [
    Api {
        name: "3gpp-monitoring-event",
        title: "MonitoringEvent",
        resources: &[
            Resource::new(
                "/{scsAsId}/subscriptions",
                &[
                    get(Items(&MONITORING_SUBSCRIPTION)).asking(&[IP_ADDRS, IP_DOMAIN, MAC_ADDRS]),
                    create(MONITORING_SUBSCRIPTION, MONITORING_CREATED).calling(&[
                        to("/notificationDestination", MONITORING_NOTIFICATION),
                        to("/revocationNotifUri", CONSENT_REVOC_NOTIF),
                    ]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/subscriptions/{subscriptionId}",
                &[
                    get(MONITORING_SUBSCRIPTION),
                    put(MONITORING_SUBSCRIPTION, MONITORING_SUBSCRIPTION),
                    json_patch(MONITORING_SUBSCRIPTION, NOTHING),
                    delete(Items(&MONITORING_EVENT_REPORT)),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-bdt",
        title: "ResourceManagementOfBdt",
        resources: &[
            Resource::new(
                "/{scsAsId}/subscriptions",
                &[
                    get(Items(&BDT)),
                    create(BDT, BDT).calling(&[to("/notificationDestination", NOTHING)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/subscriptions/{subscriptionId}",
                &[
                    get(BDT),
                    put(BDT, BDT),
                    merge(BDT_PATCH, BDT),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-chargeable-party",
        title: "ChargeableParty",
        resources: &[
            Resource::new(
                "/{scsAsId}/transactions",
                &[
                    get(Items(&CHARGEABLE_PARTY)).asking(&[IP_ADDRS, IP_DOMAIN, MAC_ADDRS]),
                    create(CHARGEABLE_PARTY, CHARGEABLE_PARTY)
                        .calling(&[to("/notificationDestination", NOTIFICATION_DATA)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/transactions/{transactionId}",
                &[
                    get(CHARGEABLE_PARTY),
                    merge(CHARGEABLE_PARTY_PATCH, CHARGEABLE_PARTY),
                    delete(NOTIFICATION_DATA),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-nidd",
        title: "NIDD",
        resources: &[
            Resource::new(
                "/{scsAsId}/configurations",
                &[
                    get(Items(&NIDD_CONFIGURATION)),
                    create(NIDD_CONFIGURATION, NIDD_CONFIGURATION)
                        .calling(&[to("/notificationDestination", NIDD_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/configurations/{configurationId}",
                &[
                    get(NIDD_CONFIGURATION),
                    merge(NIDD_CONFIGURATION_PATCH, NIDD_CONFIGURATION),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/{scsAsId}/configurations/{configurationId}/downlink-data-deliveries",
                &[
                    get(Items(&NIDD_DOWNLINK_DATA_TRANSFER)),
                    create(NIDD_DOWNLINK_DATA_TRANSFER, NIDD_DOWNLINK_DATA_TRANSFER),
                ],
            ),
            Resource::new(
                NIDD_DELIVERY,
                &[
                    get(NIDD_DOWNLINK_DATA_TRANSFER),
                    put(NIDD_DOWNLINK_DATA_TRANSFER, NIDD_DOWNLINK_DATA_TRANSFER),
                    patch(
                        NIDD_DOWNLINK_DATA_TRANSFER_PATCH,
                        NIDD_DOWNLINK_DATA_TRANSFER,
                    ),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/{scsAsId}/configurations/{configurationId}/rds-ports",
                &[get(Items(&MANAGE_PORT))],
            ),
            Resource::new(
                "/{scsAsId}/configurations/{configurationId}/rds-ports/{portId}",
                &[
                    get(MANAGE_PORT).at_ports(),
                    put(MANAGE_PORT, MANAGE_PORT).creating().at_ports(),
                    delete(NOTHING).at_ports(),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-device-triggering",
        title: "DeviceTriggering",
        resources: &[
            Resource::new(
                "/{scsAsId}/transactions",
                &[
                    get(Items(&DEVICE_TRIGGERING)),
                    create(DEVICE_TRIGGERING, DEVICE_TRIGGERING)
                        .calling(&[to("/notificationDestination", TRIGGERING_REPORT)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/transactions/{transactionId}",
                &[
                    get(DEVICE_TRIGGERING),
                    put(DEVICE_TRIGGERING, DEVICE_TRIGGERING),
                    patch(DEVICE_TRIGGERING_PATCH, DEVICE_TRIGGERING),
                    delete(DEVICE_TRIGGERING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-group-message-delivery-mb2",
        title: "GMDviaMBMSbyMB2",
        resources: &[
            Resource::new(
                "/{scsAsId}/tmgi-allocation",
                &[
                    get(TMGI_ALLOCATION),
                    create(TMGI_ALLOCATION, TMGI_ALLOCATION),
                ],
            ),
            Resource::new(
                "/{scsAsId}/tmgi-allocation/{tmgi}",
                &[
                    get(TMGI_ALLOCATION),
                    put(TMGI_ALLOCATION, TMGI_ALLOCATION),
                    merge(TMGI_ALLOCATION_PATCH, TMGI_ALLOCATION),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/{scsAsId}/tmgi-allocation/{tmgi}/delivery-via-mbms",
                &[
                    get(GMD_BY_MB2),
                    create(GMD_BY_MB2, GMD_BY_MB2)
                        .calling(&[to("/notificationDestination", GMD_BY_MB2_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/tmgi-allocation/{tmgi}/delivery-via-mbms/{transactionId}",
                &[
                    get(GMD_BY_MB2),
                    put(GMD_BY_MB2, GMD_BY_MB2),
                    merge(GMD_BY_MB2_PATCH, GMD_BY_MB2),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-group-message-delivery-xmb",
        title: "GMDviaMBMSbyxMB",
        resources: &[
            Resource::new(
                "/{scsAsId}/services",
                &[
                    get(Items(&SERVICE_CREATION)),
                    create(SERVICE_CREATION, SERVICE_CREATION),
                ],
            ),
            Resource::new(
                "/{scsAsId}/services/{serviceId}",
                &[get(SERVICE_CREATION), delete(NOTHING)],
            ),
            Resource::new(
                "/{scsAsId}/services/{serviceId}/delivery-via-mbms",
                &[
                    get(Items(&GMD_BY_XMB)),
                    create(GMD_BY_XMB, GMD_BY_XMB)
                        .calling(&[to("/notificationDestination", GMD_BY_XMB_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/services/{serviceId}/delivery-via-mbms/{transactionId}",
                &[
                    get(GMD_BY_XMB),
                    put(GMD_BY_XMB, GMD_BY_XMB),
                    merge(GMD_BY_XMB_PATCH, GMD_BY_XMB),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-net-stat-report",
        title: "ReportingNetworkStatus",
        resources: &[
            Resource::new(
                "/{scsAsId}/subscriptions",
                &[
                    get(Items(&STATUS_SUBSCRIPTION)),
                    create(STATUS_SUBSCRIPTION, STATUS_SUBSCRIPTION)
                        .calling(&[to("/notificationDestination", STATUS_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/subscriptions/{subscriptionId}",
                &[
                    get(STATUS_SUBSCRIPTION),
                    put(STATUS_SUBSCRIPTION, STATUS_SUBSCRIPTION),
                    merge(STATUS_SUBSCRIPTION_PATCH, STATUS_SUBSCRIPTION),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-cp-parameter-provisioning",
        title: "CpProvisioning",
        resources: &[
            Resource::new(
                "/{scsAsId}/subscriptions",
                &[get(Items(&CP_INFO)), create(CP_INFO, CP_INFO)],
            ),
            Resource::new(
                "/{scsAsId}/subscriptions/{subscriptionId}",
                &[get(CP_INFO), put(CP_INFO, CP_INFO), delete(NOTHING)],
            ),
            Resource::new(
                "/{scsAsId}/subscriptions/{subscriptionId}/cpSets/{setId}",
                &[
                    get(CP_PARAMETER_SET),
                    put(CP_PARAMETER_SET, CP_PARAMETER_SET),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-pfd-management",
        title: "PfdManagement",
        resources: &[
            Resource::new(
                "/{scsAsId}/transactions",
                &[
                    get(Items(&PFD_MANAGEMENT)).asking(&[EXTERNAL_APP_IDS]),
                    create(PFD_MANAGEMENT, PFD_MANAGEMENT)
                        .calling(&[to("/notificationDestination", Items(&PFD_REPORT))]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/transactions/{transactionId}",
                &[
                    get(PFD_MANAGEMENT),
                    put(PFD_MANAGEMENT, PFD_MANAGEMENT),
                    merge(PFD_MANAGEMENT_PATCH, PFD_MANAGEMENT),
                    delete(NOTHING),
                ],
            ),
            Resource::new(
                "/{scsAsId}/transactions/{transactionId}/applications/{appId}",
                &[
                    get(PFD_DATA),
                    put(PFD_DATA, PFD_DATA),
                    merge(PFD_DATA, PFD_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-ecr-control",
        title: "ECRControl",
        resources: &[
            Resource::new("/query", &[post(ECR_CONTROL, NOTHING)]),
            Resource::new("/configure", &[post(ECR_CONTROL, NOTHING)]),
        ],
    },
    Api {
        name: "3gpp-network-parameter-configuration",
        title: "NpConfiguration",
        resources: &[
            Resource::new(
                "/{scsAsId}/configurations",
                &[
                    get(Items(&NP_CONFIGURATION)),
                    create(NP_CONFIGURATION, NP_CONFIGURATION)
                        .calling(&[to("/notificationDestination", CONFIGURATION_NOTIFICATION)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/configurations/{configurationId}",
                &[
                    get(NP_CONFIGURATION),
                    put(NP_CONFIGURATION, NP_CONFIGURATION),
                    merge(NP_CONFIGURATION_PATCH, NP_CONFIGURATION),
                    delete(Items(&CONFIG_RESULT)),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-as-session-with-qos",
        title: "AsSessionWithQoS",
        resources: &[
            Resource::new(
                "/{scsAsId}/subscriptions",
                &[
                    get(Items(&QOS_SUBSCRIPTION)).asking(&[IP_ADDRS, IP_DOMAIN, MAC_ADDRS]),
                    create(QOS_SUBSCRIPTION, QOS_SUBSCRIPTION)
                        .calling(&[to("/notificationDestination", USER_PLANE_NOTIFICATION_DATA)]),
                ],
            ),
            Resource::new(
                "/{scsAsId}/subscriptions/{subscriptionId}",
                &[
                    get(QOS_SUBSCRIPTION),
                    put(QOS_SUBSCRIPTION, QOS_SUBSCRIPTION),
                    merge(QOS_SUBSCRIPTION_PATCH, QOS_SUBSCRIPTION),
                    delete(USER_PLANE_NOTIFICATION_DATA),
                ],
            ),
        ],
    },
    Api {
        name: "3gpp-racs-pp",
        title: "RacsParameterProvisioning",
        resources: &[
            Resource::new(
                "/{scsAsId}/provisionings",
                &[
                    get(Items(&RACS_PROVISIONING_DATA)),
                    create(RACS_PROVISIONING_DATA, RACS_PROVISIONING_DATA),
                ],
            ),
            Resource::new(
                "/{scsAsId}/provisionings/{provisioningId}",
                &[
                    get(RACS_PROVISIONING_DATA),
                    put(RACS_PROVISIONING_DATA, RACS_PROVISIONING_DATA),
                    merge(NOTHING, RACS_PROVISIONING_DATA),
                    delete(NOTHING),
                ],
            ),
        ],
    },
];
