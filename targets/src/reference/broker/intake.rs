//! From bytes to packets: at most one incomplete packet is held for each connection, and a length is judged before its bytes come.
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::actor::Outbox;
use proofhouse_core::connection::{Addr, CloseHow};
use proofhouse_core::ids::Conn;
use proofhouse_core::note::Note;
use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{
    Connack, Connect, Cut, Disconnect, Kind, Packet, Reason, ReasonCode, Sender, Version, split, topic,
};

use super::connection::{Connection, Partial, Phase};
use super::{Broker, lenient, send, slack};
use crate::flaw::Flaw;

/// What a flaw keeps of every connection.
const LEAK: usize = 16 * 1024;
/// The most that a flaw reserves for a header.
const RESERVED_MAX: usize = 1 << 20;

/// Clients that a flaw has room for.
const FEW: u32 = 128;

impl Broker {
    pub(super) fn accepted(&mut self, conn: Conn, from: Addr, now: Time, out: &mut Outbox) {
        let place = conn.0 as usize;
        if place >= self.connections.len() {
            self.connections.resize_with(place + 1, Connection::default);
        }
        if self.flaws.has(Flaw::DropsSurplusConnections) && self.connected >= FEW {
            self.connections[place] = Connection::default();
            return out.close(conn, CloseHow::Reset);
        }
        let deadline = match self.flaws.has(Flaw::NoConnectDeadline) {
            true => Time::NEVER,
            false => now + self.limits.connect_within,
        };
        self.connections[place] =
            Connection { phase: Phase::Fresh, source: from.ip, heard: now, armed: deadline, ..Connection::default() };
        if deadline < Time::NEVER {
            out.wake(deadline, super::life::of_conn(conn));
        }
        if self.flaws.has(Flaw::LeaksPerConnection) {
            self.plant.leak.push(alloc::vec![0xA5; LEAK].into_boxed_slice());
        }
    }

    /// Takes bytes of a stream, however it was cut.
    pub(super) fn bytes(&mut self, conn: Conn, bytes: &[u8], now: Time, out: &mut Outbox) {
        let mut input = bytes;
        if self.phase(conn) != Phase::Free
            && let Some(partial) = self.connection(conn).partial.take()
            && !self.complete(conn, partial, &mut input, now, out)
        {
            return;
        }
        while !input.is_empty() && self.phase(conn) != Phase::Free && !self.plant.exited && !self.plant.hung {
            match self.cut(conn, input) {
                Ok(Some(cut)) => {
                    self.packet(conn, cut, now, out);
                    input = &input[cut.size..];
                    if self.flaws.has(Flaw::LosesRestOfSegment) {
                        return;
                    }
                }
                Ok(None) if input.len() == 1 && self.flaws.has(Flaw::LosesSingleBytes) => return,
                Ok(None) => {
                    // Written to, or the system would only promise it.
                    let mut held = alloc::vec![0xA5; self.reserved(input)];
                    held.clear();
                    held.extend_from_slice(input);
                    let tally = self.meter.enter(held.capacity());
                    self.connection(conn).partial = Some(Box::new(Partial { bytes: held, tally }));
                    return;
                }
                Err(reason) => return self.refuse(conn, reason, now, out),
            }
        }
    }

    /// Goes on with the packet that is held; `false` when the input is used up or the stream cannot be read any further.
    fn complete(
        &mut self,
        conn: Conn,
        mut partial: Box<Partial>,
        input: &mut &[u8],
        now: Time,
        out: &mut Outbox,
    ) -> bool {
        while !input.is_empty() {
            let wanted = lacking(&partial.bytes).min(input.len());
            partial.bytes.extend_from_slice(&input[..wanted]);
            *input = &input[wanted..];
            match self.cut(conn, &partial.bytes) {
                Ok(Some(cut)) => {
                    self.packet(conn, cut, now, out);
                    return true;
                }
                Ok(None) => {}
                Err(reason) => {
                    self.refuse(conn, reason, now, out);
                    return false;
                }
            }
        }
        let held = partial.bytes.capacity();
        partial.tally.set(held);
        self.connection(conn).partial = Some(partial);
        false
    }

    /// Until CONNECT has told the version, lengths are judged as in 3.1.1; [`Connect::first`] judges the first one again.
    fn cut<'a>(&mut self, conn: Conn, bytes: &'a [u8]) -> Result<Option<Cut<'a>>, Reason> {
        let reserves = self.flaws.has(Flaw::ReservesAnnouncedLength);
        let max = if reserves { u32::MAX } else { self.limits.packet_bytes };
        let (flaws, version) = (self.flaws, self.connection(conn).version);
        if flaws.has(Flaw::AcceptsLongRemainingLength)
            && let Some(cut) = lenient::long_length(bytes, max)
        {
            return cut;
        }
        let version = if flaws.has(Flaw::AcceptsNonminimalLength) { Version::V311 } else { version };
        let cut = split(version, Sender::Client, max, bytes)?;
        Ok(cut.map(|cut| Cut { minimal: cut.minimal || flaws.has(Flaw::AcceptsNonminimalLength), ..cut }))
    }

    /// What a correct broker reserves for a header is nothing.
    fn reserved(&self, bytes: &[u8]) -> usize {
        if self.flaws.has(Flaw::ReservesAnnouncedLength) { lacking(bytes).min(RESERVED_MAX) } else { 0 }
    }

    /// Takes one whole packet.
    fn packet(&mut self, conn: Conn, cut: Cut<'_>, now: Time, out: &mut Outbox) {
        let connection = self.connection(conn);
        connection.heard = now;
        let (phase, version) = (connection.phase, connection.version);
        if lenient::is_skipped(self.flaws, version, cut) {
            return;
        }
        match phase {
            Phase::Free => {}
            Phase::Fresh => self.first_packet(conn, cut, now, out),
            Phase::Up | Phase::Doomed => match Packet::decode(version, Sender::Client, cut.first, cut.body) {
                Ok(packet) => {
                    if self.flaws.has(Flaw::ActsTwiceBeforeGarbage) {
                        self.plant.last = Some((conn, cut.first, cut.body.into()));
                    }
                    self.obey(conn, packet, now, out);
                }
                Err(reason) => self.malformed(conn, version, cut, reason, now, out),
            },
        }
    }

    fn first_packet(&mut self, conn: Conn, cut: Cut<'_>, now: Time, out: &mut Outbox) {
        match Connect::first(cut) {
            Ok((version, connect)) => self.connect(conn, version, &connect, now, out),
            Err(_) if cut.kind() != Some(Kind::Connect) && self.flaws.has(Flaw::PublishBeforeConnect) => {
                self.unannounced(conn, cut, now, out);
            }
            Err(reason) => {
                let version = Connect::version(cut.body).unwrap_or(Version::V5);
                self.malformed(conn, version, cut, reason, now, out);
            }
        }
    }

    /// A flaw serves packets before CONNECT, in whichever version they can be read.
    fn unannounced(&mut self, conn: Conn, cut: Cut<'_>, now: Time, out: &mut Outbox) {
        for version in [Version::V5, Version::V311] {
            if let Ok(packet) = Packet::decode(version, Sender::Client, cut.first, cut.body) {
                self.let_in_unasked(conn, version, now);
                return self.obey(conn, packet, now, out);
            }
        }
        self.hang_up(conn, now, out);
    }

    /// What cannot be read ends the connection, unless a flaw repairs it.
    fn malformed(&mut self, conn: Conn, version: Version, cut: Cut<'_>, reason: Reason, now: Time, out: &mut Outbox) {
        if self.flaws.any() {
            if let Some(packets) = self.as_pattern(cut) {
                return packets.iter().for_each(|body| self.obey_body(conn, version, cut.first, body, now, out));
            }
            let repaired = lenient::repair(self.flaws, version, cut);
            if repaired.repeated && self.flaws.has(Flaw::ExitsOnRepeatedProperty) {
                return self.exit("a property stands twice", out);
            }
            if let Some((first, body)) = repaired.packet {
                let cut = Cut { first, body: &body, ..cut };
                let connect = self.phase(conn) == Phase::Fresh;
                if connect && let Ok((version, packet)) = Connect::first(cut) {
                    return self.connect(conn, version, &packet, now, out);
                }
                match Packet::decode(version, Sender::Client, first, &body) {
                    Ok(packet) if !connect && cut.kind() != Some(Kind::Connect) => {
                        return self.obey(conn, packet, now, out);
                    }
                    _ => {}
                }
            }
            self.act_again(conn, version, now, out);
            if self.phase(conn) == Phase::Up && slack::skips(self.flaws, cut.kind(), &reason) {
                return;
            }
            if self.flaws.has(Flaw::HangsOnMalformed) {
                self.plant.hung = true;
                return;
            }
            if self.flaws.has(Flaw::ExitsOnMalformed) && self.phase(conn) == Phase::Up {
                return self.exit("malformed packet", out);
            }
        }
        self.refuse(conn, reason, now, out);
    }

    /// What a flaw makes of a PUBLISH to a topic with a wildcard: bodies of packets with other topics.
    fn as_pattern(&self, cut: Cut<'_>) -> Option<Vec<Vec<u8>>> {
        let (drops, fans_out) =
            (self.flaws.has(Flaw::AcceptsWildcardTopic), self.flaws.has(Flaw::WildcardTopicFansOut));
        let pattern = lenient::wildcard_topic(cut).filter(|_| drops || fans_out)?;
        let subscribed = self.sessions.iter().flatten().filter_map(|session| session.state.as_ref());
        let named: BTreeSet<&str> = subscribed.flat_map(|state| state.filters.iter().map(|filter| &**filter)).collect();
        let hit = |filter: &&&str| fans_out && !filter.contains(['+', '#']) && topic::matches(pattern, filter);
        let mut names: Vec<&str> = named.iter().filter(hit).copied().collect();
        if names.is_empty() {
            names.push("_");
        }
        Some(names.iter().map(|name| lenient::with_topic(cut.body, name.as_bytes())).collect())
    }

    /// Does what a rewritten packet asks for.
    fn obey_body(&mut self, conn: Conn, version: Version, first: u8, body: &[u8], now: Time, out: &mut Outbox) {
        if let Ok(packet) = Packet::decode(version, Sender::Client, first, body) {
            self.obey(conn, packet, now, out);
        }
    }

    /// A flaw takes the packet before once more.
    fn act_again(&mut self, conn: Conn, version: Version, now: Time, out: &mut Outbox) {
        let Some((_, first, body)) = self.plant.last.take().filter(|(of, ..)| *of == conn) else { return };
        self.obey_body(conn, version, first, &body, now, out);
    }

    /// Answers with a reason where the version has a word for it, and closes \[MQTT5 4.13.1-1, MQTT3 4.8.0-1\].
    pub(super) fn refuse(&mut self, conn: Conn, reason: Reason, now: Time, out: &mut Outbox) {
        out.note(Note::Log(format!("closing {}: {reason}", conn.0)));
        let connection = self.connection(conn);
        match (connection.phase, connection.version) {
            (Phase::Fresh, _) => self.refuse_first(conn, reason, now, out),
            (_, Version::V5) => {
                // A second CONNECT of another version has a code that only CONNACK may carry.
                let legal = reason.code.legal(Version::V5, Kind::Disconnect, Sender::Server);
                let code = if legal { reason.code } else { ReasonCode::PROTOCOL_ERROR };
                self.throw_out(conn, code, now, out);
            }
            (_, Version::V311) => self.hang_up(conn, now, out),
        }
    }

    /// Before CONNECT was accepted only a CONNACK may be sent, and only to a client that said CONNECT \[MQTT5 3.14.0-1, MQTT3 3.1.2-2\].
    fn refuse_first(&mut self, conn: Conn, reason: Reason, now: Time, out: &mut Outbox) {
        let old = reason.code == ReasonCode::V3_UNACCEPTABLE_VERSION;
        let spoke_v5 =
            reason.clause.starts_with("MQTT5 ") && !matches!(reason.clause, "MQTT5 3.1.0-1" | "MQTT5 3.1.2-1");
        if old {
            send(conn, Version::V311, &Packet::Connack(Connack::new(false, reason.code)), out);
        } else if spoke_v5 && reason.code.legal(Version::V5, Kind::Connack, Sender::Server) {
            send(conn, Version::V5, &Packet::Connack(Connack::new(false, reason.code)), out);
        }
        self.hang_up(conn, now, out);
    }

    /// DISCONNECT with a reason in MQTT 5, then the end of the connection; the Will is published.
    pub(super) fn throw_out(&mut self, conn: Conn, code: ReasonCode, now: Time, out: &mut Outbox) {
        if self.connection(conn).version == Version::V5 {
            send(conn, Version::V5, &Packet::Disconnect(Disconnect::new(code)), out);
        }
        self.hang_up(conn, now, out);
    }

    /// Closes the connection; for the session it is as if the network had.
    pub(super) fn hang_up(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        out.close(conn, CloseHow::Fin);
        self.gone(conn, false, now, out);
    }
}

/// How many bytes a held packet lacks, as far as its header tells: one where it does not.
fn lacking(held: &[u8]) -> usize {
    let mut length = 0_usize;
    for (at, byte) in held.iter().skip(1).take(9).enumerate() {
        length |= usize::from(byte & 0x7F).checked_shl(7 * at as u32).unwrap_or(0);
        if byte & 0x80 == 0 {
            return (2 + at + length).saturating_sub(held.len()).max(1);
        }
    }
    1
}
