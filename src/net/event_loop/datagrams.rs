//! Datagrams of the turn: they come in after the links, and go out when the machine wants it.

use super::EventLoop;
use crate::net::multicast::Multicast;
use crate::proto::machine::{Groups, Input, Machine};
use crate::term::Screen;
use std::net::SocketAddr;

impl<M: Machine, S: Screen<M::Notice>> EventLoop<M, S> {
    pub(super) fn join(&mut self, groups: Groups) {
        match Multicast::join(groups, self.poll.registry()) {
            Ok(multicast) => {
                let interfaces = multicast.interfaces();
                self.multicast = Some(multicast);
                self.tell_machine(Input::Joined(interfaces));
            }
            Err(fault) => self.tell_machine(Input::JoinFailed(fault)),
        }
    }

    pub(super) fn send_datagram(&mut self, on: u32, to: SocketAddr, bytes: &[u8]) {
        self.multicast.iter().for_each(|multicast| multicast.send(on, to, bytes));
    }

    pub(super) fn receive_datagrams(&mut self) {
        let Some(multicast) = self.multicast.as_mut().filter(|multicast| multicast.is_ready()) else {
            return;
        };
        let change = multicast.take_change(self.poll.registry());
        let taken = multicast.take_some(&mut self.scratch);
        match change {
            Some(Ok(interfaces)) => self.handle(Input::Joined(interfaces)),
            Some(Err(fault)) => self.handle(Input::JoinFailed(fault)),
            None => {}
        }
        for datagram in taken {
            self.handle(Input::Datagram(datagram.borrowed()));
        }
    }
}
