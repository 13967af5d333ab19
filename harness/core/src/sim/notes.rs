//! What actors tell the runner: marks and values for other fleets, orders for the target, the target's own words.
use alloc::string::ToString;

use super::Sim;
use super::happening::Happening;
use crate::actor::Input;
use crate::board::News;
use crate::note::Note;
use crate::transcript::{Event, Life, Who, printable};

impl Sim<'_> {
    pub(super) fn note(&mut self, who: u32, note: Note) {
        match self.actors.member(who) {
            Some((fleet, member)) => self.note_of_member(who, fleet, member, note),
            None => self.note_of_target(note),
        }
    }

    fn note_of_member(&mut self, who: u32, fleet: u16, member: u32, note: Note) {
        self.recorder.note(self.now, fleet, member, &note);
        let mut heard = core::mem::take(&mut self.heard);
        self.board.note(self.now, fleet, member, &note, &mut heard);
        match note {
            Note::Bind(id, value) => self.bound.push((id, value)),
            Note::Order(order) => {
                self.orders.push((order, who));
                self.push(self.now, Happening::Order(self.orders.len() as u32 - 1));
            }
            Note::Witness(_) => self.start_when_due(),
            _ => {}
        }
        for one in heard.drain(..) {
            let who = self.actors.who(one.fleet, one.member);
            let news = match one.news {
                News::Mark(id) => Happening::Mark(who, id),
                News::Void(id) => Happening::Void(who, id),
                News::Bound(_) => Happening::Bound(who, self.bound.len() as u32 - 1),
            };
            self.push(self.now, news);
        }
        self.heard = heard;
        self.end_when_due(false);
    }

    fn note_of_target(&mut self, note: Note) {
        if let Note::Log(text) = &note {
            // As a pipe would bring it: line by line.
            for line in text.split('\n') {
                let life = Life::line(&printable(line.as_bytes()));
                self.recorder.entry(self.now, Who::Target, Event::Life(life));
            }
            return;
        }
        let event = match note {
            Note::Gauge(name, value) => Event::Gauge { name: name.to_string(), value },
            Note::Grant { party, grant, allow } => Event::Grant { party, grant, allow },
            Note::Exit(code) => {
                self.actors.end_target();
                self.reset_all_of_target();
                Event::Life(Life::Exited { code })
            }
            _ => return,
        };
        self.recorder.entry(self.now, Who::Target, event);
    }

    /// The administrator's order reaches the target; the answer follows once it was handled.
    pub(super) fn order(&mut self, place: u32) {
        let (order, who) = self.orders[place as usize].clone();
        self.tell(self.actors.target(), Input::Order(&order));
        self.push(self.now, Happening::Done(who, self.actors.target_lives()));
    }

    /// A member hears of a value that was bound.
    pub(super) fn tell_bound(&mut self, who: u32, place: u32) {
        let (id, value) = &self.bound[place as usize];
        self.actors.handle(who, self.now, Input::Bound(*id, value), &mut self.outbox);
        self.carry_out(who);
    }
}
