//! The text of the file of known peers: reads the valid parts, and changes them.
//!
//! The text belongs to the user: comments, the order of the entries and everything else in it are kept, and only
//! changes are written. Invalid parts are reported and stay as they are; the rest is used.
//!
//! Only the smallest invalid part is ignored, a field or an entry: a date in the wrong form must not unblock anybody.
//! Only a file that is not TOML at all is renamed. A field that is no longer needed stays, but empty, if somebody
//! wrote a comment on it.
//!
//! A key that cannot be read is not ignored: the peer would count as one that was never met, and anybody could pass for
//! it. It counts as a key that nobody has.

use super::record::{self, Record, Records};
use crate::quoting::quoted;
use chinwag::chat::request::is_unmistakable;
use chinwag::limits::NAME_BYTES_MAX;
use chinwag::proto::clean::Clean;
use chinwag::proto::message::{Dialect, parse_address};
use chinwag::proto::scope::{Scoped, Scopes};
use chinwag::proto::secure::Key;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::ops::Range;
use toml_edit::{
    ArrayOfTables, Decor, Document as Parsed, DocumentMut, InlineTable, Item, RawString, Table, TableLike,
    Value,
};

// How sentences describe a valid name and a valid alias.
const _: () = assert!(NAME_BYTES_MAX == 64);
const NAME: &str = "a string of at most 64 bytes";
const KEY: &str =
    "the 43 characters that were there; nobody is taken for this peer until it is, or until /trust";
const ALIAS: &str = "one word of at most 64 bytes that cannot be mistaken for anything else";

/// What a value must be, to say so if it is not.
type Wanted = Cow<'static, str>;

const HEADING: &str = "\
# The peers that chinwag knows, for you to read and to change, also while it runs.
# A peer has: address, name, alias, dialect, blocked, last_heard, key, verified, met.

";

/// As it was before there were keys; such a file keeps it.
const OLD_HEADING: &str = "\
# The peers that chinwag knows, for you to read and to change, also while it runs.
# A peer has: address, name, alias, dialect, blocked, last_heard.

";

/// The key of the list.
const PEERS: &str = "peer";

/// A file as it was read.
pub(super) struct Document {
    /// Kept apart from the rest, so that it belongs to no entry.
    heading: &'static str,
    toml: DocumentMut,
    records: Records,
    odd: Vec<String>,
    scopes: Scopes,
}

impl Document {
    /// For a file that does not exist yet.
    pub(super) fn new(scopes: &Scopes) -> Self {
        let (toml, records, odd) = (DocumentMut::new(), Records::new(), Vec::new());
        Self { heading: HEADING, toml, records, odd, scopes: scopes.clone() }
    }

    /// Reads a file. Fails with the reason if it cannot be understood at all. A time in the future counts as `now`:
    /// otherwise a clock that was wrong once could keep a peer in the file for ever. A peer behind an interface that this
    /// host does not have now is left out, and stays in the file.
    pub(super) fn parse(text: &str, now: Timestamp, scopes: &Scopes) -> Result<Self, String> {
        let headed = [HEADING, OLD_HEADING].into_iter();
        let headed = { headed }.find_map(|heading| Some((heading, text.strip_prefix(heading)?)));
        let (heading, body) = headed.unwrap_or(("", text));
        let line = |at: usize| 1 + text[..text.floor_char_boundary(heading.len() + at)].matches('\n').count();
        let parsed = Parsed::parse(body).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default();
            format!("line {}: {message}", line(error.span().map_or(0, |span| span.start)))
        })?;
        let mut reader =
            Reader { now, scopes, records: Records::new(), aliases: BTreeSet::new(), odd: Vec::new() };
        if let Some(list) = parsed.get(PEERS) {
            let no_list = || format!("line {}: '{PEERS}' must be a list of tables", line(start(list.span())));
            entries(list).ok_or_else(no_list)?.iter().for_each(|entry| reader.read(entry));
        }
        let odd = reader.odd.into_iter().map(|(at, what)| format!("line {}: {what}", line(at))).collect();
        let (toml, records, scopes) = (parsed.into_mut(), reader.records, scopes.clone());
        let mut document = Self { heading, toml, records, odd, scopes };
        document.note_comments();
        Ok(document)
    }

    /// The valid entries.
    pub(super) fn records(&self) -> &Records {
        &self.records
    }

    /// What is wrong with the invalid parts, each with its line.
    pub(super) fn odd(&self) -> &[String] {
        &self.odd
    }

    /// Changes the text so that it has exactly these records, besides its invalid parts.
    pub(super) fn change(&mut self, wanted: &Records) {
        let list = self.toml.entry(PEERS).or_insert_with(|| ArrayOfTables::new().into());
        if let Item::Table(only) = list {
            *list = ArrayOfTables::from_iter([std::mem::take(only)]).into();
        }
        let comments = comments_of(list, &self.scopes);
        let (mut unseen, mut gone) = (self.records.clone(), Vec::new());
        let moves = record::moves(&self.records, wanted).into_iter();
        let mut moves: BTreeMap<SocketAddr, SocketAddr> =
            moves.filter(|(_, to)| !self.records.contains_key(to)).collect();
        let mut placed = BTreeSet::new();
        let is_wanted: Vec<bool> = tables_mut(list)
            .into_iter()
            .map(|table| {
                let Some(table) = table else { return true };
                // Of two entries with the same address, the first one was read.
                let known = address_of(table, &self.scopes).and_then(|address| unseen.remove_entry(&address));
                let Some((address, was)) = known else { return true };
                let to = moves.remove(&address).filter(|to| placed.insert(*to));
                if let Some(to) = to {
                    set(table, "address", self.scopes.show(to).to_string().into(), false);
                }
                let record = wanted.get(&to.unwrap_or(address));
                match record {
                    Some(record) => update(table, &was, record),
                    None => gone.push((address, was)),
                }
                record.is_some()
            })
            .collect();
        retain(list, &is_wanted);
        placed.extend(std::mem::replace(&mut self.records, wanted.clone()).into_keys());
        for (address, record) in wanted.iter().filter(|(address, _)| !placed.contains(address)) {
            self.add(address, record);
        }
        for (address, was) in gone.iter().filter(|(_, was)| was.has_comment && was.key.is_some()) {
            if let Some(comments) = comments.get(address) {
                self.carry(comments, was.key);
            }
        }
    }

    /// Puts the comments on an entry that is gone above the one that has its key now, if they were merged.
    fn carry(&mut self, comments: &[String], key: Option<Key>) {
        let Some(Item::ArrayOfTables(tables)) = self.toml.get_mut(PEERS) else { return };
        let is_it = |table: &&mut Table| {
            let record = address_of(*table, &self.scopes).and_then(|address| self.records.get(&address));
            record.is_some_and(|record| record.key == key && record.has_comment)
        };
        if let Some(table) = tables.iter_mut().find(is_it) {
            let its_own = Entry::of_table(table).comments();
            let mut above = table.decor().prefix().and_then(RawString::as_str).unwrap_or_default().to_owned();
            let missing = comments.iter().filter(|line| !its_own.contains(line));
            missing.for_each(|line| above.extend([line, "\n"]));
            table.decor_mut().set_prefix(above);
        }
    }

    fn add(&mut self, address: &SocketAddr, record: &Record) {
        let address = &self.scopes.show(*address).to_string();
        let words = self.take_last_words();
        match self.toml.get_mut(PEERS) {
            Some(Item::ArrayOfTables(tables)) => {
                let mut table = Table::new();
                fill(&mut table, address, record);
                if let Some(words) = words {
                    table.decor_mut().set_prefix(words);
                }
                tables.push(table);
            }
            Some(Item::Value(Value::Array(values))) => {
                let mut table = InlineTable::new();
                fill(&mut table, address, record);
                values.push(table);
            }
            _ => {}
        }
    }

    /// Takes the comment at the end of the file, if it comes after a peer. It may be about that peer, so the next peer
    /// is added after it.
    fn take_last_words(&mut self) -> Option<String> {
        let is_list_last = self.toml.iter().all(|(key, item)| key == PEERS || item.is_value());
        let has_peers = self.toml.get(PEERS)?.as_array_of_tables().is_some_and(|tables| !tables.is_empty());
        let words = self.toml.trailing().as_str().filter(|words| words.contains('#'))?.trim_end().to_owned();
        (is_list_last && has_peers).then(|| {
            self.toml.set_trailing("");
            words + "\n\n"
        })
    }

    fn note_comments(&mut self) {
        let Some(list) = self.toml.get(PEERS) else { return };
        let commented: Vec<SocketAddr> = entries(list)
            .unwrap_or_default()
            .into_iter()
            .filter(|entry| entry.has_comment())
            .filter_map(|entry| address_of(entry.table?, &self.scopes))
            .collect();
        for address in commented {
            if let Some(record) = self.records.get_mut(&address) {
                record.has_comment = true;
            }
        }
    }
}

impl Display for Document {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.heading, self.toml)
    }
}

/// Reads the entries one after the other; of two that exclude each other, the first counts.
struct Reader<'s> {
    now: Timestamp,
    scopes: &'s Scopes,
    records: Records,
    aliases: BTreeSet<String>,
    /// The place of each invalid part, and what is wrong with it.
    odd: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn read(&mut self, entry: &Entry<'_>) {
        let Some(table) = entry.table else { return self.tell(entry.at, "a peer must be a table") };
        let Some(item) = table.get("address") else { return self.tell(entry.at, "a peer has no address") };
        let Some(address) = address_of(table, self.scopes) else {
            if is_behind_gone_interface(table) {
                return;
            }
            return self.tell(start(item.span()), "'address' must be IP:PORT, such as \"127.0.0.1:8080\"");
        };
        if self.records.contains_key(&address) {
            return self.tell(start(item.span()), format_args!("{address} appears twice"));
        }
        let record = Record {
            name: self.field(address, table, "name", name_of).unwrap_or_default(),
            alias: self.field(address, table, "alias", alias_of).filter(|alias| !alias.is_empty()),
            dialect: self.field(address, table, "dialect", dialect_of),
            blocked: self.field(address, table, "blocked", truth_of).unwrap_or_default(),
            last_heard: self.field(address, table, "last_heard", time_of).map(|at| at.min(self.now)),
            key: self.key(address, table),
            verified: self.field(address, table, "verified", truth_of).unwrap_or_default(),
            met: self.field(address, table, "met", met_of).flatten().map(|at| at.min(self.now)),
            has_comment: false,
        };
        let is_taken = record.alias.clone().is_some_and(|alias| !self.aliases.insert(alias));
        if is_taken {
            let at = start(table.get("alias").and_then(Item::span));
            self.tell(at, format_args!("the alias of {address} is also the alias of another peer"));
        }
        let alias = record.alias.clone().filter(|_| !is_taken);
        self.records.insert(address, Record { alias, ..record });
    }

    /// The key of a peer. If it cannot be read, the peer has one that nobody has.
    fn key(&mut self, address: SocketAddr, table: &dyn TableLike) -> Option<Key> {
        let is_there = table.contains_key("key");
        let read = self.field(address, table, "key", key_of);
        if is_there { read.unwrap_or_else(record::nobody) } else { None }
    }

    /// The value of a field; an invalid value counts as left out.
    fn field<T>(
        &mut self,
        address: SocketAddr,
        table: &dyn TableLike,
        key: &str,
        parse: fn(&Item) -> Result<T, Wanted>,
    ) -> Option<T> {
        let item = table.get(key)?;
        let wrong =
            |wanted| self.tell(start(item.span()), format_args!("'{key}' of {address} must be {wanted}"));
        parse(item).map_err(wrong).ok()
    }

    fn tell(&mut self, at: usize, what: impl Display) {
        self.odd.push((at, what.to_string()));
    }
}

pub(super) fn address_of(table: &dyn TableLike, scopes: &Scopes) -> Option<SocketAddr> {
    let word = table.get("address")?.as_str()?;
    match Scoped::parse(word) {
        Some(scoped) => scopes.resolve(&scoped.ok()?).ok(),
        None => parse_address(word),
    }
}

/// Of an entry without a usable address: the interface may come back.
pub(super) fn is_behind_gone_interface(table: &dyn TableLike) -> bool {
    let word = table.get("address").and_then(Item::as_str);
    matches!(word.and_then(Scoped::parse), Some(Ok(_)))
}

fn name_of(item: &Item) -> Result<String, Wanted> {
    let name = item.as_str().filter(|name| name.len() <= NAME_BYTES_MAX);
    name.map(str::to_owned).ok_or(Cow::Borrowed(NAME))
}

/// An empty alias counts as none.
fn alias_of(item: &Item) -> Result<String, Wanted> {
    let is_usable = |alias: &String| alias.is_empty() || is_unmistakable(alias);
    name_of(item)
        .map_err(|_| Cow::Borrowed(ALIAS))
        .and_then(|alias| Some(alias).filter(is_usable).ok_or(Cow::Borrowed(ALIAS)))
}

fn dialect_of(item: &Item) -> Result<Dialect, Wanted> {
    item.as_str().and_then(|word| word.parse().ok()).ok_or_else(|| Dialect::choices().into())
}

fn truth_of(item: &Item) -> Result<bool, Wanted> {
    item.as_bool().ok_or(Cow::Borrowed("true or false"))
}

/// A string, or a TOML date.
pub(super) fn time_of(item: &Item) -> Result<Timestamp, Wanted> {
    let text = item.as_str().map(str::to_owned).or_else(|| item.as_datetime().map(ToString::to_string));
    text.and_then(|text| text.parse().ok()).ok_or(Cow::Borrowed("a time such as \"2026-03-01T00:00:07Z\""))
}

/// An empty time counts as none.
fn met_of(item: &Item) -> Result<Option<Timestamp>, Wanted> {
    if item.as_str() == Some("") { Ok(None) } else { time_of(item).map(Some) }
}

/// An empty key counts as none.
fn key_of(item: &Item) -> Result<Option<Key>, Wanted> {
    let text = item.as_str();
    let key = text.and_then(|text| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) });
    key.ok_or(Cow::Borrowed(KEY))
}

/// One entry of the list.
struct Entry<'a> {
    at: usize,
    /// The table that it should be.
    table: Option<&'a dyn TableLike>,
    /// The text before and after it.
    decor: &'a Decor,
}

impl<'a> Entry<'a> {
    fn of_table(table: &'a Table) -> Self {
        Self { at: start(table.span()), table: Some(table), decor: table.decor() }
    }

    fn of_value(value: &'a Value) -> Self {
        let table = value.as_inline_table().map(|table| table as &dyn TableLike);
        Self { at: start(value.span()), table, decor: value.decor() }
    }

    /// Whether the user wrote a comment on it.
    fn has_comment(&self) -> bool {
        self.decors().any(is_commented)
    }

    /// The comments on it, line by line.
    fn comments(&self) -> Vec<String> {
        let parts = self.decors().flat_map(|decor| [decor.prefix(), decor.suffix()]).flatten();
        let lines = parts.filter_map(RawString::as_str).flat_map(str::lines).map(str::trim);
        lines.filter(|line| line.starts_with('#')).map(str::to_owned).collect()
    }

    /// The text around it and around all that is in it.
    fn decors(&self) -> impl Iterator<Item = &Decor> {
        let keys = self
            .table
            .into_iter()
            .flat_map(|table| table.iter().filter_map(|(key, _)| Some(table.key(key)?.leaf_decor())));
        let items = self.table.into_iter().flat_map(TableLike::iter);
        let values = items.filter_map(|(_, item)| Some(item.as_value()?.decor()));
        [self.decor].into_iter().chain(keys).chain(values)
    }
}

fn is_commented(decor: &Decor) -> bool {
    let parts = [decor.prefix(), decor.suffix()];
    parts.into_iter().flatten().filter_map(RawString::as_str).any(|part| part.contains('#'))
}

/// The entries of the list, in any TOML form; `None` if it is not a list.
fn entries(list: &Item) -> Option<Vec<Entry<'_>>> {
    match list {
        Item::ArrayOfTables(tables) => Some(tables.iter().map(Entry::of_table).collect()),
        Item::Value(Value::Array(values)) => Some(values.iter().map(Entry::of_value).collect()),
        // A user with one peer may forget the second bracket.
        Item::Table(only) if !only.is_dotted() && !only.is_implicit() => Some(vec![Entry::of_table(only)]),
        _ => None,
    }
}

/// The comments on the entries of the list that have any.
fn comments_of(list: &Item, scopes: &Scopes) -> BTreeMap<SocketAddr, Vec<String>> {
    let mut comments = BTreeMap::new();
    for entry in entries(list).unwrap_or_default().iter().filter(|entry| entry.has_comment()) {
        if let Some(address) = entry.table.and_then(|table| address_of(table, scopes)) {
            comments.entry(address).or_insert_with(|| entry.comments());
        }
    }
    comments
}

/// The tables of a list, to change them.
fn tables_mut(list: &mut Item) -> Vec<Option<&mut dyn TableLike>> {
    match list {
        Item::ArrayOfTables(tables) => tables.iter_mut().map(|table| Some(table as _)).collect(),
        Item::Value(Value::Array(values)) => {
            values.iter_mut().map(|value| value.as_inline_table_mut().map(|table| table as _)).collect()
        }
        _ => Vec::new(),
    }
}

/// Removes the entries that are not kept.
fn retain(list: &mut Item, is_kept: &[bool]) {
    let mut is_kept = is_kept.iter().copied();
    let mut is_next_kept = || is_kept.next().unwrap_or(true);
    match list {
        Item::ArrayOfTables(tables) => tables.retain(|_| is_next_kept()),
        Item::Value(Value::Array(values)) => values.retain(|_| is_next_kept()),
        _ => {}
    }
}

fn fill(table: &mut dyn TableLike, address: &str, record: &Record) {
    table.insert("address", Value::from(address).into());
    update(table, &Record::default(), record);
}

/// Writes the fields that have changed.
fn update(table: &mut dyn TableLike, was: &Record, is: &Record) {
    if is.name != was.name {
        set(table, "name", text(&is.name), is.name.is_empty());
    }
    if is.alias != was.alias {
        set(table, "alias", text(is.alias.as_deref().unwrap_or_default()), is.alias.is_none());
    }
    if is.dialect != was.dialect {
        let dialect = is.dialect.unwrap_or_default();
        set(table, "dialect", dialect.name().into(), is.dialect.is_none());
    }
    if is.blocked != was.blocked {
        set(table, "blocked", is.blocked.into(), !is.blocked);
    }
    if let Some(at) = is.last_heard.filter(|_| is.last_heard != was.last_heard) {
        set(table, "last_heard", at.to_string().into(), false);
    }
    if is.key != was.key {
        set(table, "key", is.key.map(|key| key.to_string()).unwrap_or_default().into(), is.key.is_none());
    }
    if is.verified != was.verified {
        set(table, "verified", is.verified.into(), !is.verified);
    }
    if is.met != was.met {
        set(table, "met", is.met.map(|at| at.to_string()).unwrap_or_default().into(), is.met.is_none());
    }
}

/// Sets a field. A field with the default value is removed, unless the user wrote a comment on it.
pub(super) fn set(table: &mut dyn TableLike, key: &str, value: Value, is_none: bool) {
    let old = table.get(key).and_then(Item::as_value).map(|old| old.decor().clone());
    let is_commented = old.iter().chain(table.key(key).map(|key| key.leaf_decor())).any(is_commented);
    if is_none && !is_commented {
        table.remove(key);
        return;
    }
    let mut value = value;
    if let Some(old) = old {
        *value.decor_mut() = old;
    }
    match table.get_mut(key) {
        Some(item) => *item = value.into(),
        None => drop(table.insert(key, value.into())),
    }
}

/// A string, with escapes if it could disturb a terminal that shows the file.
pub(super) fn text(text: &str) -> Value {
    let is_harmless = Clean(text).to_string() == text;
    let escaped = if is_harmless { None } else { quoted(text).parse().ok() };
    escaped.unwrap_or_else(|| text.into())
}

pub(super) fn start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |span| span.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::proto::interface::Interface;
    use chinwag::proto::secure::Identity;

    const NOW: Timestamp = Timestamp::MAX;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn parse(text: &str) -> Document {
        Document::parse(text, NOW, &Scopes::default()).unwrap()
    }

    /// The text after these changes to its records.
    fn changed(text: &str, change: impl FnOnce(&mut Records)) -> String {
        let mut document = parse(text);
        let mut records = document.records().clone();
        change(&mut records);
        document.change(&records);
        assert_eq!(document.records(), &records);
        let text = document.to_string();
        let read = parse(&text);
        let semantic = |records: &Records| {
            let plain = |record: &Record| Record { has_comment: false, ..record.clone() };
            records.iter().map(|(address, record)| (*address, plain(record))).collect::<Records>()
        };
        assert_eq!(semantic(read.records()), semantic(&records), "{text}");
        text
    }

    fn key(n: u8) -> Key {
        Identity::new([n; 32]).unwrap().key()
    }

    fn named(name: &str) -> Record {
        Record { name: name.to_owned(), ..Record::default() }
    }

    #[test]
    fn a_written_file_reads_back_the_same() {
        let record = Record {
            name: "P \u{1b}1\n".to_owned(),
            alias: Some("anna".to_owned()),
            dialect: Some(Dialect::Netech),
            blocked: true,
            last_heard: "2026-03-01T00:00:07Z".parse().ok(),
            key: Some(key(7)),
            verified: true,
            met: "2026-02-01T00:00:07Z".parse().ok(),
            has_comment: false,
        };
        let text = changed("", |records| {
            records.insert(address(9), record.clone());
            records.insert("[::1]:9".parse().unwrap(), Record::default());
        });
        assert_eq!(
            text,
            "[[peer]]\naddress = \"127.0.0.1:9\"\nname = \"P \\U0000001B1\\U0000000A\"\nalias = \"anna\"\n\
             dialect = \"netech\"\nblocked = true\nlast_heard = \"2026-03-01T00:00:07Z\"\n\
             key = \"E75P6uryBMf9M1j8nAByGIHRdCeBKCJ-xnTzf3_pe20\"\nverified = true\n\
             met = \"2026-02-01T00:00:07Z\"\n\n[[peer]]\naddress = \"[::1]:9\"\n"
        );
        let now = Timestamp::from_second(7).unwrap();
        let early = Document::parse(&text, now, &Scopes::default()).unwrap();
        assert_eq!(early.records()[&address(9)].last_heard, Some(now));
        let mut new = Document::new(&Scopes::default());
        new.change(&Records::from([(address(1), record)]));
        let text = new.to_string();
        assert!(text.starts_with(HEADING) && text[HEADING.len()..].starts_with("[[peer]]\n"), "{text}");
    }

    /// Comments everywhere, unknown keys, entries in the user's own order, invalid parts.
    const OWN: &str = "\
# my peers
colour = \"red\" # of all

# the second comes first
[[peer]] # here
address = '127.0.0.1:2' # at home
alias = \"bob\" # my boss
shoe_size = 44
blocked = true # for now

[[peer]]
address = \"127.0.0.1:1\"
name = 'P1'

# broken
[[peer]]
address = \"nowhere\"
# the end of it
";

    #[test]
    fn nothing_changes_but_what_was_changed() {
        assert_eq!(changed(OWN, |_| ()), OWN);
        let text = changed(OWN, |records| {
            records.get_mut(&address(1)).unwrap().name = "P9".to_owned();
            records.get_mut(&address(2)).unwrap().alias = Some("carl".to_owned());
            records.insert(address(3), named("P3"));
        });
        let expected = OWN.replace("'P1'", "\"P9\"").replace("\"bob\"", "\"carl\"")
            + "\n[[peer]]\naddress = \"127.0.0.1:3\"\nname = \"P3\"\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_field_with_its_default_is_removed_unless_the_user_wrote_a_comment_on_it() {
        let take_back = |records: &mut Records| {
            records.values_mut().for_each(|record| (record.alias, record.blocked) = (None, false));
        };
        let text = changed(OWN, take_back);
        assert_eq!(text, OWN.replace("\"bob\"", "\"\"").replace("blocked = true", "blocked = false"));
        let bare = "[[peer]]\naddress = \"127.0.0.1:2\"\nalias = \"bob\"\nblocked = true\n";
        assert_eq!(changed(bare, take_back), "[[peer]]\naddress = \"127.0.0.1:2\"\n");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_one_that_nobody_has_and_stays_as_it_is() {
        for value in ["\"abc\"", "7", "[]", "\"E75P6uryBMf9M1j8nAByGIHRdCeBKCJ-xnTzf3_pe20A\"", "{ x = 1 }"] {
            let text = format!("[[peer]]\naddress = \"127.0.0.1:2\"\nkey = {value} # hm\nverified = true\n");
            assert_eq!(parse(&text).records()[&address(2)].key, record::nobody(), "{value}");
            assert!(record::nobody().is_some());
            let written = changed(&text, |records| {
                records.get_mut(&address(2)).unwrap().name = "P2".to_owned();
            });
            assert_eq!(written, text.clone() + "name = \"P2\"\n");
            let met = changed(&text, |records| records.get_mut(&address(2)).unwrap().key = Some(key(7)));
            assert!(met.contains("\nkey = \"E75P6ury"), "{met}");
        }
        for none in ["", "key = \"\"\nmet = \"\"\n"] {
            let document = parse(&format!("[[peer]]\naddress = \"127.0.0.1:2\"\n{none}"));
            let record = &document.records()[&address(2)];
            assert_eq!((record.key, record.met, document.odd().len()), (None, None, 0));
        }
    }

    #[test]
    fn a_key_that_is_forgotten_is_removed_with_what_was_known_of_it() {
        let keyed = |comment: &str| {
            format!(
                "[[peer]]\naddress = \"127.0.0.1:2\"\nkey = \"{}\"{comment}\nverified = true\nmet = \"2026-02-01T00:00:07Z\"{comment}\n",
                key(7)
            )
        };
        let forget = |records: &mut Records| {
            records.values_mut().for_each(|record| {
                (record.key, record.verified, record.met) = (None, false, None);
            });
        };
        assert_eq!(changed(&keyed(""), forget), "[[peer]]\naddress = \"127.0.0.1:2\"\n");
        let kept = "[[peer]]\naddress = \"127.0.0.1:2\"\nkey = \"\" # his\nmet = \"\" # his\n";
        assert_eq!(changed(&keyed(" # his"), forget), kept);
    }

    #[test]
    fn an_entry_that_moves_takes_everything_with_it() {
        let keyed = |port: u16, n: u8| {
            format!(
                "# {n}\n[[peer]]\naddress = '127.0.0.1:{port}' # at home\nkey = \"{}\"\nshoe_size = {n}\n",
                key(n)
            )
        };
        let go = |from: u16, to: u16| {
            move |records: &mut Records| {
                let record = records.remove(&address(from)).unwrap();
                records.insert(address(to), record);
            }
        };
        let both = keyed(1, 41) + &keyed(2, 42);
        let moved = both.replace("'127.0.0.1:1'", "\"127.0.0.1:3\"");
        assert_eq!(changed(&both, go(1, 3)), moved);
        // There is an entry at the new address already.
        let text = keyed(1, 41) + "[[peer]]\naddress = \"127.0.0.1:3\" # here\nname = \"P3\"\n";
        let moved =
            format!("# 41\n# at home\n[[peer]]\naddress = \"127.0.0.1:3\" # here\nkey = \"{}\"\n", key(41));
        assert_eq!(changed(&text, go(1, 3)), moved);
        // Two entries have the same key, and both come to the same address.
        let twice = keyed(1, 41) + &keyed(2, 41);
        let text = changed(&twice, |records| {
            go(1, 3)(records);
            records.remove(&address(2));
        });
        assert_eq!(text, keyed(1, 41).replace("'127.0.0.1:1'", "\"127.0.0.1:3\""));
    }

    #[test]
    fn a_comment_goes_with_an_entry_that_is_merged_with_another_one() {
        let entry = |port: u16, above: &str, note: &str| {
            format!("{above}[[peer]]\naddress = \"127.0.0.1:{port}\"{note}\nkey = \"{}\"\n", key(41))
        };
        let text = entry(1, "", "") + &entry(2, "\n# above\n", " # behind") + &entry(3, "\n", "");
        let merged = |is_there_new: bool| {
            move |records: &mut Records| {
                records.remove(&address(2));
                let mut there = records.remove(&address(3)).unwrap();
                there.has_comment = true;
                records.insert(address(if is_there_new { 4 } else { 3 }), there);
            }
        };
        let carried = entry(1, "", "") + &entry(3, "\n# above\n# behind\n", "");
        assert_eq!(changed(&text, merged(false)), carried);
        let moved = changed(&text, merged(true));
        assert!(moved.contains("# above") && moved.contains("# behind"), "{moved}");
        // What the user takes out goes with its comments.
        let removed = changed(&text, |records| drop(records.remove(&address(2))));
        assert_eq!(removed, entry(1, "", "") + &entry(3, "\n", ""));
    }

    #[test]
    fn a_file_from_before_there_were_keys_keeps_its_heading() {
        let text = OLD_HEADING.to_owned() + "[[peer]]\naddress = \"127.0.0.1:2\"\n";
        assert!(!parse(&text).records()[&address(2)].has_comment);
        let expected = text.clone() + "name = \"P2\"\n";
        assert_eq!(
            changed(&text, |records| records.get_mut(&address(2)).unwrap().name = "P2".to_owned()),
            expected
        );
    }

    #[test]
    fn removing_an_entry_removes_no_other_entry() {
        let heading = HEADING.to_owned();
        let text = changed(&(heading.clone() + OWN), |records| drop(records.remove(&address(2))));
        let start = OWN.find("\n# the second").unwrap();
        let end = OWN.find("\n[[peer]]\naddress = \"127.0.0.1:1\"").unwrap();
        assert_eq!(text, heading + &OWN[..start] + &OWN[end..]);
        let commented = |port| parse(OWN).records()[&address(port)].has_comment;
        assert_eq!([commented(2), commented(1)], [true, false]);
    }

    #[test]
    fn an_inline_list_or_a_single_table_is_understood_and_can_grow() {
        let inline = "peer = [\n    # home\n    { address = \"127.0.0.1:1\", name = \"P1\" },\n    7,\n]\n";
        let document = parse(inline);
        assert_eq!(document.odd(), ["line 4: a peer must be a table"]);
        let text = changed(inline, |records| {
            records.get_mut(&address(1)).unwrap().blocked = true;
            records.insert(address(2), named("P2"));
        });
        for words in [
            "# home",
            "name = \"P1\" , blocked = true }",
            "7,",
            "{ address = \"127.0.0.1:2\", name = \"P2\" }",
        ] {
            assert!(text.contains(words), "{words} is missing:\n{text}");
        }
        let one = "x = 1\n\n[peer] # only\naddress = \"127.0.0.1:1\"\n\n[other]\ny = 2\n";
        let text = changed(one, |records| drop(records.insert(address(2), named("P2"))));
        assert_eq!(
            text,
            "x = 1\n\n[[peer]] # only\naddress = \"127.0.0.1:1\"\n\n\
             [[peer]]\naddress = \"127.0.0.1:2\"\nname = \"P2\"\n\n[other]\ny = 2\n"
        );
    }

    #[test]
    fn a_name_that_would_disturb_a_terminal_is_written_in_escapes_and_read_back() {
        let names = [
            "\u{9b}2J",
            "\u{202e}x",
            "\"q\" \\ \u{9b}",
            "'\u{9b}'\"",
            "\x1b]0;x\x07",
            "\u{7f}",
            "日本 👨\u{200d}👩 \"q\"",
        ];
        let text = changed("", |records| {
            records.extend((1..).zip(names).map(|(port, name)| (address(port), named(name))));
        });
        for line in text.lines() {
            assert_eq!(Clean(line).to_string(), line);
        }
        assert!(text.contains("日本 👨\u{200d}👩"), "what disturbs nothing stays: {text}");
    }

    #[test]
    fn an_invalid_part_is_reported_with_its_line_and_the_rest_is_used() {
        let long = format!("name = \"{}\"", "x".repeat(NAME_BYTES_MAX + 1));
        let alias = "'alias' of 127.0.0.1:9 must be one word of at most 64 bytes that cannot be mistaken for anything else";
        let name = "'name' of 127.0.0.1:9 must be a string of at most 64 bytes";
        let key = "'key' of 127.0.0.1:9 must be the 43 characters that were there; nobody is taken for this peer until it is, or until /trust";
        let address_form = "'address' must be IP:PORT, such as \"127.0.0.1:8080\"";
        let table = [
            ("blocked = \"yes\"", 4, "'blocked' of 127.0.0.1:9 must be true or false"),
            (
                "dialect = \"klingon\"",
                4,
                "'dialect' of 127.0.0.1:9 must be standard, bracketed, block, netech, json or portline",
            ),
            (
                "last_heard = 2026-03-01",
                4,
                "'last_heard' of 127.0.0.1:9 must be a time such as \"2026-03-01T00:00:07Z\"",
            ),
            (
                "last_heard = \"yesterday\"",
                4,
                "'last_heard' of 127.0.0.1:9 must be a time such as \"2026-03-01T00:00:07Z\"",
            ),
            ("key = \"abc\"", 4, key),
            ("key = 7", 4, key),
            ("[peer.key]\nx = 1", 4, key),
            ("verified = 1", 4, "'verified' of 127.0.0.1:9 must be true or false"),
            ("met = \"once\"", 4, "'met' of 127.0.0.1:9 must be a time such as \"2026-03-01T00:00:07Z\""),
            ("alias = \"two words\"", 4, alias),
            ("alias = \"8080\"", 4, alias),
            ("alias = 7", 4, alias),
            ("[peer.alias]\nx = 1", 4, alias),
            ("name = []", 4, name),
            (&long, 4, name),
            ("[[peer]]\naddress = \"[::ffff:127.0.0.1]:9\"", 5, "127.0.0.1:9 appears twice"),
            ("[[peer]]\naddress = \"127.0.0.1:0\"", 5, address_form),
            ("[[peer]]\naddress = \"nowhere\"", 5, address_form),
            ("[[peer]]\naddress = 7", 5, address_form),
            ("[[peer]]\nname = \"P1\"", 4, "a peer has no address"),
            (
                "[[peer]]\naddress = \"127.0.0.1:8\"\nalias = \"bob\"",
                6,
                "the alias of 127.0.0.1:8 is also the alias of another peer",
            ),
        ];
        for (lines, line, reason) in table {
            let first = "[[peer]]\naddress = \"127.0.0.1:7\"\nalias = \"bob\"\n";
            let nine = "[[peer]]\naddress = \"127.0.0.1:9\"\nblocked = true\n";
            let is_field = !lines.starts_with("[[");
            let (before, nine) = if is_field { ("\n", &nine[..nine.len() - 15]) } else { (first, nine) };
            let offset = before.matches('\n').count() + nine.matches('\n').count() + 1 - 4;
            let text = format!("{before}{nine}{lines}\n");
            let document = parse(&text);
            assert_eq!(document.odd(), [format!("line {}: {reason}", line + offset)], "{text}");
            assert!(document.records().contains_key(&address(9)), "{text}");
            // It is still there after the next write, and is still reported.
            let changed = changed(&text, |records| drop(records.insert(address(1), named("P1"))));
            assert!(changed.contains(lines), "{changed}");
            assert_eq!(parse(&changed).odd().len(), 1);
        }
        assert_eq!(parse(&(HEADING.to_owned() + "[[peer]]\n")).odd(), ["line 4: a peer has no address"]);
        let time = "[[peer]]\naddress = \"127.0.0.1:9\"\nlast_heard = 2026-03-01T00:00:07Z\n";
        assert_eq!(
            (parse(time).odd().len(), parse(time).records()[&address(9)].last_heard.is_some()),
            (0, true)
        );
    }

    #[test]
    fn a_file_that_is_not_toml_or_has_no_list_cannot_be_understood() {
        let table = [
            ("\n\n\0\0", "line 3: "),
            ("[[peer]]\naddress = \"127.0.0.1:9\"\naddress = \"127.0.0.1:8\"", "line 3: duplicate key"),
            ("x = 1\npeer = 5", "line 2: 'peer' must be a list of tables"),
            ("[peer.anna]\naddress = \"127.0.0.1:9\"", "line 1: 'peer' must be a list of tables"),
            ("peer.address = \"127.0.0.1:9\"", "line 1: 'peer' must be a list of tables"),
        ];
        for (text, reason) in table {
            let said = Document::parse(text, NOW, &Scopes::default()).err().unwrap();
            assert!(said.starts_with(reason) && !said.contains('\n'), "{text}: {said}");
        }
    }

    #[test]
    fn a_write_never_loses_anything_in_the_file() {
        let crlf = OWN.replace('\n', "\r\n");
        for text in [OWN, &crlf] {
            for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
                let Ok(mut document) = Document::parse(&text[..end], NOW, &Scopes::default()) else {
                    continue;
                };
                let mut records = document.records().clone();
                records.insert(address(30), named("P30"));
                document.change(&records);
                let written = document.to_string();
                let comments = |text: &str| text.matches('#').count();
                assert_eq!(comments(&written), comments(&text[..end]), "{written}");
                let read = Document::parse(&written, NOW, &Scopes::default()).unwrap();
                assert_eq!((read.odd().len(), read.records().len()), (document.odd().len(), records.len()));
            }
        }
    }

    /// Scopes in which these interfaces have these numbers.
    fn scopes(numbers: &[(&str, u32)]) -> Scopes {
        let interface = |&(name, index): &(&str, u32)| Interface {
            name: name.to_owned(),
            index,
            ..Interface::alone("fe80::9".parse().unwrap())
        };
        Scopes::of(&numbers.iter().map(interface).collect::<Vec<_>>())
    }

    #[test]
    fn a_link_local_peer_is_kept_by_the_name_of_its_interface_and_waits_for_it_to_come_back() {
        let mut first = Document::new(&scopes(&[("eth0", 2), ("wlan0", 3)]));
        let record = |name: &str| Record { name: name.to_owned(), ..Record::default() };
        let peers = [("[fe80::1%2]:8080", "anna"), ("[fe80::1%3]:8080", "bob"), ("[fe80::1%9]:8080", "carl")];
        first.change(&peers.map(|(address, name)| (address.parse().unwrap(), record(name))).into());
        let text = first.to_string();
        for address in ["[fe80::1%eth0]:8080", "[fe80::1%wlan0]:8080", "[fe80::1%9]:8080"] {
            assert!(text.contains(&format!("address = \"{address}\"")), "{text}");
        }
        // After another start, eth0 has another number, and wlan0 is not there.
        let mut second = Document::parse(&text, NOW, &scopes(&[("eth0", 7)])).unwrap();
        let known = |document: &Document| -> Vec<(String, String)> {
            document.records().iter().map(|(at, record)| (at.to_string(), record.name.clone())).collect()
        };
        let pair = |address: &str, name: &str| (address.to_owned(), name.to_owned());
        assert_eq!(known(&second), [pair("[fe80::1%7]:8080", "anna"), pair("[fe80::1%9]:8080", "carl")]);
        assert_eq!(second.odd(), [""; 0]);
        let mut wanted = second.records().clone();
        wanted.insert("[fe80::2%7]:8080".parse().unwrap(), record("dana"));
        wanted.remove(&"[fe80::1%9]:8080".parse().unwrap());
        second.change(&wanted);
        let third = Document::parse(&second.to_string(), NOW, &scopes(&[("eth0", 2), ("wlan0", 3)])).unwrap();
        let all = [("[fe80::1%2]:8080", "anna"), ("[fe80::1%3]:8080", "bob"), ("[fe80::2%2]:8080", "dana")];
        assert_eq!(known(&third), all.map(|(address, name)| pair(address, name)));
        let odd =
            Document::parse("[[peer]]\naddress = \"[::1%eth0]:1\"", NOW, &scopes(&[("eth0", 2)])).unwrap();
        assert_eq!((odd.records().len(), odd.odd().len()), (0, 1));
    }
}
