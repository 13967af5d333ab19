//! A packet that is legal: the fifteen types behind one `decode` and one `encode`.

use alloc::vec::Vec;

use super::reader::{Reader, varint_len};
use super::{
    Ack, Auth, Connack, Connect, Disconnect, Kind, Publish, REMAINING_LENGTH_MAX, Reason, Sender, Suback, Subscribe,
    Unsuback, Unsubscribe, Version, ping, rules, writer,
};

/// A legal control packet that borrows what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    Puback(Ack<'a>),
    Pubrec(Ack<'a>),
    Pubrel(Ack<'a>),
    Pubcomp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Unsuback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Reads one packet: its first byte, and the body that [`split`](super::split) has cut. Allocates nothing.
    ///
    /// # Errors
    /// Whatever the standard forbids in a single packet of this version from this side, with its clause.
    pub fn decode(version: Version, sender: Sender, first: u8, body: &'a [u8]) -> Result<Self, Reason> {
        let kind = kind_of(version, sender, first)?;
        let reader = Reader::new(version, kind, body);
        match kind {
            Kind::Connect => Connect::read(reader).map(Self::Connect),
            Kind::Connack => Connack::read(reader).map(Self::Connack),
            Kind::Publish => Publish::read(first & 0x0F, sender, reader).map(Self::Publish),
            Kind::Puback => Ack::read(sender, reader).map(Self::Puback),
            Kind::Pubrec => Ack::read(sender, reader).map(Self::Pubrec),
            Kind::Pubrel => Ack::read(sender, reader).map(Self::Pubrel),
            Kind::Pubcomp => Ack::read(sender, reader).map(Self::Pubcomp),
            Kind::Subscribe => Subscribe::read(reader).map(Self::Subscribe),
            Kind::Suback => Suback::read(reader).map(Self::Suback),
            Kind::Unsubscribe => Unsubscribe::read(reader).map(Self::Unsubscribe),
            Kind::Unsuback => Unsuback::read(reader).map(Self::Unsuback),
            Kind::Pingreq => ping::read(reader).map(|()| Self::Pingreq),
            Kind::Pingresp => ping::read(reader).map(|()| Self::Pingresp),
            Kind::Disconnect => Disconnect::read(sender, reader).map(Self::Disconnect),
            Kind::Auth => Auth::read(sender, reader).map(Self::Auth),
        }
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Connect(_) => Kind::Connect,
            Self::Connack(_) => Kind::Connack,
            Self::Publish(_) => Kind::Publish,
            Self::Puback(_) => Kind::Puback,
            Self::Pubrec(_) => Kind::Pubrec,
            Self::Pubrel(_) => Kind::Pubrel,
            Self::Pubcomp(_) => Kind::Pubcomp,
            Self::Subscribe(_) => Kind::Subscribe,
            Self::Suback(_) => Kind::Suback,
            Self::Unsubscribe(_) => Kind::Unsubscribe,
            Self::Unsuback(_) => Kind::Unsuback,
            Self::Pingreq => Kind::Pingreq,
            Self::Pingresp => Kind::Pingresp,
            Self::Disconnect(_) => Kind::Disconnect,
            Self::Auth(_) => Kind::Auth,
        }
    }

    /// Appends the packet; its exact size is reserved first.
    ///
    /// # Errors
    /// What no side may send in this version: a combination of fields that the types alone do not rule out, a field that 3.1.1
    /// does not have, or a packet too large to be said. Nothing is appended then.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), Reason> {
        let len = self.checked_len(version)?;
        out.reserve(1 + varint_len(len) + len as usize);
        out.push(self.first());
        writer::varint(out, len);
        let start = out.len();
        self.write(version, out);
        debug_assert_eq!(out.len() - start, len as usize, "the length of {self:?} was announced wrongly");
        Ok(())
    }

    /// Bytes that [`encode`](Self::encode) would append: what a Maximum Packet Size is compared with.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encoded_len(&self, version: Version) -> Result<usize, Reason> {
        self.checked_len(version).map(|len| 1 + varint_len(len) + len as usize)
    }

    /// First byte and body, for a frame.
    pub(crate) fn to_parts(self, version: Version) -> Result<(u8, Vec<u8>), Reason> {
        let mut body = Vec::with_capacity(self.checked_len(version)? as usize);
        self.write(version, &mut body);
        Ok((self.first(), body))
    }

    const fn first(&self) -> u8 {
        let flags = match self {
            Self::Publish(publish) => publish.flags(),
            _ => self.kind().flags(),
        };
        self.kind().number() << 4 | flags
    }

    /// The Remaining Length of a packet that may be sent.
    fn checked_len(&self, version: Version) -> Result<u32, Reason> {
        let kind = self.kind();
        let len = match self {
            Self::Connect(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Connack(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Publish(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Puback(packet) | Self::Pubrec(packet) | Self::Pubrel(packet) | Self::Pubcomp(packet) => {
                packet.check(version, kind).map(|()| packet.len(version))
            }
            Self::Subscribe(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Suback(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Unsubscribe(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Unsuback(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Pingreq | Self::Pingresp => Ok(0),
            Self::Disconnect(packet) => packet.check(version).map(|()| packet.len(version)),
            Self::Auth(packet) => packet.check(version).map(|()| packet.len(version)),
        }?;
        rules::TOO_LARGE.require(len <= REMAINING_LENGTH_MAX as usize, version)?;
        Ok(len as u32)
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Self::Connect(packet) => packet.write(version, out),
            Self::Connack(packet) => packet.write(version, out),
            Self::Publish(packet) => packet.write(version, out),
            Self::Puback(packet) | Self::Pubrec(packet) | Self::Pubrel(packet) | Self::Pubcomp(packet) => {
                packet.write(version, out);
            }
            Self::Subscribe(packet) => packet.write(version, out),
            Self::Suback(packet) => packet.write(version, out),
            Self::Unsubscribe(packet) => packet.write(version, out),
            Self::Unsuback(packet) => packet.write(version, out),
            Self::Pingreq | Self::Pingresp => {}
            Self::Disconnect(packet) => packet.write(version, out),
            Self::Auth(packet) => packet.write(version, out),
        }
    }
}

/// What can be said of a packet by its first byte alone: type, side, reserved flags.
#[inline]
fn kind_of(version: Version, sender: Sender, first: u8) -> Result<Kind, Reason> {
    let kind = Kind::from_number(first >> 4).ok_or_else(|| rules::RESERVED_TYPE.refuse(version))?;
    rules::NO_AUTH_IN_V311.require(kind != Kind::Auth || version == Version::V5, version)?;
    rules::WRONG_SIDE.require(kind.sent_by(version, sender), version)?;
    rules::flags(kind).require(kind == Kind::Publish || first & 0x0F == kind.flags(), version)?;
    Ok(kind)
}
