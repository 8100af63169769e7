//! The screen of the chat: notices above, and last the prompt that waits for an answer.
//!
//! A prompt ends without a newline. When something else must be shown, a newline ends it, and the prompt is printed
//! again at the end of the turn, once for everything that was shown.

use super::Screen;
use super::bell::{Bell, Ringer};
use super::phrases::Count;
use super::prompts::prompt_text;
use super::stdout::Stdout;
use super::style::{BELL, Look, Painted};
use crate::chat::notice::{Notice, Prompt};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// Shows notices on stdout.
#[derive(Debug)]
pub struct Console {
    out: Stdout,
    is_terminal: bool,
    look: Look,
    /// The prompt that is not answered yet.
    prompt: Option<Prompt>,
    /// Whether that prompt is the last thing shown.
    is_asked: bool,
    /// Notices that were counted instead of shown since the terminal stopped.
    missed: u64,
    ringer: Ringer,
}

impl Console {
    /// The screen on descriptor 1. Fails when no descriptor is left.
    pub fn inherited() -> io::Result<Self> {
        Ok(Self::new(Stdout::inherited()?))
    }

    /// The screen on any output.
    pub fn new(out: Stdout) -> Self {
        let is_terminal = out.is_terminal();
        let look = Look::default();
        Self { out, is_terminal, look, prompt: None, is_asked: false, missed: 0, ringer: Ringer::default() }
    }

    /// This screen with another look. Bells are for terminals.
    pub fn with_look(self, look: Look) -> Self {
        let bell = if self.is_terminal { look.bell } else { Bell::Never };
        Self { look, ringer: Ringer::new(bell), ..self }
    }

    /// Whether a person reads this. If a program reads it, it gets everything, however much that is.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Begins a new line if the cursor is behind a prompt.
    fn leave_prompt(&mut self) {
        if self.is_asked {
            self.out.append('\n');
            self.is_asked = false;
        }
    }

    fn ask(&mut self) {
        if let Some(prompt) = &self.prompt
            && !self.is_asked
            && self.missed == 0
        {
            self.out.append(prompt_text(prompt));
            self.is_asked = true;
        }
    }

    /// Once a notice is missed, all are, until the terminal has taken everything. Otherwise a terminal that takes a
    /// little at a time would show a count after every line.
    fn must_miss(&self) -> bool {
        self.is_terminal && (self.missed > 0 || self.out.is_full())
    }

    fn tell_missed(&mut self) {
        self.leave_prompt();
        let notices = Count(self.missed, "notice");
        let were = if self.missed == 1 { "was" } else { "were" };
        self.out.append(format_args!("… {notices} {were} not shown: the terminal was stopped\n"));
        self.missed = 0;
    }
}

impl Screen<Notice> for Console {
    #[expect(clippy::disallowed_methods, reason = "a bell has a limit")]
    fn show(&mut self, notice: Notice) {
        if let Notice::Prompt(prompt) = notice {
            if self.prompt.as_ref() != Some(&prompt) {
                self.leave_prompt();
            }
            self.prompt = Some(prompt);
            return;
        }
        // What the user said is already on the screen, or in the script that says it.
        if matches!(notice, Notice::Said { .. }) {
            return;
        }
        if notice == Notice::Exiting {
            self.prompt = None;
        }
        if self.must_miss() {
            self.missed += 1;
            return;
        }
        self.leave_prompt();
        self.ringer.note(&notice, Instant::now());
        self.out.append(Painted { notice: &notice, colors: self.look.colors });
    }

    fn line_taken(&mut self) {
        // A script may answer before the end of the turn that printed the prompt.
        self.ask();
        self.prompt = None;
        self.is_asked = false;
    }

    fn flush(&mut self) -> io::Result<bool> {
        if self.ringer.take() {
            self.out.append(BELL);
        }
        self.ask();
        let is_all = self.out.flush()?;
        if !is_all || self.missed == 0 {
            return Ok(is_all);
        }
        self.tell_missed();
        self.ask();
        self.out.flush()
    }

    fn is_full(&self) -> bool {
        !self.is_terminal && self.out.is_full()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.out.fd()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the other end of a full pipe needs a thread")]
mod tests {
    use super::*;
    use crate::limits::STDOUT_BYTES_MAX;
    use std::io::{PipeReader, Read};
    use std::os::fd::AsFd;

    fn console() -> (Console, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        (Console::new(Stdout::new(writer.as_fd()).unwrap()), reader)
    }

    fn sent() -> Notice {
        Notice::Sent(([127, 0, 0, 1], 9090).into())
    }

    fn choice() -> Notice {
        Notice::Prompt(Prompt::Choice)
    }

    /// All that was shown, when the console is dropped.
    fn shown(mut console: Console, mut reader: PipeReader) -> String {
        assert!(console.flush().unwrap());
        drop(console);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    /// Shows notices until the console is full, because nobody reads.
    fn fill(console: &mut Console) -> u64 {
        let mut notices = 0;
        while !console.out.is_full() {
            console.show(sent());
            console.flush().unwrap();
            notices += 1;
        }
        notices
    }

    #[test]
    fn the_start_reads_as_the_assignment_prints_it() {
        for flushes in [true, false] {
            let (mut console, reader) = console();
            for prompt in [Prompt::Name, Prompt::Port] {
                console.show(Notice::Prompt(prompt));
                assert!(!flushes || console.flush().unwrap());
                console.line_taken();
            }
            console.show(Notice::Listening { port: 8080, name: "N".into(), addresses: Vec::new() });
            console.show(Notice::Menu);
            console.show(choice());
            let start = "Enter your name: Enter your port number: Server listening on port 8080\n\n\
                         ***** Menu *****\n1. Send message\n";
            let text = shown(console, reader);
            assert!(text.starts_with(start), "{text}");
            assert!(text.ends_with("0. Quit\nEnter choice: "), "{text}");
        }
    }

    #[test]
    fn a_flood_asks_once_a_turn() {
        let (mut console, reader) = console();
        console.show(choice());
        for _turn in 0..2 {
            assert!(console.flush().unwrap() && console.flush().unwrap());
            console.show(sent());
            console.show(sent());
        }
        let turn = "Enter choice: \nMessage sent to 127.0.0.1:9090\nMessage sent to 127.0.0.1:9090\n";
        assert_eq!(shown(console, reader), format!("{turn}{turn}Enter choice: "));
    }

    #[test]
    fn an_answered_question_is_not_asked_again() {
        let (mut console, reader) = console();
        console.show(choice());
        console.flush().unwrap();
        console.line_taken();
        console.show(sent());
        console.flush().unwrap();
        console.line_taken();
        assert_eq!(shown(console, reader), "Enter choice: Message sent to 127.0.0.1:9090\n");
    }

    #[test]
    fn another_question_begins_its_own_line_and_the_same_one_stays() {
        let (mut console, reader) = console();
        for prompt in [Prompt::Text, Prompt::Text, Prompt::Choice] {
            console.show(Notice::Prompt(prompt));
            console.flush().unwrap();
        }
        console.show(Notice::Exiting);
        assert_eq!(shown(console, reader), "Enter your message: \nEnter choice: \nExiting\n");
    }

    #[test]
    fn a_stopped_terminal_counts_notices_and_shows_the_count_when_it_continues() {
        let (console, mut reader) = console();
        let mut console = Console { is_terminal: true, ..console };
        console.show(choice());
        let notices = fill(&mut console);
        for missed in 0..1000 {
            assert_eq!((console.missed, console.is_full()), (missed, false));
            console.show(sent());
            assert!(!console.flush().unwrap());
        }
        assert!(console.out.waiting() < STDOUT_BYTES_MAX + 100);
        let mut text = vec![0; 32 * 1024];
        reader.read_exact(&mut text).unwrap();
        assert!(!console.flush().unwrap() && !console.out.is_full());
        console.show(sent());
        console.line_taken();
        console.show(choice());
        let taker = std::thread::spawn(move || {
            reader.read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        while !console.flush().unwrap() {
            std::thread::yield_now();
        }
        drop(console);
        let text = taker.join().unwrap();
        assert_eq!(text.matches("Message sent").count() as u64, notices);
        let end = "Enter choice: … 1,001 notices were not shown: the terminal was stopped\nEnter choice: ";
        assert!(text.ends_with(end), "{}", &text[text.len() - 200..]);
    }

    #[test]
    fn a_reading_program_gets_everything() {
        let (mut console, _reader) = console();
        fill(&mut console);
        assert!(console.is_full() && !console.flush().unwrap());
        let before = console.out.waiting();
        console.show(sent());
        assert_eq!((console.missed, console.out.waiting()), (0, before + 31));
    }
}
