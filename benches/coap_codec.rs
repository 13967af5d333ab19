//! Our CoAP codec beside coap-lite's, on the same datagrams: nanoseconds per message, reading and writing.
//!
//! coap-lite checks less (versions, token lengths of Empty messages, reserved classes, critical options, lengths) and yields owned
//! options; ours checks all of it and borrows. Both write from the values of options: ours through its `Writer`, into a buffer that
//! is kept; coap-lite from its own tables, into a new vector, as its only call has it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use proofhouse_coap::codec::{Code, Kind, Message, OptionNumber, Token, Writer};

/// Messages per timed stretch: long enough for the clock, short enough for the cache.
const STRETCH: u64 = 500;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    let rows: Vec<Row> = corpus().iter().map(|sample| compare(&mut criterion, sample)).collect();
    criterion.final_summary();
    print(&rows);
}

/// One message: what it consists of, and how it stands on the wire.
struct Sample {
    name: &'static str,
    kind: Kind,
    code: Code,
    token: Token,
    options: Vec<(OptionNumber, Vec<u8>)>,
    payload: Vec<u8>,
    wire: Vec<u8>,
}

impl Sample {
    fn write(&self, out: &mut Vec<u8>) {
        let writer = Writer::new(out, self.kind, self.code, 0x1234, self.token);
        let writer = self.options.iter().fold(writer, |writer, (number, value)| writer.option(*number, value));
        writer.payload(&self.payload).expect("legal");
    }
}

/// Best nanoseconds per message of one line of the table.
struct Row {
    name: &'static str,
    /// Reading, then writing; each ours, then theirs.
    nanos: [f64; 4],
}

fn compare(criterion: &mut Criterion, sample: &Sample) -> Row {
    let mut group = criterion.benchmark_group(sample.name);
    let nanos = [
        time(&mut group, "read/ours", |count| read_ours(sample, count)),
        time(&mut group, "read/coap-lite", |count| read_theirs(sample, count)),
        time(&mut group, "write/ours", |count| write_ours(sample, count)),
        time(&mut group, "write/coap-lite", |count| write_theirs(sample, count)),
    ];
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

/// Reads the message, and every option in it once: coap-lite has copied them by then.
fn read_ours(sample: &Sample, count: u64) -> Duration {
    clock(|| {
        for _ in 0..count {
            let message = Message::decode(black_box(&sample.wire)).expect("legal");
            let bytes: usize = message.options().iter().map(|option| option.value.len()).sum();
            black_box((bytes, &message));
        }
    })
}

fn read_theirs(sample: &Sample, count: u64) -> Duration {
    clock(|| {
        for _ in 0..count {
            assert!(black_box(&coap_lite::Packet::from_bytes(black_box(&sample.wire))).is_ok());
        }
    })
}

fn write_ours(sample: &Sample, count: u64) -> Duration {
    let mut out = Vec::with_capacity(sample.wire.len());
    let spent = clock(|| {
        for _ in 0..count {
            out.clear();
            black_box(sample).write(&mut out);
            black_box(&out);
        }
    });
    assert_eq!(out, sample.wire, "{}: another message than was asked for", sample.name);
    spent
}

fn write_theirs(sample: &Sample, count: u64) -> Duration {
    let packet = coap_lite::Packet::from_bytes(&sample.wire).expect("legal");
    assert_eq!(packet.to_bytes().expect("legal"), sample.wire, "{}: another message than was asked for", sample.name);
    clock(|| {
        for _ in 0..count {
            black_box(black_box(&packet).to_bytes().expect("legal"));
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn clock(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn print(rows: &[Row]) {
    println!("\nns per message, best of all stretches of {STRETCH}; ratio: theirs by ours");
    println!(
        "{:24} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
        "", "read", "coap-lite", "ratio", "write", "coap-lite", "ratio"
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
    let path =
        |text: &str| text.split('/').map(|part| (OptionNumber::URI_PATH, part.as_bytes().to_vec())).collect::<Vec<_>>();
    let short = |number, value: &[u8]| (number, value.to_vec());
    let content = [short(OptionNumber::CONTENT_FORMAT, &[50]), short(OptionNumber::MAX_AGE, &[30])];
    let notification = [short(OptionNumber::ETAG, b"12345678"), short(OptionNumber::OBSERVE, &[0x12, 0x34, 0x56])];
    let block = [short(OptionNumber::CONTENT_FORMAT, &[42]), short(OptionNumber::BLOCK1, &[0x05, 0x3E])];
    let queries: Vec<_> =
        (0..20).map(|n| (OptionNumber::URI_QUERY, format!("argument{n}=some-value").into_bytes())).collect();
    vec![
        sample("Empty ACK", Kind::Ack, Code::EMPTY, &[], b""),
        sample("GET, 1 segment", Kind::Con, Code::GET, &path("temperature"), b""),
        sample("GET, 3 segments", Kind::Con, Code::GET, &path("site/meter-1234/energy"), b""),
        sample("POST 64 B", Kind::Non, Code::POST, &[path("site/meter"), content[..1].to_vec()].concat(), &[b'x'; 64]),
        sample("2.05 64 B", Kind::Ack, Code::CONTENT, &content, &[b'x'; 64]),
        sample("notification 64 B", Kind::Con, Code::CONTENT, &[&notification[..], &content].concat(), &[b'x'; 64]),
        sample("PUT block 1024 B", Kind::Con, Code::PUT, &[path("firmware"), block.to_vec()].concat(), &[b'x'; 1024]),
        sample("GET, 20 queries", Kind::Con, Code::GET, &[path("search"), queries].concat(), b""),
    ]
}

fn sample(name: &'static str, kind: Kind, code: Code, options: &[(OptionNumber, Vec<u8>)], payload: &[u8]) -> Sample {
    let token = if code.is_empty() { Token::EMPTY } else { Token::drawn(0x0123_4567_89AB_CDEF, 4) };
    let (options, payload) = (options.to_vec(), payload.to_vec());
    let mut sample = Sample { name, kind, code, token, options, payload, wire: Vec::new() };
    let mut wire = Vec::new();
    sample.write(&mut wire);
    sample.wire = wire;
    sample
}
