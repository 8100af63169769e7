//! A peer-to-peer chat, and a load generator for such chats: two pure machines in one thin mio shell.
//!
//! `ARCHITECTURE.md` has the parts, the arrows between them and their laws. Here are an order for reading and the
//! words. Where something belongs: code that needs a socket is in [`net`]; descriptors 0 and 1 are in [`term`]; bytes,
//! lines and the life of one connection are in [`proto`]; people, menus and what happened are in [`chat`]; load and
//! its measurement are in [`swarm`]; who else is on the network is in [`discovery`]; a number that somebody may want to change is in [`limits`].
//!
//! # Reading order
//!
//! 1. [`proto::machine`]: the contract.
//! 2. [`proto::message`], [`proto::envelope`], [`proto::framer`], [`proto::send_queue`]: from bytes to messages
//!    and back.
//! 3. [`proto::connection`], [`proto::connections`]: the life of one byte stream, and all of them.
//!    What encrypts one: [`proto::secure`], which knows no connection, and `proto::sealing`, which is on one.
//! 4. [`chat::request`], and how one is typed: [`chat::menu`] with [`chat::slash`] and, for programs,
//!    [`chat::command`]; [`chat::notice`]: what the user is told.
//! 5. `chat::role`, whose first page is the life of a connection, and `chat::meaning`; then [`chat::node`]: its state,
//!    its stories, and behind each story the part that it asks. Of keys, `prove` is the story and `chat::trust` the part;
//!    which key belongs to whom is in [`chat::book`].
//! 6. [`discovery`], whose first page says what it does, and `chat::neighbours`, which asks it.
//! 7. [`net::event_loop`] from `turn` downwards, then the rest of [`net`].
//! 8. [`term`]: the console, then stdin, stdout and the sentences; [`term::terminal`] and [`term::editor`] for
//!    lines that are edited here.
//! 9. `main.rs`: how it is put together; `settings`: the config file and the environment; `files`: what is kept from
//!    run to run; `send.rs`: the node with another user.
//! 10. [`swarm::plan`], [`swarm::generator`], one file of `swarm/scenario`, [`swarm::report`]; then the
//!     program's `drive`, which directs a run.
//!
//! # Words
//!
//! One word for one thing:
//!
//! | word | means |
//! |---|---|
//! | Node | this process as a participant; a machine |
//! | Peer | an entry of the table, keyed on the address where it claims to listen |
//! | Known | a peer that is remembered, whether it is there or not; an entry of the book |
//! | Connection | the pure state of one byte stream; a plain peer makes a new one for every message |
//! | Link | in `net`: the socket of a connection, and its readiness; in `discovery`: a network that this host is on |
//! | Session | a connection that is bound to a peer both ways |
//! | Identity | our own key pair |
//! | Pin | the key of a peer that was met: nobody without it is believed to be that peer |
//! | Offer | of encryption, in the answer to a connect; in `chat::offer`: to hold texts |
//! | Sealed | encrypted, of a connection |
//! | Standing | what stands behind a name: a key, an address, or only a claim |
//! | Held | of a text: kept until its peer is back |
//! | Message | one parsed message |
//! | Request | what the user asked for |
//! | Command | a request as a program types it, a JSON object |
//! | Id | what a program gives a command, to recognise the events that answer it |
//! | Slash command | a request as a person types it in one line, `/msg P1 hello` |
//! | Neighbour | somebody who was found on a network of this host, and who is only what they claim |
//! | Conversation | every line goes to the same peer, until an empty one |
//! | Event | a notice as a program reads it, a JSON object |
//! | Notice | what the user is told, as data |
//! | Diagnosis | finding out in stages why a peer cannot be reached; each stage has a finding, all of them a verdict |
//! | Plan | what the load generator will do |
//! | Scenario | what its peers do after they are connected |
//! | Report | the result, and everything that the numbers depend on |
//! | turn | one round of the event loop: sleep, read, act, write |
//! | drain | to read until nothing is left or the budget is spent; of outputs: until `None` |
//! | flush | to write what is queued; of a framer: to take an unfinished message as it is |
//! | budget | how much of one thing a turn may do, so that nobody starves |
//! | inbound, outbound | made by the other side, made by us |

#[macro_use]
mod words;

pub mod chat;
pub mod discovery;
pub mod limits;
pub mod net;
pub mod proto;
#[cfg(feature = "bench")]
pub mod swarm;
pub mod term;

#[cfg(test)]
mod testing {
    /// A moment to count from; tests move on from it by hand.
    #[expect(clippy::disallowed_methods, reason = "the one clock reading of a unit test")]
    pub(crate) fn start() -> std::time::Instant {
        std::time::Instant::now()
    }
}
