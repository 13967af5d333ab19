//! Devices that obey: each subscribes to its own commands, and answers every command by publishing its state.
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Crowd, Input, Outbox};
use proofhouse_core::ids::TimerId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::{Duration, Time};

use super::{CLEAN_START, FOR, KEEP_ALIVE, QOS, SESSION_EXPIRY, key};
use crate::codec::QoS;
use crate::session::{Client, Event, FIRST_FREE_TIMER, Message, Profile, plain_topic};

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[
    key("filter", Kind::Text, "where its commands come; {id} stands for the client id (default \"cmd/{id}/#\")"),
    key("state", Kind::Text, "where it publishes its state (default \"site/{id}/state\")"),
    QOS,
    FOR,
    KEEP_ALIVE,
    CLEAN_START,
    SESSION_EXPIRY,
    key("receive_maximum", Kind::Int, "unacknowledged commands that it takes; MQTT 5"),
    key("topic_alias_maximum", Kind::Int, "highest topic alias that it takes; MQTT 5 (default 0)"),
    key("use_aliases", Kind::Bool, "uses topic aliases where the target takes them; MQTT 5 (default false)"),
    key("will_topic", Kind::Text, "makes a Will; {id} stands for the client id"),
    key("will_payload", Kind::Text, "default \"gone\""),
    key("will_qos", Kind::Int, "0, 1 or 2 (default 0)"),
    key("will_retain", Kind::Bool, "default false"),
    key("will_delay", Kind::Int, "seconds; MQTT 5 (default 0)"),
];

const END: TimerId = TimerId(FIRST_FREE_TIMER);

/// What all devices have in common.
struct Config {
    filter: String,
    state: String,
    qos: QoS,
    length: Option<Duration>,
}

/// One device.
struct Commanded {
    client: Client,
    config: Arc<Config>,
    applied: u32,
    finished: bool,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let text = |key: &str, usual: &str| fleet.keys.text(key).unwrap_or(usual).to_string();
    let config = Arc::new(Config {
        filter: text("filter", "cmd/{id}/#"),
        state: plain_topic(&text("state", "site/{id}/state")),
        qos: fleet.keys.int("qos").map_or(Some(QoS::AtLeastOnce), |n| QoS::from_number(n as u8)).unwrap_or_default(),
        length: fleet.keys.find("for").map(|_| fleet.duration("for", Duration::ZERO).most()),
    });
    let (profile, shared) = (Arc::new(Profile::of(fleet, plan)), Arc::new(fleet.clone()));
    let seed = plan.seed.child("commanded", u64::from(fleet.index));
    let device = |identity| Commanded {
        client: Client::new(
            profile.clone(),
            shared.clone(),
            identity,
            seed.stream("device", u64::from(identity)).next(),
        ),
        config: config.clone(),
        applied: 0,
        finished: false,
    };
    Box::new(fleet.members().map(device).collect::<Vec<Commanded>>())
}

impl Actor for Commanded {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match (input, self.config.length) {
            (Input::Start, Some(length)) => out.wake(now + length, END),
            (Input::Timer(END), _) => return self.finish(now, out),
            _ => {}
        }
        let (mut must_subscribe, mut commands) = (false, Vec::new());
        self.client.handle(now, input, out, &mut |event| match event {
            Event::Connected { present } => must_subscribe = !present,
            Event::Message { topic, .. } => commands.push(topic.to_string()),
            _ => {}
        });
        if must_subscribe {
            let filter = self.config.filter.replace("{id}", self.client.session.client_id());
            // A filter that the server does not take is not asked for: the device then has no commands.
            let _unasked = self.client.subscribe(now, &[(&filter, self.config.qos)], out);
        }
        for command in commands {
            self.apply(now, &command, out);
        }
    }
}

impl Commanded {
    /// Answers a command. Its payload is not repeated: a canary in it must not travel on.
    fn apply(&mut self, now: Time, command: &str, out: &mut Outbox) {
        self.applied = self.applied.wrapping_add(1);
        let last = command.rsplit('/').next().unwrap_or_default();
        let message = Message {
            topic: self.config.state.replace("{id}", self.client.session.client_id()),
            payload: alloc::format!("{{\"applied\":{},\"command\":{last:?}}}", self.applied).into_bytes(),
            qos: self.config.qos,
            retain: false,
        };
        // A device that may not or cannot say its state goes on obeying.
        let _unsaid = self.client.publish(now, message, out);
    }

    fn finish(&mut self, now: Time, out: &mut Outbox) {
        if !self.finished {
            self.finished = true;
            self.client.stop(now, out);
            out.note(Note::Finished);
        }
    }
}
