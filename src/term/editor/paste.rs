//! Pasted text: several lines are asked about, and none of them is a command.

use super::keys::Key;
use super::{Editor, State, Wish};
use crate::chat::notice::Prompt;
use crate::limits::{PASTE_BYTES_MAX, PASTED_LINES_UNASKED};
use crate::term::prompts::prompt_texts;
use std::borrow::Cow;

impl Editor {
    /// Whether to paste so many lines, and to whom they would go.
    pub(super) fn paste_question(&self, lines: usize) -> Vec<Cow<'static, str>> {
        let question = format!("Paste {lines} lines? (y/n) ");
        let is_text = |prompt: &&Prompt| {
            matches!(prompt, Prompt::Conversation(_) | Prompt::Text | Prompt::TextToAll(_))
        };
        let prompts = self.prompt.as_ref().filter(is_text).map(prompt_texts).unwrap_or_default();
        let questions = prompts.iter().map(|prompt| format!("{prompt}{question}").into());
        questions.chain([question.clone().into()]).collect()
    }

    pub(super) fn on_paste(&mut self, key: Key) {
        let State::Pasting(paste, search) = &mut self.state else { return };
        match (key, paste) {
            (Key::Char(c), Some(paste)) if paste.len() < PASTE_BYTES_MAX => paste.push(c),
            (Key::PasteEnd, paste) => {
                let (paste, search) = (paste.take(), search.take());
                self.state = search.map_or(State::Editing, State::Searching);
                self.pasted(paste);
            }
            (_, paste) => *paste = None,
        }
    }

    fn pasted(&mut self, paste: Option<String>) {
        let Some(paste) = paste else { return self.wishes.push_back(Wish::PasteTooLong) };
        if let State::Searching(search) = &mut self.state {
            // A typed line never has more than one.
            search.part.push_str(paste.split(['\n', '\r']).find(|line| !line.is_empty()).unwrap_or_default());
            return self.search();
        }
        // Terminals send a pasted newline as the Enter key.
        let paste = paste.replace("\r\n", "\n").replace('\r', "\n");
        if paste.lines().count() > PASTED_LINES_UNASKED {
            self.state = State::Asking(paste);
        } else {
            self.type_text(&paste);
        }
    }

    pub(super) fn type_text(&mut self, text: &str) {
        self.withdraw_offer();
        // An empty line would end the conversation, and the lines after it would count as menu choices.
        let is_talk = matches!(self.prompt, Some(Prompt::Conversation(_)));
        // And in a conversation, none of several pasted lines is meant as a command, even if it begins with a slash.
        let is_text = is_talk && text.lines().count() > 1;
        let mut lines = text.split('\n');
        self.insert_pasted(lines.next().unwrap_or_default(), is_text);
        for line in lines {
            if is_talk && self.line.text().trim().is_empty() {
                self.line.take();
            } else {
                self.enter();
            }
            self.insert_pasted(line, is_text);
        }
    }

    fn insert_pasted(&mut self, line: &str, is_text: bool) {
        if is_text && self.line.is_empty() && line.starts_with('/') {
            self.line.insert("/");
        }
        self.line.insert(line);
    }
}
