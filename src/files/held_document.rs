//! The text of the file of held texts: reads the valid parts, and changes them.
//!
//! Invalid parts, comments and fields that we do not know stay as they are. Only a file that is not TOML at all, or whose
//! list is none, is renamed.

use super::document::{address_of, is_behind_gone_interface, set, start, text, time_of};
use chinwag::chat::held::HeldId;
use chinwag::proto::scope::Scopes;
use chinwag::proto::secure::Key;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use toml_edit::{ArrayOfTables, Document as Parsed, DocumentMut, Item, Table, Value};

const HEADING: &str = "\
# Texts that chinwag sends as soon as their peers are back, for you to read. To forget one, take its entry out.
# A text has: id, address, text, perhaps key, held_at; and since it was last about to be sent: sent_at, perhaps sent_by, a process.

";

/// The key of the list.
const TEXTS: &str = "text";

/// All texts of the file, by their ids.
pub(super) type Records = BTreeMap<HeldId, Record>;

/// A text of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) to: SocketAddr,
    pub(super) text: String,
    /// The key of the peer that it is for, if that is known.
    pub(super) key: Option<Key>,
    pub(super) held_at: Timestamp,
    /// When a program was last about to send it; what came of it is not known.
    pub(super) sent: Option<Sent>,
}

/// A program was about to send a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Timestamp,
    /// Its process; `None` if it has ended or knows no more than we do.
    pub(super) by: Option<u32>,
}

/// A file as it was read.
pub(super) struct Document {
    /// Kept apart from the rest, so that it belongs to no entry.
    heading: &'static str,
    toml: DocumentMut,
    records: Records,
    /// Their ids as they follow each other: many texts may have the same second.
    order: Vec<HeldId>,
    odd: Vec<String>,
    scopes: Scopes,
}

impl Document {
    /// For a file that does not exist yet.
    pub(super) fn new(scopes: &Scopes) -> Self {
        let (toml, records) = (DocumentMut::new(), Records::new());
        Self { heading: HEADING, toml, records, order: Vec::new(), odd: Vec::new(), scopes: scopes.clone() }
    }

    /// Reads a file. Fails with the reason if it cannot be understood at all. A time in the future counts as `now`.
    pub(super) fn parse(text: &str, now: Timestamp, scopes: &Scopes) -> Result<Self, String> {
        let (heading, body) = text.strip_prefix(HEADING).map_or(("", text), |body| (HEADING, body));
        let line = |at: usize| 1 + text[..text.floor_char_boundary(heading.len() + at)].matches('\n').count();
        let parsed = Parsed::parse(body).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default();
            format!("line {}: {message}", line(error.span().map_or(0, |span| span.start)))
        })?;
        let (mut records, mut order, mut odd) = (Records::new(), Vec::new(), Vec::new());
        if let Some(list) = parsed.get(TEXTS) {
            let no_list = || format!("line {}: '{TEXTS}' must be a list of tables", line(start(list.span())));
            for table in list.as_array_of_tables().ok_or_else(no_list)? {
                match record_of(table, now, scopes) {
                    Ok((id, record)) => {
                        order.extend((!records.contains_key(&id)).then_some(id));
                        records.entry(id).or_insert(record);
                    }
                    // The interface may come back.
                    Err(_) if is_behind_gone_interface(table) => {}
                    Err(why) => odd.push(format!("line {}: {why}", line(start(table.span())))),
                }
            }
        }
        Ok(Self { heading, toml: parsed.into_mut(), records, order, odd, scopes: scopes.clone() })
    }

    /// The valid entries.
    pub(super) fn records(&self) -> &Records {
        &self.records
    }

    /// The ids of the valid entries as they follow each other in the file.
    pub(super) fn order(&self) -> &[HeldId] {
        &self.order
    }

    /// What is wrong with the invalid parts, each with its line.
    pub(super) fn odd(&self) -> &[String] {
        &self.odd
    }

    /// Changes the text so that it has exactly these records, besides its invalid parts. New ones come last, in this order.
    pub(super) fn change(&mut self, wanted: &Records, order: &[HeldId]) {
        let list = self.toml.entry(TEXTS).or_insert_with(|| ArrayOfTables::new().into());
        let Some(tables) = list.as_array_of_tables_mut() else { return };
        let mut unseen = self.records.clone();
        tables.retain(|table| match id_of(table) {
            // Of two entries with the same id, the first one was read.
            Some(id) => unseen.remove(&id).is_none() || wanted.contains_key(&id),
            None => true,
        });
        for table in tables.iter_mut() {
            let Some(id) = id_of(table) else { continue };
            let Some(record) = wanted.get(&id) else { continue };
            note_sent(table, record.sent);
            let was = self.records.get(&id).map(|was| was.to).filter(|was| *was != record.to);
            if was.is_some() && address_of(table, &self.scopes) == was {
                set(table, "address", self.scopes.show(record.to).to_string().into(), false);
            }
        }
        self.order.retain(|id| wanted.contains_key(id));
        for id in order.iter().filter(|id| !self.records.contains_key(id)) {
            if let Some(record) = wanted.get(id) {
                tables.push(table_of(*id, record, &self.scopes));
                self.order.push(*id);
            }
        }
        self.records.clone_from(wanted);
    }
}

impl Display for Document {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.heading, self.toml)
    }
}

fn record_of(table: &Table, now: Timestamp, scopes: &Scopes) -> Result<(HeldId, Record), String> {
    let id = id_of(table).ok_or("'id' must be 16 hexadecimal digits")?;
    let to = address_of(table, scopes).ok_or("'address' must be IP:PORT, such as \"127.0.0.1:8080\"")?;
    let text = table.get("text").and_then(Item::as_str).filter(|text| !text.is_empty());
    let text =
        text.filter(|text| !text.contains(['\n', '\r'])).ok_or("'text' must be a string in one line")?;
    let time = |key| {
        let item = table.get(key);
        let read = item.map(time_of).transpose();
        read.map_err(|wanted| format!("'{key}' must be {wanted}"))
    };
    let held_at = time("held_at")?.unwrap_or(now).min(now);
    let by = table.get("sent_by").and_then(Item::as_integer).and_then(|by| u32::try_from(by).ok());
    let sent = time("sent_at")?.map(|at| Sent { at: at.min(now), by });
    let key = table
        .get("key")
        .map(|key| key.as_str().and_then(|key| key.parse().ok()).ok_or("'key' must be a key"));
    Ok((id, Record { to, text: text.to_owned(), key: key.transpose()?, held_at, sent }))
}

fn id_of(table: &Table) -> Option<HeldId> {
    table.get("id")?.as_str()?.parse().ok()
}

fn table_of(id: HeldId, record: &Record, scopes: &Scopes) -> Table {
    let mut table = Table::new();
    table.insert("id", Value::from(id.to_string()).into());
    table.insert("address", Value::from(scopes.show(record.to).to_string()).into());
    table.insert("text", text(&record.text).into());
    if let Some(key) = record.key {
        table.insert("key", Value::from(key.to_string()).into());
    }
    table.insert("held_at", Value::from(record.held_at.to_string()).into());
    note_sent(&mut table, record.sent);
    table
}

fn note_sent(table: &mut Table, sent: Option<Sent>) {
    match sent {
        Some(Sent { at, .. }) => drop(table.insert("sent_at", Value::from(at.to_string()).into())),
        None => drop(table.remove("sent_at")),
    }
    match sent.and_then(|sent| sent.by) {
        Some(by) => drop(table.insert("sent_by", Value::from(i64::from(by)).into())),
        None => drop(table.remove("sent_by")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> HeldId {
        format!("{number:016x}").parse().unwrap()
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(text: &str, sent: Option<Sent>) -> Record {
        let (to, text) = (SocketAddr::from(([127, 0, 0, 1], 9)), text.to_owned());
        Record { to, text, key: Key::of_bytes(&[7; 32]), held_at: time(7), sent }
    }

    fn parse(text: &str) -> Result<Document, String> {
        Document::parse(text, Timestamp::MAX, &Scopes::default())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let sent = Some(Sent { at: time(9), by: Some(77) });
        let mut records = Records::from([
            (id(1), record("hello \"you\"", None)),
            (id(2), record("\u{1b}[2J \u{202e}", sent)),
            (id(3), record("c", Some(Sent { at: time(9), by: None }))),
        ]);
        let mut document = Document::new(&Scopes::default());
        let order = [id(3), id(1), id(2)];
        document.change(&records, &order);
        let text = document.to_string();
        assert!(text.starts_with(HEADING) && !text.contains(['\u{1b}', '\u{202e}']), "{text}");
        let mut again = parse(&text).unwrap();
        assert_eq!((again.records(), again.order(), again.odd()), (&records, &order[..], &[][..]));
        records.remove(&id(1));
        records.get_mut(&id(2)).unwrap().sent = None;
        records.insert(id(4), record("d", None));
        again.change(&records, &[id(4)]);
        assert_eq!(again.order(), [id(3), id(2), id(4)]);
        assert_eq!(parse(&again.to_string()).unwrap().records(), &records);
    }

    #[test]
    fn invalid_parts_comments_and_unknown_fields_stay() {
        let entry =
            |id: &str, rest: &str| format!("[[text]]\nid = \"{id}\"\naddress = \"127.0.0.1:9\"\n{rest}\n");
        let text = [
            "# mine\nx = 1\n\n",
            &entry("0000000000000001", "text = \"a\" # note\nshoe_size = 44\n"),
            &entry("7", "text = \"b\"\n"),
            &entry("0000000000000002", "text = 3\n"),
            &entry("0000000000000003", "text = \"two\\nlines\"\n"),
            &entry("0000000000000004", "text = \"c\"\nheld_at = \"soon\"\n"),
        ]
        .concat();
        let mut document = parse(&text).unwrap();
        assert_eq!((document.records().len(), document.odd().len()), (1, 4), "{:?}", document.odd());
        document.change(&document.records().clone(), &[]);
        assert_eq!(document.to_string(), text);
        document.change(&Records::new(), &[]);
        let rest = document.to_string();
        assert!(rest.contains("# mine") && rest.matches("[[text]]").count() == 4, "{rest}");
    }

    #[test]
    fn an_address_is_written_only_where_it_has_changed() {
        let entry = |number: u64, address: &str, rest: &str| {
            format!("[[text]]\nid = \"{}\"\naddress = {address}\ntext = \"a\"{rest}\n", id(number))
        };
        let kept = entry(1, "'127.0.0.1:9' # mine", "");
        let twice = entry(2, "'127.0.0.1:8'", "");
        let text = kept.clone() + &entry(2, "'127.0.0.1:9' # mine", " # too") + &twice;
        let mut document = parse(&text).unwrap();
        let mut records = document.records().clone();
        records.get_mut(&id(2)).unwrap().to.set_port(10);
        document.change(&records, &[]);
        let moved = entry(2, "\"127.0.0.1:10\" # mine", " # too");
        assert_eq!(document.to_string(), kept + &moved + &twice);
        assert_eq!(document.records(), &records);
    }

    #[test]
    fn what_is_no_list_of_texts_is_corrupt() {
        for text in ["text = 1\n", "[[text]\n", "[text]\nid = \"1\"\n", "\0"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse("").unwrap().records().is_empty());
    }
}
