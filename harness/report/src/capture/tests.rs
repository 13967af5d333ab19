use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use proofhouse_core::severity::Level;

use super::*;
use crate::samples;

/// Time, packet and comments, as another program reads them.
fn packets(file: &[u8]) -> Vec<(u64, Vec<u8>, Vec<String>)> {
    let mut reader = PcapNgReader::new(file).expect("a section header");
    let mut all = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.expect("a block") {
            let comment = |option: &EnhancedPacketOption<'_>| match option {
                EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                _ => None,
            };
            let comments = packet.options.iter().filter_map(comment).collect();
            all.push((packet.timestamp.as_nanos() as u64, packet.data.to_vec(), comments));
        }
    }
    all
}

fn tcp_fleet() -> BTreeMap<String, FleetTransport> {
    BTreeMap::from([("foe".into(), FleetTransport::default())])
}

fn udp_fleet(listens: bool) -> BTreeMap<String, FleetTransport> {
    BTreeMap::from([("foe".into(), FleetTransport { datagrams: true, listens })])
}

fn u32_at(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"))
}

fn ports(packet: &[u8]) -> (u16, u16) {
    (u16::from_be_bytes([packet[20], packet[21]]), u16::from_be_bytes([packet[22], packet[23]]))
}

#[test]
fn a_stream_has_its_handshake_its_numbers_and_its_end() {
    let finding = samples::finding("mqtt/a", "5", Level::Must);
    let all = packets(&capture(&samples::transcript(), &finding, &tcp_fleet()));
    let seen: Vec<(u16, u8, u32, u32, usize)> =
        all.iter().map(|(_, p, _)| (ports(p).0, p[33], u32_at(p, 24), u32_at(p, 28), p.len() - 40)).collect();
    use flag::{ACK, FIN, PSH, SYN};
    assert_eq!(
        seen,
        [
            (40_000, SYN, 0, 0, 0),
            (1_883, SYN | ACK, 0, 1, 0),
            (40_000, ACK, 1, 1, 0),
            (40_000, PSH | ACK, 1, 1, 18),
            (1_883, PSH | ACK, 1, 19, 4),
            (1_883, FIN | ACK, 5, 19, 0),
            (40_000, FIN | ACK, 19, 6, 0),
            (1_883, ACK, 6, 20, 0),
        ]
    );
}

#[test]
fn times_are_nanoseconds_of_the_trial() {
    let finding = samples::finding("mqtt/a", "5", Level::Must);
    let all = packets(&capture(&samples::transcript(), &finding, &tcp_fleet()));
    assert_eq!((all[0].0, all[3].0, all[4].0), (0, 2_000_246, 3_000_369));
}

#[test]
fn comments_name_step_part_mark_and_violation() {
    let finding = samples::finding("mqtt/a", "5", Level::Must);
    let all = packets(&capture(&samples::transcript(), &finding, &tcp_fleet()));
    assert_eq!(all[3].2, ["mqtt/mc-03-takeover foe/0 main connect", "step 0 connect (stimulus)"]);
    assert_eq!(
        all[4].2,
        [
            "mqtt/mc-03-takeover foe/0 main connack",
            "step 0 connect (stimulus) met: connack",
            "VIOLATION F-04040404 (session-exclusive, MQTT5 3.1.4-3): expected: the first connection is ended; actual: both stand",
            "mark foe.first",
        ]
    );
}

#[test]
fn long_payloads_are_segmented_and_lose_nothing() {
    let mut transcript = samples::transcript();
    let Event::Sent(bytes) = &mut transcript.entries[2].event else { panic!("it was sent") };
    bytes.hex = "ab".repeat(65_536);
    let all = packets(&capture(&transcript, &samples::finding("mqtt/a", "5", Level::Must), &tcp_fleet()));
    let data: Vec<&Vec<u8>> = all.iter().map(|(_, p, _)| p).filter(|p| ports(p).0 == 40_000 && p.len() > 40).collect();
    assert_eq!(data.iter().map(|p| p.len() - 40).sum::<usize>(), 65_536);
    assert!(data.iter().all(|p| p.len() <= 1_500), "no packet is longer than a path carries");
    for pair in data.windows(2) {
        assert_eq!(u32_at(pair[1], 24), u32_at(pair[0], 24) + (pair[0].len() as u32 - 40));
    }
}

#[test]
fn bytes_that_the_transcript_cut_away_leave_a_gap_that_is_said() {
    let mut transcript = samples::transcript();
    let Event::Sent(bytes) = &mut transcript.entries[2].event else { panic!("it was sent") };
    bytes.len = Some(1_018);
    let all = packets(&capture(&transcript, &samples::finding("mqtt/a", "5", Level::Must), &tcp_fleet()));
    assert!(all[3].2.iter().any(|c| c.starts_with("1000 more bytes followed")), "{:?}", all[3].2);
    assert_eq!(u32_at(&all[4].1, 28), 1_019, "the answer acknowledges all of them");
}

#[test]
fn a_datagram_is_one_packet_and_opens_nothing() {
    let all =
        packets(&capture(&samples::transcript(), &samples::finding("coap/a", "", Level::Must), &udp_fleet(false)));
    let seen: Vec<((u16, u16), usize)> = all.iter().map(|(_, p, _)| (ports(p), p.len() - 28)).collect();
    assert_eq!(seen, [((40_000, 1_883), 18), ((1_883, 40_000), 4)]);
    assert!(all.iter().all(|(_, p, _)| p[9] == 17));
}

#[test]
fn a_fleet_that_listens_answers_from_the_address_that_was_called() {
    let all = packets(&capture(&samples::transcript(), &samples::finding("coap/a", "", Level::Must), &udp_fleet(true)));
    assert_eq!(ports(&all[0].1), (1_883, 40_000));
}

#[test]
fn fleets_come_from_the_printed_plan() {
    let text = "protocol = \"mqtt\"\n[fleet.a]\ncount = 1\n[fleet.b]\nprotocol = \"coap\"\nplays = \"server\"\n";
    let all = fleets(text, &|protocol| protocol == "coap");
    assert_eq!(all["a"], FleetTransport { datagrams: false, listens: false });
    assert_eq!(all["b"], FleetTransport { datagrams: true, listens: true });
    assert!(fleets("not toml [", &|_| true).is_empty());
}

#[test]
fn text_from_outside_cannot_steer_a_terminal() {
    let mut finding = samples::finding("mqtt/a", "5", Level::Must);
    finding.actual = samples::HOSTILE.into();
    let all = packets(&capture(&samples::transcript(), &finding, &tcp_fleet()));
    let said = all.iter().flat_map(|(.., c)| c).find(|c| c.starts_with("VIOLATION")).expect("it is said");
    assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}'), "{said}");
}

/// Every order of a list.
fn orders<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.is_empty() {
        return vec![Vec::new()];
    }
    let with = |at: usize| {
        let mut rest = list.to_vec();
        let first = rest.remove(at);
        orders(&rest).into_iter().map(move |mut tail| {
            tail.insert(0, first.clone());
            tail
        })
    };
    (0..list.len()).flat_map(with).collect()
}

/// All payload in a capture, for either direction, as hex.
fn payload(transcript: &Transcript, fleets: &BTreeMap<String, FleetTransport>, header: usize) -> String {
    let all = packets(&capture(transcript, &samples::finding("a", "", Level::Must), fleets));
    all.iter().map(|(_, packet, _)| proofhouse_core::value::hex(&packet[header..])).collect()
}

#[test]
fn a_capture_holds_every_byte_of_the_transcript_in_whatever_order_it_stands() {
    let whole = samples::transcript();
    let kept = |event: &Event| {
        matches!(event, Event::Opened { .. } | Event::Sent(_) | Event::Received(_) | Event::Closed { .. })
    };
    let entries: Vec<_> = whole.entries.iter().filter(|entry| kept(&entry.event)).cloned().collect();
    for entries in orders(&entries).into_iter().chain(orders(&entries[1..])) {
        let hex = |event: &Event| match event {
            Event::Sent(bytes) | Event::Received(bytes) => bytes.hex.clone(),
            _ => String::new(),
        };
        let wanted: String = entries.iter().map(|entry| hex(&entry.event)).collect();
        let transcript = Transcript { entries, ..whole.clone() };
        assert_eq!(payload(&transcript, &tcp_fleet(), 40), wanted, "{:?}", transcript.entries);
        assert_eq!(payload(&transcript, &udp_fleet(false), 28), wanted, "{:?}", transcript.entries);
    }
}

#[test]
fn a_connection_without_a_name_says_so() {
    let mut transcript = samples::transcript();
    transcript.entries.retain(|entry| !matches!(entry.event, Event::Opened { .. }));
    let all = packets(&capture(&transcript, &samples::finding("a", "", Level::Must), &udp_fleet(false)));
    assert!(all[0].2.iter().any(|c| c.contains("does not name the addresses")), "{:?}", all[0].2);
}
