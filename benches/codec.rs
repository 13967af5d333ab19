//! Our codec beside rumqttc's, on the same bytes: nanoseconds per packet, reading and writing.
//!
//! Reading includes cutting the packet from the stream. rumqttc checks less (no wildcards, no U+0000, no property rules) and
//! yields owned packets; ours checks all of it and borrows.

use std::hint::black_box;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use proofhouse_mqtt::codec::{
    Ack, Binary, Connect, Delivery, Packet, Place, Properties, PropertiesBuf, PropertyId, Publish, QoS, ReasonCode,
    Sender, Subscribe, SubscribeOptions, SubscriptionsBuf, Text, TopicName, Version, split,
};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

/// Packets per timed stretch: long enough for the clock, short enough for the cache.
const STRETCH: u64 = 500;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    let rows: Vec<Row> = corpus().into_iter().map(|sample| compare(&mut criterion, &sample)).collect();
    criterion.final_summary();
    print(&rows);
}

/// One packet, as we would write it and as it stands on the wire.
struct Sample {
    name: &'static str,
    version: Version,
    wire: Vec<u8>,
}

/// Best nanoseconds per packet of one line of the table.
struct Row {
    name: &'static str,
    /// Reading, then writing; each ours, then theirs.
    nanos: [f64; 4],
}

/// A packet is read from its wire form, so that both codecs begin with the same bytes.
fn compare(criterion: &mut Criterion, sample: &Sample) -> Row {
    let mut group = criterion.benchmark_group(sample.name);
    let nanos = match sample.version {
        Version::V311 => [
            time(&mut group, "read/ours", |count| read_ours(sample, count)),
            time(&mut group, "read/rumqttc", |count| read_v4(sample, count)),
            time(&mut group, "write/ours", |count| write_ours(sample, count)),
            time(&mut group, "write/rumqttc", |count| write_v4(sample, count)),
        ],
        Version::V5 => [
            time(&mut group, "read/ours", |count| read_ours(sample, count)),
            time(&mut group, "read/rumqttc", |count| read_v5(sample, count)),
            time(&mut group, "write/ours", |count| write_ours(sample, count)),
            time(&mut group, "write/rumqttc", |count| write_v5(sample, count)),
        ],
    };
    Row { name: sample.name, nanos }
}

/// Lets criterion measure, and keeps the best stretch for the table.
fn time(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, stretch: impl Fn(u64) -> Duration) -> f64 {
    let mut best = f64::INFINITY;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|wanted| {
            let mut total = Duration::ZERO;
            let mut left = wanted;
            while left > 0 {
                let count = left.min(STRETCH);
                let spent = stretch(count);
                if count == STRETCH {
                    best = best.min(spent.as_nanos() as f64 / count as f64);
                }
                total += spent;
                left -= count;
            }
            total
        });
    });
    best
}

fn read_ours(sample: &Sample, count: u64) -> Duration {
    let stream = sample.wire.repeat(count as usize);
    clock(|| {
        let mut rest = stream.as_slice();
        for _ in 0..count {
            let cut = split(sample.version, Sender::Client, u32::MAX, rest).expect("legal").expect("whole");
            rest = &rest[cut.size..];
            assert!(black_box(&Packet::decode(sample.version, Sender::Client, cut.first, cut.body)).is_ok());
        }
    })
}

fn write_ours(sample: &Sample, count: u64) -> Duration {
    let cut = split(sample.version, Sender::Client, u32::MAX, &sample.wire).expect("legal").expect("whole");
    let packet = Packet::decode(sample.version, Sender::Client, cut.first, cut.body).expect("legal");
    let mut out = Vec::with_capacity(sample.wire.len() * count as usize);
    let spent = clock(|| {
        for _ in 0..count {
            black_box(&packet).encode(sample.version, &mut out).expect("legal");
        }
    });
    same(&out, &sample.wire, count);
    spent
}

// The buffers below are rumqttc's own type; it follows from the calls and is never named.

fn read_v4(sample: &Sample, count: u64) -> Duration {
    let mut stream = sample.wire.repeat(count as usize).as_slice().into();
    clock(|| {
        for _ in 0..count {
            assert!(black_box(&v4::Packet::read(&mut stream, usize::MAX)).is_ok());
        }
    })
}

fn read_v5(sample: &Sample, count: u64) -> Duration {
    let mut stream = sample.wire.repeat(count as usize).as_slice().into();
    clock(|| {
        for _ in 0..count {
            assert!(black_box(&v5::Packet::read(&mut stream, None)).is_ok());
        }
    })
}

fn write_v4(sample: &Sample, count: u64) -> Duration {
    let packet = v4::Packet::read(&mut sample.wire.as_slice().into(), usize::MAX).expect("legal");
    let mut out = Default::default();
    packet.write(&mut out, usize::MAX).expect("legal");
    out.clear();
    out.reserve(sample.wire.len() * count as usize);
    let spent = clock(|| {
        for _ in 0..count {
            black_box(&packet).write(&mut out, usize::MAX).expect("legal");
        }
    });
    same(&out, &sample.wire, count);
    spent
}

fn write_v5(sample: &Sample, count: u64) -> Duration {
    let packet = v5::Packet::read(&mut sample.wire.as_slice().into(), None).expect("legal");
    let mut out = Default::default();
    packet.write(&mut out, None).expect("legal");
    out.clear();
    out.reserve(sample.wire.len() * count as usize);
    let spent = clock(|| {
        for _ in 0..count {
            black_box(&packet).write(&mut out, None).expect("legal");
        }
    });
    // rumqttc may write a Property Length of 0 that could be left out.
    assert!(out.len() >= sample.wire.len() * count as usize, "{}: rumqttc wrote less", sample.name);
    spent
}

/// Both codecs must have written the sample itself, or they were not asked the same.
fn same(out: &[u8], wire: &[u8], count: u64) {
    assert_eq!(out.len(), wire.len() * count as usize);
    assert_eq!(&out[..wire.len()], wire);
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn clock(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn print(rows: &[Row]) {
    println!("\nns per packet, best of all stretches of {STRETCH}");
    println!(
        "{:24} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
        "", "read", "rumqttc", "ratio", "write", "rumqttc", "ratio"
    );
    // A filter on the command line leaves some unmeasured.
    let measured = rows.iter().filter(|row| row.nanos.iter().all(|nanos| nanos.is_finite()));
    for Row { name, nanos: [read, read_theirs, write, write_theirs] } in measured {
        let (reading, writing) = (read_theirs / read, write_theirs / write);
        println!(
            "{name:24} {read:9.1} {read_theirs:9.1} {reading:6.1}x   {write:9.1} {write_theirs:9.1} {writing:6.1}x"
        );
    }
}

fn corpus() -> Vec<Sample> {
    let (v3, v5) = (Version::V311, Version::V5);
    let id = NonZeroU16::new(10).expect("not zero");
    let topic = TopicName::new("site/7/meter/1234/energy").expect("legal");
    let bytes = [b'x'; 4096];
    let small = Publish::new(Delivery::AtMostOnce, topic, &bytes[..64]);
    let large = Publish::new(Delivery::AtMostOnce, topic, &bytes);
    let properties = publish_properties();
    let acked = Publish {
        properties: properties.view(),
        ..Publish::new(Delivery::AtLeastOnce { id, dup: false }, topic, &bytes[..64])
    };
    let filters = |version| {
        let options = SubscribeOptions::new(QoS::AtLeastOnce);
        SubscriptionsBuf::new(version)
            .with("site/7/+/cmd", options)
            .and_then(|buf| buf.with("site/7/#", options))
            .expect("legal")
    };
    let (filters_v3, filters_v5) = (filters(v3), filters(v5));
    let subscribe = |subscriptions| Packet::Subscribe(Subscribe { id, properties: Properties::EMPTY, subscriptions });
    let no_match = Ack::with_reason(id, ReasonCode::NO_MATCHING_SUBSCRIBERS);
    vec![
        sample("CONNECT 3.1.1", v3, &Packet::Connect(connect())),
        sample("CONNECT 5", v5, &Packet::Connect(connect())),
        sample("PUBLISH 64 B 3.1.1", v3, &Packet::Publish(small)),
        sample("PUBLISH 64 B 5", v5, &Packet::Publish(small)),
        sample("PUBLISH QoS 1 props 5", v5, &Packet::Publish(acked)),
        sample("PUBLISH 4 KiB 3.1.1", v3, &Packet::Publish(large)),
        sample("PUBLISH 4 KiB 5", v5, &Packet::Publish(large)),
        sample("SUBSCRIBE 3.1.1", v3, &subscribe(filters_v3.view())),
        sample("SUBSCRIBE 5", v5, &subscribe(filters_v5.view())),
        sample("PUBACK 3.1.1", v3, &Packet::Puback(Ack::success(id))),
        sample("PUBACK 0x10 5", v5, &Packet::Puback(no_match)),
    ]
}

fn connect() -> Connect<'static> {
    Connect {
        clean_start: true,
        keep_alive: 60,
        client_id: Text::new("meters-1234").expect("legal"),
        user_name: Some(Text::new("owner").expect("legal")),
        password: Some(Binary::new(b"correct horse battery").expect("legal")),
        ..Connect::default()
    }
}

/// What a request-response publisher sends.
fn publish_properties() -> PropertiesBuf {
    PropertiesBuf::new(Place::Publish)
        .with(PropertyId::PayloadFormatIndicator, true)
        .and_then(|buf| buf.with(PropertyId::MessageExpiryInterval, 3600_u32))
        .and_then(|buf| buf.with(PropertyId::TopicAlias, 5_u16))
        .and_then(|buf| buf.with(PropertyId::ResponseTopic, "answers/meters-1234"))
        .and_then(|buf| buf.with(PropertyId::CorrelationData, b"0123456789abcdef".as_slice()))
        .and_then(|buf| buf.with(PropertyId::UserProperty, ("unit", "kWh")))
        .and_then(|buf| buf.with(PropertyId::ContentType, "application/json"))
        .expect("legal")
}

fn sample(name: &'static str, version: Version, packet: &Packet<'_>) -> Sample {
    let mut wire = Vec::new();
    packet.encode(version, &mut wire).expect("legal");
    Sample { name, version, wire }
}
