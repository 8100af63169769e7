//! Tells the machine what happened, and performs its outputs.
//!
//! A dial is made when its output is performed, without a separate step in the turn. The machine limits the number of
//! dials under way, so the simulation has the same limit.

use super::{EventLoop, LINK_INTEREST, LISTENER, token};
use crate::net::links::{End, Link};
use crate::net::listener::Listener;
use crate::net::socket;
use crate::proto::fault::Fault;
use crate::proto::machine::{CloseReason, ConnId, How, Input, Machine, Output};
use crate::term::Screen;
use mio::Interest;
use std::net::{IpAddr, SocketAddr};

/// The system call that watches a socket.
const WATCH_CALL: &str = if cfg!(target_os = "linux") { "epoll_ctl" } else { "kevent" };

impl<M: Machine, S: Screen<M::Notice>> EventLoop<M, S> {
    pub(super) fn handle(&mut self, input: Input<'_>) {
        self.tell_machine(input);
        self.perform();
    }

    /// Hands over one input. Its outputs are performed after all earlier ones.
    pub(super) fn tell_machine(&mut self, input: Input<'_>) {
        let Self { machine, outputs, now, .. } = self;
        outputs.extend(std::iter::from_fn(|| machine.poll_output()));
        machine.handle(input, *now);
    }

    /// Performs outputs until there are none.
    pub(super) fn perform(&mut self) {
        loop {
            let Some(output) = self.outputs.pop_front().or_else(|| self.machine.poll_output()) else {
                return;
            };
            match output {
                Output::Close { conn, how: How::Now } => drop(self.drop_link(conn)),
                Output::Close { conn, how: How::Reset } => {
                    self.links.get_mut(conn).into_iter().for_each(|link| socket::refuse(&link.stream));
                    self.drop_link(conn);
                }
                Output::Close { conn, how: How::HalfClose } => {
                    if let Some(link) = self.links.get_mut(conn).filter(|link| link.end == End::Open) {
                        link.end = End::Closing;
                        self.to_flush.push_back(conn);
                    }
                }
                Output::Connect { conn, to, from } => self.dial(conn, to, from),
                Output::FindRoute(to) => {
                    let from = socket::own_ip_towards(to).map_err(|error| Fault::from(&error));
                    self.tell_machine(Input::Route { to, from });
                }
                Output::Datagram { on, to, bytes } => self.send_datagram(on, to, &bytes),
                Output::Join(groups) => self.join(groups),
                Output::Leave => self.multicast = None,
                Output::Listen(address) => self.listen(address),
                Output::Notice(notice) => self.display.screen.show(notice),
                Output::Quit(code) => self.exit_code = Some(code),
            }
        }
    }

    fn dial(&mut self, conn: ConnId, to: SocketAddr, from: Option<IpAddr>) {
        let result = socket::dial(to, from).and_then(|mut stream| {
            self.poll.registry().register(&mut stream, token(conn), LINK_INTEREST)?;
            self.links.insert(conn, Link::dialled(conn, stream));
            Ok(())
        });
        if let Err(error) = result {
            self.tell_machine(Input::Closed { conn, reason: socket::dial_reason(error, to, from) });
        }
    }

    fn listen(&mut self, address: SocketAddr) {
        let listener = socket::listen(address).and_then(|mut socket| {
            let of = |call| move |error| Fault::of_call(call, error);
            let registry = self.poll.registry();
            registry.register(&mut socket, LISTENER, Interest::READABLE).map_err(of(WATCH_CALL))?;
            Ok((socket.local_addr().map_err(of("getsockname"))?, Listener::new(socket)))
        });
        match listener {
            Ok((local, listener)) => {
                self.listener = Some(listener);
                self.tell_machine(Input::Listening { local });
            }
            Err(fault) => self.tell_machine(Input::ListenFailed(fault)),
        }
    }

    /// Drops the socket, and tells the machine if it does not know yet.
    pub(super) fn closed(&mut self, conn: ConnId, reason: CloseReason) {
        if self.drop_link(conn) {
            self.handle(Input::Closed { conn, reason });
        }
    }

    pub(super) fn drop_link(&mut self, conn: ConnId) -> bool {
        let was_there = self.links.remove(conn).is_some();
        if let Some(listener) = self.listener.as_mut().filter(|_| was_there) {
            listener.retry_now(self.now);
        }
        was_there
    }
}
