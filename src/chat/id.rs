//! The id of a command: what a program gives a command, to tell which events answer it.
//!
//! The program gets it back as it wrote it: a number stays the digits that it was, since a number type of ours might
//! round it.

use crate::limits::COMMAND_ID_BYTES_MAX;
use serde_json::Value;
use serde_json::value::RawValue;
use std::rc::Rc;

/// The id of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandId {
    /// A number, as it was written.
    Number(Rc<str>),
    /// A string.
    Text(Rc<str>),
}

impl CommandId {
    /// An id as it stands in JSON; `None` if it is neither a string nor a number, or too long.
    pub(super) fn of(json: &RawValue) -> Option<Self> {
        let id = match serde_json::from_str(json.get()).ok()? {
            Value::Number(_) => Self::Number(json.get().into()),
            Value::String(text) => Self::Text(text.into()),
            _ => return None,
        };
        let (Self::Number(text) | Self::Text(text)) = &id;
        (text.len() <= COMMAND_ID_BYTES_MAX).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Option<CommandId> {
        CommandId::of(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn an_id_is_a_string_or_a_number_as_it_was_written() {
        for number in ["7", "-0", "1.50", "123456789012345678901234567890", "1E2"] {
            assert_eq!(of(number), Some(CommandId::Number(number.into())));
        }
        assert_eq!(of(r#""a\u0062\"""#), Some(CommandId::Text("ab\"".into())));
        for wrong in ["null", "true", "[7]", "{}", "1e999"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_has_a_limit() {
        let [longest, longer] = [0, 1].map(|more| "1".repeat(COMMAND_ID_BYTES_MAX + more));
        for (json, is_taken) in [
            (longest.clone(), true),
            (longer.clone(), false),
            (format!("\"{longest}\""), true),
            (format!("\"{longer}\""), false),
        ] {
            assert_eq!(of(&json).is_some(), is_taken, "{json}");
        }
    }
}
