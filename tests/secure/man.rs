//! A man in the middle, with a key of his own: he passes for each side towards the other, reads everything, and passes it
//! on.

use crate::hand::{new_identity, offer, prove, seal, take_offer};
use crate::proxy::{Attack, Attacker, Kind, Part, Way, Wires};
use chinwag::proto::secure::words::{header_of, message_of, offer_of};
use chinwag::proto::secure::{Answered, Channel, Identity, Key, Offered};
use std::sync::{Arc, Mutex};

/// What he read of encrypted sessions, in both directions.
pub(crate) type Loot = Arc<Mutex<Vec<u8>>>;

/// One in each connection; all have the same key.
pub(crate) fn men_in_the_middle(loot: &Loot) -> (Attack, Key) {
    let identity = new_identity();
    let (key, loot) = (identity.key(), loot.clone());
    let attack = move || -> Box<dyn Attacker> {
        Box::new(Man {
            identity: identity.clone(),
            loot: loot.clone(),
            connect: Vec::new(),
            answer: Vec::new(),
            dialler: Leg::Plain,
            listener: Leg::Plain,
        })
    };
    (Arc::new(attack), key)
}

struct Man {
    identity: Identity,
    loot: Loot,
    /// What the sides said in the clear; the answer without the offer and the newline.
    connect: Vec<u8>,
    answer: Vec<u8>,
    /// What he has with the side that dialled, and with the other one.
    dialler: Leg,
    listener: Leg,
}

/// What he has with one side.
enum Leg {
    Plain,
    /// He made an offer.
    Offered(Box<Offered>),
    /// He took one; what is to be said to that side waits.
    Answered(Box<Answered>, Vec<u8>),
    Sealed(Box<Channel>),
    /// That side did not believe him, or he did not understand it.
    Lost,
}

impl Attacker for Man {
    fn on_part(&mut self, part: Part, wires: &mut Wires) {
        match part.kind {
            Kind::Clear if part.way == Way::Out && self.connect.is_empty() => {
                self.connect = part.bytes.trim_ascii_end().to_vec();
                wires.pass(part);
            }
            Kind::Clear if part.way == Way::Back && self.answer.is_empty() => {
                self.on_answer(&part.bytes, wires);
            }
            Kind::Offer => self.on_answer(&part.bytes, wires),
            Kind::Proof => self.on_proof(&part, wires),
            Kind::Frame => self.on_frame(&part, wires),
            Kind::Clear => self.on_clear(&part, wires),
            Kind::End | Kind::Reset => wires.pass(part),
        }
    }
}

impl Man {
    /// Takes the offer in it, if there is one, and makes one of his own.
    fn on_answer(&mut self, bytes: &[u8], wires: &mut Wires) {
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let others = bytes.get(line.len() + 1..).unwrap_or_default();
        let is_offer = offer_of(line).is_some();
        let clear = if is_offer { memchr::memmem::rfind(line, b" noise=") } else { None };
        self.answer = line[..clear.unwrap_or(line.len())].to_vec();
        if let Ok((answered, line)) = take_offer(&self.identity, &self.connect, line) {
            self.listener = Leg::Answered(Box::new(answered), Vec::new());
            wires.send(Way::Out, line.as_bytes());
        }
        let answer = String::from_utf8_lossy(&self.answer).into_owned();
        // A connect is answered like that by our own alone.
        let is_ours = answer.ends_with(" connected chinwag/1");
        match offer(&self.identity, &self.connect, &answer).ok().filter(|_| is_ours) {
            Some((offered, line)) => {
                self.dialler = Leg::Offered(Box::new(offered));
                wires.send(Way::Back, line.as_bytes());
                // More than the answer would not stand behind an offer.
            }
            None => wires.send(Way::Back, &[line, b"\n", others].concat()),
        }
    }

    fn on_proof(&mut self, part: &Part, wires: &mut Wires) {
        let Some(message) = message_of(part.bytes.trim_ascii_end()) else { return wires.reset() };
        let outcome = match part.way {
            Way::Out => self.on_message_2(&message, wires),
            Way::Back => self.on_message_3(&message, wires),
        };
        if outcome.is_none() {
            wires.reset();
        }
    }

    fn on_message_2(&mut self, message: &[u8], wires: &mut Wires) -> Option<()> {
        let Leg::Offered(offered) = std::mem::replace(&mut self.dialler, Leg::Lost) else { return None };
        let (_, channel, line) = prove(*offered, message, header_of(&self.answer)?).ok()?;
        self.dialler = Leg::Sealed(Box::new(channel));
        wires.send(Way::Back, line.as_bytes());
        Some(())
    }

    fn on_message_3(&mut self, message: &[u8], wires: &mut Wires) -> Option<()> {
        let Leg::Answered(answered, waiting) = std::mem::replace(&mut self.listener, Leg::Lost) else {
            return None;
        };
        let (_, channel) = answered.take(message).ok()?;
        self.listener = Leg::Sealed(Box::new(channel));
        self.say(Way::Out, &waiting, wires);
        Some(())
    }

    fn on_frame(&mut self, part: &Part, wires: &mut Wires) {
        let mut text = Vec::new();
        let leg = if part.way == Way::Out { &mut self.dialler } else { &mut self.listener };
        let Leg::Sealed(channel) = leg else { return wires.reset() };
        if channel.open(&part.bytes, &mut text).is_err() {
            return wires.reset();
        }
        self.loot.lock().expect("no panic").extend(&text);
        self.say(part.way, &text, wires);
    }

    /// The offer was not taken, or there was none.
    fn on_clear(&mut self, part: &Part, wires: &mut Wires) {
        let leg = if part.way == Way::Out { &mut self.dialler } else { &mut self.listener };
        if matches!(leg, Leg::Offered(_)) {
            *leg = Leg::Plain;
        }
        self.say(part.way, &part.bytes, wires);
    }

    /// Says it on this way, as the side there wants it.
    fn say(&mut self, way: Way, text: &[u8], wires: &mut Wires) {
        let leg = if way == Way::Out { &mut self.listener } else { &mut self.dialler };
        match leg {
            Leg::Sealed(channel) if !text.is_empty() => wires.send(way, &seal(channel, text)),
            Leg::Sealed(_) | Leg::Lost => {}
            Leg::Answered(_, waiting) => waiting.extend(text),
            Leg::Offered(_) | Leg::Plain => {
                let lines = text.split_inclusive(|&byte| byte == b'\n');
                // In the clear, no empty lines fill anything up.
                wires.send(way, &lines.filter(|line| *line != b"\n").collect::<Vec<_>>().concat());
            }
        }
    }
}
