//! A second reader of what a client says, written from the standard and sharing nothing with the codec: a packet that both take wrongly
//! in the same way would have to be misread twice.
use std::string::String;
use std::vec::Vec;

use crate::codec::Version;

/// A packet of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Connect {
        clean: bool,
        keep_alive: u16,
        client_id: String,
        level: u8,
        expiry: u32,
    },
    Publish {
        dup: bool,
        qos: u8,
        retain: bool,
        topic: String,
        id: u16,
        alias: Option<u16>,
        payload: Vec<u8>,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP by their numbers 4 to 7.
    Ack {
        kind: u8,
        id: u16,
    },
    Subscribe {
        id: u16,
        filters: Vec<String>,
        named: bool,
    },
    Unsubscribe {
        id: u16,
    },
    Pingreq,
    Disconnect,
}

/// The first packet of these bytes, and its size; `None` for half a packet.
pub(super) fn read(version: Version, bytes: &[u8]) -> Result<Option<(Said, usize)>, String> {
    let Some((length, width)) = varint(bytes.get(1..).unwrap_or_default())? else { return Ok(None) };
    let size = 1 + width + length;
    let Some(body) = bytes.get(1 + width..size) else { return Ok(None) };
    let mut body = Body { rest: body, five: version == Version::V5 };
    let said = packet(bytes[0], &mut body)?;
    if !body.rest.is_empty() {
        return Err(alloc::format!("{} bytes behind {said:?}", body.rest.len()));
    }
    Ok(Some((said, size)))
}

fn packet(first: u8, body: &mut Body<'_>) -> Result<Said, String> {
    let (kind, flags) = (first >> 4, first & 15);
    let wanted = match kind {
        3 => flags,
        6 | 8 | 10 => 2,
        _ => 0,
    };
    need(flags == wanted, "reserved flags of the fixed header")?;
    match kind {
        1 => connect(body),
        3 => publish(flags, body),
        4..=7 => ack(kind, body),
        8 => subscribe(body),
        10 => {
            let id = body.id()?;
            body.properties(&[0x26])?;
            need(!body.rest.is_empty(), "UNSUBSCRIBE without a filter")?;
            while !body.rest.is_empty() {
                filter(&body.text()?)?;
            }
            Ok(Said::Unsubscribe { id })
        }
        12 => Ok(Said::Pingreq),
        14 => {
            if body.five && !body.rest.is_empty() {
                body.byte()?;
                if !body.rest.is_empty() {
                    body.properties(&[0x11, 0x1F, 0x26])?;
                }
            }
            Ok(Said::Disconnect)
        }
        _ => Err(alloc::format!("a client never sends type {kind}")),
    }
}

fn connect(body: &mut Body<'_>) -> Result<Said, String> {
    need(body.text()? == "MQTT", "protocol name")?;
    let (level, flags, keep_alive) = (body.byte()?, body.byte()?, body.short()?);
    need(level == if body.five { 5 } else { 4 }, "protocol level")?;
    need(flags & 1 == 0, "reserved connect flag")?;
    let (will, qos) = (flags & 4 != 0, flags >> 3 & 3);
    need(qos < 3 && (will || flags & 0b11_1000 == 0), "Will flags")?;
    need(body.five || flags & 0x80 != 0 || flags & 0x40 == 0, "a password without a user name")?;
    let properties = body.properties(&[0x11, 0x21, 0x27, 0x22, 0x19, 0x17, 0x26, 0x15, 0x16])?;
    let client_id = body.text()?;
    let clean = flags & 2 != 0;
    need(body.five || clean || !client_id.is_empty(), "no client id without Clean Session")?;
    need(of(&properties, 0x21) != Some(0) && of(&properties, 0x27) != Some(0), "a maximum of 0")?;
    if will {
        body.properties(&[0x18, 0x01, 0x02, 0x03, 0x08, 0x09, 0x26])?;
        name(&body.text()?)?;
        body.field()?;
    }
    for present in [flags & 0x80 != 0, flags & 0x40 != 0] {
        if present {
            body.field()?;
        }
    }
    let expiry = of(&properties, 0x11).unwrap_or(0);
    Ok(Said::Connect { clean, keep_alive, client_id, level, expiry })
}

fn publish(flags: u8, body: &mut Body<'_>) -> Result<Said, String> {
    let (dup, qos, retain) = (flags & 8 != 0, flags >> 1 & 3, flags & 1 != 0);
    need(qos < 3, "QoS 3")?;
    need(!dup || qos > 0, "DUP at QoS 0")?;
    let topic = body.text()?;
    let id = if qos > 0 { body.id()? } else { 0 };
    let properties = body.properties(&[0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26])?;
    let alias = of(&properties, 0x23).map(|alias| alias as u16);
    need(alias != Some(0), "Topic Alias 0")?;
    match (topic.is_empty(), alias) {
        (true, None) => return Err("no topic".into()),
        (true, Some(_)) => {}
        (false, _) => name(&topic)?,
    }
    let payload = core::mem::take(&mut body.rest).to_vec();
    Ok(Said::Publish { dup, qos, retain, topic, id, alias, payload })
}

fn ack(kind: u8, body: &mut Body<'_>) -> Result<Said, String> {
    let id = body.id()?;
    if body.five && !body.rest.is_empty() {
        let (reason, known) = (body.byte()?, if kind < 6 { PUBACK_CODES } else { &[0, 0x92] });
        need(known.contains(&reason), "the reason code of an acknowledgement")?;
        if !body.rest.is_empty() {
            body.properties(&[0x1F, 0x26])?;
        }
    }
    Ok(Said::Ack { kind, id })
}

const PUBACK_CODES: &[u8] = &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

fn subscribe(body: &mut Body<'_>) -> Result<Said, String> {
    let id = body.id()?;
    let named = of(&body.properties(&[0x0B, 0x26])?, 0x0B).is_some();
    need(!body.rest.is_empty(), "SUBSCRIBE without a filter")?;
    let mut filters = Vec::new();
    while !body.rest.is_empty() {
        let text = body.text()?;
        filter(&text)?;
        let options = body.byte()?;
        let most = if body.five { 0b10_1110 } else { 2 };
        need(options & 3 < 3 && options <= most && options >> 4 < 3, "subscription options")?;
        filters.push(text);
    }
    Ok(Said::Subscribe { id, filters, named })
}

fn name(topic: &str) -> Result<(), String> {
    need(!topic.is_empty() && !topic.contains(['+', '#', '\0']), "a topic name")
}

fn filter(text: &str) -> Result<(), String> {
    need(!text.is_empty() && !text.contains('\0'), "an empty filter")?;
    let levels: Vec<&str> = text.split('/').collect();
    for (at, level) in levels.iter().enumerate() {
        let alone = *level == "+" || (*level == "#" && at + 1 == levels.len());
        need(alone || !level.contains(['+', '#']), "a wildcard where none may stand")?;
    }
    Ok(())
}

/// A property of four bytes or fewer.
fn of(properties: &[(u8, u32)], wanted: u8) -> Option<u32> {
    properties.iter().find(|(id, _)| *id == wanted).map(|(_, value)| *value)
}

fn need(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// A value of at most four bytes in its shortest form, and its width.
fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        need(at < 4, "a variable byte integer of five bytes")?;
        value |= usize::from(byte & 127) << (7 * at);
        if byte & 128 == 0 {
            need(at == 0 || *byte > 0, "a variable byte integer that is longer than it need be")?;
            return Ok(Some((value, at + 1)));
        }
    }
    Ok(None)
}

struct Body<'a> {
    rest: &'a [u8],
    five: bool,
}

impl<'a> Body<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or("a field that is not all there")?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, size: usize) -> Result<u32, String> {
        Ok(self.take(size)?.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.number(1).map(|value| value as u8)
    }

    fn short(&mut self) -> Result<u16, String> {
        self.number(2).map(|value| value as u16)
    }

    fn id(&mut self) -> Result<u16, String> {
        let id = self.short()?;
        need(id > 0, "packet identifier 0")?;
        Ok(id)
    }

    fn field(&mut self) -> Result<&'a [u8], String> {
        let size = self.short()?;
        self.take(size.into())
    }

    fn text(&mut self) -> Result<String, String> {
        let text = String::from_utf8(self.field()?.to_vec()).map_err(|_| "ill-formed UTF-8")?;
        need(!text.contains('\0'), "U+0000")?;
        Ok(text)
    }

    /// Properties of which each may stand here, and only user properties more than once. 3.1.1 has none.
    fn properties(&mut self, may: &[u8]) -> Result<Vec<(u8, u32)>, String> {
        if !self.five {
            return Ok(Vec::new());
        }
        let (size, width) = varint(self.rest)?.ok_or("a property length that is not all there")?;
        self.take(width)?;
        let mut body = Body { rest: self.take(size)?, five: true };
        let mut all = Vec::new();
        while !body.rest.is_empty() {
            let id = body.byte()?;
            need(may.contains(&id), "a property that may not stand here")?;
            need(id == 0x26 || of(&all, id).is_none(), "a property twice")?;
            let value = body.value(id)?;
            all.push((id, value));
        }
        Ok(all)
    }

    fn value(&mut self, id: u8) -> Result<u32, String> {
        match id {
            0x01 | 0x17 | 0x19 => self.number(1),
            0x21..=0x23 => self.number(2),
            0x02 | 0x11 | 0x18 | 0x27 => self.number(4),
            0x0B => {
                let (value, width) = varint(self.rest)?.ok_or("half a number")?;
                self.take(width)?;
                need(value > 0, "Subscription Identifier 0")?;
                Ok(value as u32)
            }
            0x03 | 0x08 | 0x15 | 0x1F => self.text().map(|_| 0),
            0x09 | 0x16 => self.field().map(|_| 0),
            0x26 => self.text().and_then(|_| self.text()).map(|_| 0),
            _ => Err(alloc::format!("property {id:#x} is not one of a client")),
        }
    }
}
