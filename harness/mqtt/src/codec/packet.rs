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
            Kind::Puback | Kind::Pubrec | Kind::Pubrel | Kind::Pubcomp => {
                let ack = Ack::read(sender, reader)?;
                Ok(match kind {
                    Kind::Puback => Self::Puback(ack),
                    Kind::Pubrec => Self::Pubrec(ack),
                    Kind::Pubrel => Self::Pubrel(ack),
                    _ => Self::Pubcomp(ack),
                })
            }
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
        let (kind, first) = (self.kind(), self.first());
        // The two that a fleet sends all day long are not called through a table.
        match self {
            Self::Publish(publish) => append(kind, first, publish, version, out),
            Self::Puback(ack) | Self::Pubrec(ack) | Self::Pubrel(ack) | Self::Pubcomp(ack) => {
                if let Some([high, low]) = ack.bare() {
                    out.extend_from_slice(&[first, 2, high, low]);
                    return Ok(());
                }
                append(kind, first, ack, version, out)
            }
            _ => append(kind, first, self.body(), version, out),
        }
    }

    /// Bytes that [`encode`](Self::encode) would append: what a Maximum Packet Size is compared with.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encoded_len(&self, version: Version) -> Result<usize, Reason> {
        let len = remaining_length(self.kind(), self.body(), version)?;
        Ok(1 + varint_len(len) + len as usize)
    }

    /// First byte and body, for a frame.
    pub(crate) fn to_parts(self, version: Version) -> Result<(u8, Vec<u8>), Reason> {
        let len = remaining_length(self.kind(), self.body(), version)?;
        let mut body = Vec::with_capacity(len as usize);
        self.body().write(version, &mut body);
        Ok((self.first(), body))
    }

    const fn first(&self) -> u8 {
        let flags = match self {
            Self::Publish(publish) => publish.flags(),
            _ => self.kind().flags(),
        };
        self.kind().number() << 4 | flags
    }

    fn body(&self) -> &dyn Body {
        match self {
            Self::Connect(packet) => packet,
            Self::Connack(packet) => packet,
            Self::Publish(packet) => packet,
            Self::Puback(packet) | Self::Pubrec(packet) | Self::Pubrel(packet) | Self::Pubcomp(packet) => packet,
            Self::Subscribe(packet) => packet,
            Self::Suback(packet) => packet,
            Self::Unsubscribe(packet) => packet,
            Self::Unsuback(packet) => packet,
            Self::Pingreq | Self::Pingresp => &ping::Empty,
            Self::Disconnect(packet) => packet,
            Self::Auth(packet) => packet,
        }
    }
}

/// What follows the fixed header when a packet is written.
pub(crate) trait Body {
    /// Whether any side may send this in this version. The types of the fields rule out most of what is illegal; this is the rest.
    fn check(&self, version: Version, kind: Kind) -> Result<(), Reason>;

    /// The Remaining Length, if `check` holds.
    fn len(&self, version: Version) -> usize;

    /// Appends exactly `len` bytes.
    fn write(&self, version: Version, out: &mut Vec<u8>);
}

#[inline]
fn remaining_length<B: Body + ?Sized>(kind: Kind, body: &B, version: Version) -> Result<u32, Reason> {
    body.check(version, kind)?;
    let len = body.len(version);
    rules::TOO_LARGE.require(len <= REMAINING_LENGTH_MAX as usize, version)?;
    Ok(len as u32)
}

#[inline]
fn append<B: Body + ?Sized>(
    kind: Kind,
    first: u8,
    body: &B,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<(), Reason> {
    let len = remaining_length(kind, body, version)?;
    out.reserve(1 + varint_len(len) + len as usize);
    writer::header(out, first, len);
    let start = out.len();
    body.write(version, out);
    debug_assert_eq!(out.len() - start, len as usize, "the length of {kind} was announced wrongly");
    Ok(())
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
