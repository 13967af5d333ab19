//! Any legal packet is written and read as itself, in both versions; any damage to one is refused or legal, never a panic.

use core::ops::Range;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::codec::codes::CODES;
use crate::codec::properties::{PROPERTIES, PropertyRow, ValueKind};
use crate::codec::{
    Ack, Auth, Binary, Connack, Connect, Delivery, Disconnect, FiltersBuf, Kind, PacketId, Place, PropertiesBuf,
    Publish, QoS, RetainHandling, Suback, Subscribe, SubscribeOptions, SubscriptionsBuf, Text, TopicName, Unsuback,
    Unsubscribe, Will,
};

/// Material from which any packet can be made: the generator knows no rules, `with_packet` keeps to them.
#[derive(Clone, Debug)]
struct Recipe {
    kind: Kind,
    version: Version,
    sender: Sender,
    id: PacketId,
    numbers: [u8; 4],
    flags: [bool; 4],
    names: Vec<String>,
    payload: Vec<u8>,
    optional: [Option<String>; 3],
    properties: Vec<(usize, u32, String)>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let name = "[a-z\u{E9}/$ ]{1,12}";
    (
        (0..15_usize, any::<bool>(), any::<bool>(), 1..=u16::MAX),
        (any::<[u8; 4]>(), any::<[bool; 4]>(), vec(name, 1..4), vec(any::<u8>(), 0..200)),
        (
            [option::of(name), option::of(name), option::of(name)],
            vec((0..27_usize, any::<u32>(), name.prop_map(String::from)), 0..6),
        ),
    )
        .prop_map(|((kind, five, client, id), (numbers, flags, names, payload), (optional, properties))| Recipe {
            kind: Kind::ALL[kind],
            version: if five { V5 } else { V3 },
            sender: if client { CLIENT } else { SERVER },
            id: PacketId::new(id).expect("from 1"),
            numbers,
            flags,
            names,
            payload,
            optional,
            properties,
        })
        .prop_filter("a type that this side sends", |recipe| recipe.kind.sent_by(recipe.version, recipe.sender))
}

/// Streams of packets of one version and one side, and how many there are.
pub(super) fn packets(count: Range<usize>) -> impl Strategy<Value = (Version, Sender, Vec<u8>, usize)> {
    vec(recipe(), count).prop_map(|recipes| {
        let (version, sender) = (recipes[0].version, recipes[0].sender);
        let fitting = recipes.iter().filter(|recipe| (recipe.version, recipe.sender) == (version, sender));
        let (mut stream, mut count) = (Vec::new(), 0);
        for recipe in fitting {
            recipe.with_packet(|packet| packet.encode(version, &mut stream).expect("legal"));
            count += 1;
        }
        (version, sender, stream, count)
    })
}

impl Recipe {
    fn qos(&self) -> QoS {
        QoS::ALL[usize::from(self.numbers[0] % 3)]
    }

    /// A code that this side may send here.
    fn code(&self) -> ReasonCode {
        let legal: Vec<_> =
            (0..=255).map(ReasonCode).filter(|code| code.legal(self.version, self.kind, self.sender)).collect();
        legal[usize::from(self.numbers[1]) % legal.len()]
    }

    /// The properties that may stand here, in any order; some repeat.
    fn properties(&self, place: Place) -> PropertiesBuf {
        let mut buf = PropertiesBuf::new(place);
        if self.version == V3 {
            return buf;
        }
        for (row, number, text) in &self.properties {
            let row = &PROPERTIES[*row];
            let one_sided = matches!(
                (place, row.id as u8, self.sender),
                (Place::Publish, 0x0B, CLIENT) | (Place::Disconnect, 0x11, SERVER) | (Place::Disconnect, 0x1C, CLIENT)
            );
            if !one_sided {
                // Refused: not here, or not twice.
                let _ = push(&mut buf, row, *number, text);
            }
        }
        let needs_method = place == Place::Auth || place == Place::Connect;
        if needs_method {
            let _ = buf.push(crate::codec::PropertyId::AuthenticationMethod, "method");
        }
        buf
    }

    fn filters(&self) -> Vec<String> {
        self.names
            .iter()
            .enumerate()
            .map(|(at, name)| match (at + usize::from(self.numbers[2])) % 4 {
                0 => format!("{name}/#"),
                1 => format!("+/{name}"),
                2 => format!("$share/g/{name}"),
                _ => name.clone(),
            })
            .collect()
    }

    fn options(&self, filter: &str) -> SubscribeOptions {
        if self.version == V3 {
            return SubscribeOptions::new(self.qos());
        }
        SubscribeOptions {
            qos: self.qos(),
            no_local: self.flags[0] && !filter.starts_with("$share"),
            retain_as_published: self.flags[1],
            retain_handling: [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]
                [usize::from(self.numbers[3] % 3)],
        }
    }

    fn with_packet<T>(&self, then: impl FnOnce(&Packet<'_>) -> T) -> T {
        match self.kind {
            Kind::Connect => self.with_connect(then),
            Kind::Subscribe => self.with_subscribe(then),
            Kind::Unsubscribe => {
                let mut filters = FiltersBuf::new(self.version);
                self.filters().iter().for_each(|filter| filters.push(filter).expect("a filter"));
                let properties = self.properties(Place::Unsubscribe);
                let (properties, filters) = (properties.view(), filters.view());
                then(&Packet::Unsubscribe(Unsubscribe { id: self.id, properties, filters }))
            }
            Kind::Publish => self.with_publish(then),
            _ => self.with_answer(then),
        }
    }

    fn with_connect<T>(&self, then: impl FnOnce(&Packet<'_>) -> T) -> T {
        let (properties, of_will) = (self.properties(Place::Connect), self.properties(Place::Will));
        let will = self.flags[0].then(|| Will {
            topic: TopicName::new(&self.names[0]).expect("a name"),
            payload: Binary::new(&self.payload).expect("short"),
            qos: self.qos(),
            retain: self.flags[1],
            properties: of_will.view(),
        });
        let user_name = self.optional[0].as_deref().map(|name| Text::new(name).expect("a string"));
        let password = self.optional[1].as_deref().map(|word| Binary::new(word.as_bytes()).expect("short"));
        then(&Packet::Connect(Connect {
            clean_start: self.flags[2],
            keep_alive: u16::from_be_bytes([self.numbers[2], self.numbers[3]]),
            client_id: Text::new(self.optional[2].as_deref().unwrap_or("")).expect("a string"),
            will,
            user_name,
            password: password.filter(|_| self.version == V5 || user_name.is_some()),
            properties: properties.view(),
        }))
    }

    fn with_publish<T>(&self, then: impl FnOnce(&Packet<'_>) -> T) -> T {
        let properties = self.properties(Place::Publish);
        let aliased = properties.view().topic_alias().is_some() && self.flags[0];
        let topic = if aliased { TopicName::ALIASED } else { TopicName::new(&self.names[0]).expect("a name") };
        then(&Packet::Publish(Publish {
            delivery: Delivery::new(self.qos(), Some(self.id), self.flags[1]).expect("an identifier"),
            retain: self.flags[2],
            topic,
            properties: properties.view(),
            payload: &self.payload,
        }))
    }

    fn with_subscribe<T>(&self, then: impl FnOnce(&Packet<'_>) -> T) -> T {
        let mut subscriptions = SubscriptionsBuf::new(self.version);
        for filter in self.filters() {
            subscriptions.push(&filter, self.options(&filter)).expect("a filter");
        }
        let properties = self.properties(Place::Subscribe);
        let (properties, subscriptions) = (properties.view(), subscriptions.view());
        then(&Packet::Subscribe(Subscribe { id: self.id, properties, subscriptions }))
    }

    fn with_answer<T>(&self, then: impl FnOnce(&Packet<'_>) -> T) -> T {
        let place = Place::ALL.into_iter().find(|place| *place as u8 == self.kind.number());
        let properties = self.properties(place.unwrap_or(Place::Will));
        let (id, reason, properties) = (self.id, self.code_or_success(), properties.view());
        let codes = [reason.0; 3];
        let codes = &codes[..1 + usize::from(self.numbers[2] % 3)];
        let ack = Ack { id, reason, properties };
        then(&match self.kind {
            Kind::Connack => {
                Packet::Connack(Connack { session_present: self.flags[0] && reason.0 == 0, code: reason, properties })
            }
            Kind::Puback => Packet::Puback(ack),
            Kind::Pubrec => Packet::Pubrec(ack),
            Kind::Pubrel => Packet::Pubrel(ack),
            Kind::Pubcomp => Packet::Pubcomp(ack),
            Kind::Suback => Packet::Suback(Suback { id, properties, codes }),
            Kind::Unsuback if self.version == V3 => Packet::Unsuback(Unsuback::new(id, &[])),
            Kind::Unsuback => Packet::Unsuback(Unsuback { id, properties, codes }),
            Kind::Pingreq => Packet::Pingreq,
            Kind::Pingresp => Packet::Pingresp,
            Kind::Disconnect => Packet::Disconnect(Disconnect { reason, properties }),
            _ => Packet::Auth(Auth { reason, properties }),
        })
    }

    fn code_or_success(&self) -> ReasonCode {
        match self.kind {
            Kind::Pingreq | Kind::Pingresp => ReasonCode::SUCCESS,
            _ => self.code(),
        }
    }
}

fn push(buf: &mut PropertiesBuf, row: &PropertyRow, number: u32, text: &str) -> Result<(), Reason> {
    match row.kind {
        ValueKind::Byte => buf.push(row.id, number & 1),
        ValueKind::TwoBytes => buf.push(row.id, 1 + number % 65_535),
        ValueKind::FourBytes => buf.push(row.id, number | 1),
        ValueKind::Varint => buf.push(row.id, 1 + number % 268_435_455),
        ValueKind::Text => buf.push(row.id, text),
        ValueKind::Binary => buf.push(row.id, text.as_bytes()),
        ValueKind::Pair => buf.push(row.id, (text, text)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_legal_packet_is_written_and_read_as_itself(recipe in recipe()) {
        recipe.with_packet(|packet| {
            let mut out = Vec::new();
            packet.encode(recipe.version, &mut out).expect("legal");
            let cut = crate::codec::split(recipe.version, recipe.sender, u32::MAX, &out).expect("header").expect("whole");
            assert_eq!(cut.size, out.len());
            assert_eq!(&Packet::decode(recipe.version, recipe.sender, cut.first, cut.body).expect("legal"), packet);
        });
    }

    #[test]
    fn a_damaged_packet_is_refused_or_legal(recipe in recipe(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (version, sender) = (recipe.version, recipe.sender);
        let mut out = Vec::new();
        recipe.with_packet(|packet| packet.encode(version, &mut out).expect("legal"));
        let at = at.index(out.len());
        out[at] = byte;
        if let Ok(Some(cut)) = crate::codec::split(version, sender, u32::MAX, &out)
            && Packet::decode(version, sender, cut.first, cut.body).is_ok()
        {
            legal(version, sender, (cut.first, cut.body));
        }
    }
}

#[test]
fn the_recipes_reach_every_type_and_most_codes() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut kinds, mut codes) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for _ in 0..3000 {
        let recipe = recipe().new_tree(&mut runner).expect("a recipe").current();
        recipe.with_packet(|packet| {
            kinds.insert(packet.kind());
            if matches!(packet.kind(), Kind::Connack | Kind::Suback | Kind::Disconnect) {
                codes.insert(recipe.code());
            }
        });
    }
    assert_eq!(kinds.len(), 15);
    assert!(codes.len() > CODES.len() / 2, "{} codes", codes.len());
}

#[test]
fn a_buffer_with_room_for_the_announced_length_does_not_grow() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        let recipe = recipe().new_tree(&mut runner).expect("a recipe").current();
        recipe.with_packet(|packet| {
            let len = packet.encoded_len(recipe.version).expect("legal");
            let mut out = Vec::with_capacity(len);
            let (place, capacity) = (out.as_ptr(), out.capacity());
            packet.encode(recipe.version, &mut out).expect("legal");
            assert_eq!((out.as_ptr(), out.capacity(), out.len()), (place, capacity, len), "{packet:?}");
        });
    }
}
