//! What was heard on a connection and no step has taken yet: in order, with what each packet answers, and bounded.
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::protocol::{Answers, Heard};
use crate::time::Time;
use crate::transcript::Packet;
use crate::value::Value;

/// What the unread packets of one connection may take. A script reads a handful, and a busy topic brings some thousand in a trial;
/// a peer that floods must not make us grow without end. What is dropped is counted: no step fails for it.
const INBOX_MAX: usize = 1 << 20;
/// What a packet costs beside its texts, and each of its fields as much again.
const PACKET_OVERHEAD: usize = 64;

/// A packet that no step has taken.
pub(super) struct Unread {
    pub(super) packet: Packet,
    pub(super) answers: Answers,
    /// How often we had spoken when it came.
    pub(super) spoken: u32,
    /// Its number among all packets of the connection, from 1.
    pub(super) nth: u64,
    size: usize,
}

/// The unread packets of one connection, and what was said on it meanwhile.
#[derive(Default)]
pub(super) struct Inbox {
    unread: VecDeque<Unread>,
    size: usize,
    /// Packets that came.
    came: u64,
    /// Packets that were dropped for want of room.
    pub(super) dropped: u64,
    /// How often we have spoken.
    pub(super) spoken: u32,
    /// The first of what we said whose answers are still awaited: what was said before was awaited by a step that has ended.
    round: u32,
    /// Some step has awaited something since we last spoke.
    awaited: bool,
    /// Packets that had come when we last spoke.
    came_before: u64,
    /// The packet after which what comes belongs to the next step: the one by which the last step was met, or the last before it
    /// spoke; and when it ended.
    taken: Option<(u64, Time)>,
}

/// From where on a step looks, and at the answers to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Answers to what was said earlier are not its own.
    pub(super) floor: u32,
    /// The packet after which silence counts.
    pub(super) quiet_from: u64,
}

impl Inbox {
    /// A step speaks; yields its number.
    pub(super) fn speaks(&mut self) -> u32 {
        self.spoken += 1;
        self.came_before = self.came;
        if core::mem::take(&mut self.awaited) || self.round == 0 {
            self.round = self.spoken;
        }
        self.spoken
    }

    /// What a step said is written, and it awaits nothing else: whatever has come since it spoke came after it.
    pub(super) fn written(&mut self, now: Time) {
        self.taken = Some((self.came_before, now));
    }

    /// A step begins to await something. `said`: only the answer to what it has just said itself; otherwise the answers to all that
    /// was said since a step last awaited any. Silence then lasts from the packet by which the step before was met, if that was just
    /// now: what came in the same segment came after it.
    pub(super) fn view(&mut self, said: bool, now: Time) -> View {
        self.awaited = true;
        let floor = if said { self.spoken } else { self.round };
        let just = self.taken.filter(|(_, at)| !said && *at == now).map(|(nth, _)| nth);
        View { floor, quiet_from: just.unwrap_or(self.came) }
    }

    /// Takes in what was heard; yields how many of the oldest were dropped.
    pub(super) fn take_in(&mut self, heard: Vec<Heard>) -> usize {
        for Heard { packet, answers } in heard {
            self.came += 1;
            let size = size_of_packet(&packet);
            self.size += size;
            self.unread.push_back(Unread { packet, answers, spoken: self.spoken, nth: self.came, size });
        }
        let before = self.unread.len();
        while self.size > INBOX_MAX
            && let Some(oldest) = self.unread.pop_front()
        {
            self.size -= oldest.size;
        }
        let dropped = before - self.unread.len();
        self.dropped += dropped as u64;
        dropped
    }

    /// Packets that came so far.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// What has come after so many packets.
    pub(super) fn since(&self, came: u64) -> impl Iterator<Item = &Unread> {
        // In order, so that a flood is not looked through again for each packet of it.
        self.unread.range(self.unread.partition_point(|unread| unread.nth <= came)..)
    }

    pub(super) fn get(&self, at: usize) -> Option<&Unread> {
        self.unread.get(at)
    }

    /// A step takes this one: it was met by it, or it was the wrong answer.
    pub(super) fn take(&mut self, at: usize, now: Time) -> Option<Packet> {
        let unread = self.unread.remove(at)?;
        self.size -= unread.size;
        self.taken = Some((unread.nth, now));
        Some(unread.packet)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Unread> + Clone {
        self.unread.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.unread.len()
    }

    /// What it takes, about.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The packets that break a silence.
    pub(super) fn noise(&self, view: View) -> impl Iterator<Item = &Unread> {
        self.since(view.quiet_from).filter(move |unread| {
            let ours = match unread.answers {
                Answers::Unknown | Answers::Message => true,
                Answers::Step(nth) => nth >= view.floor,
                Answers::Bystander => false,
            };
            ours && unread.spoken == self.spoken
        })
    }
}

fn size_of_packet(packet: &Packet) -> usize {
    fn of(value: &Value) -> usize {
        PACKET_OVERHEAD
            + match value {
                Value::Text(text) => text.len(),
                Value::Bytes(bytes) => bytes.len(),
                Value::List(all) => all.iter().map(of).sum(),
                Value::Table(fields) => fields.iter().map(|(name, value)| name.len() + of(value)).sum(),
                _ => 0,
            }
    }
    let fields: usize = packet.fields.iter().map(|(name, value)| name.len() + of(value)).sum();
    PACKET_OVERHEAD + packet.kind.len() + packet.malformed.len() + fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Fields;

    fn heard(answers: Answers, size: usize) -> Heard {
        let fields = Fields(Vec::from([("payload".into(), Value::Bytes(alloc::vec![0; size]))]));
        Heard { packet: Packet { kind: "gift".into(), fields, malformed: "".into() }, answers }
    }

    #[test]
    fn a_thousand_small_packets_are_kept_and_a_flood_is_dropped_and_counted() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take_in((0..1_000).map(|_| heard(Answers::Message, 40)).collect()), 0);
        assert_eq!(inbox.take_in(Vec::from([heard(Answers::Message, INBOX_MAX / 2)])), 0);
        assert_eq!(inbox.take_in(Vec::from([heard(Answers::Message, INBOX_MAX / 2)])), 1_001);
        assert_eq!((inbox.len(), inbox.dropped), (1, 1_001));
        assert!(inbox.size() <= INBOX_MAX);
    }

    #[test]
    fn what_was_said_before_an_awaiting_step_is_no_longer_asked_for() {
        let mut inbox = Inbox::default();
        let floors = |inbox: &mut Inbox| inbox.view(false, Time::ZERO).floor;
        assert_eq!(floors(&mut inbox), 0);
        assert_eq!((inbox.speaks(), inbox.speaks()), (1, 2));
        assert_eq!(floors(&mut inbox), 1, "nothing was awaited between the two");
        assert_eq!(floors(&mut inbox), 1);
        assert_eq!((inbox.speaks(), inbox.speaks()), (3, 4));
        assert_eq!(floors(&mut inbox), 3);
        assert_eq!(inbox.view(true, Time::ZERO).floor, 4, "a step that speaks awaits its own answer");
    }

    #[test]
    fn silence_is_broken_by_what_follows_the_last_answer_and_by_no_bystander() {
        let mut inbox = Inbox::default();
        inbox.speaks();
        inbox.speaks();
        let all = [Answers::Unknown, Answers::Step(1), Answers::Step(2), Answers::Message, Answers::Bystander];
        inbox.take_in(all.into_iter().map(|answers| heard(answers, 1)).collect());
        let noise = |inbox: &Inbox, view| inbox.noise(view).map(|unread| unread.answers).collect::<Vec<_>>();
        let from = |floor, quiet_from| View { floor, quiet_from };
        assert_eq!(noise(&inbox, from(2, 0)), [Answers::Unknown, Answers::Step(2), Answers::Message]);
        assert_eq!(noise(&inbox, from(1, 3)), [Answers::Message]);
        inbox.take(3, Time(7)).expect("the message");
        assert_eq!(inbox.since(2).map(|unread| unread.nth).collect::<Vec<_>>(), [3, 5], "by number, not by place");
        assert_eq!(inbox.view(false, Time(7)).quiet_from, 4, "since the message ended");
        assert_eq!(inbox.view(false, Time(8)).quiet_from, 5, "since the step began");
        assert_eq!(inbox.view(true, Time(7)).quiet_from, 5, "since it spoke");
    }
}
