//! The numbers of the program that somebody may want to change, each with its unit in its name.
//!
//! Constants are facts of the protocol or of the design. What a user could need to change is a field
//! of [`Limits`] and a flag. Nothing here computes. Only what has a meaning in one file alone stands there, such as the
//! columns of a table.

use std::time::Duration;

/// A plain message in all, in bytes: most published peers do one `recv(1024)`.
pub const PLAIN_BYTES_MAX: usize = 1023;

/// A line, or an unfinished message, in bytes, its newline not counted.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// A name, in bytes: typed ones are refused above it, received ones are cut.
pub const NAME_BYTES_MAX: usize = 64;

/// The name of a host, in bytes, as the domain name system has it.
pub const HOST_NAME_BYTES_MAX: usize = 253;

/// The longest `IP:PORT`, in bytes: an IPv6 address in brackets that ends in an IPv4 one and has a scope.
pub const ADDRESS_BYTES_MAX: usize = 64;

/// The beginning of an unfinished message, in bytes, in which its header is looked for after each read.
pub const HEADER_SCAN_BYTES: usize = 256;

/// Reading, in bytes, for each connection and turn; also the size of the one read buffer.
pub const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// Bytes that a turn writes to links that stalled, before it looks at everybody else again, about.
pub const WRITTEN_BYTES_PER_TURN: usize = 4 * 1024 * 1024;

/// Accepted connections in a turn.
pub const ACCEPTS_PER_TURN: usize = 64;

/// Typed lines taken in a turn, so that a file on stdin cannot starve the network.
pub const TYPED_LINES_PER_TURN: usize = 64;

/// A config file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// An assignment of a config file with which the comments behind others are aligned, in columns.
pub const ASSIGNMENT_COLUMNS_MAX: usize = 40;

/// Length of the queue of connections that the kernel completed and we have yet to accept.
pub const LISTEN_BACKLOG: i32 = 4096;

/// Events taken from the kernel at once.
pub const EVENTS_PER_TURN: usize = 1024;

/// Slices in one vectored write.
pub const SLICES_PER_WRITE: usize = 64;

/// What a message that waits to be sent counts besides its own bytes: about the memory that it costs.
pub const PAYLOAD_OVERHEAD_BYTES: usize = 64;

/// A payload of fewer bytes is gathered with others where it has to wait behind one.
pub const GATHERED_BYTES_MAX: usize = 1024;

/// What a growing buffer can hold, in bytes: an unfinished message.
pub const BUFFER_BYTES_MAX: usize = LINE_BYTES_MAX;

/// What peers may make us keep is brought down to this share of its limit, in eighths, once it is over: so the next time is
/// far.
pub const MEMORY_KEPT_EIGHTHS: usize = 7;

/// A growing buffer of so many bytes has a mapping of its own.
pub const MAPPED_BYTES_MIN: usize = 16 * 1024;

/// Descriptors kept free of peers: stdin, stdout, stderr, the listener, the poll, signals and spares.
pub const DESCRIPTORS_RESERVED: usize = 32;

/// Descriptors that one peer takes to be served, besides those that are open at the start: our own stdout and
/// terminal, the poll, two for each of two sets of signals, the listener and its spare, a file and its lock, the peer.
pub const DESCRIPTORS_NEEDED: usize = 12;

/// Open files that this process is taken to have where the system does not say: what most have at least.
pub const OPEN_FILES_ASSUMED: u64 = 1024;

/// Dials that a table full of accepted connections leaves room for: some of those descriptors.
pub const DIALS_RESERVED: usize = 16;

/// How long the rest of an undelimited message may stay away before it counts as complete.
pub const IDLE_FLUSH: Duration = Duration::from_millis(250);

/// The same, while its header is incomplete.
pub const HEADER_FLUSH: Duration = Duration::from_secs(2);

/// From accept to the first complete message, in all.
pub const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// From the first byte of a line, or of a message without one, to its end, in all.
pub const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(30);

/// Silence after which a connection that is not a session is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long the other side may take to close after our half-close, and to answer a connect.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two acknowledgements that we dial a peer for.
pub const ACK_INTERVAL: Duration = Duration::from_secs(60);

/// Acknowledgements that we dial for peers of one source IP, none counted on loopback: a burst, then one at
/// each interval. They share the dials with what the user says.
pub const ACKS_OF_IP_BURST: u32 = 16;
/// See [`ACKS_OF_IP_BURST`].
pub const ACKS_OF_IP_INTERVAL: Duration = Duration::from_secs(1);

/// How long Quit waits for its farewells.
pub const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the menu waits for the outcome of what it was asked before it comes back without it.
pub const OUTCOME_TIMEOUT: Duration = Duration::from_secs(7);

/// How often lines that were counted but not shown are told.
pub const FOLD_INTERVAL: Duration = Duration::from_secs(1);

/// When to try to accept again after the system had no descriptor left.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// When to try to write again to a slow screen that cannot be watched.
pub const SCREEN_RETRY: Duration = Duration::from_millis(50);

/// How often a program in the background looks whether it is in front: a shell need not say so.
pub const FRONT_RETRY: Duration = Duration::from_millis(200);

/// Between two times that a transcript which cannot be written is told.
pub const RECORD_FAULT_INTERVAL: Duration = Duration::from_secs(60);

/// Between two warnings of the same kind in the log.
pub const WARN_INTERVAL: Duration = Duration::from_secs(1);

/// TCP keepalive on connections that we write to: silence before the first probe.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Between two keepalive probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unanswered keepalive probes before the connection is given up.
pub const KEEPALIVE_PROBES: u32 = 3;

/// How long written bytes may stay unacknowledged, where the system can tell.
pub const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(60);

/// New table entries of one source IP: a burst, then one at each interval. Those of peers that are elsewhere than
/// they claim are counted apart.
pub const NEW_PEERS_BURST: u32 = 100;
/// See [`NEW_PEERS_BURST`].
pub const NEW_PEERS_INTERVAL: Duration = Duration::from_secs(1);

/// The same for a source on loopback: as many as one load generator claims from there, and less than the table has.
pub const NEW_LOCAL_PEERS_BURST: u32 = 45_000;
/// See [`NEW_LOCAL_PEERS_BURST`].
pub const NEW_LOCAL_PEERS_INTERVAL: Duration = Duration::from_millis(100);

/// Lines shown of one peer on a terminal: a burst, then one at each interval.
pub const SHOWN_LINES_BURST: u32 = 200;
/// See [`SHOWN_LINES_BURST`].
pub const SHOWN_LINES_INTERVAL: Duration = Duration::from_millis(50);

/// Texts that are told at once because of deadlines, in bytes, before the rest waits for the next turn. What one
/// connection has is told in one piece.
pub const TOLD_BYTES_PER_TURN: usize = 256 * 1024;

/// Bytes that wait for a slow reader of stdout; past it notices are counted, or reading pauses.
pub const STDOUT_BYTES_MAX: usize = 256 * 1024;

/// Bytes of events that wait for a program that types commands; past it those wait too.
pub const EVENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A write to a shared stdout that was polled for, in bytes. What polls as writable has room for this: a
/// pipe for `PIPE_BUF`, at least 512, and a Linux pseudo terminal for 256.
pub const STDOUT_BYTES_PER_GUARDED_WRITE: usize = 256;

/// One read from stdin, in bytes.
pub const STDIN_BYTES_PER_READ: usize = 16 * 1024;

/// How long what began like a sequence of the terminal may rest and still go on: replies come from far away.
pub const SEQUENCE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after an escape what comes is of the same key for sure: nobody types on as fast.
pub const ESCAPE_TIMEOUT: Duration = Duration::from_millis(100);

/// Lines typed on a terminal before they were wanted, in bytes; past it no more keys are read.
pub const TYPED_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// What is pasted on a terminal at once, in bytes; of more nothing is taken.
pub const PASTE_BYTES_MAX: usize = 1024 * 1024;

/// Pasted lines that are taken without asking.
pub const PASTED_LINES_UNASKED: usize = 3;

/// Typed lines that can be recalled.
pub const HISTORY_LINES_MAX: usize = 1000;

/// The same in bytes.
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024;

/// The file of typed lines in bytes, about, before it is written anew without the oldest; so much of a longer
/// one is read.
pub const HISTORY_FILE_BYTES_MAX: usize = 2 * HISTORY_BYTES_MAX;

/// The same in lines.
pub const HISTORY_FILE_LINES_MAX: usize = 2 * HISTORY_LINES_MAX;

/// Peers that are remembered; those that the user named or blocked have room beyond.
pub const KNOWN_PEERS_MAX: usize = 1000;

/// Peers known from before that the query shows.
pub const KNOWN_PEERS_SHOWN_MAX: usize = 20;

/// The file of known peers in bytes; a larger one is none.
pub const KNOWN_PEERS_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Parts of that file that cannot be used and are told one by one; the rest is counted.
pub const ODD_PARTS_TOLD_MAX: usize = 8;

/// Between two writes of that file.
pub const KNOWN_PEERS_INTERVAL: Duration = Duration::from_secs(3);

/// When to try again to lock a file that another program is writing.
pub const LOCK_RETRY: Duration = Duration::from_millis(50);

/// How often to try at the end of the program, which waits for nobody who is stopped.
pub const LOCK_TRIES: usize = 10;

/// Corrupt files that are set aside, each under a name of its own.
pub const CORRUPT_FILES_MAX: usize = 100;

/// Peers whose names and addresses can be completed.
pub const NAMES_MAX: usize = 256;

/// Candidates of a completion that are shown.
pub const CANDIDATES_SHOWN_MAX: usize = 20;

/// Of a name, in characters, in the prompt of a conversation.
pub const PARTNER_CHARS_MAX: usize = 24;

/// The same in columns, where a row has no more room.
pub const PARTNER_COLUMNS_MIN: usize = 14;

/// The columns of a terminal that does not tell.
pub const COLUMNS_DEFAULT: u16 = 80;

/// A typed line, in bytes; the rest of a longer one is dropped, and the user is told.
pub const TYPED_BYTES_MAX: usize = 64 * 1024;

/// A line that is a JSON command, in bytes: room for a text of [`TYPED_BYTES_MAX`] with each character an escape.
pub const COMMAND_BYTES_MAX: usize = 512 * 1024;

/// Messages that may wait for one address to be dialled.
pub const WAITING_MESSAGES_MAX: usize = 1024;

/// Messages of `chinwag send`, for each address about, or of a conversation under way at once: the next one
/// waits.
pub const MESSAGES_UNDER_WAY_MAX: usize = 64;

/// The header of a speaker, in bytes, that is remembered: an IPv4 address and a name of 19 bytes at least.
/// What is longer is parsed in each line. With it, what is kept of a speaker takes 56 bytes.
pub const SPEAKER_BYTES_MAX: usize = 42;

/// Keys that a rate keeps before those with nothing to remember are swept out.
pub const RATE_KEYS_KEPT: usize = 1024;

/// Addresses of 127.0.0.0/8 that the load generator dials from, unless told others.
pub const SWARM_SOURCES: u8 = 64;

/// The first port that a peer of the load generator claims to listen on.
pub const SWARM_CLAIM_FIRST_PORT: u16 = 20_000;

/// Ports that peers of one source address claim, counted from that one without the target's.
pub const SWARM_CLAIM_PORTS: u16 = 45_000;
const _: () = assert!(SWARM_CLAIM_FIRST_PORT.checked_add(SWARM_CLAIM_PORTS).is_some());

/// Dials that the load generator makes in a turn: times are those of turns, so a turn has to be short.
pub const SWARM_DIALS_PER_TURN: u32 = 8;

/// Paced batches that the load generator sends in a turn, so that one far behind still listens.
pub const SWARM_BATCHES_PER_TURN: u32 = 1024;

/// Bytes that wait to be written to all peers of one load generator, about; past it a schedule waits.
pub const SWARM_QUEUED_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Paced questions without an answer; past it a schedule waits.
pub const SWARM_QUESTIONS_MAX: usize = 1024 * 1024;

/// When a schedule that waits looks again whether it may go on.
pub const SWARM_SCHEDULE_RETRY: Duration = Duration::from_millis(10);

/// How often the load generator tells how far it is.
pub const SWARM_PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How long a load generator that was interrupted waits for the ends of its connections, which prove what was
/// taken. With the report it is over a tenth of a second after the signal.
pub const SWARM_FAREWELL: Duration = Duration::from_millis(50);

/// The event queue counts its timeouts in these: it wakes us no later than this after the time.
pub const POLL_RESOLUTION: Duration = Duration::from_millis(1);

/// A target counts as idle when its CPU clock has stood still for so long.
pub const TARGET_IDLE: Duration = Duration::from_millis(30);

/// How often the target is looked at while it is to stop or to become idle.
pub const TARGET_POLL: Duration = Duration::from_millis(1);

/// How long a signal may take to stop the target, and the target to become idle.
pub const TARGET_PATIENCE: Duration = Duration::from_secs(5);

/// Rounds of a burst that are not counted: a new connection acknowledges its first segments at once, and
/// only then does it behave as it will for the rest of its life.
pub const BURST_WARM_UP_ROUNDS: u32 = 20;

/// The same after a round of a burst. Longer, and caches are as cold as they never are under load.
pub const ROUND_IDLE: Duration = Duration::from_millis(10);

/// Connections below which the memory of each is not told: memory comes in pages.
pub const MEMORY_PEERS_MIN: u64 = 100;

/// Rounds of a burst in which nothing is written, to know what stopping the target costs by itself.
pub const EMPTY_ROUNDS: usize = 10;

/// What a line of the target has besides the text that was typed, about, in bytes.
pub const TRIGGER_HEADER_BYTES: usize = 24;

/// Kernel memory that one connection costs with both its ends on this host, in bytes, as measured on Linux.
pub const KERNEL_BYTES_PER_PAIR: u64 = 9 * 1024;

/// Memory that one process of the load generator takes for each peer besides its batch, in bytes: 640 as measured, and
/// a table that doubles is there twice for a moment.
pub const SWARM_BYTES_PER_PEER: u64 = 1024;

/// The same for whatever it takes once while it runs, such as histograms.
pub const SWARM_BYTES: u64 = 4 * 1024 * 1024;

/// How long Linux holds the port of a connection that we ended, before another one to the same address can have it.
pub const TIME_WAIT: Duration = Duration::from_secs(60);

/// The same where `tcp_tw_reuse` lets the next connection have it earlier.
pub const TIME_WAIT_REUSE: Duration = Duration::from_secs(1);

/// Of a line of the target that means nothing to the load generator, so many bytes are reported.
pub const ODD_LINE_BYTES: usize = 120;

/// A signal that comes just before the load generator waits for its processes is seen so much later.
pub const SWARM_SIGNAL_POLL: Duration = Duration::from_millis(10);

/// The most peers, messages and the like of one run.
pub const SWARM_COUNT_MAX: usize = 1_000_000_000;

/// The most rounds of one run.
pub const SWARM_ROUNDS_MAX: u32 = 1_000_000;

/// The most messages in a batch.
pub const SWARM_BATCH_MAX: usize = 65_536;

/// Bytes that one write of a peer of the load generator may have, and about as many it makes for all of them in a
/// turn: the largest batch of messages of the default length.
pub const SWARM_WRITE_BYTES_MAX: usize = SWARM_BATCH_MAX * SWARM_LENGTH_DEFAULT;

/// Bytes that a peer of the load generator keeps of its batch, if one write can carry the batch in such parts. Whole
/// batches of hundreds of peers are so much memory that giving it back takes the system a tenth of a second.
pub const SWARM_PAYLOAD_BYTES: usize = SWARM_WRITE_BYTES_MAX / SLICES_PER_WRITE;

/// Bytes of a message of the load generator, its newline included, unless it is told otherwise.
pub const SWARM_LENGTH_DEFAULT: usize = 64;

/// A message of the load generator has at least so many bytes, its newline included.
pub const SWARM_MESSAGE_BYTES_MIN: usize = 16;

/// The most processes of one run.
pub const SWARM_PROCESSES_MAX: usize = 1_024;

/// The least and the most of something in a second.
pub const SWARM_RATES: (f64, f64) = (0.001, 1e9);

/// The shortest and the longest time of a run, in seconds.
pub const SWARM_SECONDS: (f64, f64) = (0.001, 86_400.0);

/// The generator was the bottleneck if it used at least this share of a CPU, and the target less.
pub const BOTTLENECK_SHARE: f64 = 0.9;

/// A generator that got no CPU for this share of the time, or whose virtual machine was denied so much, says little
/// about the target.
pub const DEPRIVED_SHARE: f64 = 0.1;

/// A run that is shorter says little about what happens in a second.
pub const SWARM_RUN_MIN: Duration = Duration::from_secs(1);

/// The 99.9th percentile of fewer samples is the longest of them.
pub const TAIL_SAMPLES_MIN: u64 = 1_000;

/// Paced messages that are later than this, of a hundred one, say that the generator cannot keep up.
pub const LATENESS_MAX: Duration = Duration::from_millis(1);

/// Messages over time are counted in intervals of this length, as long as the slots suffice.
pub const TIMELINE_INTERVAL: Duration = Duration::from_millis(100);

/// Slots of a timeline; then its intervals double.
pub const TIMELINE_SLOTS_MAX: usize = 600;

/// Significant decimal digits of a latency.
pub const LATENCY_DIGITS: u8 = 3;

/// The limits that a user could need to change.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; the newest is refused above it.
    pub connections_max: usize,
    /// Connections from one source IP, none counted on loopback.
    pub connections_per_ip_max: usize,
    /// Dials under way; more wait for their turn.
    pub dials_max: usize,
    /// How long a dial may take.
    pub connect_timeout: Duration,
    /// Bytes in the send queue of one connection, each message counted with [`PAYLOAD_OVERHEAD_BYTES`]
    /// more; over it the peer is too slow, and closed.
    pub send_queue_bytes_max: usize,
    /// Bytes that all peers together may make us keep in unfinished messages and send queues; over it the connections that hold
    /// the most are closed.
    pub memory_bytes_max: usize,
    /// Entries of the peer table.
    pub peers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024 - DESCRIPTORS_RESERVED,
            connections_per_ip_max: 256,
            dials_max: 64,
            connect_timeout: Duration::from_secs(5),
            send_queue_bytes_max: 1024 * 1024,
            memory_bytes_max: 256 * 1024 * 1024,
            peers_max: 65_536,
        }
    }
}

const _: () = assert!(PLAIN_BYTES_MAX < 1024, "one recv(1024) must take it whole");
const _: () = assert!(NAME_BYTES_MAX + 128 < PLAIN_BYTES_MAX, "a plain message has room for its text");
const _: () =
    assert!(READ_BYTES_PER_TURN <= LINE_BYTES_MAX, "one read overfills a line by one buffer at most");
const _: () = assert!(
    IDLE_FLUSH.as_millis() < SETTLE_TIMEOUT.as_millis(),
    "a connect is answered before its sender gives up"
);
const _: () = assert!(
    ADDRESS_BYTES_MAX + 2 * NAME_BYTES_MAX <= HEADER_SCAN_BYTES,
    "a header is found where it is looked for"
);
const _: () = assert!(
    (TYPED_BYTES_MAX + NAME_BYTES_MAX + 128) * r"\u0041".len() <= COMMAND_BYTES_MAX,
    "any text to any name can be written wholly as escapes"
);
const _: () = assert!(STDOUT_BYTES_MAX < EVENTS_BYTES_MAX);
const _: () = assert!(DIALS_RESERVED < DESCRIPTORS_RESERVED);
const _: () = assert!(NEW_LOCAL_PEERS_BURST >= SWARM_CLAIM_PORTS as u32);
const _: () = assert!(HEADER_FLUSH.as_millis() < FIRST_MESSAGE_TIMEOUT.as_millis());
const _: () = assert!(QUIT_TIMEOUT.as_millis() > SETTLE_TIMEOUT.as_millis(), "a farewell has time to settle");
const _: () = assert!(usize::BITS >= 64, "a ConnId is the event queue's token, and that is a usize");

/// A histogram that is read has at most so many bytes when it is inflated; ours have half as many.
pub const HISTOGRAM_BYTES_MAX: usize = 1 << 20;

/// A histogram that is read has at most so many values: above, a mean is no longer exact, and sums of counts
/// could overflow.
pub const HISTOGRAM_VALUES_MAX: u64 = 1 << 53;
