//! Planted flaws: one defect each, by name. A flaw changes what a reference target says on the wire or holds in memory, and nothing
//! else, so that no oracle can recognise it by anything but its effect.
//!
//! To add one: a row here, one `if self.flaws.has(..)` at the right place, one dialogue in the table test of its target.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

macro_rules! flaws {
    ($($target:literal { $($flaw:ident = $name:literal, $place:literal, $doc:literal;)* })*) => {
        /// One planted defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Flaw { $($(#[doc = $doc] $flaw,)*)* }

        /// Every flaw, in the order of the attack catalogue.
        pub const TABLE: &[Row] =
            &[$($(Row { flaw: Flaw::$flaw, target: $target, name: $name, place: $place, doc: $doc },)*)*];
    };
}

/// What is known of a flaw.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The flaw.
    pub flaw: Flaw,
    /// The build that can carry it: `broker`, `coap`, `gateway`.
    pub target: &'static str,
    /// As scenarios and `--flaw` write it.
    pub name: &'static str,
    /// The attack, clause or mechanism that it belongs to.
    pub place: &'static str,
    /// One line.
    pub doc: &'static str,
}

flaws! {
"broker" {
    AcceptsAnonymous = "accepts-anonymous", "MA-01", "A client without credentials is let in.";
    TellsUnknownUsers = "tells-unknown-users", "MA-05", "An unknown user and a wrong password get different codes.";
    AcceptsPasswordAlone = "accepts-password-alone", "MA-06", "A 3.1.1 client with a password and no user name is let in.";
    AcceptsEmptyUser = "accepts-empty-user", "MA-07", "An empty user name is let in, whatever the password.";
    AcceptsEmptyPassword = "accepts-empty-password", "MA-07", "An empty password opens every account.";
    ComparesToNul = "compares-to-nul", "MA-08", "A password is compared up to its first zero byte.";
    TruncatesPassword = "truncates-password", "MA-09", "Only the first 72 bytes of a password count.";
    ProcessesBeforeConnack = "processes-before-connack", "MA-12", "What follows a refused CONNECT is served for a second, with every right.";
    PublishBeforeConnect = "publish-before-connect", "MA-13", "PUBLISH and SUBSCRIBE are served on a connection that never said CONNECT.";
    SecondConnectChangesIdentity = "second-connect-changes-identity", "MA-14", "A second CONNECT is obeyed.";
    IgnoresRemoval = "ignores-removal", "MA-17", "A removed or re-keyed account goes on being served while it is connected.";
    WildcardSubscribeIgnoresAcl = "wildcard-subscribe-ignores-acl", "MB-01", "A filter with a wildcard is granted and served without asking for rights.";
    SubscribeIgnoresAcl = "subscribe-ignores-acl", "MB-01", "Every filter is granted and served without asking for rights.";
    SysForEverybody = "sys-for-everybody", "MB-02", "What the server tells of itself under $SYS is told to everybody.";
    ClientsWriteSys = "clients-write-sys", "MB-02", "Everybody may publish to topics that begin with $.";
    DollarMatchesWildcard = "dollar-matches-wildcard", "MB-03", "A leading wildcard matches topics that begin with $.";
    PlusMatchesMore = "plus-matches-more", "MB-03", "A + matches one level and everything below it.";
    HashMissesParent = "hash-misses-parent", "MB-03", "A filter a/# does not match a.";
    AcceptsMisplacedWildcard = "accepts-misplaced-wildcard", "MB-03", "A wildcard that is not a whole level is granted as an ordinary character.";
    PublishIgnoresAclAtQos0 = "publish-ignores-acl-at-qos0", "MB-04", "Rights to publish are not asked for at QoS 0.";
    PublishIgnoresAclAtQos1 = "publish-ignores-acl-at-qos1", "MB-04", "Rights to publish are not asked for at QoS 1.";
    PublishIgnoresAclAtQos2 = "publish-ignores-acl-at-qos2", "MB-04", "Rights to publish are not asked for at QoS 2.";
    PublishAclOnlyAtQos0 = "publish-acl-only-at-qos0", "MB-04", "Rights to publish are asked for at QoS 0 only.";
    OddClientIdHangs = "odd-client-id-hangs", "MB-05", "A client id with a character that topics use, come for the second time, is the last that is answered.";
    WillIgnoresAcl = "will-ignores-acl", "MB-06", "A Will is published without asking for rights.";
    ForgetsRetained = "forgets-retained", "MB-08", "Nothing is retained.";
    RetainedOutlivesAuthor = "retained-outlives-author", "MB-08", "A retained message is sent on after its author lost the right to it.";
    QueueIgnoresRevocation = "queue-ignores-revocation", "MB-09", "What was queued is sent without asking for rights again.";
    DeliveryIgnoresRevocation = "delivery-ignores-revocation", "MB-10", "A subscription that stands is served without asking for rights again.";
    ShareIgnoresAcl = "share-ignores-acl", "MB-11", "A shared subscription is granted and served without asking for rights.";
    AliasSkipsAcl = "alias-skips-acl", "MB-12", "A topic given by its alias is not checked.";
    AliasSurvivesConnection = "alias-survives-connection", "MB-12", "Topic aliases of a client id outlive its connection.";
    AclIgnoresCase = "acl-ignores-case", "MB-14", "Rights are compared without regard to case, topics are routed with it.";
    RoutesNormalForm = "routes-normal-form", "MB-14", "Topics are brought into a normal form after rights were asked for and before they are routed.";
    AcceptsIllFormedText = "accepts-ill-formed-text", "MB-15", "What is no UTF-8 in a topic, a filter or a client id is replaced.";
    OddTopicDropsReaders = "odd-topic-drops-readers", "MB-15", "A control or non-character in a topic ends the connections of its readers.";
    AcceptsWildcardTopic = "accepts-wildcard-topic", "MB-16", "A PUBLISH to a topic with a wildcard is acknowledged and dropped.";
    WildcardTopicFansOut = "wildcard-topic-fans-out", "MB-16", "A PUBLISH to a topic with a wildcard goes to every subscribed topic that it matches.";
    SessionIgnoresIdentity = "session-ignores-identity", "MC-01", "Whoever names a client id gets its session.";
    TakeoverLosesQueue = "takeover-loses-queue", "MC-01", "Another user's CONNECT with a client id, refused or not, empties its queue.";
    KeepsBothSessions = "keeps-both-sessions", "MC-03", "A take-over leaves the first connection open.";
    CleanStartKeepsQueue = "clean-start-keeps-queue", "MC-04", "Clean Start goes on with the old session.";
    SessionNeverExpires = "session-never-expires", "MC-05", "A session outlives its Session Expiry Interval.";
    GuessableClientIds = "guessable-client-ids", "MC-06", "Assigned client ids count up.";
    NoKeepAlive = "no-keep-alive", "MC-07", "A silent connection is never closed.";
    WillAfterDisconnect = "will-after-disconnect", "MC-08", "An orderly DISCONNECT does not take the Will away.";
    LosesWillOnReset = "loses-will-on-reset", "MC-08", "A connection that is reset takes its Will with it.";
    DoubleWill = "double-will", "MC-09", "A delayed Will is published at the end of the connection and again when its delay is over.";
    UnlimitedQos2 = "unlimited-qos2", "MC-10", "More QoS 2 messages are taken than Receive Maximum allows.";
    ForgetsInboundQos2 = "forgets-inbound-qos2", "MC-11", "A QoS 2 message that is sent twice is delivered twice.";
    TakeoverForgetsInboundQos2 = "takeover-forgets-inbound-qos2", "MC-11", "A take-over forgets which QoS 2 messages have arrived.";
    AcceptsServerPackets = "accepts-server-packets", "MC-12", "Packets that only a server sends are skipped.";
    AcceptsReservedTypes = "accepts-reserved-types", "MC-12", "Packets of type 0, and in 3.1.1 of type 15, are skipped.";
    NoPubcompForUnknown = "no-pubcomp-for-unknown", "MC-13", "A PUBREL for an unknown packet identifier is not answered.";
    LosesOfflineMessages = "loses-offline-messages", "MC-16", "Nothing waits for a client that is away.";
    RedeliversWithoutDup = "redelivers-without-dup", "MC-16", "What is sent again does not say so.";
    UnboundedQueue = "unbounded-queue", "MC-16", "The queue of an absent client has no end.";
    NoConnectDeadline = "no-connect-deadline", "MD-02", "A connection may take for ever to say CONNECT.";
    FewConnections = "few-connections", "MD-03", "The 65th client is refused as long as the first 64 are there.";
    DropsSurplusConnections = "drops-surplus-connections", "MD-03", "While 128 clients are there, every further connection is reset as it comes.";
    ReservesAnnouncedLength = "reserves-announced-length", "MD-06", "A header reserves the memory that it announces, up to 1 MiB.";
    ExitsOnDeepTopic = "exits-on-deep-topic", "MD-08, crash", "A topic or filter of more than 10,000 levels ends the process.";
    HangsOnDeepTopic = "hangs-on-deep-topic", "MD-08, hang", "After a topic or filter of more than 10,000 levels nobody is answered any more.";
    AcceptsLongRemainingLength = "accepts-long-remaining-length", "ME-01", "A Remaining Length may take more than four bytes.";
    AcceptsNonminimalLength = "accepts-nonminimal-length", "ME-01", "A Remaining Length may take more bytes than it needs.";
    AcceptsLongPropertyLength = "accepts-long-property-length", "ME-01", "A Property Length may take more bytes than it needs, and more than four.";
    ReadsPastPacket = "reads-past-packet", "ME-02, ME-03", "A packet that ends too early is read on into what lies behind it.";
    AcceptsEmptyTopic = "accepts-empty-topic", "ME-04", "A PUBLISH without a topic and without an alias is skipped.";
    AcceptsUnknownAlias = "accepts-unknown-alias", "ME-04", "A PUBLISH with a Topic Alias that was never set, or is too high, is skipped.";
    AcceptsRepeatedProperty = "accepts-repeated-property", "ME-06", "A property that may stand only once may stand twice.";
    AcceptsForeignProperty = "accepts-foreign-property", "ME-06", "A property of another packet is skipped.";
    AcceptsUnknownProperty = "accepts-unknown-property", "ME-06", "An unknown property, and what follows it, is skipped.";
    AcceptsOutOfRangeProperty = "accepts-out-of-range-property", "ME-06", "A property outside its range is skipped.";
    AcceptsReservedFlags = "accepts-reserved-flags", "ME-05", "The reserved flags of a packet's first byte are not looked at.";
    AcceptsQos3 = "accepts-qos3", "ME-05", "A PUBLISH of QoS 3 is taken as one of QoS 2.";
    AcceptsConnectBits = "accepts-connect-bits", "ME-05", "Connect Flags that may not be set are not looked at.";
    AcceptsDupAtQos0 = "accepts-dup-at-qos0", "ME-05", "DUP on a QoS 0 message is not looked at.";
    AcceptsPacketIdZero = "accepts-packet-id-zero", "ME-05", "Packet identifier 0 is taken as 1.";
    AcceptsOtherProtocols = "accepts-other-protocols", "ME-07", "Whatever name and level a CONNECT says, it is read as MQTT.";
    AcceptsOddSubscriptions = "accepts-odd-subscriptions", "ME-08", "Subscription options that there are not are read as others.";
    IgnoresEmptySubscribe = "ignores-empty-subscribe", "ME-08", "A SUBSCRIBE or UNSUBSCRIBE without a filter is skipped.";
    LosesRestOfSegment = "loses-rest-of-segment", "ME-11", "What follows a packet in the same segment is lost.";
    LosesSingleBytes = "loses-single-bytes", "ME-11", "A segment of one byte is lost where a packet begins.";
    SkipsGarbage = "skips-garbage", "ME-12", "A packet that cannot be read is skipped.";
    ActsTwiceBeforeGarbage = "acts-twice-before-garbage", "ME-12", "A packet that cannot be read makes the one before it count twice.";
    OneCodeForAllFilters = "one-code-for-all-filters", "ME-08", "A SUBACK has one code, however many filters were asked for.";
    AcceptsSurplusBytes = "accepts-surplus-bytes", "ME-12", "Bytes after the last field of a packet are skipped.";
    LogsRaw = "logs-raw", "MF-13", "Client ids and user names stand in the log as they came.";
    ExitsOnRepeatedProperty = "exits-on-repeated-property", "ME-06, crash", "A repeated property ends the process.";
    ExitsOnMalformed = "exits-on-malformed", "ME, crash", "A malformed packet after CONNECT ends the process.";
    HangsOnMalformed = "hangs-on-malformed", "ME, hang", "After a malformed packet nobody is answered any more.";
    LeaksPerConnection = "leaks-per-connection", "MD-16, memory", "Every connection leaves 16 KiB behind.";
    AnswersWrongPacketId = "answers-wrong-packet-id", "MQTT5 2.2.1-5", "PUBACK and PUBREC carry another packet identifier.";
    DropsEveryTenth = "drops-every-tenth", "MQTT5 4.3.2-2", "Every tenth message that is delivered at QoS 1 or 2 is lost.";
    AssignsOneClientId = "assigns-one-client-id", "MQTT5 3.2.2-16", "Every client without an id gets the same one.";
    UnsubscribeEndsDelivery = "unsubscribe-ends-delivery", "MQTT5 3.10.4-3", "UNSUBSCRIBE forgets what is on its way for the filter.";
    StallsWhenFull = "stalls-when-full", "MQTT5 4.9.0-3", "While a client's Receive Maximum is used up, its PINGREQs are not answered.";
    RemembersUsedIds = "remembers-used-ids", "MQTT5 4.3.3-12", "A QoS 2 message under an identifier that was used once counts as a repetition.";
    IgnoresPacketMaximum = "ignores-packet-maximum", "MQTT5 3.1.2-24", "Messages are sent whatever Maximum Packet Size the client has.";
    LargeMessageStalls = "large-message-stalls", "MQTT5 3.1.2-25", "A message beyond the client's Maximum Packet Size is never done with, and what follows it waits.";
    AnyMessageClears = "any-message-clears", "MQTT5 3.3.1-8", "A message with RETAIN 0 removes the retained one of its topic.";
    KeepsOldRetained = "keeps-old-retained", "MQTT5 3.3.1-5", "Every third message that would replace a retained one is acknowledged and not kept.";
    ClearingKeeps = "clearing-keeps", "MQTT5 3.3.1-6", "An empty retained message removes nothing.";
    FirstIdentifierOnly = "first-identifier-only", "MQTT5 3.3.4-4", "One copy for several subscriptions carries one Subscription Identifier.";
    ForgetsPubrel = "forgets-pubrel", "MQTT5 4.4.0-1", "A PUBREL that was not answered is not sent over the next connection.";
    RefusesHigherAliases = "refuses-higher-aliases", "MQTT5 3.3.2-12", "Topic aliases above half of the maximum that was announced are refused.";
    SharedGoesOnAtQos2 = "shared-goes-on-at-qos2", "MQTT5 4.8.2-5", "What was begun with one member of a group goes to another when its session ends, at QoS 2 as well.";
    RetainThenClearCrashes = "retain-then-clear-crashes", "crash in two steps", "A client whose id ends in -17 ends the process when it retains a message and then clears it.";
    FlakyBySeed = "flaky-by-seed", "one seed of two", "With every other seed, QoS 1 messages are not acknowledged.";
}
"coap" {
    ListsProtected = "lists-protected", "CA-01", "Discovery lists the protected resource too.";
    GuardsOnlyGet = "guards-only-get", "CA-02", "The protected resource asks for rights at GET only.";
    IpatchUnguarded = "ipatch-unguarded", "CA-02", "The protected resource is changed by iPATCH without rights.";
    GrantsUnderAnotherToken = "grants-under-another-token", "CA-02", "A GET of the protected resource is refused, and then granted under another token.";
    GetUnguarded = "get-unguarded", "CA-02", "The protected resource is read without rights.";
    DedupMissing = "dedup-missing", "CB-01", "A copy of a request is obeyed again.";
    DedupForgetsEarly = "dedup-forgets-early", "CB-01", "A message id is remembered for half a second.";
    DedupLastOnly = "dedup-last-only", "CB-01", "Only the last message id of a peer is remembered.";
    DropsCopies = "drops-copies", "CB-01", "A copy of a request gets no answer at all.";
    DedupNeverForgets = "dedup-never-forgets", "CB-01", "A message id that is used again after its lifetime gets the old answer.";
    RstMatchedByMidOnly = "rst-matched-by-mid-only", "CB-06", "A reset with the right message id ends an observation, from whatever address it comes.";
    RstMatchedLater = "rst-matched-later", "CB-06", "A reset with the right message id ends an observation three seconds later, from whatever address it comes.";
    MalformedClears = "malformed-clears", "CB-20", "A malformed datagram ends every observation, and what was stored is gone.";
    MalformedChangesState = "malformed-changes-state", "CB-20", "What is left of a malformed datagram spoils the next request of its sender.";
    NoEchoChallenge = "no-echo-challenge", "CC-01", "Large answers go to addresses that nobody has validated.";
    BlockNumAllocates = "block-num-allocates", "CC-10", "A block number or a Size1 reserves the memory that it announces, up to 1 MiB.";
    Szx7ReadAs6 = "szx-7-read-as-6", "CC-11", "The reserved block size is read as 1024 bytes.";
    BlockGapAccepted = "block-gap-accepted", "CC-11", "A block whose predecessors are missing is taken; the gap is filled with zeros.";
    BlockMiddleGapAccepted = "block-middle-gap-accepted", "CC-11", "A gap before a block that says that more follow is filled with zeros.";
    BlockOverlapAccepted = "block-overlap-accepted", "CC-11", "A block that begins inside what has come overwrites it.";
    ShortBlockAccepted = "short-block-accepted", "CC-11", "A block that says that more follow need not be full.";
    VersionIgnored = "version-ignored", "CD-01", "The version of a message is not looked at.";
    LongTokenAccepted = "long-token-accepted", "CD-01", "Tokens of 9 to 15 bytes are taken and echoed.";
    OptionExtensionOverread = "option-extension-overread", "CD-02, crash", "An option that says more than the datagram holds ends the process.";
    OptionNibble15Accepted = "option-nibble-15-accepted", "CD-02", "The options end, without a word, where one has a reserved nibble.";
    OptionNumberWraps = "option-number-wraps", "CD-03", "Option numbers are counted in 16 bits.";
    OptionsArrayOverflows = "options-array-overflows", "CD-04, crash", "More than 50 options end the process.";
    MarkerWithoutPayloadAccepted = "marker-without-payload-accepted", "CD-05", "A payload marker may stand at the end.";
    ShortDatagramCrash = "short-datagram-crash", "CD-06, crash", "A datagram that ends inside its header or token ends the process.";
    CriticalIgnored = "critical-ignored", "CD-07", "Unknown critical options are skipped.";
    RepeatedCriticalLastWins = "repeated-critical-last-wins", "CD-08", "Of a critical option that stands twice, the last one counts.";
    OptionLengthUnchecked = "option-length-unchecked", "CD-08", "A critical option of a length out of range is skipped.";
    EmptyWithTokenProcessed = "empty-with-token-processed", "CD-09", "An Empty message with bytes after its message id is taken for a GET.";
    RequestInAckProcessed = "request-in-ack-processed", "CD-09", "A request in an ACK or a RST is obeyed and answered.";
    UnmatchedResponseConfirmed = "unmatched-response-confirmed", "CD-09", "A confirmable response to nothing is acknowledged.";
    TextNotUtf8Crash = "text-not-utf8-crash", "CD-10, crash", "A text option that is not UTF-8 ends the process.";
    ReservedClassProcessed = "reserved-class-processed", "CD-09", "The class of a code of a reserved class is not looked at.";
    GetAnswersChanged = "get-answers-changed", "RFC 7252 §5.8.1-1", "A GET that succeeds gives 2.04.";
    PostAnswersContent = "post-answers-content", "RFC 7252 §5.8.2-2", "A POST that succeeds gives 2.05.";
    PutAnswersContent = "put-answers-content", "RFC 7252 §5.8.3-1", "A PUT that changes gives 2.05.";
    DeleteFindsNothing = "delete-finds-nothing", "RFC 7252 §5.8.4-1", "A DELETE of what is not there gives 4.04.";
    LosesEveryThirdPut = "loses-every-third-put", "RFC 7252 §5.8.3-1", "Every third PUT is acknowledged and not stored.";
    DeleteKeeps = "delete-keeps", "RFC 7252 §5.8.4-1", "What was deleted is got as before.";
    EtagNeverChanges = "etag-never-changes", "RFC 7252 §5.10.6", "What is stored has the same ETag, whatever it is.";
    AnyEtagIsValid = "any-etag-is-valid", "RFC 7252 §5.10.6", "A GET with any ETag is answered by 2.03.";
    ValidWithoutEtag = "valid-without-etag", "RFC 7252 §5.9.1.3-1", "2.03 has no ETag.";
    UnknownMethodIsBadRequest = "unknown-method-is-bad-request", "RFC 7252 §5.8-1", "A method that nobody knows gives 4.00.";
    IgnoresProxyUri = "ignores-proxy-uri", "RFC 7252 §5.10.2-3", "A request for another host is answered as if it were for this one.";
    MuteBadOption = "mute-bad-option", "RFC 7252 §5.4.1-3", "4.02 does not say which option.";
    AcceptIgnored = "accept-ignored", "RFC 7252 §5.10.4-1", "Whatever format is accepted, the only one is sent.";
    ConditionIgnored = "condition-ignored", "RFC 7252 §5.10.8-1", "If-Match and If-None-Match are not looked at.";
    ElectiveRefused = "elective-refused", "RFC 7252 §5.4.1-1", "An elective option that nobody knows gives 4.02.";
    EchoesAccept = "echoes-accept", "RFC 7252 §5.4-1", "A response carries an Accept option.";
    MaxAgeTwice = "max-age-twice", "RFC 7252 §5.4.5-2", "A response carries Max-Age twice.";
    TokenChanged = "token-changed", "RFC 7252 §5.3.1-1", "The last bit of a token is another in the response to a change.";
    AcknowledgesNon = "acknowledges-non", "RFC 7252 §4.3-2", "A NON request is acknowledged before it is answered.";
    AnswersNonByCon = "answers-non-by-con", "RFC 7252 §5.2.3-1", "The response to a NON request is a CON.";
    PingAcknowledged = "ping-acknowledged", "RFC 7252 §4.2-1", "A ping is answered by an ACK.";
    SeparateInAck = "separate-in-ack", "RFC 7252 §5.2.2-1", "A response that was promised by an Empty ACK comes in another ACK.";
    OwnMidRepeats = "own-mid-repeats", "RFC 7252 §4.4-2", "Every message of the server's own has the same message id.";
    SendsAgainAtOnce = "sends-again-at-once", "RFC 7252 §4.2-6", "A CON is sent again after a quarter of a second.";
    AckUnheeded = "ack-unheeded", "RFC 7252 §5.2.2-4", "A CON is sent again although it was acknowledged.";
    ObsHasValue = "obs-has-value", "RFC 7641 §6-2", "The attribute obs of a link has a value.";
    CtInWords = "ct-in-words", "RFC 7252 §7.2.1-1", "The attribute ct of a link is a media type in words.";
    LinksUnopened = "links-unopened", "RFC 7252 §7.2-1", "The links of the list have no opening brackets.";
    SecondObserverForgotten = "second-observer-forgotten", "RFC 7641 §4.1-1", "Only one of those who observe the store is told of a change.";
    NoticeIsOld = "notice-is-old", "RFC 7641 §4.5-3", "Observers of the store are told what was there before the change.";
    NoticeIsGarbled = "notice-is-garbled", "RFC 7641 §4.2", "Every other notification of the store tells what nobody ever put there.";
    NoticeWithoutNumber = "notice-without-number", "RFC 7641 §4.2-6", "Notifications have no Observe option.";
    NoticeNumberFalls = "notice-number-falls", "RFC 7641 §4.4-3", "The sequence numbers of notifications fall.";
    NoticeFormatChanges = "notice-format-changes", "RFC 7641 §4.2-4", "Notifications have another Content-Format than the first response.";
    NoticeIsChanged = "notice-is-changed", "RFC 7641 §4.2-2", "Notifications have the code 2.04.";
    NoticesPileUp = "notices-pile-up", "RFC 7641 §4.5.1-1", "A notification does not wait for the acknowledgement of the one before.";
    DeregisterIgnored = "deregister-ignored", "RFC 7641 §4.1-5", "An observation goes on after it was taken back.";
    ResetIgnored = "reset-ignored", "RFC 7641 §4.5-4", "A reset counts as an acknowledgement: the observation goes on.";
    ObservesUnasked = "observes-unasked", "RFC 7641 §4.1-4", "The response to a plain GET has an Observe option.";
    DeletedUntold = "deleted-untold", "RFC 7641 §4.2-3", "Who observes the store is not told when it is deleted.";
    DeletedGoesOn = "deleted-goes-on", "RFC 7641 §4.2-3", "Who observes what was deleted is told an error, and then of what comes in its place.";
    ErrorHasObserve = "error-has-observe", "RFC 7641 §4.2-6", "The notification that something was deleted has an Observe option.";
    BlockLargerThanAsked = "block-larger-than-asked", "RFC 7959 §2.4-3", "Blocks are twice as large as was asked for.";
    BlockSizesChange = "block-sizes-change", "RFC 7959 §2.4-6", "From its third block on a transfer goes on in blocks of half the size.";
    BlockWithoutEtag = "block-without-etag", "RFC 7959 §2.4-7", "Blocks have no ETag.";
    BlockShort = "block-short", "RFC 7959 §2.3-1", "A block that more follow lacks its last byte.";
    BlockRepeats = "block-repeats", "RFC 7959 §2.4-7", "Every block after the second has the bytes of the first.";
    UploadLosesEnd = "upload-loses-end", "RFC 7252 §5.8.3-1", "The last block of a body is acknowledged and thrown away.";
    KeepsFirstPut = "keeps-first-put", "RFC 7252 §5.8.3-1", "Every PUT after the first is acknowledged and thrown away.";
    BlockElsewhere = "block-elsewhere", "RFC 7959 §2.4", "The block after the one that was asked for comes.";
    ContinueHasBlock2 = "continue-has-block2", "RFC 7959 §2.3-4", "2.31 has a Block2 option.";
    Block1IsOff = "block1-is-off", "RFC 7959 §2.3", "The response to a block names the one after it.";
}
"gateway" {
    GatewayJoinsPathUnescaped = "gateway-joins-path-unescaped", "mixed", "The gateway joins the segments of a path, whatever is in them, and resolves what comes of it.";
}
}

/// The row of each flaw, by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// Name and one line of every flaw, for [`Registry::flaws`](proofhouse_core::registry::Registry::flaws).
#[must_use]
pub fn lines() -> Vec<(&'static str, &'static str)> {
    TABLE.iter().map(|row| (row.name, row.doc)).collect()
}

/// The flaws that a target is built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaws([u64; 4]);

impl Flaws {
    /// None: the clean target.
    pub const NONE: Flaws = Flaws([0; 4]);

    /// One.
    #[must_use]
    pub const fn one(flaw: Flaw) -> Flaws {
        let mut words = [0; 4];
        words[flaw as usize / 64] = 1 << (flaw as u8 % 64);
        Flaws(words)
    }

    /// Reads names.
    ///
    /// # Errors
    /// The first unknown name, with the one that is nearest to it.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Flaws, String> {
        names.iter().try_fold(Flaws::NONE, |all, name| {
            let name = name.as_ref();
            let row = find(name).ok_or_else(|| format!("unknown flaw {name:?}; did you mean {:?}?", nearest(name)))?;
            let one = Flaws::one(row.flaw);
            Ok(Flaws(core::array::from_fn(|word| all.0[word] | one.0[word])))
        })
    }

    /// Whether this one is planted.
    #[inline]
    #[must_use]
    pub const fn has(self, flaw: Flaw) -> bool {
        self.0[flaw as usize / 64] & 1 << (flaw as u8 % 64) != 0
    }

    /// Whether any is planted.
    #[must_use]
    pub const fn any(self) -> bool {
        self.0[0] | self.0[1] | self.0[2] | self.0[3] != 0
    }
}

/// A name that begins so, or else the one with the fewest edits.
fn nearest(name: &str) -> &'static str {
    let key = |row: &&Row| (!row.name.starts_with(name), distance(name, row.name));
    TABLE.iter().min_by_key(key).map_or("", |row| row.name)
}

/// Edits that turn one word into the other: insert, remove, replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_as_its_flaw_alone() {
        for row in TABLE {
            let flaws = Flaws::parse(&[row.name]).unwrap();
            assert!(TABLE.iter().all(|other| flaws.has(other.flaw) == (other.flaw == row.flaw)), "{}", row.name);
        }
    }

    #[test]
    fn names_are_unique_and_fit_the_bits() {
        let names: alloc::collections::BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.len() <= 256, "{} flaws do not fit 256 bits", TABLE.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let refused = Flaws::parse(&["accepts-anonymus"]).unwrap_err();
        assert_eq!(refused, "unknown flaw \"accepts-anonymus\"; did you mean \"accepts-anonymous\"?");
        assert_eq!(nearest("keeps-both"), "keeps-both-sessions", "a beginning is nearer than any edit");
        assert_eq!(Flaws::parse::<&str>(&[]), Ok(Flaws::NONE));
    }

    #[test]
    fn a_distance_counts_edits() {
        assert_eq!([distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")], [3, 0, 3]);
    }
}
