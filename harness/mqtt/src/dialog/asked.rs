//! Which step a packet of the peer answers: by its packet identifier, as the standard tells answers apart \[MQTT5 2.2.1-5\]; PINGRESP,
//! which has none, by its order.
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use proofhouse_core::protocol::{Answers, Describe};
use proofhouse_core::transcript::Packet as Told;

use crate::behaviour::WITNESS_TOPICS;
use crate::codec::{Sender, Version};
use crate::describe::Stream;

/// Questions that are remembered. A flood of them is no dialogue, and the oldest have had their time.
const ASKED_MAX: usize = 1024;
/// Bytes of one step that are read for identifiers. A larger one is a flood or a single packet that announces too much.
const READ_MAX: usize = 64 * 1024;

/// What was asked on one connection.
pub(super) struct Asked {
    /// Our own direction, read as the peer reads it; `None` once it cannot be followed.
    own: Option<Stream>,
    /// Who asked, and the packet identifier. Publishing and subscribing share one range of them.
    ids: VecDeque<(Asker, i64)>,
    pings: VecDeque<Asker>,
    /// The step that spoke last.
    last: u32,
    manual: bool,
}

/// Who asked something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    Step(u32),
    /// The dialog by itself.
    Dialog,
}

impl Asked {
    pub(super) fn new(version: Version, side: Sender, manual: bool) -> Asked {
        Asked { own: Some(Stream::new(version, side)), ids: VecDeque::new(), pings: VecDeque::new(), last: 0, manual }
    }

    /// The step of this number has said these bytes.
    pub(super) fn step(&mut self, nth: u32, bytes: &[u8]) {
        self.last = nth;
        self.read(Asker::Step(nth), bytes);
    }

    /// What the last step said had to wait, and goes out now.
    pub(super) fn late(&mut self, bytes: &[u8]) {
        self.read(Asker::Step(self.last), bytes);
    }

    /// The dialog has said these bytes by itself.
    pub(super) fn dialog(&mut self, bytes: &[u8]) {
        self.read(Asker::Dialog, bytes);
    }

    fn read(&mut self, asker: Asker, bytes: &[u8]) {
        let Some(own) = self.own.as_mut().filter(|own| own.held() + bytes.len() <= READ_MAX) else {
            self.own = None;
            return;
        };
        let mut packets = Vec::new();
        own.bytes(bytes, &mut packets);
        for packet in packets {
            match (packet.kind.as_str(), packet.fields.int("packet_id")) {
                ("pingreq", _) => remember(&mut self.pings, asker),
                ("publish" | "pubrel" | "subscribe" | "unsubscribe", Some(id)) => remember(&mut self.ids, (asker, id)),
                _ => {}
            }
        }
    }

    /// What a packet of the peer answers.
    pub(super) fn answered_by(&mut self, packet: &Told) -> Answers {
        match packet.kind.as_str() {
            "publish" if is_the_witness(packet) => Answers::Bystander,
            "publish" => Answers::Message,
            "pingresp" => self.pings.pop_front().map_or(Answers::Unknown, Asker::answers),
            "puback" | "pubrec" | "pubcomp" | "suback" | "unsuback" => {
                let id = packet.fields.int("packet_id");
                let asked = self.ids.iter().rev().find(|(_, asked)| Some(*asked) == id);
                asked.map_or(Answers::Unknown, |(asker, _)| asker.answers())
            }
            // The second half of what the peer began, and we took up by ourselves.
            "pubrel" if !self.manual => Answers::Bystander,
            _ => Answers::Unknown,
        }
    }
}

impl Asker {
    fn answers(self) -> Answers {
        match self {
            Asker::Step(nth) => Answers::Step(nth),
            Asker::Dialog => Answers::Bystander,
        }
    }
}

fn is_the_witness(packet: &Told) -> bool {
    packet.fields.text("topic").is_some_and(|topic| topic.starts_with(WITNESS_TOPICS))
}

fn remember<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() == ASKED_MAX {
        all.pop_front();
    }
    all.push_back(one);
}
