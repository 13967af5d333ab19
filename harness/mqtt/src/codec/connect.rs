//! CONNECT: the first packet of a client, and the only one that says its own version.

use alloc::vec::Vec;

use super::framer::Cut;
use super::packet::Body;
use super::reader::Reader;
use super::rules::{self, Rule};
use super::strings::{Binary, Text, TopicName};
use super::{Kind, Place, Properties, PropertyId, QoS, Reason, ReasonCode, Version, topic, writer};

const NAME: &[u8] = b"MQTT";
/// Bytes of name, level, flags and Keep Alive.
const HEADER: usize = 10;
/// The name that MQTT 3.1 used, with level 3.
const OLD_NAME: &[u8] = b"MQIsdp";

const NOT_CONNECT: Rule = Rule::protocol("MQTT3 3.1.0-1", "MQTT5 3.1.0-1", "the first packet is not CONNECT");
const WRONG_NAME: Rule = Rule::malformed("MQTT3 3.1.2-1", "MQTT5 3.1.2-1", "the protocol name is not \"MQTT\"")
    .answer(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
const OLD_LEVEL: Rule = Rule::protocol("MQTT3 3.1.2-2", "MQTT3 3.1.2-2", "a protocol level below 4, as MQTT 3.1 has")
    .answer(ReasonCode::V3_UNACCEPTABLE_VERSION);
const NEW_LEVEL: Rule = Rule::protocol("MQTT5 3.1.2-2", "MQTT5 3.1.2-2", "a protocol level above 5")
    .answer(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
const OTHER_LEVEL_V3: Rule = Rule::protocol("MQTT3 3.1.2-2", "MQTT3 3.1.2-2", "a protocol level other than 4")
    .answer(ReasonCode::V3_UNACCEPTABLE_VERSION);
const OTHER_LEVEL_V5: Rule = Rule::protocol("MQTT5 3.1.2-2", "MQTT5 3.1.2-2", "a protocol level other than 5")
    .answer(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
const RESERVED_FLAG: Rule = Rule::malformed("MQTT3 3.1.2-3", "MQTT5 3.1.2-3", "the reserved Connect Flag is set");
const QOS_WITHOUT_WILL: Rule = Rule::malformed("MQTT3 3.1.2-13", "MQTT5 3.1.2-11", "Will QoS without a Will");
const RETAIN_WITHOUT_WILL: Rule = Rule::malformed("MQTT3 3.1.2-15", "MQTT5 3.1.2-13", "Will Retain without a Will");
const WILL_QOS_3: Rule = Rule::malformed("MQTT3 3.1.2-14", "MQTT5 3.1.2-12", "Will QoS 3");
const PASSWORD_ALONE: Rule =
    Rule::malformed("MQTT3 3.1.2-22", "MQTT3 3.1.2-22", "a password without a user name in 3.1.1");
const NO_CLIENT_ID: Rule = Rule::malformed("MQTT3 3.1.3-3", "MQTT5 3.1.3-3", "the Client Identifier is missing");
const NO_WILL: Rule = Rule::malformed("MQTT3 3.1.2-9", "MQTT5 3.1.2-9", "a Will field is missing");
const NO_USER_NAME: Rule = Rule::malformed("MQTT3 3.1.2-19", "MQTT5 3.1.2-17", "the user name is missing");
const NO_PASSWORD: Rule = Rule::malformed("MQTT3 3.1.2-21", "MQTT5 3.1.2-19", "the password is missing");
const SURPLUS_USER_NAME: Rule =
    Rule::malformed("MQTT3 3.1.2-18", "MQTT5 3.1.2-16", "bytes after CONNECT although User Name Flag is 0");
const SURPLUS_PASSWORD: Rule =
    Rule::malformed("MQTT3 3.1.2-20", "MQTT5 3.1.2-18", "bytes after CONNECT although Password Flag is 0");
const DATA_WITHOUT_METHOD: Rule =
    Rule::protocol("MQTT3 7.0.0-2", "MQTT5 §3.1.2.11.10", "Authentication Data without Authentication Method");

/// The message that a server publishes for a client that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where it is published.
    pub topic: TopicName<'a>,
    /// What is published.
    pub payload: Binary<'a>,
    /// With which quality \[MQTT3 3.1.2-14, MQTT5 3.1.2-12\].
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// Delay, expiry and the rest.
    pub properties: Properties<'a>,
}

/// What a client asks for. Whether an empty identifier is taken, and what else a server wants, is the server's matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Clean Start; in 3.1.1 Clean Session.
    pub clean_start: bool,
    /// Seconds; 0 turns it off.
    pub keep_alive: u16,
    /// The client identifier; may be empty.
    pub client_id: Text<'a>,
    /// The Will, if there is one.
    pub will: Option<Will<'a>>,
    /// The user name.
    pub user_name: Option<Text<'a>>,
    /// The password; in 3.1.1 only with a user name \[MQTT3 3.1.2-22\].
    pub password: Option<Binary<'a>>,
    /// Session expiry, limits, authentication method and the rest.
    pub properties: Properties<'a>,
}

impl<'a> Connect<'a> {
    /// Reads the first packet of a connection, whose version nobody knows yet.
    ///
    /// # Errors
    /// Not a CONNECT \[MQTT5 3.1.0-1\], another protocol or level \[MQTT3 3.1.2-2, MQTT5 3.1.2-1, 3.1.2-2\], or what
    /// [`Packet::decode`](super::Packet::decode) refuses. A reason of code 0x01 is to be answered in the form of 3.1.1.
    pub fn first(cut: Cut<'a>) -> Result<(Version, Self), Reason> {
        NOT_CONNECT.require(cut.kind() == Some(Kind::Connect), Version::V5)?;
        let version = Self::version(cut.body)?;
        rules::VARINT_NOT_MINIMAL.require(cut.minimal || version == Version::V311, version)?;
        rules::flags(Kind::Connect).require(cut.first & 0x0F == 0, version)?;
        Ok((version, Self::read(Reader::new(version, Kind::Connect, cut.body))?))
    }

    /// The version that the body of a CONNECT names.
    ///
    /// # Errors
    /// Another protocol name, or a level that is neither 4 nor 5. MQTT 3.1 (`MQIsdp`, 3) is known, and not supported.
    pub fn version(body: &[u8]) -> Result<Version, Reason> {
        Self::named_version(Reader::new(Version::V311, Kind::Connect, body))
    }

    fn named_version(mut reader: Reader<'_>) -> Result<Version, Reason> {
        let (name, level) = (reader.field()?, reader.byte()?);
        match (name, level) {
            (NAME, 4) => Ok(Version::V311),
            (NAME, 5) => Ok(Version::V5),
            (NAME, 6..) => Err(NEW_LEVEL.refuse(Version::V5)),
            (NAME, _) | (OLD_NAME, 3) => Err(OLD_LEVEL.refuse(Version::V311)),
            (_, 4) => Err(WRONG_NAME.refuse(Version::V311)),
            _ => Err(WRONG_NAME.refuse(Version::V5)),
        }
    }

    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Reason> {
        let version = reader.version;
        Self::read_protocol(&mut reader)?;
        let flags = reader.byte()?;
        check_flags(version, flags)?;
        let keep_alive = reader.two_bytes()?;
        let properties = Properties::read(Place::Connect, &mut reader)?;
        let connect = Self {
            clean_start: flags & CLEAN_START != 0,
            keep_alive,
            client_id: reader.or_if_short(NO_CLIENT_ID, Reader::text)?,
            will: read_will(flags, &mut reader)?,
            user_name: given(flags & USER_NAME, || reader.or_if_short(NO_USER_NAME, Reader::text))?,
            password: given(flags & PASSWORD, || reader.or_if_short(NO_PASSWORD, Reader::binary))?,
            properties,
        };
        surplus(flags).require(reader.is_empty(), version)?;
        connect.has_method(version)?;
        Ok(connect)
    }

    /// Name and level must be those of the version that the caller speaks.
    fn read_protocol(reader: &mut Reader<'a>) -> Result<(), Reason> {
        let version = reader.version;
        let found = Self::named_version(*reader)?;
        let other = match version {
            Version::V311 => OTHER_LEVEL_V3,
            Version::V5 => OTHER_LEVEL_V5,
        };
        other.require(found == version, version)?;
        reader.take(2 + NAME.len() + 1).map(|_| ())
    }

    fn has_method(&self, version: Version) -> Result<(), Reason> {
        let has = |id| self.properties.has(id);
        let lonely = has(PropertyId::AuthenticationData) && !has(PropertyId::AuthenticationMethod);
        DATA_WITHOUT_METHOD.require(!lonely, version)
    }

    fn flags(&self) -> u8 {
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| WILL | will.qos.number() << WILL_QOS_SHIFT | if will.retain { WILL_RETAIN } else { 0 });
        let set = |condition, flag| if condition { flag } else { 0 };
        will | set(self.clean_start, CLEAN_START)
            | set(self.user_name.is_some(), USER_NAME)
            | set(self.password.is_some(), PASSWORD)
    }
}

impl Body for Connect<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Connect, version)?;
        self.has_method(version)?;
        if let Some(will) = &self.will {
            will.properties.fit(Place::Will, version)?;
            topic::valid_name(version, &will.topic)?;
        }
        let password_alone = version == Version::V311 && self.user_name.is_none() && self.password.is_some();
        PASSWORD_ALONE.require(!password_alone, version)
    }

    fn len(&self, version: Version) -> usize {
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| will.properties.encoded_len(version) + 2 + will.topic.len() + 2 + will.payload.len());
        let user_name = self.user_name.map_or(0, |name| 2 + name.len());
        let password = self.password.map_or(0, |password| 2 + password.len());
        HEADER + self.properties.encoded_len(version) + 2 + self.client_id.len() + will + user_name + password
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        let [high, low] = self.keep_alive.to_be_bytes();
        out.extend_from_slice(&[0, 4, b'M', b'Q', b'T', b'T', version.level(), self.flags(), high, low]);
        self.properties.write(version, out);
        writer::field(out, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            will.properties.write(version, out);
            writer::field(out, will.topic.as_bytes());
            writer::field(out, &will.payload);
        }
        if let Some(name) = self.user_name {
            writer::field(out, name.as_bytes());
        }
        if let Some(password) = self.password {
            writer::field(out, &password);
        }
    }
}

const RESERVED: u8 = 1;
const CLEAN_START: u8 = 1 << 1;
const WILL: u8 = 1 << 2;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 1 << 5;
const PASSWORD: u8 = 1 << 6;
const USER_NAME: u8 = 1 << 7;

fn check_flags(version: Version, flags: u8) -> Result<(), Reason> {
    let qos = flags >> WILL_QOS_SHIFT & 3;
    RESERVED_FLAG.require(flags & RESERVED == 0, version)?;
    if flags & WILL == 0 {
        QOS_WITHOUT_WILL.require(qos == 0, version)?;
        RETAIN_WITHOUT_WILL.require(flags & WILL_RETAIN == 0, version)?;
    }
    WILL_QOS_3.require(qos != 3, version)?;
    let password_alone = flags & PASSWORD != 0 && flags & USER_NAME == 0;
    PASSWORD_ALONE.require(version == Version::V5 || !password_alone, version)
}

fn read_will<'a>(flags: u8, reader: &mut Reader<'a>) -> Result<Option<Will<'a>>, Reason> {
    if flags & WILL == 0 {
        return Ok(None);
    }
    let version = reader.version;
    let properties = Properties::read(Place::Will, reader)?;
    let topic = reader.or_if_short(NO_WILL, Reader::utf8)?;
    topic::valid_name(version, topic)?;
    Ok(Some(Will {
        topic: TopicName::read(version, topic, topic::WILDCARD)?,
        payload: reader.or_if_short(NO_WILL, Reader::binary)?,
        qos: QoS::from_number(flags >> WILL_QOS_SHIFT & 3).ok_or_else(|| WILL_QOS_3.refuse(version))?,
        retain: flags & WILL_RETAIN != 0,
        properties,
    }))
}

/// A field that its flag announces.
fn given<T>(flag: u8, read: impl FnOnce() -> Result<T, Reason>) -> Result<Option<T>, Reason> {
    if flag == 0 { Ok(None) } else { read().map(Some) }
}

/// What bytes after the last field are most likely: a field whose flag is not set.
const fn surplus(flags: u8) -> Rule {
    match (flags & USER_NAME != 0, flags & PASSWORD != 0) {
        (true, true) => rules::surplus(Kind::Connect),
        (true, false) => SURPLUS_PASSWORD,
        (false, _) => SURPLUS_USER_NAME,
    }
}
