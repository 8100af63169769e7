//! The JSON Schema of events and commands, made from two tables: that of events is here, that of commands is
//! [`COMMANDS`].
//!
//! A field or an event that is not in it may come with a later version, so events may have more fields than here.
//! Commands may not: a misspelt field is an error.

use super::diagnosis::{OUTCOMES, REACHES, STAGES};
use super::json::SCHEMA;
use super::later;
use super::reasons::{
    FAILURE_REASONS, FILE_REASONS, JSON_REASONS, LISTEN_REASONS, MISTAKE_REASONS, RECALL_REASONS,
    RECORD_REASONS,
};
use crate::chat::command::{COMMAND, COMMANDS, Command, Field, ID, Kind};
use crate::chat::notice::Standing;
use crate::limits::{COMMAND_ID_BYTES_MAX, RECALLED_MAX, TYPED_BYTES_MAX};
use crate::proto::machine::CloseReason;
use crate::proto::message::Dialect;
use serde_json::{Map, Value, json};

/// What a field of an event holds.
#[derive(Clone, Copy)]
enum Holds {
    /// `IP:PORT`.
    Address,
    Addresses,
    Count,
    AddressOrNull,
    /// A count for each reason for which connections end.
    CountOfEach,
    CountOrNull,
    Flag,
    /// Rows with these fields.
    Rows(&'static [Entry]),
    Text,
    TextOrNull,
    Texts,
    /// One of these words.
    Word(&'static [&'static [&'static str]]),
}

/// A field: its name, with a question mark behind it if it may be missing.
type Entry = (&'static str, Holds);

use Holds::{
    Address, AddressOrNull, Addresses, Count, CountOfEach, CountOrNull, Flag, Rows, Text, TextOrNull, Texts,
    Word,
};

const PEER: &[Entry] = &[("address", Address), ("name", Text), ("standing", STANDING)];

const ROW: &[Entry] = &[
    ("number", Count),
    ("address", Address),
    ("name", Text),
    ("standing", STANDING),
    ("connected", Flag),
    ("heard_seconds_ago", CountOrNull),
];

const KNOWN_ROW: &[Entry] = &[
    ("number", Count),
    ("address", Address),
    ("name", Text),
    ("standing", STANDING),
    ("own_name", TextOrNull),
    ("blocked", Flag),
    ("heard_seconds_ago", CountOrNull),
];

const NEARBY_ROW: &[Entry] = &[
    ("number?", Count),
    ("address", Address),
    ("name", Text),
    ("standing", STANDING),
    ("key", TextOrNull),
    ("key_known", Flag),
];
const PAST_ROW: &[Entry] = &[
    ("time", Text),
    ("own", Flag),
    ("address", AddressOrNull),
    ("name", Text),
    ("text", Text),
    ("to_all", Flag),
];

const STANDING: Holds = Word(&[Standing::WORDS]);
const FAILURES: Holds = Word(&[CloseReason::WORDS, FAILURE_REASONS]);

/// Each event and its fields, apart from those that all have.
const EVENTS: &[(&str, &[Entry])] = &[
    ("accepted", PEER),
    ("aliased", &[("address", Address), ("name", Text), ("alias", TextOrNull)]),
    ("already-connected", PEER),
    ("away", &[("text", TextOrNull)]),
    ("bad-claim", &[("claimed", Address), ("to", Address), ("sentence", Text)]),
    ("blocked", PEER),
    ("connect-list", &[("peers", Rows(ROW))]),
    ("connect-sent", PEER),
    ("connected", PEER),
    ("delivered", &[("to", Address), ("count", Count)]),
    (
        "diagnosed",
        &[
            ("address", Address),
            ("name", Text),
            ("standing", STANDING),
            ("stage", Word(&[STAGES])),
            ("outcome", Word(&[OUTCOMES, CloseReason::WORDS])),
            ("micros", Count),
            ("sentence", Text),
            ("port?", Count),
            ("addresses?", Addresses),
            ("from?", Text),
            ("interface?", Text),
            ("connections?", Count),
            ("connections_max?", Count),
            ("dialect?", Text),
            ("said?", Text),
            ("round_trip_micros?", Count),
        ],
    ),
    ("diagnosing", PEER),
    ("dialect-set", &[("address", Address), ("name", Text), ("dialect", Text)]),
    ("disconnected", PEER),
    (
        "error",
        &[
            ("reason", Word(&[MISTAKE_REASONS, JSON_REASONS])),
            ("sentence", Text),
            ("column?", Count),
            ("peers?", Rows(ROW)),
        ],
    ),
    ("exit-sent", &[("to", Address)]),
    ("exiting", &[]),
    ("file-fault", &[("path", Text), ("reason", Word(&[FILE_REASONS])), ("sentence", Text)]),
    ("folded", &[("address", Address), ("name", Text), ("standing", STANDING), ("lines", Count)]),
    (
        "held",
        &[(
            "texts",
            Rows(&[
                ("address", Address),
                ("name", Text),
                ("standing", STANDING),
                ("text", Text),
                ("state", Word(&[later::STATES])),
                ("held_seconds", Count),
            ]),
        )],
    ),
    ("help", &[("commands", Rows(&[("command", Text), ("arguments", Text), ("does", Text)]))]),
    ("history", &[("messages", Rows(PAST_ROW)), ("older", Count), ("partial", Flag)]),
    ("key-forgotten", PEER),
    (
        "later",
        &[
            ("address", Address),
            ("name", Text),
            ("standing", STANDING),
            ("texts", Texts),
            ("outcome", Word(&[later::OUTCOMES])),
            ("sentence", Text),
        ],
    ),
    ("listen-failed", &[("port", Count), ("reason", Word(&[LISTEN_REASONS])), ("sentence", Text)]),
    ("listening", &[("port", Count), ("name", Text), ("addresses", Addresses)]),
    (
        "lost",
        &[
            ("address", Address),
            ("name", Text),
            ("standing", STANDING),
            ("reason", Word(&[CloseReason::WORDS])),
            ("sentence", Text),
        ],
    ),
    ("me", &[("port", Count), ("name", Text), ("addresses", Addresses), ("key", TextOrNull)]),
    (
        "message",
        &[
            ("address", Address),
            ("name", Text),
            ("standing", STANDING),
            ("text", Text),
            ("to_all", Flag),
            ("confirmed", Flag),
            ("mention", Flag),
        ],
    ),
    ("moved", &[("address", Address), ("name", Text), ("standing", STANDING), ("from", Address)]),
    ("name-changed", &[("name", Text)]),
    ("nearby", &[("peers", Rows(NEARBY_ROW))]),
    ("nearby-peer", NEARBY_ROW),
    ("new-peer", PEER),
    ("no-multicast", &[("reason", Word(&[&["fault", "no-network"]])), ("sentence", Text)]),
    ("nobody-nearby", &[]),
    ("no-history", &[("reason", Word(&[RECALL_REASONS])), ("sentence", Text)]),
    ("not-connected", &[("to", Address), ("reason", FAILURES), ("sentence", Text)]),
    ("not-recorded", &[("reason", Word(&[RECORD_REASONS])), ("sentence", Text)]),
    ("not-sent", &[("to", Address), ("text", Text), ("reason", FAILURES), ("sentence", Text)]),
    ("other-key", &[("address", Address), ("name", Text), ("standing", STANDING), ("sentence", Text)]),
    ("own-key", &[("key", TextOrNull)]),
    ("pinned", &[("address", Address), ("name", Text), ("standing", STANDING), ("key", Text)]),
    (
        "peers",
        &[
            ("active", Rows(ROW)),
            ("contacted", Rows(ROW)),
            ("known?", Rows(KNOWN_ROW)),
            ("nearby?", Rows(NEARBY_ROW)),
        ],
    ),
    ("raw", &[("from", Address), ("text", Text), ("standing?", STANDING)]),
    ("renamed", &[("address", Address), ("name", Text), ("standing", STANDING), ("old_name", Text)]),
    ("sent", &[("to", Address)]),
    ("sent-to-all", &[("peers", Count)]),
    (
        "stats",
        &[
            ("uptime_seconds", Count),
            ("peers", Count),
            ("met", Count),
            ("connected", Count),
            ("sessions", Count),
            ("heard", Count),
            ("sent", Count),
            ("delivered", Count),
            ("taken", Count),
            ("unconfirmed", Count),
            ("not_sent", Count),
            ("queued_bytes", Count),
            ("held_bytes", Count),
            ("held_bytes_max", Count),
            ("waiting_messages", Count),
            ("folded_lines", Count),
            ("raw", Count),
            ("blocked", Count),
            ("connections", Count),
            ("accepted", Count),
            ("dialled", Count),
            ("refused", Count),
            ("dials", Count),
            ("dials_waiting", Count),
            ("ended", CountOfEach),
            ("lag_micros", Count),
            ("lag_worst_micros", Count),
        ],
    ),
    ("still-trying", &[("peers", Count)]),
    ("tally", &[("messages", Count), ("peers", Count)]),
    ("unblocked", PEER),
    (
        "verdict",
        &[
            ("address", Address),
            ("name", Text),
            ("standing", STANDING),
            ("outcome", Word(&[REACHES])),
            ("sentence", Text),
        ],
    ),
    (
        "unconfirmed",
        &[("to", Address), ("text", Text), ("reason", Word(&[CloseReason::WORDS])), ("sentence", Text)],
    ),
    ("verified", PEER),
    (
        "verify",
        &[("address", Address), ("name", Text), ("standing", STANDING), ("key", Text), ("number", Text)],
    ),
    (
        "whois",
        &[
            ("address", Address),
            ("name", Text),
            ("standing", STANDING),
            ("own_name", Text),
            ("dialect", Text),
            ("connected", Flag),
            ("session", Flag),
            ("encrypted", Flag),
            ("confirmed", Flag),
            ("away", Flag),
            ("blocked", Flag),
            ("heard", Count),
            ("heard_seconds_ago", CountOrNull),
            ("sent", Count),
            ("key", TextOrNull),
        ],
    ),
];

/// The schema of a line that is an event or a command.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chinwag: events and commands",
        "description": "A line of stdout of `chinwag --json` is an event, a line of its stdin a command.",
        "oneOf": [refer("event"), refer("command")],
        "$defs": {
            "event": {
                "description": "A later version may have more events, and more fields in them.",
                "oneOf": EVENTS.iter().map(|&(name, fields)| event(name, fields)).collect::<Vec<_>>(),
            },
            "command": { "oneOf": COMMANDS.iter().map(command).collect::<Vec<_>>() },
            "address": { "description": "IP:PORT", "type": "string", "pattern": ":[0-9]+$" },
            "id": {
                "description": "A command may have one; each event that answers the command has the same one.",
                "type": ["string", "number"],
                "maxLength": COMMAND_ID_BYTES_MAX,
            },
        },
    })
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn event(name: &str, fields: &[Entry]) -> Value {
    let mut schema = object(fields);
    schema["title"] = name.into();
    let properties = [
        ("schema", json!({ "const": SCHEMA })),
        ("time", json!({ "type": "string", "pattern": "^[0-9-]{10}T[0-9:.]{12}Z$" })),
        ("event", json!({ "const": name })),
    ];
    for (name, property) in properties {
        schema["properties"][name] = property;
        schema["required"].as_array_mut().into_iter().for_each(|required| required.push(name.into()));
    }
    schema["properties"][ID] = refer("id");
    schema
}

/// An object with these fields.
fn object(fields: &[Entry]) -> Value {
    let is_optional = |name: &&str| name.ends_with('?');
    let required: Vec<&str> =
        fields.iter().map(|&(name, _)| name).filter(|name| !is_optional(name)).collect();
    let property = |&(name, holds): &Entry| (name.trim_end_matches('?').to_owned(), value(holds));
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn value(holds: Holds) -> Value {
    let count = || json!({ "type": "integer", "minimum": 0 });
    match holds {
        Address => refer("address"),
        AddressOrNull => json!({ "oneOf": [refer("address"), { "type": "null" }] }),
        Addresses => json!({ "type": "array", "items": refer("address"), "minItems": 1 }),
        Count => count(),
        CountOfEach => json!({
            "type": "object",
            "propertyNames": { "enum": CloseReason::WORDS },
            "additionalProperties": count(),
        }),
        CountOrNull => json!({ "type": ["integer", "null"], "minimum": 0 }),
        Flag => json!({ "type": "boolean" }),
        Rows(fields) => json!({ "type": "array", "items": object(fields) }),
        Text => json!({ "type": "string" }),
        TextOrNull => json!({ "type": ["string", "null"] }),
        Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Word(lists) => json!({ "enum": lists.concat() }),
    }
}

fn command(command: &Command) -> Value {
    let required = command.fields.iter().filter(|field| !field.is_optional).map(|field| field.name);
    let required: Vec<&str> = [COMMAND].into_iter().chain(required).collect();
    let property = |field: &Field| (field.name.to_owned(), of_command(field.kind));
    let mut properties: Map<String, Value> = command.fields.iter().map(property).collect();
    properties.insert(COMMAND.to_owned(), json!({ "const": command.name }));
    properties.insert(ID.to_owned(), refer("id"));
    json!({
        "title": command.name,
        "description": command.does,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn of_command(kind: Kind) -> Value {
    match kind {
        Kind::Count => json!({ "type": ["integer", "null"], "minimum": 1, "maximum": RECALLED_MAX }),
        Kind::Dialect => json!({ "enum": Dialect::ALL.map(Dialect::name) }),
        Kind::Text => json!({ "type": "string", "maxLength": TYPED_BYTES_MAX }),
        Kind::TextOrNull => json!({
            "type": ["string", "null"],
            "maxLength": TYPED_BYTES_MAX,
            "description": "null for none",
        }),
        Kind::Whom => json!({
            "type": "string",
            "description": "an IP:PORT, a known name, or a number from the last `peers` event",
        }),
        Kind::WhomOrAll => json!({
            "type": "string",
            "description": "an IP:PORT, a known name, a number from the last `peers` event, or `all`",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::command::tests::{examples, wrong};
    use crate::chat::notice::{BadCommand, JsonFault, Mistake, Notice, PeerRow, Who};
    use crate::term::json::line;
    use jsonschema::Validator;
    use std::collections::BTreeSet;

    const GOLDEN: &str = include_str!("events.jsonl");

    fn validator(name: &str) -> Validator {
        let mut schema = schema();
        schema["oneOf"] = json!([refer(name)]);
        jsonschema::draft202012::new(&schema).unwrap()
    }

    fn read(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn the_schema_is_one() {
        jsonschema::draft202012::meta::validate(&schema()).unwrap();
    }

    #[test]
    fn each_event_is_valid_and_none_is_a_command() {
        let (events, commands) = (validator("event"), validator("command"));
        for line in GOLDEN.lines() {
            if let Err(error) = events.validate(&read(line)) {
                panic!("{line}: {error}");
            }
            assert!(!commands.is_valid(&read(line)), "{line}");
        }
    }

    #[test]
    fn an_error_with_all_its_fields_is_valid() {
        let who = Who::new(([127, 0, 0, 1], 8080).into(), "P1".into());
        let row = PeerRow { number: 1, who, connected: false, heard_ago: None };
        let mistakes = [
            Mistake::AmbiguousName { name: "P1".to_owned(), peers: vec![row] },
            BadCommand::Malformed { fault: JsonFault::TooDeep, column: 7 }.into(),
        ];
        for mistake in mistakes {
            let line = line(&Notice::Mistake(mistake), std::time::UNIX_EPOCH).unwrap();
            assert!(validator("event").is_valid(&read(&line)), "{line}");
        }
    }

    #[test]
    fn each_stage_of_a_diagnosis_with_all_its_fields_is_valid() {
        let who = Who::new(([127, 0, 0, 1], 8080).into(), "P1".into());
        for finding in crate::term::diagnosis::tests::findings() {
            let notice = Notice::Diagnosed {
                who: who.clone(),
                finding: Box::new(finding),
                took: std::time::Duration::from_millis(1),
            };
            let line = line(&notice, std::time::UNIX_EPOCH).unwrap();
            if let Err(error) = validator("event").validate(&read(&line)) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn the_table_has_the_events_and_fields_that_there_are_and_no_others() {
        let written: BTreeSet<String> = GOLDEN.lines().map(|line| read(line)["event"].to_string()).collect();
        let listed: BTreeSet<String> =
            EVENTS.iter().map(|(name, _)| Value::from(*name).to_string()).collect();
        assert_eq!(written, listed);
        let shapes = schema()["$defs"]["event"]["oneOf"].clone();
        for line in GOLDEN.lines() {
            let event = read(line);
            let is_of = |shape: &&Value| shape["title"] == event["event"];
            let shape = shapes.as_array().unwrap().iter().find(is_of).unwrap();
            for field in event.as_object().unwrap().keys() {
                assert!(shape["properties"].get(field).is_some(), "{field} is missing: {line}");
            }
        }
    }

    fn is_optional(event: Option<&str>, field: &str) -> bool {
        ["id", "known", "nearby"].contains(&field)
            || (event != Some("verify") && field == "number")
            || (event == Some("raw") && field == "standing")
    }

    #[test]
    fn an_event_without_one_of_its_fields_or_with_a_wrong_one_is_not_valid() {
        let events = validator("event");
        for line in GOLDEN.lines() {
            let event = read(line);
            let fields: Vec<String> = event.as_object().unwrap().keys().cloned().collect();
            for field in fields.iter().filter(|field| !is_optional(event["event"].as_str(), field)) {
                let mut other = event.clone();
                other.as_object_mut().unwrap().remove(field);
                assert!(!events.is_valid(&other), "{other}");
                other[field] = json!([{}]);
                assert!(!events.is_valid(&other), "{other}");
            }
        }
    }

    #[test]
    fn each_command_is_valid_and_a_misshapen_one_is_not() {
        let commands = validator("command");
        for (line, _) in examples() {
            if let Err(error) = commands.validate(&read(line)) {
                panic!("{line}: {error}");
            }
        }
        let is_misshapen = |mistake: &Mistake| {
            use BadCommand::{Missing, NoCommand, Unknown, UnknownField};
            matches!(
                mistake,
                Mistake::BadCommand(Missing { .. } | NoCommand | Unknown(_) | UnknownField { .. })
                    | Mistake::BadCount(_)
                    | Mistake::BadDialect(_)
            )
        };
        for (line, _) in wrong().into_iter().filter(|(_, mistake)| is_misshapen(mistake)) {
            assert!(!commands.is_valid(&read(line)), "{line}");
        }
        for id in [json!(null), json!([]), json!("x".repeat(COMMAND_ID_BYTES_MAX + 1))] {
            assert!(!commands.is_valid(&json!({ "command": "peers", "id": id })), "{id}");
        }
    }

    #[test]
    fn each_command_of_the_documentation_is_valid() {
        let page = include_str!("../../docs/scripting.md");
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("{\"")).collect();
        let either = jsonschema::draft202012::new(&schema()).unwrap();
        assert!(lines.len() > 3 && lines.iter().all(|line| either.is_valid(&read(line))));
    }
}
