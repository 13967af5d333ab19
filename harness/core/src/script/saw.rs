//! What a step saw instead of its answer, in a few words: packets that are alike are counted, not repeated.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::matching::brief;
use crate::transcript::Packet;
use crate::value::Value;

/// Groups of packets that are told of.
const GROUPS_MAX: usize = 5;

/// `257 x puback packet_id=1 reason=0 up to packet_id=257, publish topic=a, and 3 more`.
pub(super) fn listed<'a>(packets: impl Iterator<Item = &'a Packet>) -> String {
    let mut groups: Vec<Vec<&Packet>> = Vec::new();
    for packet in packets {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| alike(last, packet)) => group.push(packet),
            _ => groups.push(Vec::from([packet])),
        }
    }
    let told: Vec<String> = groups.iter().take(GROUPS_MAX).map(|group| counted(group)).collect();
    let more: usize = groups.iter().skip(GROUPS_MAX).map(Vec::len).sum();
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    format!("{}{more}", told.join(", "))
}

fn counted(group: &[&Packet]) -> String {
    let (first, last) = (group[0], group[group.len() - 1]);
    if group.len() == 1 {
        return brief(first);
    }
    let risen = first.fields.iter().zip(last.fields.iter()).find(|((_, a), (_, b))| a != b);
    let risen = risen.map(|(_, (name, value))| format!(" up to {name}={value}")).unwrap_or_default();
    format!("{} x {}{risen}", group.len(), brief(first))
}

/// The same packet again, or the next of its kind: all is equal but for one number, which is one more.
fn alike(before: &Packet, next: &Packet) -> bool {
    let same_shape = before.kind == next.kind
        && before.malformed == next.malformed
        && before.fields.iter().map(|(name, _)| name).eq(next.fields.iter().map(|(name, _)| name));
    let mut other = before.fields.iter().zip(next.fields.iter()).filter(|((_, a), (_, b))| a != b);
    same_shape
        && match (other.next(), other.next()) {
            (None, _) => true,
            (Some(((_, Value::Int(a)), (_, Value::Int(b)))), None) => a.checked_add(1) == Some(*b),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Fields;

    fn puback(id: i64, reason: i64) -> Packet {
        let fields = Fields(Vec::from([("packet_id".into(), id.into()), ("reason".into(), reason.into())]));
        Packet { kind: "puback".into(), fields, malformed: String::new() }
    }

    fn check(packets: &[Packet], expect: &str) {
        assert_eq!(listed(packets.iter()), expect);
    }

    #[test]
    fn packets_that_are_alike_are_counted() {
        check(&[puback(1, 0)], "puback packet_id=1 reason=0");
        check(&[puback(1, 0), puback(1, 0)], "2 x puback packet_id=1 reason=0");
        let many: Vec<Packet> = (1..=257).map(|id| puback(id, 0)).collect();
        check(&many, "257 x puback packet_id=1 reason=0 up to packet_id=257");
    }

    #[test]
    fn one_that_differs_in_more_than_a_number_that_counts_stands_alone() {
        check(
            &[puback(1, 0), puback(2, 0), puback(3, 151), puback(9, 151)],
            "2 x puback packet_id=1 reason=0 up to packet_id=2, puback packet_id=3 reason=151, puback packet_id=9 reason=151",
        );
    }

    #[test]
    fn what_is_not_told_is_counted() {
        let odd: Vec<Packet> = (0..8).map(|id| puback(id * 10, 0)).collect();
        assert!(listed(odd.iter()).ends_with(", puback packet_id=40 reason=0, and 3 more"), "{}", listed(odd.iter()));
    }
}
