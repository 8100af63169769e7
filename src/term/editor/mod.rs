//! The line editor: keys go in; typed lines, and what to draw, come out.
//!
//! It has no descriptor and no clock. The typed text is kept apart from the prompt, so neither an arriving message nor
//! another prompt disturbs it. It learns the names for completion from the notices that are shown, and knows no peer
//! table.
//!
//! The event loop does not interpret keys: `net` hands the bytes of a terminal to the screen and gets lines back. A
//! line that can be taken is taken before the keys after it are read, because it may lead to another prompt.
//!
//! Why we wrote our own: crossterm reads the descriptor itself, with a second `Poll` behind a lock. tui-input has
//! neither kill and yank nor history, and moves by `char`. rustyline and reedline block, or need a thread. A parser
//! that is fed bytes is 300 lines, and can be tested with pieces of any size.

mod completion;
mod history;
mod keys;
mod line;
mod names;
mod paste;
mod row;

use super::Typed;
use super::prompts::{prompt_text, prompt_texts};
use crate::chat::notice::{Notice, Prompt, Who};
use crate::limits::TYPED_AHEAD_BYTES_MAX;
use crate::proto::clean::Clean;
use completion::{Completed, complete};
use history::History;
use keys::{Key, Keys, WORD_KEYS};
use line::{Far, Line, Way};
use names::Names;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

pub use row::Row;

/// The columns of the prompt of a search without the text that is searched for, and the least for that text.
const SEARCH_COLUMNS: usize = "(search '') ".len();
const SEARCHED_COLUMNS_MIN: usize = 4;

/// What the keys that lead to another conversation type.
pub(super) const SWITCH: &str = "/switch";

/// What keys ask the screen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Show the candidates for the word before the cursor, as the peers wrote them.
    Candidates(Vec<String>),
    /// Clear the screen.
    Clear,
    /// Say that the same key once more ends the program.
    ConfirmQuit,
    /// Say that nothing was pasted, because the user declined.
    PasteDeclined,
    /// Say that a paste was too long, and nothing was pasted.
    PasteTooLong,
    /// Give the terminal back to the shell until it wakes us.
    Suspend,
}

/// The line being typed, and everything that its keys work with.
#[derive(Debug, Default)]
pub struct Editor {
    keys: Keys,
    /// Bytes of keys that were not read yet.
    unread: VecDeque<u8>,
    /// When the last of them came.
    keys_at: Option<Instant>,
    line: Line,
    history: History,
    names: Names,
    /// The current prompt.
    prompt: Option<Prompt>,
    /// The line is an answer that we filled in, and no key has changed it.
    is_offered: bool,
    /// The last answer was invalid.
    is_mistaken: bool,
    state: State,
    /// Lines, and perhaps the end, that were typed and not taken yet.
    ready: VecDeque<Typed>,
    /// The bytes of those lines, and one more for each line.
    ready_bytes: usize,
    is_interrupted: bool,
    /// The user was told that the interrupt key ends the program, and has pressed no key since.
    is_quit_announced: bool,
    /// The key before this one said whether to paste.
    is_paste_settled: bool,
    /// The menu was reached, and the program does not end yet.
    is_chatting: bool,
    wishes: VecDeque<Wish>,
    /// Where the visible part of the line began on the row drawn last.
    start: usize,
    /// How many columns that row had.
    columns: usize,
}

/// What keys mean.
#[derive(Debug, Default)]
enum State {
    #[default]
    Editing,
    /// A paste is coming in; `None` if it exceeded its limit. It may be for a search.
    Pasting(Option<String>, Option<Search>),
    /// A paste of several lines waits for a yes.
    Asking(String),
    /// The history is being searched.
    Searching(Search),
}

#[derive(Debug, Default)]
struct Search {
    part: String,
    /// Only answers before this index are searched.
    until: usize,
    found: Option<(usize, String)>,
}

impl Editor {
    /// Takes keys as the terminal sends them. [`Editor::poll_typed`] interprets them.
    pub fn handle_keys(&mut self, bytes: &[u8], now: Instant) {
        // If the end of a paste was lost, every key would count as pasted. A Ctrl-C that comes alone was really
        // pressed.
        if bytes == b"\x03" && self.unread.is_empty() && matches!(self.state, State::Pasting(..)) {
            self.keys = Keys::default();
            self.state = State::Editing;
            return;
        }
        let last = self.keys_at.replace(now).unwrap_or(now);
        if self.unread.is_empty() {
            self.keys.rest(now.saturating_duration_since(last));
        }
        self.unread.extend(bytes);
    }

    /// Whether there is room for more keys.
    pub fn wants_keys(&self) -> bool {
        self.ready_bytes + self.unread.len() < TYPED_AHEAD_BYTES_MAX
    }

    /// Learns from a notice that is shown: the prompt, and the names for completion.
    pub fn learn(&mut self, notice: &Notice) {
        match notice {
            Notice::Prompt(prompt) => {
                self.is_chatting = !matches!(prompt, Prompt::Name | Prompt::Port);
                self.prompt = Some(prompt.clone());
                self.offer();
            }
            Notice::Mistake(_) => self.is_mistaken = true,
            Notice::Exiting => {
                self.prompt = None;
                self.is_chatting = false;
            }
            notice => self.names.learn(notice),
        }
    }

    /// Keeps what was typed in an earlier run: kinds of prompts with their answers, the oldest first.
    pub fn recall(&mut self, answers: impl IntoIterator<Item = (String, String)>) {
        self.history.recall(answers);
    }

    /// The answers that were added since the last call, with the kinds of their prompts.
    pub fn take_answers(&mut self) -> impl Iterator<Item = (&str, &str)> {
        self.history.take_new()
    }

    /// Adds names for completion, the most important first.
    pub fn know(&mut self, peers: &[Who]) {
        self.names.know(peers);
    }

    /// Takes the prompt that is answered now.
    pub fn take_prompt(&mut self) -> Option<Prompt> {
        self.prompt.take()
    }

    /// What was typed; lines and the end only if a line is wanted. Call it until it returns `None`.
    pub fn poll_typed(&mut self, wants_line: bool) -> Option<Typed> {
        self.read_keys(wants_line);
        if mem::take(&mut self.is_interrupted) {
            return Some(Typed::Interrupt);
        }
        let typed = if wants_line { self.ready.pop_front() } else { None }?;
        if let Typed::Line(line) = &typed {
            self.ready_bytes -= line.len() + 1;
            if !line.starts_with(SWITCH) {
                self.history.add(self.asked(), line);
            }
        }
        Some(typed)
    }

    /// Whether [`Editor::poll_typed`] has something to do.
    pub fn has_typed(&self, wants_line: bool) -> bool {
        self.is_interrupted || !self.unread.is_empty() || wants_line && !self.ready.is_empty()
    }

    /// The next thing that keys ask the screen to do.
    pub fn poll_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// What to draw on a terminal of so many columns.
    pub fn row(&mut self, columns: usize) -> Row {
        if mem::replace(&mut self.columns, columns) != columns {
            self.start = 0;
        }
        let mut is_to_all = false;
        let (ask, text, cursor) = match &self.state {
            State::Editing | State::Pasting(_, None) => {
                is_to_all = self.prompt.as_ref().is_some_and(Prompt::is_to_all);
                let ask = self.prompt.as_ref().map(prompt_texts).unwrap_or_default();
                (ask, self.line.text(), self.line.cursor())
            }
            State::Asking(paste) => {
                is_to_all = self.prompt.as_ref().is_some_and(Prompt::is_to_all);
                (self.paste_question(paste.lines().count()), "", 0)
            }
            State::Searching(search) | State::Pasting(_, Some(search)) => {
                let text = search.found.as_ref().map_or("", |(_, text)| text.as_str());
                let cursor = text.find(&search.part).unwrap_or(0);
                let part = Clean(&search.part).to_string();
                let end = row::keep_end(
                    &part,
                    (columns / 2).saturating_sub(SEARCH_COLUMNS).max(SEARCHED_COLUMNS_MIN),
                );
                let ask = [part, end].map(|part| format!("(search '{part}') ").into());
                (ask.to_vec(), text, cursor)
            }
        };
        row::lay_out(&ask, is_to_all, text, cursor, columns, &mut self.start)
    }

    /// The whole row, however long, as it stays on the screen after the program has stopped.
    pub fn whole_row(&self) -> (Cow<'static, str>, &str) {
        (self.prompt_text(), self.line.text())
    }

    fn prompt_text(&self) -> Cow<'static, str> {
        self.prompt.as_ref().map(prompt_text).unwrap_or_default()
    }

    /// The kind of the current prompt.
    fn asked(&self) -> &'static str {
        self.prompt.as_ref().map_or("", Prompt::kind)
    }

    /// Fills in the peer of the last private text. Nothing is filled in if something is typed already, or after an
    /// invalid answer, because then Enter leads back to the menu.
    fn offer(&mut self) {
        self.withdraw_offer();
        let is_mistaken = mem::take(&mut self.is_mistaken);
        if let Some(Prompt::Recipient(Some(last))) = self.prompt
            && !is_mistaken
            && self.line.is_empty()
            && self.ready.is_empty()
        {
            self.line.replace(&last.to_string());
            self.is_offered = true;
        }
    }

    /// Typed text replaces what was filled in.
    fn withdraw_offer(&mut self) {
        if mem::take(&mut self.is_offered) {
            self.line.take();
        }
    }

    /// Reads keys only until a line is complete that can be taken at once: it may lead to another prompt, and the
    /// meaning of a key depends on the prompt.
    fn read_keys(&mut self, wants_line: bool) {
        let mut keys = mem::take(&mut self.keys);
        while (!wants_line || self.ready.is_empty())
            && !self.is_interrupted
            && let Some(byte) = self.unread.pop_front()
        {
            keys.feed(byte, |key| self.on_key(key));
        }
        // While a line is edited, an escape waits for what follows it; here it is a key of its own.
        let is_key = matches!(self.state, State::Asking(_) | State::Searching(_));
        if is_key && self.unread.is_empty() && keys.take_escape() {
            self.on_escape();
        }
        self.keys = keys;
    }

    /// The escape key declines a paste, and ends a search with what it found.
    fn on_escape(&mut self) {
        match mem::take(&mut self.state) {
            State::Asking(_) => self.wishes.push_back(Wish::PasteDeclined),
            State::Searching(Search { found: Some((_, text)), .. }) => self.line.replace(&text),
            _ => {}
        }
    }

    fn on_key(&mut self, key: Key) {
        self.is_quit_announced &= key == Key::Ctrl('c');
        // Many answer with a letter and Enter. As an empty line, that Enter would end the conversation.
        if mem::take(&mut self.is_paste_settled) && key == Key::Enter && self.line.is_empty() {
            return;
        }
        self.is_paste_settled =
            matches!((&self.state, key), (State::Asking(_), Key::Char('y' | 'Y' | 'n' | 'N')));
        match &mut self.state {
            State::Editing => self.on_edit(key),
            State::Pasting(..) => self.on_paste(key),
            State::Asking(paste) => match key {
                Key::Char('y' | 'Y') => {
                    let paste = mem::take(paste);
                    self.state = State::Editing;
                    self.type_text(&paste);
                }
                Key::Char('n' | 'N') | Key::Ctrl('c' | 'g') | Key::Alt(_) => self.on_escape(),
                Key::Ctrl('z') => self.wishes.push_back(Wish::Suspend),
                // Another paste is not an answer: the user is asked about both as one.
                Key::PasteStart => self.state = State::Pasting(Some(mem::take(paste)), None),
                _ => {}
            },
            State::Searching(_) => self.on_search(key),
        }
    }

    fn on_edit(&mut self, key: Key) {
        use Far::{Blank, Character, Line as All, Word};
        use Way::{Back, On};
        match key {
            Key::Char(_) => self.withdraw_offer(),
            Key::PasteStart | Key::Ctrl('l' | 'z') => {}
            // From now on it is edited like any text.
            _ => self.is_offered = false,
        }
        if let Some(to) = self.switch_of(key) {
            self.line.replace(&format!("{SWITCH} {to}"));
            return self.enter();
        }
        let line = &mut self.line;
        match key {
            Key::Char(c) => line.insert(c.encode_utf8(&mut [0; 4])),
            Key::Enter => self.enter(),
            Key::Left | Key::Ctrl('b') => line.go(Back, Character),
            Key::Right | Key::Ctrl('f') => line.go(On, Character),
            Key::Home | Key::Ctrl('a') => line.go(Back, All),
            Key::End | Key::Ctrl('e') => line.go(On, All),
            Key::Alt('b' | 'B') => line.go(Back, Word),
            Key::Alt('f' | 'F') => line.go(On, Word),
            Key::Backspace | Key::Ctrl('h') => line.delete(Back),
            Key::Delete => line.delete(On),
            Key::Ctrl('d') if line.is_empty() => self.ready.push_back(Typed::End),
            Key::Ctrl('d') => line.delete(On),
            Key::Ctrl('k') => line.kill(On, All),
            Key::Ctrl('u') => line.kill(Back, All),
            Key::Ctrl('w') => line.kill(Back, Blank),
            Key::Alt('\u{7F}') => line.kill(Back, Word),
            Key::Alt('d' | 'D') => line.kill(On, Word),
            Key::Ctrl('y') => line.yank(),
            Key::Up | Key::Ctrl('p') => self.recall_older(),
            Key::Down | Key::Ctrl('n') => self.recall_newer(),
            Key::Tab => self.complete(),
            Key::Ctrl('c') => self.interrupt(),
            Key::Ctrl('l') => self.wishes.push_back(Wish::Clear),
            Key::Ctrl('r') => {
                self.state = State::Searching(Search { until: usize::MAX, ..Search::default() });
            }
            Key::Ctrl('z') => self.wishes.push_back(Wish::Suspend),
            Key::PasteStart => self.state = State::Pasting(Some(String::new()), None),
            Key::Alt(_) | Key::Ctrl(_) | Key::PasteEnd => {}
        }
    }

    /// Which conversation a key leads to. In a line that is not empty, it means what it means elsewhere.
    fn switch_of(&self, key: Key) -> Option<String> {
        let is_talk = matches!(self.prompt, Some(Prompt::Conversation(_)));
        let may_begin = is_talk || matches!(self.prompt, Some(Prompt::Choice));
        match key {
            _ if !self.line.is_empty() => None,
            Key::Alt(digit @ '1'..='9') if may_begin => Some(digit.to_string()),
            Key::Ctrl('n') if is_talk => Some("next".to_owned()),
            Key::Ctrl('p') if is_talk => Some("previous".to_owned()),
            _ => None,
        }
    }

    fn enter(&mut self) {
        let line = self.line.take();
        self.history.leave();
        self.ready_bytes += line.len() + 1;
        self.ready.push_back(Typed::Line(line));
    }

    /// The first press clears what was typed and not taken. On an empty line it leaves a conversation or a question; at
    /// the menu the second press in a row ends the program. Before the menu, and while the program ends, the first one does.
    fn interrupt(&mut self) {
        self.history.leave();
        let is_empty = self.line.is_empty() && self.ready.is_empty();
        let leads_to_menu = !matches!(self.prompt, None | Some(Prompt::Name | Prompt::Port | Prompt::Choice));
        if is_empty && leads_to_menu {
            return self.enter();
        }
        let is_first = self.is_chatting && !self.is_quit_announced;
        self.is_quit_announced = is_empty && is_first;
        if self.is_quit_announced {
            return self.wishes.push_back(Wish::ConfirmQuit);
        }
        self.is_interrupted = is_empty;
        self.line.take();
        self.ready.clear();
        self.ready_bytes = 0;
    }

    fn recall_older(&mut self) {
        if let Some(text) = self.history.older(self.asked(), self.line.text()) {
            self.line.replace(&text);
        }
    }

    fn recall_newer(&mut self) {
        if let Some(text) = self.history.newer(self.asked()) {
            self.line.replace(&text);
        }
    }

    fn complete(&mut self) {
        let before = &self.line.text()[..self.line.cursor()];
        match complete(self.prompt.as_ref(), before, &self.names) {
            Some(Completed::Before(text)) => self.line.replace_before(&text),
            Some(Completed::Candidates(candidates)) => self.wishes.push_back(Wish::Candidates(candidates)),
            None => {}
        }
    }

    fn on_search(&mut self, key: Key) {
        let State::Searching(search) = &mut self.state else { return };
        match key {
            Key::Char(c) => search.part.push(c),
            Key::Backspace | Key::Ctrl('h') => {
                search.part.pop();
                search.until = usize::MAX;
            }
            Key::Ctrl('r') => {
                // The oldest match stays.
                let until = search.found.as_ref().map_or(usize::MAX, |&(at, _)| at);
                if self.history.find(&search.part, until).is_some() {
                    search.until = until;
                }
            }
            Key::PasteStart => {
                self.state = State::Pasting(Some(String::new()), Some(mem::take(search)));
                return;
            }
            Key::Ctrl('c' | 'g') => return self.state = State::Editing,
            // The draft is hidden by the search, and must not be sent unseen.
            Key::Enter if search.found.is_none() => return self.state = State::Editing,
            // With Alt it means nothing: escape was pressed, and then this key.
            Key::Alt(c) if !WORD_KEYS.contains(&c) => {
                self.on_escape();
                return self.on_edit(Key::Char(c));
            }
            _ => {
                self.on_escape();
                return self.on_edit(key);
            }
        }
        self.search();
    }

    fn search(&mut self) {
        let State::Searching(search) = &mut self.state else { return };
        let is_wanted = !search.part.is_empty();
        let found = self.history.find(&search.part, search.until).filter(|_| is_wanted);
        search.found = found.map(|(at, text)| (at, text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Mistake, Partner};
    use crate::limits::PASTE_BYTES_MAX;
    use crate::limits::{ESCAPE_TIMEOUT, SEQUENCE_TIMEOUT, TYPED_BYTES_MAX};
    use crate::testing::start;
    use std::time::Duration;

    /// An editor with this prompt that knows some peers.
    fn editor(prompt: Prompt) -> Editor {
        let mut editor = Editor::default();
        editor.learn(&Notice::Prompt(prompt));
        for (port, name) in [(1, "anna"), (2, "anton"), (3, "b\x1b[2J"), (4, "berta")] {
            let who = Who::new(([10, 0, 0, 1], port).into(), name.into());
            editor.learn(&Notice::NewPeer(who));
        }
        editor
    }

    impl Editor {
        /// Presses keys while no line is wanted.
        fn press(&mut self, keys: &[u8]) {
            self.press_at(keys, start());
        }

        fn press_at(&mut self, keys: &[u8], now: Instant) {
            self.handle_keys(keys, now);
            self.read_keys(false);
        }
    }

    /// An editor with some history and a draft.
    fn searched() -> Editor {
        let mut editor = editor(Prompt::Text);
        editor.press(b"one\rtwo\rthree\rfour\r");
        typed(&mut editor);
        editor.press(b"draft");
        editor
    }

    /// The row without its prompt; the bar is the cursor.
    fn shown(editor: &mut Editor) -> String {
        let ask = editor.prompt_text();
        let row = editor.row(200);
        format!("{}|{}", row.before.strip_prefix(&*ask).unwrap_or(&row.before), row.after)
    }

    fn typed(editor: &mut Editor) -> Vec<Typed> {
        std::iter::from_fn(|| editor.poll_typed(true)).collect()
    }

    fn lines(editor: &mut Editor) -> Vec<String> {
        let line = |typed| match typed {
            Typed::Line(line) => line,
            other => panic!("{other:?}"),
        };
        typed(editor).into_iter().map(line).collect()
    }

    fn wishes(editor: &mut Editor) -> Vec<Wish> {
        std::iter::from_fn(|| editor.poll_wish()).collect()
    }

    #[test]
    fn an_interrupt_leaves_a_conversation_or_a_question_and_two_end_the_program_elsewhere() {
        let talk = || Prompt::Conversation("P1".into());
        let left = || Some(Typed::Line(String::new()));
        for (prompt, keys, typed, is_announced) in [
            (talk(), "\x03", left(), false),
            (talk(), "a\x03", None, false),
            (Prompt::Choice, "\x03", None, true),
            (Prompt::Choice, "\x03\x03", Some(Typed::Interrupt), true),
            (Prompt::Choice, "a\x03", None, false),
            (Prompt::Choice, "a\x03\x03", None, true),
            (Prompt::Choice, "a\x03\x03\x03", Some(Typed::Interrupt), true),
            (Prompt::Choice, "\x03\x0c\x03", None, true),
            (Prompt::Choice, "\x03a\x7f\x03", None, true),
            (Prompt::Choice, "\x03\x1b[D\x03\x03", Some(Typed::Interrupt), true),
            (Prompt::Text, "a\x03\x03", left(), false),
            (Prompt::TextToAll(2), "\x03", left(), false),
            (Prompt::Recipient(Some(([10, 0, 0, 1], 7).into())), "\x03\x03", left(), false),
            (Prompt::RecipientPort, "\x03", left(), false),
            (Prompt::ConnectTo, "\x03", left(), false),
            (Prompt::Name, "\x03", Some(Typed::Interrupt), false),
            (Prompt::Port, "a\x03\x03", Some(Typed::Interrupt), false),
        ] {
            let mut editor = self::editor(prompt);
            editor.handle_keys(keys.as_bytes(), crate::testing::start());
            assert_eq!(editor.poll_typed(true), typed, "{keys:?}");
            assert_eq!(wishes(&mut editor).contains(&Wish::ConfirmQuit), is_announced, "{keys:?}");
        }
    }

    #[test]
    fn while_an_outcome_is_awaited_the_interrupt_key_asks_and_while_the_program_ends_it_does_not() {
        for (notice, is_asked) in [(None, true), (Some(Notice::Exiting), false)] {
            let mut editor = editor(Prompt::Choice);
            editor.take_prompt();
            notice.iter().for_each(|notice| editor.learn(notice));
            editor.press(b"\x03");
            assert_eq!(editor.poll_typed(false).is_none(), is_asked);
        }
    }

    #[test]
    fn keys_on_an_empty_line_go_to_another_conversation() {
        for (prompt, keys, typed) in [
            (Prompt::Conversation("P1".into()), "\x1b2", Some("/switch 2")),
            (Prompt::Conversation("P1".into()), "\x0e", Some("/switch next")),
            (Prompt::Conversation("P1".into()), "\x10", Some("/switch previous")),
            (Prompt::Choice, "\x1b1", Some("/switch 1")),
            (Prompt::Choice, "\x0e", None),
            (Prompt::Text, "\x1b1", None),
            (Prompt::Conversation("P1".into()), "a\x1b2", None),
        ] {
            let mut editor = self::editor(prompt);
            editor.handle_keys(keys.as_bytes(), crate::testing::start());
            let line = typed.map(|line| Typed::Line(line.to_owned()));
            assert_eq!(editor.poll_typed(true), line, "{keys:?}");
        }
    }

    #[test]
    fn every_key_does_what_it_says() {
        let table = [
            ("one two", "one two|"),
            ("one two\x01", "|one two"),
            ("one two\x01\x05", "one two|"),
            ("one two\x1b[H", "|one two"),
            ("one two\x1b[H\x1b[F", "one two|"),
            ("one\x02\x1b[D", "o|ne"),
            ("one\x01\x06\x1b[C", "on|e"),
            ("one\x7f\x08", "o|"),
            ("one\x01\x04", "|ne"),
            ("one\x01\x1b[3~", "|ne"),
            ("one two\x02\x02\x0b", "one t|"),
            ("one two\x02\x02\x15", "|wo"),
            ("one 10.0.0.5:80\x17", "one |"),
            ("one 10.0.0.5\x1bb", "one 10.0.0.|5"),
            ("one 10.0.0.5\x01\x1bf", "one| 10.0.0.5"),
            ("one two\x01\x1bd", "| two"),
            ("one two\x1b\x7f", "one |"),
            ("one two\x17\x19\x19", "one twotwo|"),
            ("你好\x02!", "你!|好"),
            ("👨\u{200D}👩\u{200D}👧x\x02\x02", "|👨\u{200D}👩\u{200D}👧x"),
            ("e\u{301}\x7f", "e|"),
            ("שלום\x02", "שלו|ם"),
            ("\x1b\x1b[15~\x07\x0f\x1c\x1bq", "|"),
            ("x\tb", "xb|"),
            ("\x1b[200~a\tb\x1b[2J\x1b[201~", "a␉b␛[2J|"),
        ];
        for (keys, row) in table {
            let mut editor = editor(Prompt::Text);
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor), row, "{keys:?}");
            assert!(typed(&mut editor).is_empty() && wishes(&mut editor).is_empty(), "{keys:?}");
        }
    }

    #[test]
    fn enter_makes_a_line_that_waits_until_it_is_wanted() {
        let mut editor = editor(Prompt::Text);
        editor.press(b"one\rtwo\nthr");
        assert_eq!(shown(&mut editor), "thr|");
        assert_eq!(
            (editor.poll_typed(false), editor.has_typed(false), editor.has_typed(true)),
            (None, false, true)
        );
        assert_eq!(lines(&mut editor), ["one", "two"]);
        assert_eq!(editor.ready_bytes, 0);
    }

    #[test]
    fn keys_typed_ahead_apply_to_the_prompt_that_takes_them() {
        let mut editor = editor(Prompt::Choice);
        editor.handle_keys(b"1\rbe\t\rhello\r", start());
        for (line, next) in
            [("1", Prompt::Recipient(None)), ("berta", Prompt::Text), ("hello", Prompt::Choice)]
        {
            assert_eq!(editor.poll_typed(true), Some(Typed::Line(line.to_owned())));
            editor.learn(&Notice::Prompt(next));
        }
        assert_eq!((editor.poll_typed(true), editor.has_typed(true)), (None, false));
        editor.learn(&Notice::Prompt(Prompt::Recipient(None)));
        editor.press(b"\x1b[A");
        assert_eq!(shown(&mut editor), "berta|");
    }

    #[test]
    fn typing_ahead_is_limited() {
        let mut editor = editor(Prompt::Text);
        editor.press(&vec![b'\n'; TYPED_AHEAD_BYTES_MAX - 1]);
        assert!(editor.wants_keys());
        editor.press(b"\n");
        assert!(!editor.wants_keys());
        editor.poll_typed(true);
        assert!(editor.wants_keys());
    }

    #[test]
    fn a_line_that_is_too_long_is_handed_over_too_long() {
        let mut editor = editor(Prompt::Text);
        editor.press(&vec![b'x'; TYPED_BYTES_MAX]);
        editor.press(b"\r");
        editor.press(&vec![b'x'; TYPED_BYTES_MAX + 100]);
        editor.press(b"\r");
        let lengths: Vec<usize> = lines(&mut editor).iter().map(String::len).collect();
        assert_eq!(lengths, [TYPED_BYTES_MAX, TYPED_BYTES_MAX + 1]);
    }

    #[test]
    fn the_interrupt_key_clears_what_is_typed_and_ends_when_nothing_is() {
        for keys in ["text\x03", "text\r\x03", "\x12x\x03", "\x1b[200~1\n2\n3\n4\x1b[201~\x03"] {
            let mut editor = editor(Prompt::Choice);
            editor.press(keys.as_bytes());
            assert_eq!((shown(&mut editor).as_str(), typed(&mut editor)), ("|", vec![]), "{keys:?}");
            editor.press(b"\x03\x03");
            assert_eq!(editor.poll_typed(false), Some(Typed::Interrupt), "{keys:?}");
            assert_eq!(editor.poll_typed(true), None, "{keys:?}");
        }
    }

    #[test]
    fn the_end_key_ends_after_the_lines_before_it_and_only_on_an_empty_line() {
        let mut editor = editor(Prompt::Text);
        editor.press(b"one\r\x04");
        assert_eq!(editor.poll_typed(false), None);
        assert_eq!(typed(&mut editor), [Typed::Line("one".to_owned()), Typed::End]);
        editor.press(b"x\x04");
        assert_eq!(typed(&mut editor), []);
    }

    #[test]
    fn the_arrows_bring_back_what_was_typed() {
        let mut editor = editor(Prompt::Text);
        editor.press(b"one\rtwo\r");
        typed(&mut editor);
        editor.press(b"draft\x1b[A");
        assert_eq!(shown(&mut editor), "two|");
        for (keys, row) in [("\x10\x10", "one|"), ("\x1b[B", "two|"), ("\x0e", "draft|"), ("\x0e", "draft|")]
        {
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor), row, "{keys:?}");
        }
        editor.learn(&Notice::Prompt(Prompt::Choice));
        editor.press(b"\x1b[A");
        assert_eq!(shown(&mut editor), "draft|", "other prompts have other answers");
    }

    #[test]
    fn a_search_finds_as_it_is_typed() {
        let table = [
            ("\x12o", "(search 'o') f|our"),
            ("\x12on", "(search 'on') |one"),
            ("\x12o\x12", "(search 'o') tw|o"),
            ("\x12o\x12\x12\x12\x12", "(search 'o') |one"),
            ("\x12on\x7f", "(search 'o') f|our"),
            ("\x12xyz", "(search 'xyz') |"),
            ("\x12\u{202E}", "(search '\u{FFFD}') |"),
            ("\x12tw\x05!", "two!|"),
            ("\x12tw\x07", "draft|"),
            ("\x12tw\x03", "draft|"),
            ("\x12xyz\x05", "draft|"),
            ("\x12xyz\r", "draft|"),
            ("\x12\r", "draft|"),
        ];
        for (keys, row) in table {
            let mut editor = searched();
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor).trim_start_matches(&*prompt_text(&Prompt::Text)), row, "{keys:?}");
        }
        let mut editor = editor(Prompt::Text);
        editor.handle_keys(b"one\rtwo\r\x12on\r", start());
        assert_eq!(lines(&mut editor), ["one", "two", "one"]);
    }

    #[test]
    fn a_paste_in_a_search_is_searched_for() {
        let table = [
            ("\x12\x1b[200~two\x1b[201~", "(search 'two') |two"),
            ("\x12t\x1b[200~hre\x1b[201~", "(search 'thre') |three"),
            ("\x12\x1b[200~thr", "(search '') |"),
            ("\x12th\x1b[200~r", "(search 'th') |three"),
            ("\x12\x1b[200~\ntwo\r\nthree\n\x1b[201~", "(search 'two') |two"),
            ("\x12\x1b[200~two\n\x1b[201~\x7f\x7f", "(search 't') |three"),
            ("\x12\x1b[200~\n\n\n\n\x1b[201~", "(search '') |"),
            ("\x12\x1b[200~two\x1b[201~\x05!", "two!|"),
        ];
        for (keys, row) in table {
            let mut editor = searched();
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor), row, "{keys:?}");
            assert_eq!((typed(&mut editor), wishes(&mut editor)), (vec![], vec![]), "{keys:?}");
        }
        let mut editor = searched();
        editor.press(b"\x12tw\x1b[200~");
        editor.press(&vec![b'p'; PASTE_BYTES_MAX + 1]);
        editor.press(b"\x1b[201~");
        let row = "(search 'tw') |two".to_owned();
        assert_eq!((shown(&mut editor), wishes(&mut editor)), (row, vec![Wish::PasteTooLong]));
        for keys in ["\x1b[200~x", "\x03"] {
            editor.press(keys.as_bytes());
        }
        assert_eq!(shown(&mut editor), "draft|", "the key by itself ends a paste whose end is missing");
    }

    #[test]
    fn the_escape_key_leaves_a_search_at_once_and_the_next_key_is_typed() {
        let a_moment = ESCAPE_TIMEOUT;
        let table: [(&[&str], &str); 9] = [
            (&["\x12tw", "\x1b"], "two|"),
            (&["\x12tw", "\x1b", "x"], "twox|"),
            (&["\x12tw", "\x1b", "b"], "twob|"),
            (&["\x12tw", "\x1b", "OK [x]"], "twoOK [x]|"),
            (&["\x12tw", "\x1bx"], "twox|"),
            (&["\x12tw", "\x1bb"], "|two"),
            (&["\x12tw", "\x1b[D"], "tw|o"),
            (&["\x12none", "\x1b", "x"], "draftx|"),
            (&["\x12", "\x1b"], "draft|"),
        ];
        for (pieces, row) in table {
            let mut editor = searched();
            let mut now = start();
            for piece in pieces {
                editor.press_at(piece.as_bytes(), now);
                now += a_moment;
            }
            assert_eq!(shown(&mut editor), row, "{pieces:?}");
        }
        // A key whose bytes come in two pieces is still one key.
        let mut editor = searched();
        let now = start();
        for piece in ["\x12tw", "\x1b", "[D", "\x1b", "]0;title\x07"] {
            editor.press_at(piece.as_bytes(), now);
        }
        assert_eq!(shown(&mut editor), "tw|o");
    }

    #[test]
    fn the_escape_key_declines_a_paste_and_the_next_key_is_typed() {
        for pieces in [["\x1b", "x"], ["\x1by", "x"]] {
            let mut editor = editor(Prompt::Text);
            editor.press(b"\x1b[200~1\n2\n3\n4\x1b[201~");
            for (n, piece) in pieces.iter().enumerate() {
                editor.press_at(piece.as_bytes(), start() + ESCAPE_TIMEOUT * n as u32);
            }
            assert_eq!(wishes(&mut editor), [Wish::PasteDeclined], "{pieces:?}");
            assert_eq!((shown(&mut editor).as_str(), typed(&mut editor)), ("x|", vec![]), "{pieces:?}");
        }
    }

    #[test]
    fn replies_of_the_terminal_are_never_typed_in_any_pieces() {
        const REPLIES: &[u8] =
            b"\x1b]11;rgb:0000/0000/0000\x07\x1bP>|xterm(370)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[M !!\x1b[12;40R\x9b?62c";
        type Begin = fn() -> Editor;
        let begins: [Begin; 3] = [Editor::default, || editor(Prompt::Text), searched];
        let slowly = SEQUENCE_TIMEOUT - Duration::from_millis(1);
        for begin in begins {
            for cut in 0..=REPLIES.len() {
                let mut editor = begin();
                let before = shown(&mut editor);
                let now = start();
                editor.press_at(&REPLIES[..cut], now);
                editor.press_at(&REPLIES[cut..], now + slowly);
                assert_eq!(shown(&mut editor), before, "cut at {cut}");
                editor.press(b"x");
                let after = before.replace('|', "x|");
                assert_eq!(shown(&mut editor), after, "cut at {cut}");
                assert_eq!((typed(&mut editor), wishes(&mut editor)), (vec![], vec![]));
            }
        }
        // In a search, an escape by itself is a key.
        let mut editor = searched();
        editor.press(b"\x12tw");
        editor.press(REPLIES);
        assert_eq!(shown(&mut editor), "(search 'tw') |two");
    }

    #[test]
    fn a_key_that_looks_like_a_reply_swallows_typing_for_at_most_a_second() {
        for key in ["\x1b", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1b[", "\x1bO", "\x1b[["] {
            let mut editor = editor(Prompt::Text);
            editor.press(key.as_bytes());
            editor.press_at(b"hello", start() + SEQUENCE_TIMEOUT);
            assert_eq!(shown(&mut editor), "hello|", "{key:?}");
        }
        for (keys, row) in
            [("\x1b]lost\rkept", "kept|"), ("\x1b]lost\x7fkept", "kept|"), ("x\x1b]lost\x1b[Dy", "y|x")]
        {
            let mut editor = editor(Prompt::Text);
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor), row, "any key that types nothing ends it too: {keys:?}");
        }
    }

    #[test]
    fn the_tab_key_completes_peers_where_one_is_asked_for() {
        let table = [
            (Prompt::Recipient(None), "be\t", "berta|"),
            (Prompt::ConnectTo, "BE\t", "berta|"),
            (Prompt::Recipient(None), "a\t", "an|"),
            (Prompt::Recipient(None), "10.0.0.1:4\t", "10.0.0.1:4|"),
            (Prompt::Recipient(None), "1\t", "10.0.0.1:|"),
            (Prompt::Recipient(None), "be netech\x01\x06\x06\t", "berta| netech"),
            (Prompt::Recipient(None), "x\t", "x|"),
            (Prompt::Recipient(None), "berta n\t", "berta n|"),
            (Prompt::Text, "be\t", "berta: |"),
            (Prompt::Choice, "be\t", "be|"),
            (Prompt::Choice, "/ms\tbe\thi", "/msg berta hi|"),
            (Prompt::Choice, "hi\x01/ms\t", "/msg |hi"),
        ];
        for (prompt, keys, row) in table {
            let mut editor = editor(prompt);
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor), row, "{keys:?}");
            assert_eq!(wishes(&mut editor), [], "{keys:?}");
        }
        let mut editor = editor(Prompt::Recipient(None));
        editor.press(b"an\t");
        let both = vec!["anton".to_owned(), "anna".to_owned()];
        assert_eq!((shown(&mut editor).as_str(), wishes(&mut editor)), ("an|", vec![Wish::Candidates(both)]));
    }

    #[test]
    fn the_last_recipient_is_offered_until_a_key_changes_it() {
        let table: [(&str, &str, &[&str]); 13] = [
            ("", "10.0.0.1:7|", &[]),
            ("\r", "|", &["10.0.0.1:7"]),
            ("P", "P|", &[]),
            ("P2\r", "|", &["P2"]),
            ("\x1b[200~P2\x1b[201~", "P2|", &[]),
            ("\x7f8\r", "|", &["10.0.0.1:8"]),
            ("\x1b[D8", "10.0.0.1:8|7", &[]),
            ("\x01x", "x|10.0.0.1:7", &[]),
            ("\x15", "|", &[]),
            ("\x15\r", "|", &[""]),
            ("\x03", "|", &[]),
            ("\x0c", "10.0.0.1:7|", &[]),
            ("\x0cP", "P|", &[]),
        ];
        for (keys, row, answers) in table {
            let mut editor = editor(Prompt::Recipient(Some(([10, 0, 0, 1], 7).into())));
            editor.press(keys.as_bytes());
            assert_eq!(shown(&mut editor), row, "{keys:?}");
            assert_eq!(typed(&mut editor).len(), answers.len(), "{keys:?}");
            let recalled = editor.history.find("", usize::MAX).map(|(_, answer)| answer);
            let last = answers.last().copied().filter(|answer| !answer.is_empty());
            assert_eq!(recalled, last, "{keys:?}");
        }
    }

    #[test]
    fn nothing_is_offered_over_typed_text_or_kept_for_the_next_prompt() {
        let offering = Notice::Prompt(Prompt::Recipient(Some(([10, 0, 0, 1], 7).into())));
        let mut editor = editor(Prompt::Choice);
        editor.press(b"typed ahead");
        editor.learn(&offering);
        assert_eq!(shown(&mut editor), "typed ahead|");
        editor.press(b"\x15");
        editor.learn(&offering);
        assert_eq!(shown(&mut editor), "10.0.0.1:7|");
        editor.learn(&Notice::Prompt(Prompt::Choice));
        assert_eq!(shown(&mut editor), "|");
        editor.learn(&Notice::Mistake(Mistake::BadAddress("bob".to_owned())));
        for row in ["|", "10.0.0.1:7|"] {
            editor.learn(&offering);
            assert_eq!(shown(&mut editor), row, "Enter leads to the menu after a mistake");
        }
    }

    #[test]
    fn pasted_newlines_are_lines_and_many_are_asked_about() {
        let table: [(&str, &[&str], &str); 9] = [
            ("one", &[], "one|"),
            ("one\rtwo\r\nthree", &["one", "two"], "three|"),
            ("one\ntwo\nthree\n", &["one", "two", "three"], "|"),
            ("1\n2\n3\n4\x1b[201~", &[], "Paste 4 lines? (y/n) |"),
            ("1\n2\n3\n4\x1b[201~x\r", &[], "Paste 4 lines? (y/n) |"),
            ("1\n2\n3\n4\x1b[201~n", &[], "|"),
            ("1\n2\n3\n4\x1b[201~\x07", &[], "|"),
            ("1\n2\n3\n4\x1b[201~y", &["1", "2", "3"], "4|"),
            ("1\n2\n3\n4\n\x1b[201~Y", &["1", "2", "3", "4"], "|"),
        ];
        for (paste, expected, row) in table {
            let mut editor = editor(Prompt::Text);
            editor.press(format!("\x1b[200~{paste}\x1b[201~").as_bytes());
            assert_eq!(lines(&mut editor), expected, "{paste:?}");
            assert_eq!(shown(&mut editor), row, "{paste:?}");
            let is_declined = paste.ends_with(['n', '\x07']);
            assert_eq!(wishes(&mut editor), vec![Wish::PasteDeclined; is_declined.into()], "{paste:?}");
        }
        let mut editor = editor(Prompt::Text);
        editor.press(b"\x1b[200~1\n2\n3\n4\x1b[201~\x1b[200~any\nno\x1b[201~");
        assert_eq!((shown(&mut editor).as_str(), lines(&mut editor)), ("Paste 5 lines? (y/n) |", vec![]));
        editor.press(b"y");
        assert_eq!(
            (lines(&mut editor).as_slice(), shown(&mut editor).as_str()),
            (["1", "2", "3", "4any"].map(str::to_owned).as_slice(), "no|")
        );
        let mut editor = self::editor(Prompt::Conversation("P1".into()));
        editor.press(b"\x1b[200~one\n \n0\x1b[201~");
        assert_eq!((lines(&mut editor), shown(&mut editor)), (vec!["one".to_owned()], "0|".to_owned()));
        for (paste, expected, row) in [
            ("/quit\n/* no", &["//quit"][..], "//* no|"),
            ("/quit", &[], "/quit|"),
            ("/quit\n", &["/quit"], "|"),
        ] {
            let mut editor = self::editor(Prompt::Conversation("P1".into()));
            editor.press(format!("\x1b[200~{paste}\x1b[201~").as_bytes());
            assert_eq!(lines(&mut editor), expected);
            assert_eq!(shown(&mut editor), row);
        }
        let mut editor = self::editor(Prompt::Text);
        editor.press(b"say \x02\x1b[200~a\nb\x1b[201~");
        assert_eq!((lines(&mut editor), shown(&mut editor)), (vec!["saya ".to_owned()], "b|".to_owned()));
    }

    #[test]
    fn the_question_about_a_paste_says_to_whom_it_would_go() {
        let to_all = || Partner { peers: Some(3), ..Partner::from("all") };
        for (prompt, columns, asked) in [
            (Prompt::Conversation("P1".into()), 80, "→ P1: Paste 4 lines? (y/n) "),
            (Prompt::Conversation(to_all()), 80, "→ all 3 peers: Paste 4 lines? (y/n) "),
            (Prompt::Conversation(to_all()), 34, "→ all 3: Paste 4 lines? (y/n) "),
            (Prompt::Conversation(to_all()), 24, "Paste 4 lines? (y/n) "),
            (Prompt::TextToAll(3), 80, "Enter your message to all 3 peers: Paste 4 lines? (y/n) "),
            (Prompt::Choice, 80, "Paste 4 lines? (y/n) "),
        ] {
            let is_to_all = prompt.is_to_all();
            let mut editor = editor(prompt);
            editor.press(b"\x1b[200~1\n2\n3\n4\x1b[201~");
            let row = editor.row(columns);
            assert_eq!((row.before.as_str(), row.warning_bytes > 0), (asked, is_to_all), "{columns}");
        }
    }

    #[test]
    fn an_enter_that_belongs_to_the_answer_about_a_paste_is_no_empty_line() {
        for (keys, expected) in [
            ("1\n2\n3\n4\n\x1b[201~y\r", &["1", "2", "3", "4"][..]),
            ("1\n2\n3\n4\x1b[201~y\r", &["1", "2", "3", "4"]),
            ("1\n2\n3\n4\n\x1b[201~n\r", &[]),
            ("1\n2\n3\n4\n\x1b[201~n\r\r", &[""]),
            ("1\n2\n3\n4\n\x1b[201~nx\x7f\r", &[""]),
        ] {
            let mut editor = editor(Prompt::Conversation("P1".into()));
            editor.press(format!("\x1b[200~{keys}").as_bytes());
            assert_eq!(lines(&mut editor), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_paste_that_is_too_long_is_not_taken_at_all() {
        let mut editor = editor(Prompt::Text);
        editor.press(b"x\x1b[200~");
        editor.press(&vec![b'p'; PASTE_BYTES_MAX + 1]);
        editor.press(b"\x1b[201~y");
        assert_eq!((shown(&mut editor).as_str(), wishes(&mut editor)), ("xy|", vec![Wish::PasteTooLong]));
    }

    #[test]
    fn the_interrupt_key_by_itself_ends_a_paste_whose_end_is_missing() {
        let mut editor = editor(Prompt::Text);
        for keys in ["x", "\x1b[200~a\rb\x03", "c\r", "\x03", "y\x1b[A"] {
            editor.press(keys.as_bytes());
        }
        assert_eq!((shown(&mut editor).as_str(), typed(&mut editor)), ("xy|", vec![]));
    }

    #[test]
    fn a_wider_row_shows_more_of_the_line() {
        let mut editor = editor(Prompt::Text);
        editor.press(b"0123456789 0123456789 0123456789 0123456789");
        assert_eq!(editor.row(20).before, "Message: 56789");
        assert_eq!(editor.row(50).before, "Enter your message: 789 0123456789");
    }

    #[test]
    fn a_prompt_is_shortened_only_for_typed_text_and_is_understood_on_40_columns() {
        let address = "255.255.255.255:65535";
        let table = [
            (Prompt::ConnectTo, 80, "", "Enter a number, 'a' for all, or IP:PORT: "),
            (
                Prompt::ConnectTo,
                80,
                address,
                "Enter a number, 'a' for all, or IP:PORT: 255.255.255.255:65535",
            ),
            (Prompt::ConnectTo, 60, address, "Number, 'a' for all, or IP:PORT: 255.255.255.255:65535"),
            (Prompt::ConnectTo, 40, "", "Number, 'a' for all, or IP:PORT: "),
            (Prompt::ConnectTo, 40, "12", "Number, 'a' for all, or IP:PORT: 12"),
            (Prompt::ConnectTo, 40, address, "Connect to: 255.255.255.255:65535"),
            (Prompt::Recipient(None), 80, "", "Enter the recipient's IP address: "),
            (Prompt::Recipient(None), 40, "", "Enter the recipient's IP address: "),
            (Prompt::Recipient(None), 40, address, "Recipient's IP: 255.255.255.255:65535"),
            (Prompt::RecipientPort, 40, "808", "Enter the recipient's port number: 808"),
            (Prompt::RecipientPort, 40, "65535", "Recipient's port: 65535"),
            (Prompt::Text, 40, "0123456789", "Enter your message: 0123456789"),
            (
                Prompt::Conversation("名前名前名前名前名前名前".into()),
                40,
                "0123456789012",
                "→ 名前名前名前名…: 0123456789012",
            ),
            (Prompt::Conversation(address.into()), 40, "", "→ 255.255.255.255:65535: "),
            (Prompt::Choice, 15, "1", "Choice: 1"),
            (Prompt::Choice, 16, "1", "Enter choice: 1"),
            (Prompt::Choice, 10, "", "Choice: "),
        ];
        for (prompt, columns, text, row) in table {
            let mut editor = editor(prompt);
            editor.press(text.as_bytes());
            assert_eq!(editor.row(columns).before, row);
        }
        let mut editor = searched();
        editor.press(b"one two three four five six seven\x12three four five");
        assert_eq!(editor.row(80).before, "(search 'three four five') ");
        assert_eq!(editor.row(40).before, "(search 'three four five') ");
        editor.press(b"\x07\r");
        typed(&mut editor);
        editor.press(b"\x12three four five");
        assert_eq!(editor.row(80).before, "(search 'three four five') draftone two ");
        assert_eq!(editor.row(40).before, "(search '…ur five') draftone two ");
    }

    #[test]
    fn the_screen_is_asked_for_what_only_it_can_do() {
        let mut editor = editor(Prompt::Text);
        editor.press(b"text\x0c\x1a");
        assert_eq!(wishes(&mut editor), [Wish::Clear, Wish::Suspend]);
        assert_eq!(shown(&mut editor), "text|");
    }
}
