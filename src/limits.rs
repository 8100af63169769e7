//! The numbers of the program that somebody may want to change, each with its unit in its name.
//!
//! Constants are facts of the protocol or of the design. What a user may need to change is a field of [`Limits`] and a
//! flag. Nothing here computes. A number that matters only in one file is in that file, such as the columns of a
//! table.

use std::time::Duration;

/// The most bytes of a plain message: most published peers do one `recv(1024)`.
pub const PLAIN_BYTES_MAX: usize = 1023;

/// The most bytes of a line or of an unfinished message, without the newline.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a name. A longer typed name is refused, a longer received one is cut.
pub const NAME_BYTES_MAX: usize = 64;

/// The most bytes of a host name, as in the domain name system.
pub const HOST_NAME_BYTES_MAX: usize = 253;

/// The most bytes of an `IP:PORT`: an IPv6 address in brackets that ends in an IPv4 address and has a scope.
pub const ADDRESS_BYTES_MAX: usize = 64;

/// How many first bytes of an unfinished message are searched for its header.
pub const HEADER_SCAN_BYTES: usize = 256;

/// How long an offer of encryption stands: what is said meanwhile waits. Only our own kind takes it.
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(2);

/// The most time for each message of a handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of a connect or of its answer that lead to encryption: an address and a name.
pub const CONNECT_BYTES_MAX: usize = 256;

/// The most bytes of a message of the handshake.
pub const MESSAGE_BYTES_MAX: usize = 512;

/// How many handshakes are worked on in one turn; the others wait. Each takes about 0.5 ms of CPU.
pub const HANDSHAKES_PER_TURN: usize = 16;

/// How many peers of one source, as `source_of` has it, are remembered by a key that the user has not compared, with no alias.
pub const PINS_OF_IP_MAX: usize = 64;

/// How many handshakes one source may cause at once, and how often after that; loopback has no limit.
pub const HANDSHAKES_OF_IP_BURST: u32 = 32;
/// See [`HANDSHAKES_OF_IP_BURST`].
pub const HANDSHAKES_OF_IP_INTERVAL: Duration = Duration::from_millis(250);

/// The most bytes of a datagram that is parsed or sent: what an Ethernet frame carries. A longer one is ignored.
pub const DATAGRAM_BYTES_MAX: usize = 1500;

/// The most datagrams to take from each socket in a turn. One that is full of records takes far longer to understand
/// than to read, and whoever types must not wait for many of them.
pub const DATAGRAMS_PER_TURN: usize = 16;

/// The most networks on which others are looked for.
pub const LINKS_MAX: usize = 16;

/// The most nodes that can be found, and how many of them one address may tell of.
pub const FOUND_MAX: usize = 256;
/// See [`FOUND_MAX`].
pub const FOUND_PER_SOURCE_MAX: usize = 64;

/// How long the list of those nearby is waited for. An answer may take 120 ms, and its question may have been lost.
pub const NEARBY_LIST_DELAY: Duration = Duration::from_millis(900);

/// The most addresses of a host that was found.
pub const FOUND_ADDRESSES_MAX: usize = 8;

/// The most bytes to read from each connection in a turn; also the size of the read buffer.
pub const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// About how many bytes a turn writes to links that had stalled, before it serves everybody else again.
pub const WRITTEN_BYTES_PER_TURN: usize = 4 * 1024 * 1024;

/// The most connections to accept in a turn.
pub const ACCEPTS_PER_TURN: usize = 64;

/// The most typed lines to take in a turn, so that a file on stdin cannot starve the network.
pub const TYPED_LINES_PER_TURN: usize = 64;

/// The most bytes of a config file.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// In a config file, comments after longer assignments than this many columns are not aligned with the others.
pub const ASSIGNMENT_COLUMNS_MAX: usize = 40;

/// Length of the queue of connections that the kernel has completed and we have not accepted yet.
pub const LISTEN_BACKLOG: i32 = 4096;

/// Events taken from the kernel at once.
pub const EVENTS_PER_TURN: usize = 1024;

/// Slices in one vectored write.
pub const SLICES_PER_WRITE: usize = 64;

/// How often texts are kept for a session whose other side has said nothing yet: it may be one that confirms them. With one
/// more, that is eight pointers in two cache lines: with 32, a text to a thousand silent sessions cost an eighth more.
pub const UNDECIDED_BATCHES_MAX: usize = 7;

/// The most bytes of the word in a `!ping` that is answered. Otherwise a peer that does not read could make us hold large
/// answers on the heap, which does not go back to the system.
pub const PING_BYTES_MAX: usize = 64;

/// What a waiting message counts besides its own bytes: about the memory that it costs.
pub const PAYLOAD_OVERHEAD_BYTES: usize = 64;

/// A payload of fewer bytes is gathered with others if it has to wait behind another one.
pub const GATHERED_BYTES_MAX: usize = 1024;

/// The most bytes in a growing buffer: an unfinished message.
pub const BUFFER_BYTES_MAX: usize = LINE_BYTES_MAX;

/// The least that the memory for all peers can be limited to: room for the longest message in each direction, twice. With
/// much less, a polite peer would be closed before the answer to its connect is written.
pub const MEMORY_BYTES_MIN: usize = 4 * LINE_BYTES_MAX;

/// When the memory for all peers is over its limit, it is reduced to this share of the limit, in eighths, so that this
/// happens rarely.
pub const MEMORY_KEPT_EIGHTHS: usize = 7;

/// A growing buffer of at least so many bytes has its own memory mapping: a page, since a mapping takes whole pages.
pub const MAPPED_BYTES_MIN: usize = 4096;

/// A buffer of so many bytes gets one even if they will probably be gone at the end of the turn.
pub const MAPPED_AT_ONCE_BYTES_MIN: usize = 4 * MAPPED_BYTES_MIN;

/// Descriptors that peers cannot use: stdin, stdout, stderr, the listener, the poll, signals and spares.
pub const DESCRIPTORS_RESERVED: usize = 32;

/// Descriptors that we need to serve one peer, besides those that are open at the start: our own stdout and terminal,
/// the poll, two for each of two sets of signals, the listener and its spare, a file and its lock, the peer.
pub const DESCRIPTORS_NEEDED: usize = 12;

/// The assumed limit on open files if the system does not tell: most systems allow at least so many.
pub const OPEN_FILES_ASSUMED: u64 = 1024;

/// Dials that are possible even if the table is full of accepted connections: some of those descriptors.
pub const DIALS_RESERVED: usize = 16;

/// How long an undelimited message may pause before it counts as complete.
pub const IDLE_FLUSH: Duration = Duration::from_millis(250);

/// How long an undelimited message may pause while its header is incomplete.
pub const HEADER_FLUSH: Duration = Duration::from_secs(2);

/// The most time from accept to the first complete message.
pub const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most time from the first byte of a line or message to its end.
pub const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(30);

/// Silence after which a connection that is not a session is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long the other side may take to close after our half-close, or to answer a connect.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The least time between two dials to acknowledge connects of the same peer.
pub const ACK_INTERVAL: Duration = Duration::from_secs(60);

/// Acknowledgements that we dial for peers of one source IP: a burst, then one at each interval. Loopback is not
/// counted. They share the dials with the user's messages.
pub const ACKS_OF_IP_BURST: u32 = 16;
/// See [`ACKS_OF_IP_BURST`].
pub const ACKS_OF_IP_INTERVAL: Duration = Duration::from_secs(1);

/// How long a diagnosis may take at most before a script is asked for its next line.
pub const DIAGNOSIS_TIMEOUT: Duration = Duration::from_secs(40);

/// How many first bytes of what is no chat are kept and shown.
pub const DIAGNOSED_BYTES_MAX: usize = 64;

/// Pings of a diagnosis, one after the other.
pub const DIAGNOSIS_PINGS: usize = 5;

/// How long all of them may take.
pub const PONGS_TIMEOUT: Duration = Duration::from_secs(5);

/// The least time between two dials that the same peer asks for with `!reach`.
pub const REACH_INTERVAL: Duration = Duration::from_secs(60);

/// Dials that all peers together may ask for: a burst, then one at each interval.
pub const REACHES_ALL_BURST: u32 = 6;
/// See [`REACHES_ALL_BURST`].
pub const REACHES_ALL_INTERVAL: Duration = Duration::from_secs(15);

/// The most such dials under way.
pub const REACHES_MAX: usize = 4;

/// How long such a dial may take.
pub const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the answer to a `!reach` is awaited: the dial of the other side, and its way back to us.
pub const REACH_ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
const _: () = assert!(REACH_ANSWER_TIMEOUT.as_secs() > REACH_TIMEOUT.as_secs() + SETTLE_TIMEOUT.as_secs());

/// How long Quit waits for its farewells.
pub const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the menu waits for an outcome before it comes back without it.
pub const OUTCOME_TIMEOUT: Duration = Duration::from_secs(7);

/// How often the number of hidden lines is shown.
pub const FOLD_INTERVAL: Duration = Duration::from_secs(1);

/// When to try to accept again after the system had no descriptor left.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// When to try to write again to a slow screen that cannot be watched.
pub const SCREEN_RETRY: Duration = Duration::from_millis(50);

/// How often a program in the background checks whether it is in the foreground, because a shell need not say so.
pub const FOREGROUND_RETRY: Duration = Duration::from_millis(200);

/// The most bytes at the end of a transcript that are searched for what was said.
pub const TRANSCRIPT_SEARCHED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most bytes of a line there; a longer one was not written by us. Cleaning a text triples it at most.
pub const TRANSCRIPT_LINE_BYTES_MAX: usize = 4 * LINE_BYTES_MAX;

/// The most bytes that are kept of what was said in this run, where there is no transcript. Before the oldest make room
/// there may be twice as many.
pub const RUN_BYTES_MAX: usize = 256 * 1024;

/// The most messages, and about the most bytes, of one answer to what was said.
pub const RECALLED_MAX: usize = 100;
/// See [`RECALLED_MAX`].
pub const RECALLED_BYTES_MAX: usize = 256 * 1024;

/// The messages of a conversation that are shown if the user does not say how many.
pub const RECALLED_UNASKED: usize = 10;

/// The messages of earlier runs that are shown when a conversation begins.
pub const REMINDED_MAX: usize = 5;

/// The least time between two reports that the transcript cannot be written.
pub const RECORD_FAULT_INTERVAL: Duration = Duration::from_secs(60);

/// The least time between two runs of the command for messages.
pub const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);

/// The most characters of a name or a text that the command for messages is given.
pub const NOTIFIED_CHARS_MAX: usize = 200;

/// The least time between two rings of the terminal's bell.
pub const BELL_INTERVAL: Duration = Duration::from_secs(1);

/// The most places in one message where the user's name is marked.
pub const MENTIONS_MARKED_MAX: usize = 32;

/// The least time between two warnings of the same kind in the log.
pub const WARN_INTERVAL: Duration = Duration::from_secs(1);

/// TCP keepalive on connections that we write to: silence before the first probe, at least.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// The most time by which that silence is longer for one connection than for another.
pub const KEEPALIVE_SPREAD: Duration = Duration::from_secs(15);

/// Between two keepalive probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unanswered keepalive probes before the connection is given up.
pub const KEEPALIVE_PROBES: u32 = 3;

/// How long written bytes may stay unacknowledged, if the system can tell.
pub const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(60);

/// New table entries from one source IP: a burst, then one at each interval. Peers that claim another address than
/// their own are counted separately.
pub const NEW_PEERS_BURST: u32 = 100;
/// See [`NEW_PEERS_BURST`].
pub const NEW_PEERS_INTERVAL: Duration = Duration::from_secs(1);

/// New table entries from one source on loopback: as many as one load generator claims there, and fewer than the table
/// has.
pub const NEW_LOCAL_PEERS_BURST: u32 = 45_000;
/// See [`NEW_LOCAL_PEERS_BURST`].
pub const NEW_LOCAL_PEERS_INTERVAL: Duration = Duration::from_millis(100);

/// Lines shown of one peer on a terminal: a burst, then one at each interval.
pub const SHOWN_LINES_BURST: u32 = 200;
/// See [`SHOWN_LINES_BURST`].
pub const SHOWN_LINES_INTERVAL: Duration = Duration::from_millis(50);

/// How many bytes of text are shown in a turn because of deadlines, before the rest waits for the next turn. The texts
/// of one connection stay together.
pub const TOLD_BYTES_PER_TURN: usize = 256 * 1024;

/// The most bytes that wait for a slow reader of stdout; over it, notices are only counted, or reading pauses.
pub const STDOUT_BYTES_MAX: usize = 256 * 1024;

/// The most bytes of events that wait for a program; over it, its commands wait too.
pub const EVENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of a write to a shared stdout after a `poll`. Whatever is writable has room for this: a pipe for
/// `PIPE_BUF`, at least 512, and a Linux pseudo terminal for 256.
pub const STDOUT_BYTES_PER_GUARDED_WRITE: usize = 256;

/// One read from stdin, in bytes.
pub const STDIN_BYTES_PER_READ: usize = 16 * 1024;

/// How long an unfinished escape sequence may pause and still continue, because replies may come over a slow line.
pub const SEQUENCE_TIMEOUT: Duration = Duration::from_secs(1);

/// Within this time after an escape, the next byte belongs to the same key: nobody types so fast.
pub const ESCAPE_TIMEOUT: Duration = Duration::from_millis(100);

/// The most bytes of lines that are typed ahead on a terminal; over it, no more keys are read.
pub const TYPED_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// The most bytes of a paste; a longer paste is refused.
pub const PASTE_BYTES_MAX: usize = 1024 * 1024;

/// The most lines of a paste that is taken without asking.
pub const PASTED_LINES_UNASKED: usize = 3;

/// Typed lines that can be recalled.
pub const HISTORY_LINES_MAX: usize = 1000;

/// The most bytes of typed lines that can be recalled.
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024;

/// The file of typed lines may have about so many bytes before it is rewritten without the oldest lines; only so much
/// of a longer file is read.
pub const HISTORY_FILE_BYTES_MAX: usize = 2 * HISTORY_BYTES_MAX;

/// The file of typed lines may have about so many lines before it is rewritten without the oldest ones.
pub const HISTORY_FILE_LINES_MAX: usize = 2 * HISTORY_LINES_MAX;

/// The most known peers; those that the user named or blocked may exceed it.
pub const KNOWN_PEERS_MAX: usize = 1000;

/// The most own addresses that a terminal shows at the start.
pub const OWN_ADDRESSES_SHOWN_MAX: usize = 3;
/// The most peers that a sentence about a failure with several names; if there are more, it names one less and counts the
/// rest.
pub const FAILED_NAMES_SHOWN_MAX: usize = 3;

/// The most known peers that the query shows.
pub const KNOWN_PEERS_SHOWN_MAX: usize = 20;

/// The most bytes of the file of known peers; a larger file counts as corrupt.
pub const KNOWN_PEERS_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many invalid parts of that file are shown one by one; the rest is counted.
pub const ODD_PARTS_TOLD_MAX: usize = 8;

/// The least time between two writes of that file.
pub const KNOWN_PEERS_INTERVAL: Duration = Duration::from_secs(3);

/// The most texts that are held for one peer until it is back.
pub const HELD_PER_PEER_MAX: usize = 100;

/// The most texts that are held for all peers.
pub const HELD_TEXTS_MAX: usize = 1000;

/// The most bytes of the texts that are held for all peers.
pub const HELD_BYTES_MAX: usize = 1024 * 1024;

/// How long a text is held.
pub const HELD_TIME_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most held texts that are under way to one peer at the same time.
pub const HELD_UNDER_WAY_MAX: usize = 16;

/// The most bytes of held texts that are under way to one peer at the same time, unless one text alone has more.
pub const HELD_UNDER_WAY_BYTES_MAX: usize = TYPED_BYTES_MAX;

/// A held text that could not be sent is tried again after this time at the earliest, unless a session begins.
pub const HELD_RETRY: Duration = Duration::from_secs(10);

/// A held text that another program began to send may have arrived after this time, if its fate is not known by then.
pub const HELD_CLAIM_TIMEOUT: Duration = Duration::from_secs(60);

/// The most bytes of the file of held texts; a larger file counts as corrupt.
pub const HELD_FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A line that comes this soon after the question whether to keep a text was typed before anybody could read it.
pub const HELD_QUESTION_GRACE: Duration = Duration::from_millis(300);

/// When to try again to lock a file that another program is writing.
pub const LOCK_RETRY: Duration = Duration::from_millis(50);

/// How often to try at the end of the program. It gives up in the end, because the owner of the lock may be stopped.
pub const LOCK_TRIES: usize = 10;

/// The most corrupt files that are kept, each under its own name.
pub const CORRUPT_FILES_MAX: usize = 100;

/// The most peers whose names and addresses can be completed.
pub const NAMES_MAX: usize = 256;

/// The most names of which the log remembers whose they are. Once there are more it forgets them all, and the next line
/// of each peer has its address again.
pub const LOGGED_NAMES_MAX: usize = 4096;

/// The most candidates of a completion that are shown.
pub const CANDIDATES_SHOWN_MAX: usize = 20;

/// The most characters of a name in the prompt of a conversation.
pub const PARTNER_CHARS_MAX: usize = 24;

/// The most characters of a typed line in a sentence that says what is wrong with it.
pub const QUOTED_CHARS_MAX: usize = 80;

/// The most characters of a message from an earlier run when a conversation is entered.
pub const REMINDED_CHARS_MAX: usize = 400;

/// The most partners with unread messages that the prompt names.
pub const UNREAD_NAMES_SHOWN_MAX: usize = 3;

/// The most columns of a name in the prompt of a conversation on a narrow terminal.
pub const PARTNER_COLUMNS_MAX: usize = 14;

/// The assumed columns of a terminal that does not report them.
pub const COLUMNS_DEFAULT: u16 = 80;

/// The most bytes of a typed line; a longer one is refused, and the user is told.
pub const TYPED_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a JSON command: room for a text of [`TYPED_BYTES_MAX`] in which every character is an escape.
pub const COMMAND_BYTES_MAX: usize = 512 * 1024;

/// The most bytes of the id of a JSON command.
pub const COMMAND_ID_BYTES_MAX: usize = 64;

/// The most messages that wait for a dial to one address.
pub const WAITING_MESSAGES_MAX: usize = 1024;

/// About how many messages may be under way at once, for each address of `chinwag send` or in a conversation; the next
/// one waits.
pub const MESSAGES_UNDER_WAY_MAX: usize = 64;

/// The most bytes of a line's header that are remembered, so that the next line need not be parsed again: an IPv4
/// address and a name of at least 19 bytes. A longer header is parsed in each line. With this value, one remembered
/// speaker takes 56 bytes.
pub const SPEAKER_BYTES_MAX: usize = 42;

/// How many keys a rate keeps before it removes those that are at rest.
pub const RATE_KEYS_KEPT: usize = 1024;

/// Addresses of 127.0.0.0/8 that the load generator dials from by default.
pub const SWARM_SOURCES: u8 = 64;

/// The first port that a peer of the load generator claims to listen on.
pub const SWARM_CLAIM_FIRST_PORT: u16 = 20_000;

/// How many ports the peers of one source address claim, counted from that port and without the target's port.
pub const SWARM_CLAIM_PORTS: u16 = 45_000;
const _: () = assert!(SWARM_CLAIM_FIRST_PORT.checked_add(SWARM_CLAIM_PORTS).is_some());

/// The most dials of the load generator in a turn. All events of a turn have the same time, so a turn must be short.
pub const SWARM_DIALS_PER_TURN: u32 = 8;

/// The most offers of encryption that the load generator takes in a turn. Each is a fifth of a millisecond of work, and
/// a turn must be short.
pub const SWARM_HANDSHAKES_PER_TURN: usize = 16;

/// The most paced batches of the load generator in a turn, so that a generator that is far behind still reads.
pub const SWARM_BATCHES_PER_TURN: u32 = 1024;

/// About how many bytes may wait for all peers of one load generator; over it, the schedule waits.
pub const SWARM_QUEUED_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The most paced questions without an answer; over it, the schedule waits.
pub const SWARM_QUESTIONS_MAX: usize = 1024 * 1024;

/// When a waiting schedule checks again whether it may go on.
pub const SWARM_SCHEDULE_RETRY: Duration = Duration::from_millis(10);

/// How often the load generator reports its progress.
pub const SWARM_PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How long an interrupted load generator waits for its connections to end, which proves what was accepted. Including
/// the report, it ends within a tenth of a second after the signal.
pub const SWARM_FAREWELL: Duration = Duration::from_millis(50);

/// The resolution of timeouts of the event queue: it wakes us at most this much too late.
pub const POLL_RESOLUTION: Duration = Duration::from_millis(1);

/// A target counts as idle when its CPU clock has not moved for so long.
pub const TARGET_IDLE: Duration = Duration::from_millis(30);

/// How often to check whether the target has stopped or become idle.
pub const TARGET_POLL: Duration = Duration::from_millis(1);

/// How long to wait until a signal has stopped the target, or until the target is idle.
pub const TARGET_PATIENCE: Duration = Duration::from_secs(5);

/// The first rounds of a burst, which are not counted: a new connection acknowledges its first segments at once, and
/// behaves normally only after that.
pub const BURST_WARM_UP_ROUNDS: u32 = 20;

/// After a round of a burst, how long the CPU clock of the target must stand still. A longer pause would make caches
/// colder than they ever are under load.
pub const ROUND_IDLE: Duration = Duration::from_millis(10);

/// With fewer connections, the memory of each is not reported, because memory comes in pages.
pub const MEMORY_PEERS_MIN: u64 = 100;

/// Rounds of a burst in which nothing is written, to measure what stopping the target costs.
pub const EMPTY_ROUNDS: usize = 10;

/// About how many bytes a line of the target has besides the typed text.
pub const TRIGGER_HEADER_BYTES: usize = 24;

/// Kernel memory that one connection costs with both its ends on this host, in bytes, as measured on Linux.
pub const KERNEL_BYTES_PER_PAIR: u64 = 9 * 1024;

/// Memory of one process of the load generator for each peer besides its batch, in bytes: 640 as measured, and while a
/// table doubles, both copies exist.
pub const SWARM_BYTES_PER_PEER: u64 = 1024;

/// Memory of one process that does not depend on the number of peers, such as histograms.
pub const SWARM_BYTES: u64 = 4 * 1024 * 1024;

/// How long Linux keeps the port of a connection that we ended, before another connection to the same address can use
/// it.
pub const TIME_WAIT: Duration = Duration::from_secs(60);

/// How long Linux keeps such a port if `tcp_tw_reuse` lets the next connection use it earlier.
pub const TIME_WAIT_REUSE: Duration = Duration::from_secs(1);

/// How many bytes are reported of a line of the target that the load generator does not understand.
pub const ODD_LINE_BYTES: usize = 120;

/// How late the load generator may see a signal that comes just before it waits for its processes.
pub const SWARM_SIGNAL_POLL: Duration = Duration::from_millis(10);

/// The most peers, messages and the like of one run.
pub const SWARM_COUNT_MAX: usize = 1_000_000_000;

/// The most rounds of one run.
pub const SWARM_ROUNDS_MAX: u32 = 1_000_000;

/// The most messages in a batch.
pub const SWARM_BATCH_MAX: usize = 65_536;

/// The most bytes of one write of a peer of the load generator, and about the most that it prepares for all peers in a
/// turn: the largest batch of messages of the default length.
pub const SWARM_WRITE_BYTES_MAX: usize = SWARM_BATCH_MAX * SWARM_LENGTH_DEFAULT;

/// How many bytes of its batch a peer of the load generator keeps, if one write can carry the batch in such parts.
/// Whole batches of hundreds of peers take so much memory that the system needs a tenth of a second to free it.
pub const SWARM_PAYLOAD_BYTES: usize = SWARM_WRITE_BYTES_MAX / SLICES_PER_WRITE;

/// The default bytes of a message of the load generator, with its newline.
pub const SWARM_LENGTH_DEFAULT: usize = 64;

/// The fewest bytes of a message of the load generator, with its newline.
pub const SWARM_MESSAGE_BYTES_MIN: usize = 16;

/// The most processes of one run.
pub const SWARM_PROCESSES_MAX: usize = 1_024;

/// The lowest and the highest rate per second.
pub const SWARM_RATES: (f64, f64) = (0.001, 1e9);

/// The shortest and the longest time of a run, in seconds.
pub const SWARM_SECONDS: (f64, f64) = (0.001, 86_400.0);

/// The generator was the bottleneck if it used at least this share of a CPU, and the target used less.
pub const BOTTLENECK_SHARE: f64 = 0.9;

/// If the generator got no CPU for this share of the time, or its virtual machine got none, the result says little
/// about the target.
pub const DEPRIVED_SHARE: f64 = 0.1;

/// A shorter run says little about rates per second.
pub const SWARM_RUN_MIN: Duration = Duration::from_secs(1);

/// With fewer samples, the 99.9th percentile is just the longest one.
pub const TAIL_SAMPLES_MIN: u64 = 1_000;

/// If one in a hundred paced messages is later than this, the generator cannot keep up.
pub const LATENESS_MAX: Duration = Duration::from_millis(1);

/// Messages over time are counted in intervals of this length, as long as there are enough slots.
pub const TIMELINE_INTERVAL: Duration = Duration::from_millis(100);

/// The most slots of a timeline; when they are full, the intervals double.
pub const TIMELINE_SLOTS_MAX: usize = 600;

/// Significant decimal digits of a latency.
pub const LATENCY_DIGITS: u8 = 3;

/// The most rounds of a burst that are not counted.
pub const SWARM_WARM_UP_MAX: u32 = 1_000;

/// The longest line of the table that a run prints, in characters.
pub const REPORT_COLUMNS_MAX: usize = 100;

/// Points that are drawn of a line of percentiles.
pub const PLOT_POINTS: u32 = 300;

/// A tag of a histogram log that is not one of ours is quoted up to this length, in characters.
pub const ODD_TAG_CHARS: usize = 40;

/// The limits that a user may need to change.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most connections at once; over it, the newest is refused.
    pub connections_max: usize,
    /// The most connections from one source IP; loopback is not counted.
    pub connections_per_ip_max: usize,
    /// The most dials at once; more wait for their turn.
    pub dials_max: usize,
    /// How long a dial may take.
    pub connect_timeout: Duration,
    /// The most bytes in the send queue of one connection; each message counts [`PAYLOAD_OVERHEAD_BYTES`] more. Over
    /// it, the peer is too slow and is closed.
    pub send_queue_bytes_max: usize,
    /// The most bytes that we keep for all peers together in unfinished messages, send queues and the texts in
    /// them; over it, the connections that hold the most are closed.
    pub memory_bytes_max: usize,
    /// The most entries of the peer table.
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
const _: () = assert!(HELD_UNDER_WAY_MAX < WAITING_MESSAGES_MAX, "held texts leave room for what is typed");
const _: () = assert!(
    HELD_BYTES_MAX * r"\u0041".len() + HELD_TEXTS_MAX * 256 < HELD_FILE_BYTES_MAX / 2,
    "two programs at once do not fill the file"
);
const _: () = assert!(DIALS_RESERVED < DESCRIPTORS_RESERVED);
const _: () = assert!(NEW_LOCAL_PEERS_BURST >= SWARM_CLAIM_PORTS as u32);
const _: () = assert!(HEADER_FLUSH.as_millis() < FIRST_MESSAGE_TIMEOUT.as_millis());
const _: () = assert!(QUIT_TIMEOUT.as_millis() > SETTLE_TIMEOUT.as_millis(), "a farewell has time to settle");
const _: () = assert!(usize::BITS >= 64, "a ConnId is the event queue's token, and that is a usize");

/// The most bytes of a histogram that we read, after inflating it; ours have half as many.
pub const HISTOGRAM_BYTES_MAX: usize = 1 << 20;

/// The most values of a histogram that we read: with more, a mean is no longer exact, and sums of counts could
/// overflow.
pub const HISTOGRAM_VALUES_MAX: u64 = 1 << 53;
