//! What the members of T8's messages hold, by their names: where digits stand that look as an IMSI
//! does, and where nothing of the kind may stand.

/// What a member holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An E.164 number without `+`: 5 to 15 digits.
    Msisdn,
    /// `msisdn-` and digits, `extid-` and an external identifier.
    Gpsi,
    /// `local@domain`, of a UE or of a group.
    ExternalId,
    /// Hexadecimal, of which all may be digits.
    SupportedFeatures,
    /// A number as JSON has it: volumes, times since an epoch, ports, identifiers of flows.
    Number,
    /// A cell, tracking area, PLMN or the like: begins with MCC and MNC, and is none's.
    Cell,
    /// The eight digits of a model of device.
    Tac,
    /// A date and time.
    Time,
    /// A URI.
    Link,
    /// An identifier that somebody chose: of a transaction, an application, a sponsor.
    Id,
    /// Octets in base64.
    Base64,
    /// What people read.
    Text,
    /// An identity that must not leave, whatever stands in it: TS 29.571 knows it as a SUPI, a PEI
    /// or an internal group.
    Internal,
    /// The inside of the network, which a NEF must not show (TS 33.501 clause 5.9.2.3).
    Network,
    /// Nothing in particular, or no member that is known: an extension of somebody's.
    Unknown,
}

/// The kinds of members, by name. A name that is not there is [`Kind::Unknown`].
#[derive(Clone, Debug)]
pub struct FieldKinds {
    /// Sorted by name.
    kinds: Vec<(Box<str>, Kind)>,
    /// Of these the ones whose values must not leave at all, in whatever case they are written.
    hidden: Vec<(Box<str>, Kind)>,
    network: bool,
}

impl Default for FieldKinds {
    /// The members of TS 29.122 and TS 29.522.
    fn default() -> Self {
        let names = KNOWN.iter().flat_map(|(kind, names)| {
            names
                .split_ascii_whitespace()
                .map(|name| (name.into(), *kind))
        });
        let mut kinds: Vec<(Box<str>, Kind)> = names.collect();
        kinds.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Self {
            hidden: hidden_of(&kinds),
            kinds,
            network: false,
        }
    }
}

impl FieldKinds {
    /// The same with one more, or with another kind for one.
    #[must_use]
    pub fn with(mut self, name: &str, kind: Kind) -> Self {
        match self.place(name.as_bytes()) {
            Ok(place) => self.kinds[place].1 = kind,
            Err(place) => self.kinds.insert(place, (name.into(), kind)),
        }
        self.hidden = hidden_of(&self.kinds);
        self.network = self.kinds.iter().any(|(_, kind)| *kind == Kind::Network);
        self
    }

    /// The same for a NEF whose AFs are not to see slices and data networks; `but` are members that
    /// the APIs in use define towards them.
    //= TS 33.501 clause 5.9.2.3
    //# DNN and S-NSSAI are not sent outside of the operator's domain.
    #[must_use]
    pub fn nef(self, but: &[&str]) -> Self {
        let hidden = { NETWORK_MEMBERS.into_iter() }.filter(|name| !but.contains(name));
        hidden.fold(self, |kinds, name| kinds.with(name, Kind::Network))
    }

    pub fn kind(&self, name: &[u8]) -> Kind {
        self.named(name).unwrap_or(Kind::Unknown)
    }

    /// None where no API names it: it may be anything then, also somebody's.
    pub(super) fn named(&self, name: &[u8]) -> Option<Kind> {
        let kind = match self.place(name) {
            Ok(place) => self.kinds.get(place),
            // Some write names otherwise than the APIs do.
            Err(_) => { self.hidden.iter() }
                .find(|(hidden, _)| hidden.as_bytes().eq_ignore_ascii_case(name)),
        };
        let kind = kind.map(|(_, kind)| *kind);
        kind.or_else(|| ends_as_identity(name).then_some(Kind::Internal))
    }

    /// The same of a name that is written so that it only looks as one that must not be there.
    pub(super) fn hidden(&self, name: &[u8]) -> Option<Kind> {
        self.named(name).filter(|kind| is_hidden(*kind))
    }

    /// The names of members that must not be there at all, but for those of the network's inside.
    pub(super) fn internal(&self) -> impl Iterator<Item = &str> {
        let internal = { self.hidden.iter() }.filter(|(_, kind)| *kind == Kind::Internal);
        internal.map(|(name, _)| &**name)
    }

    /// Some members must not be there at all, and no sieve knows their names.
    pub(super) fn hides_network(&self) -> bool {
        self.network
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.kinds
            .binary_search_by(|(known, _)| known.as_bytes().cmp(name))
    }
}

/// What identities are called that must not leave. Of those the sieve notices each: up to two
/// letters behind the `i`.
pub(super) const IDENTITIES: [&str; 9] = [
    "supi", "supis", "imsi", "imsis", "suci", "sucis", "imei", "imeis", "imeisv",
];

/// Whether a name that no API has is that of one of them: `ueSupi`, `old_imsi`, `SUPIS`.
pub(super) fn ends_as_identity(name: &[u8]) -> bool {
    { IDENTITIES.iter() }.any(|word| {
        let start = name.len().checked_sub(word.len());
        let end = start.and_then(|start| name.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
    })
}

fn is_hidden(kind: Kind) -> bool {
    matches!(kind, Kind::Internal | Kind::Network)
}

fn hidden_of(kinds: &[(Box<str>, Kind)]) -> Vec<(Box<str>, Kind)> {
    let hidden = kinds.iter().filter(|(_, kind)| is_hidden(*kind));
    hidden.cloned().collect()
}

/// The kinds of header fields that are sent, in lower case, by their lengths; all others are
/// [`Kind::Unknown`].
const HEADERS: [(&str, Kind); 22] = [
    ("age", Kind::Number),
    ("link", Kind::Link),
    ("date", Kind::Time),
    ("etag", Kind::Id),
    ("vary", Kind::Text),
    ("host", Kind::Text),
    ("allow", Kind::Text),
    ("accept", Kind::Text),
    ("expect", Kind::Text),
    ("expires", Kind::Time),
    ("location", Kind::Link),
    ("connection", Kind::Text),
    ("user-agent", Kind::Text),
    ("retry-after", Kind::Number),
    ("content-type", Kind::Text),
    ("accept-patch", Kind::Text),
    ("last-modified", Kind::Time),
    ("cache-control", Kind::Text),
    ("content-length", Kind::Number),
    ("content-location", Kind::Link),
    ("transfer-encoding", Kind::Text),
    ("strict-transport-security", Kind::Text),
];

/// Where in the table those of each length begin: every field of every message is looked for.
const FROM: [usize; 27] = {
    let mut from = [0; 27];
    let (mut length, mut at) = (0, 0);
    while length < from.len() {
        while at < HEADERS.len() && HEADERS[at].0.len() < length {
            at += 1;
        }
        from[length] = at;
        length += 1;
    }
    assert!(at == HEADERS.len(), "sorted, and none longer");
    from
};

pub(super) fn of_header(name: &[u8]) -> Kind {
    let of_its_length = FROM
        .get(name.len()..)
        .and_then(|from| from.first_chunk::<2>())
        .and_then(|[from, to]| HEADERS.get(*from..*to));
    // Letters of both cases differ in one bit, and a hyphen has it: a third of what a comparison of
    // any octets takes.
    let is_called = |known: &str| { known.bytes().zip(name) }.all(|(one, of)| one == of | 0x20);
    let mut known = of_its_length.unwrap_or_default().iter();
    let known = known.find(|(known, _)| is_called(known));
    known.map_or(Kind::Unknown, |(_, kind)| *kind)
}

/// The members that name data networks and slices.
pub const NETWORK_MEMBERS: [&str; 7] = [
    "dnn",
    "dnns",
    "snssai",
    "snssais",
    "apn",
    "dnnList",
    "snssaiList",
];

//= TS 29.122 clause 5.2.1
//# No member of a T8 API is of the type SUPI, IMSI or PEI; `gci` and `gli` are wireline SUPIs.
// Those of kind Unknown stand here so that a pointer may name them.
#[rustfmt::skip]
const KNOWN: &[(Kind, &str)] = &[
    (Kind::Msisdn, "msisdn msisdns addedMsisdns excludedMsisdns cancelMsisdns"),
    (Kind::Gpsi, "gpsi gpsis addedUEs removedUEs tgtUes candiUes inactiveUes gpsiList gpsisList"),
    (Kind::ExternalId,
        "externalId externalIds addedExternalIds excludedExternalIds cancelExternalIds \
         externalGroupId externalGroupIds extGroupId exterGroupId addExtGroupId"),
    (Kind::SupportedFeatures, "supportedFeatures suppFeat wagfId tngfId"),
    // Those of a length that no IMSI has are of no kind: mcc, tac, nrCellId and the like.
    (Kind::Cell,
        "cellIds cellId enodeBIds routingAreaIds trackingAreaIds tai ecgi ncgi cgi sai rai tmgi \
         mbmsServiceId n3IwfId"),
    (Kind::Tac, "imeiTacs"),
    (Kind::Time,
        "duration endTs eventTime expTime expiry idleStatusTimestamp maxUEAvailabilityTime \
         maxWaitTime messageDeliveryStartTime messageDeliveryStopTime monitorExpireTime \
         requestedRetransmissionTime start startTime startTs stop stopTime endTime timeDuration \
         timeStamp timeStampGen ts validityTime tmgiExpiration lastUserPlaneActivity \
         burstArrivalTime expirationTime expiryTime monDur terminationTime ueLocationTimestamp"),
    (Kind::Link,
        "self subscription transaction configuration niddConfiguration niddDownlinkDataTransfer \
         afAckUri notifUri notificationDestination notificationUri websocketUri \
         requestWebsocketUri \
         revocationNotifUri astiNotifUri configNotifUri subsNotifUri instance type urls acsUrl \
         ecsUriList mbsSessionSubscUri notifyUri"),
    (Kind::Id,
        "referenceId bdtRefId transactionId subscriptionId configurationId setId afTransId \
         afServiceId externalAppId appId afAppId afAppIds sponsorId aspId mtcProviderId appProvId \
         racsId pfdId flowDescriptions extraPara tltrn notifCorreId notificationCorrelationId \
         multModalId scsAsId afId"),
    (Kind::Base64,
        "data sms triggerPayload groupMessagePayload groupMsgDelPayload civicAddress"),
    (Kind::Text, "title detail cause reason description failureCode resultReason"),
    (Kind::Internal,
        "supi supis supiList additionalSupis imsi imsis suci pei peis imei imeisv gci gli varUeId \
         interGroupId interGroupIds interGrpIds intGroupId internalGroupId internalGroupIds"),
    (Kind::Number,
        "5qi absoluteNum accuracy activeTime ageOfLocationInfo allowedDelay altitude angle \
         appPortId appSrcPortId applicationPort applicationPortId avrgWndw azimuthDirection \
         bdtPolicyId bssgpCause cachingTime causeType communicationDurationTime conThreshDl \
         conThreshUl contribWeightThr confidence distance dlConInfo dlDelay dlDelays \
         downlinkVolume \
         durationVariance edrxCycleLength elevationDirection flowId flowIds gmPrio gmmCause \
         groupReportGuardTime groupReportingGuardTime hSpeed bearing vSpeed hUncertainty \
         vUncertainty includedAngle innerRadius lat lon linearDistance logAnnouInter logSyncInter \
         lossOfConnectReason maxAgeOfLocEst maxAllowedUpLat maxDownlinkBandwidth maxNumOfTopAppDl \
         maxNumOfTopAppUl maxReportNbr maxRptExpireIntvl maxTscBurstSize maxUplinkBandwidth \
         maximumDetectionTime maximumLatency maximumNumberOfReports maximumPacketSize \
         maximumResponseTime medCompN minimumReportInterval numForCriterion numberOfUEs \
         offsetAngle orientationAngle orientationMajor periodicAUTimer periodicTime policyDuration \
         port portNumber portSCEF portUE ports precedence qosDuration qosInactInt radius \
         ranapCause \
         range ratingGroup ratio relatPrecedence relativeRatio repPeriod repThreshDl repThreshRp \
         repThreshUl req5Gsdelay rtDelay rtDelays rvWaitTime s1ApCause samplingInterval \
         scefMessageDeliveryPort selectedPolicy semiMajor semiMinor simConnTerm smCause \
         spatialGranSizeCell spatialGranSizeTa status suggestedNumberOfDlPackets temporalGranSize \
         timeDom timeSyncErrBdgt totalVolume tscaiTimeDom ueCount ulConInfo ulDelay ulDelays \
         umtDuration unavailPerDur uncertainty uncertaintyRadius upLocRepStat upNodeId \
         uplinkVolume \
         validityPeriod verticalUncertainty volume waitTime"),
    (Kind::Unknown,
        "5gLanParams 5gLanParamsPatch a2xParamsPc5 aaaIpv4Addr aaaIpv6Addr aaaUsgs abnormalInfos \
         acceptableServInfo accRatTypeFilters accStatus accTypes accuInfo accumulatedUsage \
         accuracyLevel accuReq achievedQos ackResult acsInfo acsParams activeUes \
         additionalLocInfo addnMonEventReports addnMonTypes addrPreserInd addtMeasInfo afAckInd \
         afIds afStatus aggrDataRateRpts aKId allowedPlmnIds altQosNotSuppInd altQosParamSets \
         altQoSReferences altQosRefs altQosReqs altSerReqs altSerReqsData analyEvent \
         analyEventFilter analyEventNotifs analyEventsSubs analyRep analyRepInfo anaPeriod \
         anonInd anyPlmnInd anyUeInd apiCaps apiName apiNames apn appDescs appDesps \
         appExpUeBehvs appIds appliedParam appliedQosRef appReloInd appServerAddrs arp \
         associationType asTimeDisParam asTimeRes authResult batOffsetInfo batteryInds bwRequs \
         cancelInd candDnaiInd candDnaisPrioInd candidateDnais candiUeInfos candPolicies \
         capBatAdaptation cimf civicAddresses clkQltAcptCri clkQltDetLvl cngAnas cngType \
         codeWord confidenceLevel configNotifId configResults configuredFormat congestInfos \
         connCaps consDataRateThrDl consDataRateThrUl consentsRevoked coverageArea covReqs \
         cpParameterSets cpParams cpReports criterionType dataVlTrnsTmIfs dataVlTrnsTmInfos \
         dataVlTrnsTmReqs dataVlTrnsTmRqs dataVolTransTime daysOfWeek dddStati dddStatus \
         dddTraDescriptors dddTrafDescriptor defQos deliveryResult deliveryStatus \
         deliveryTriggerStatus delStatus desiredTimeWindow desTimeInts details directionInfos \
         directions directNotifInd disperInfos disperReqs disUeNotif dlAggrDataRate dlDataRate \
         dnai dnaiChgType dnaiEasAddrMap dnaiInfos dnais dnn dnnFilters dnns dnnSnssai \
         dnnSnssaiGrpData dnnSnssaiInfos dnnSnssaiParams dnPerfInfos dnPerfReqs dnProtocol \
         dnsServIds dnsServIpAddr domainDescs domainNames e2eTransTimeFilters easIpAddrs \
         easIpReplaceInfos easRediscoverInd easRedisInd ecrDataWbs ecsAddrInfo ecsAddrParams \
         ecsServerAddr enEthFlowInfo enodeBId ethFlowDescriptions ethFlowDescs ethFlowInfo \
         ethTrafficFilters event eventFilters eventInfo eventList eventNotifis eventNotifs \
         eventReports eventReq events evSubsc evSubscs excep excepIds excepRequs expectedUmtDays \
         expectedUmtDaysAdd expectedUmts expPduSesInacTm exptAnaType exptUeBehav expTypes \
         exterAppId externalAppIds extMbsServiceArea extraReportReq extSubscCats \
         failEventReports failNotifyCode failureCause feedback fineAreaInfos fineGranAreas \
         flowDescs flowInfo flowInfos fqdn fqdnPatternList geoAreas geoDistrInfos geographicArea \
         geographicAreas geoLoc gmCapables gmdResults gmEnable groupMembListChanges \
         highThruInd idleStatusIndication idleStatusInfo imeiChange immediateRep immReport \
         instanceType instanceTypes interfaceInd invalidParams ipDomain ipv4Addr ipv4Addrs \
         ipv6Addr ipv6Addrs kaf l4sInfo ladnServArea lcsQosClass ldrType listOfAnaSubsets \
         listUeAddrs listUeConsDtRt loc locArea locationArea locationArea5G locationInfo \
         locationType locFailureCause locGranularity locInfo locOrientation locQoS locTimeWindow \
         logAnnouInterInd logSyncInterInd lpi lpiParams macAddr macAddrs managedPorts \
         manageEntity marBwDl marBwUl matchingDir maxGrpDataRateDl maxGrpDataRateInfo \
         maxGrpDataRateUl mbmsLocArea mbmsServiceAreaId mbsServArea mbsServiceArea \
         mbsSessAssistData mbsSessAssistInfo mbsSessAuthData mbsSession mbsSessionIdList \
         mbsUserServiceAnmt medType memUeSelectRpts metadata mirBwDl mirBwUl mncs \
         monitoringEventReport monitoringEventReports monitoringType movBehavInfos movBehavReqs \
         multiAccCtrls multicastV4Addr multicastV6Addr multiModalId multiModDatFlows \
         multiModFlows n6Ind nefId niddDownlinkDataTransfers notifCorrId notifId notifMethod \
         npConfigNotif npConfigParams nsi nsiIdInfos nsiType nsiValue nsRepFormat nSStatusInfo \
         nwAreaInfo nwPerfInfos nwPerfReqs nwPerfType nwPerfTypes osId param paramForProSeDc \
         paramForProSeDd paramForProSeEndUe paramForProSeRemUe paramForProSeU2NRelUe \
         paramForProSeU2URelUe paramForRangingSlPos paramOverPc5 paramOverUu pauseFlg pauseInd \
         pdmf pdnConnInfoList pdnEstablishmentOption pdnType pdtqPolicies pdtqRefId pduSesInfos \
         pduSessInfo pduSessType pduSetQos pdvMon pdvMonReports periodicCommunicationIndicator \
         periodInfo pfdDatas pfdReports pfds pinId plmnEcrDataWb plmnIndication portConfigs \
         positionMethod priority priorityLevel problemDetail protocol protoDesc ptpCapForUes \
         ptpCaps ptpEnable ptpProfile ptpProfiles qosFilters qosFlowRetThd qosFlowRetThds \
         qosFulfilInd qosMonConInfoReps qosMonConReq qosMonDatRate qosMonDatRateReps qosMonInfo \
         qosMonReports qosParamSet qosReference qosReq qosSustainInfos racsConfigs racsIds \
         racsParam5Gs racsParamEps racsReports rangeDirection ranNasCause ranUeThrouThd \
         ranUeThrouThds ratFreqs ratType ratTypes rdsCapIndication rdsPort rdsPorts \
         reachabilityType receiveOnlyMode recurringTime reducedExtMbsServArea reducedMbsServArea \
         relatedApplicationlayerId relatedUEs relativeVelocity reliableDataService relProxInfos \
         relProxReqs remdTimeWin repFreqs reportEvent reportingLocEstInd repThreshDatRateDl \
         repThreshDatRateUl reptThlds reqGbrDl reqGbrUl reqMbrDl reqMbrUl reqPer reqPtpIns \
         reqQosMonParams reqRangingSlRes requestTestNotification restrictedPlmnIds result \
         resumeFlg resumeInd revokeInd roamingStatus roamUeNetDescs roamUePlmnIds \
         routeSelParamSets routingAreaId rscUsgReq rTLatencyInd rTLatencyReq rttMon \
         rttMonReports scefMessageDeliveryIPv4 scefMessageDeliveryIPv6 \
         scheduledCommunicationTime scheduledCommunicationType servAreaWithoutMbs servAuthInfo \
         serviceAnnouncementMode serviceClass serviceExpFilters serviceLanguages serviceNames \
         servLevelDevId servLevelDevIds sesEstInd sessionType sessionTypes setIds sfcIdDl \
         sfcIdUl shapes simConnInd skipUeInquiry sliceUsgCtrlData snssai snssais sourceDnai \
         sourceTrafficRoute spatialValidityAreas spatialValidityCond spatialValidityTais \
         sponsorInfo sponsorInformation sponsoringEnabled srcIpv4Addr srcIpv6Addr srcUeIpv4Addr \
         srcUeIpv6Prefix state stateOfConfig stateOfDstts stateOfNwtt stationaryIndication \
         subNotifEvents subscribedEvent subscribedEvents subsNotifId subType supportedFormats \
         supportedGADShapes supportedUeFormats svcExps svcId tais targetAfId targetDnai \
         targetTrafficRoute tempValidities tempValidity termCause tfcCorreInfo tfcCorrInd \
         tgtNsThreshold tgtUe tgtUeIpv4Addr tgtUeIpv6Prefix threedrelativeLocation \
         thresholdTypes thresholdValues timeOfDayEnd timeOfDayStart timeSyncCapas timeWin \
         timeWindow tmgiInfo tmgiParams tmgis tmWdw tnaps topAppListDl topAppListUl tosTC \
         trackingAreaId trafficDes trafficDesc trafficFilters trafficProfile trafficRoute \
         trafficRoutes transferPolicies transProtocols tscaiInputDl tscaiInputUl tscQosReq \
         tsnQos twanId twodrelativeLocation uavMoveInd uavPolicy uavPresInd ucPurpose \
         ueCommInfos ueCommReqs ueDirFilters ueDistanceFilters ueHisLocFilters ueIpAddr \
         ueIpAddrs ueIpv4 ueIpv4Addr ueIpv6 ueIpv6Addr ueLocFilters ueMac ueMacAddr \
         ueMobilityInfos ueMobilityReqs uePerLocationReport ueVelocity ulAggrDataRate ulDataRate \
         umtTime upBuffInd upCumEvtRep upLocRepAddrAf upLocRepIndAf urspGuidance usageThreshold \
         useCaseCxt userDataConOrderCri userDataConReq userLocation userServiceId \
         validGeoZoneIds velocityRequested visitedLocAreas visitedNetDescs visitedPlmnId \
         vnGroupCommInd volumePerUE warnNotifEnabled websockNotifConfig wlanInfos \
         wlanPerSsidInfos wlanPerUeIdInfos wlanReqs \
         plmnIds plmnId mcc mnc tac eutraCellId nrCellId lac rac sac nid gNbId eNbId ngeNbId"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_one_kind() {
        let kinds = FieldKinds::default();
        for pair in kinds.kinds.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} twice", pair[0].0);
        }
        assert_eq!(kinds.kind(b"msisdn"), Kind::Msisdn);
        assert_eq!(kinds.kind(b"MSISDN"), Kind::Unknown);
        assert_eq!(kinds.kind(b""), Kind::Unknown);
    }

    #[test]
    fn kinds_can_be_added_and_changed() {
        let kinds = FieldKinds::default()
            .with("vendorTac", Kind::Tac)
            .with("msisdn", Kind::Text);
        assert!(!kinds.hides_network());
        assert_eq!(kinds.kind(b"vendorTac"), Kind::Tac);
        assert_eq!(kinds.kind(b"msisdn"), Kind::Text);
        assert_eq!(kinds.kind(b"externalId"), Kind::ExternalId);
    }

    //= TS 33.501 clause 5.9.2.3 type=test
    //# They are hidden, but for those that an API defines.
    #[test]
    fn nef_hides_its_network_but_for_what_an_api_defines() {
        assert!(!FieldKinds::default().hides_network());
        let nef = FieldKinds::default().nef(&["dnn"]);
        assert!(nef.hides_network());
        assert_eq!(
            (nef.kind(b"snssai"), nef.kind(b"dnn")),
            (Kind::Network, Kind::Unknown)
        );
    }

    //= TS 29.122 clause 5.2.1 type=test
    //# Names of SUPIs hold what must not leave.
    #[test]
    fn names_of_internal_identities_are_known() {
        for name in ["supi", "imsi", "gci", "gli", "pei", "interGroupIds"] {
            assert_eq!(
                FieldKinds::default().kind(name.as_bytes()),
                Kind::Internal,
                "{name}"
            );
        }
    }

    #[test]
    fn names_that_end_as_an_identitys_are_hidden_where_no_api_has_them() {
        let kinds = FieldKinds::default();
        for name in [
            "ueSupi",
            "old_IMSI",
            "vendorImsis",
            "SUCIS",
            "x-imeisv",
            "Imei",
        ] {
            assert_eq!(kinds.kind(name.as_bytes()), Kind::Internal, "{name}");
            assert_eq!(
                kinds.hidden(name.as_bytes()),
                Some(Kind::Internal),
                "{name}"
            );
        }
        for name in [
            "supiss",
            "supix",
            "imeiTacs",
            "imeiChange",
            "upi",
            "s",
            "",
            "msisdn",
        ] {
            assert_ne!(kinds.kind(name.as_bytes()), Kind::Internal, "{name}");
            assert_eq!(kinds.hidden(name.as_bytes()), None, "{name}");
        }
        let nef = kinds.nef(&[]);
        assert_eq!(nef.hidden(b"dnn"), Some(Kind::Network));
        let own = FieldKinds::default().with("ueSupi", Kind::Text);
        assert_eq!(own.kind(b"ueSupi"), Kind::Text, "said otherwise");
    }

    #[test]
    fn headers_are_known_in_either_case() {
        assert_eq!(of_header(b"Location"), Kind::Link);
        for (name, kind) in HEADERS {
            assert_eq!(
                of_header(name.to_ascii_uppercase().as_bytes()),
                kind,
                "{name}"
            );
        }
        for name in [&b""[..], b"x", b"X-Request-Id", &[b'x'; 26], &[b'x'; 27]] {
            assert_eq!(of_header(name), Kind::Unknown);
        }
    }
}
