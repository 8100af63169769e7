//! The file of typed lines: the kind of prompt, a tab, and the answer, the oldest first.
//!
//! Each line is appended when it is typed, so that a kill loses none. The file is rewritten only if it has become too
//! long, or does not end in a newline. A person may edit it: what an editor adds, such as a byte order mark or two
//! bytes for a newline, is not part of a line.

use super::Faults;
use super::disk::{self, Lock, Unusable};
use chinwag::chat::node::Node;
use chinwag::chat::notice::Kept;
use chinwag::limits::{
    HISTORY_BYTES_MAX, HISTORY_FILE_BYTES_MAX, HISTORY_FILE_LINES_MAX, HISTORY_LINES_MAX, LOCK_RETRY,
    LOCK_TRIES, TYPED_BYTES_MAX,
};
use chinwag::net::event_loop::EventLoop;
use chinwag::term::terminal::Terminal;
use chinwag::term::transcript::Recorded;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Some editors write it before UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// The file, and what must be added to it.
pub(super) struct HistoryFile {
    path: PathBuf,
    answers: Vec<(String, String)>,
    unwritten: String,
    is_too_long: bool,
    faults: Faults,
}

impl HistoryFile {
    /// Reads the file, if there is one.
    pub(super) fn load(path: PathBuf) -> Self {
        let path = disk::follow(&path);
        let mut faults = Faults::new(Kept::History, &path);
        let lines = read(&path).unwrap_or_else(|error| {
            faults.note_unusable(Unusable::Unreadable(error));
            Lines::default()
        });
        Self {
            path,
            answers: lines.answers,
            unwritten: String::new(),
            is_too_long: lines.are_too_many,
            faults,
        }
    }

    /// What was typed before: the kind of prompt, and the answer.
    pub(super) fn answers(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.answers)
    }

    /// Adds what was typed since the last call; returns within what time to call it again.
    pub(super) fn look(&mut self, event_loop: &mut EventLoop<Node, Recorded<Terminal>>) -> Option<Duration> {
        for (kind, answer) in event_loop.screen_mut().screen_mut().editor_mut().take_answers() {
            self.unwritten.push_str(&line(kind, answer));
        }
        let is_over = event_loop.is_over();
        let is_held_up = !self.unwritten.is_empty() && !self.write(if is_over { LOCK_TRIES } else { 1 });
        if is_held_up && is_over {
            self.faults.note_unwritable(&io::ErrorKind::ResourceBusy.into());
        }
        self.faults.tell(event_loop);
        (is_held_up && !is_over).then_some(LOCK_RETRY)
    }

    /// `false` if another program holds the lock.
    fn write(&mut self, tries: usize) -> bool {
        if !self.faults.is_left_alone {
            match disk::locked(&self.path.clone(), tries, |lock| self.add(lock)) {
                Ok(None) => return false,
                Ok(Some(())) => {}
                Err(error) => self.faults.note_unwritable(&error),
            }
        }
        self.unwritten.clear();
        true
    }

    fn add(&mut self, lock: &Lock) -> io::Result<()> {
        let end = disk::read_end(&self.path, 1)?.unwrap_or_default();
        let is_torn = !matches!(end[..], [] | [b'\n']);
        if !is_torn && !self.is_too_long {
            return disk::append(lock, &self.path, self.unwritten.as_bytes());
        }
        let kept = newest(&read(&self.path)?.answers);
        disk::replace(lock, &self.path, (kept + &self.unwritten).as_bytes())?;
        self.is_too_long = false;
        Ok(())
    }
}

#[derive(Default)]
struct Lines {
    answers: Vec<(String, String)>,
    are_too_many: bool,
}

/// The lines of the file.
fn read(path: &Path) -> io::Result<Lines> {
    let bytes = disk::read_end(path, HISTORY_FILE_BYTES_MAX)?.unwrap_or_default();
    let is_cut = bytes.len() == HISTORY_FILE_BYTES_MAX;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    // The first line is complete only if nothing was cut off before it.
    let lines = text.split_inclusive('\n').skip(usize::from(is_cut));
    let answers: Vec<_> = lines.filter_map(parse).collect();
    Ok(Lines { are_too_many: is_cut || answers.len() > HISTORY_FILE_LINES_MAX, answers })
}

/// The kind of prompt and the answer in a line, if it could have been typed.
fn parse(line: &str) -> Option<(String, String)> {
    // The last line may have been cut off, even within a character.
    let is_torn = !line.ends_with('\n') && line.ends_with(char::REPLACEMENT_CHARACTER);
    let (kind, answer) = line.trim_end_matches(['\r', '\n']).split_once('\t')?;
    // A line that is too long is kept with one byte more than allowed.
    let is_typed = !is_torn && answer.len() <= TYPED_BYTES_MAX + 1;
    is_typed.then(|| (kind.to_owned(), cleaned(answer)))
}

/// The newest lines, as many as can be recalled.
fn newest(answers: &[(String, String)]) -> String {
    let mut bytes = 0;
    let is_kept = |(_, answer): &&(String, String)| {
        bytes += answer.len();
        bytes <= HISTORY_BYTES_MAX
    };
    let kept = answers.iter().rev().take(HISTORY_LINES_MAX).take_while(is_kept).count();
    answers[answers.len() - kept..].iter().map(|(kind, answer)| line(kind, answer)).collect()
}

/// A line of the file.
fn line(kind: &str, answer: &str) -> String {
    format!("{kind}\t{}\n", cleaned(answer))
}

/// A control character, such as a pasted tab, becomes a space.
fn cleaned(answer: &str) -> String {
    answer.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn place() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        let path = home.path().join("state/history");
        (home, path)
    }

    fn add_all(path: &Path, lines: &[(&str, &str)]) {
        for (kind, answer) in lines {
            let mut file = HistoryFile::load(path.to_owned());
            file.unwritten = line(kind, answer);
            assert!(file.write(1) && file.faults.untold.is_empty());
        }
    }

    fn answers(path: &Path) -> Vec<(String, String)> {
        HistoryFile::load(path.to_owned()).answers()
    }

    #[test]
    fn lines_come_back_with_their_questions_and_without_control_characters() {
        let (_home, path) = place();
        assert!(answers(&path).is_empty());
        add_all(&path, &[("choice", "1"), ("text", "a\tb\x1b[2J"), ("text", " 你好 ")]);
        let expected = [("choice", "1"), ("text", "a b [2J"), ("text", " 你好 ")];
        let read = answers(&path);
        assert!(read.iter().map(|(kind, answer)| (kind.as_str(), answer.as_str())).eq(expected), "{read:?}");
    }

    #[test]
    fn what_an_editor_adds_to_the_file_is_not_part_of_a_line() {
        type Answers = &'static [(&'static str, &'static str)];
        let table: [(&[u8], Answers); 9] = [
            (b"text\tone\r\nchoice\t1\r\n", &[("text", "one"), ("choice", "1")]),
            (b"text\tone\r\r\n", &[("text", "one")]),
            (b"text\tone\ntext\tby hand", &[("text", "one"), ("text", "by hand")]),
            (b"text\tone\r\ntext\tby hand\r", &[("text", "one"), ("text", "by hand")]),
            (b"\xef\xbb\xbftext\tone\n", &[("text", "one")]),
            (b"text\ta\0b\x1b[2J\tc\rd\n", &[("text", "a b [2J c d")]),
            (b"text\ta\xffb\n", &[("text", "a\u{FFFD}b")]),
            (b"# a remark\n\n\ttext\n", &[("", "text")]),
            (b"", &[]),
        ];
        for (bytes, expected) in table {
            let (_home, path) = place();
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            for more in [&[][..], &[("text", "more")]] {
                add_all(&path, more);
                let read = answers(&path);
                let expected = expected.iter().chain(more).copied();
                let read = read.iter().map(|(kind, answer)| (kind.as_str(), answer.as_str()));
                assert!(read.eq(expected), "{}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn a_line_that_nobody_could_type_does_not_displace_other_lines() {
        let (_home, path) = place();
        add_all(&path, &[("text", "one"), ("text", &"x".repeat(HISTORY_BYTES_MAX)), ("text", "two")]);
        let longest = "x".repeat(TYPED_BYTES_MAX + 1);
        add_all(&path, &[("text", &longest)]);
        let read: Vec<String> = answers(&path).into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(read, ["one", "two", &longest]);
    }

    #[test]
    fn a_torn_end_spoils_nothing_that_comes_after_it() {
        let (_home, path) = place();
        add_all(&path, &[("text", "one")]);
        for torn in ["te", "text\t\u{4f60}"] {
            let mut bytes = fs::read(&path).unwrap();
            bytes.extend(&torn.as_bytes()[..torn.len() - usize::from(!torn.is_ascii())]);
            fs::write(&path, bytes).unwrap();
            assert!(answers(&path).iter().all(|(_, answer)| ["one", "two"].contains(&answer.as_str())));
            add_all(&path, &[("text", "two")]);
            assert_eq!(answers(&path).last().unwrap().1, "two");
        }
        assert_eq!(answers(&path).len(), 3);
    }

    #[test]
    fn a_file_of_twice_the_lines_or_bytes_is_cut_to_the_newest() {
        for (count, length, kept) in
            [(HISTORY_FILE_LINES_MAX + 1, 1, HISTORY_LINES_MAX), (80, HISTORY_FILE_BYTES_MAX / 60, 29)]
        {
            let (_home, path) = place();
            add_all(&path, &[("text", "first")]);
            let lines: String =
                (0..count).map(|n| line("text", &format!("{n} {}", "x".repeat(length)))).collect();
            fs::write(&path, lines).unwrap();
            add_all(&path, &[("text", "last")]);
            let read = answers(&path);
            assert_eq!((read.len(), read[kept].1.as_str()), (kept + 1, "last"));
            assert!(read[kept - 1].1.starts_with(&format!("{} ", count - 1)));
        }
    }
}
