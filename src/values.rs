//! Parsers for the values of flags of the chat and of `send`. Each error is the reason that clap shows.

use chinwag::chat::trust::Policy;
use chinwag::limits::{MEMORY_BYTES_MIN, NAME_BYTES_MAX};
use chinwag::proto::message::{Dialect, one_word};
use chinwag::term::bell::Bell;
use chinwag::term::style::Coloring;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::net::IpAddr;
use std::time::Duration;

/// One word of at most [`NAME_BYTES_MAX`] bytes.
pub(crate) fn parse_name(name: &str) -> Result<String, String> {
    let word = one_word(name);
    if word.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("a name must have 1 to {NAME_BYTES_MAX} bytes"));
    }
    if word != name {
        return Err(format!("a name must be one word; try {word}"));
    }
    Ok(word.into_owned())
}

/// An IP address.
pub(crate) fn parse_ip(ip: &str) -> Result<IpAddr, String> {
    ip.parse().map_err(|_| "type an IP address, such as 192.168.1.5 or ::1".to_owned())
}

/// A port to listen on, or 0 for any.
pub(crate) fn parse_port(port: &str) -> Result<u16, String> {
    port.parse().map_err(|_| "type a number from 0 to 65535".to_owned())
}

/// A port where somebody listens.
pub(crate) fn parse_taken_port(port: &str) -> Result<u16, String> {
    let port = port.parse().ok().filter(|&port| port > 0);
    port.ok_or_else(|| "type a number from 1 to 65535".to_owned())
}

/// The dialects by their names, in any case.
pub(crate) fn dialects() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::name)).try_map(|word| word.parse())
}

/// When to colour.
pub(crate) fn colorings() -> impl TypedValueParser<Value = Coloring> {
    PossibleValuesParser::new(Coloring::ALL.map(Coloring::name)).try_map(|word| word.parse())
}

/// When to ring.
pub(crate) fn bells() -> impl TypedValueParser<Value = Bell> {
    let value = |bell: Bell| PossibleValue::new(bell.name()).aliases(bell.alias());
    PossibleValuesParser::new(Bell::ALL.map(value)).try_map(|word| word.parse())
}

/// When to encrypt.
pub(crate) fn policies() -> impl TypedValueParser<Value = Policy> {
    PossibleValuesParser::new(["never", "prefer", "require"]).map(|word| match &*word {
        "never" => Policy::Never,
        "require" => Policy::Require,
        _ => Policy::Prefer,
    })
}

/// A duration.
pub(crate) fn parse_seconds(seconds: &str) -> Result<Duration, String> {
    let is_sane = |seconds: &f64| (0.001..=3600.0).contains(seconds);
    let seconds: Option<f64> = seconds.parse().ok().filter(is_sane);
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "type a number of seconds from 0.001 to 3600".to_owned())
}

/// A duration as [`parse_seconds`] reads it.
pub(crate) fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// At least one.
pub(crate) fn parse_count(count: &str) -> Result<usize, String> {
    count.parse().ok().filter(|&count| count > 0).ok_or_else(|| "type a whole number above 0".to_owned())
}

/// Memory for all peers, in bytes.
pub(crate) fn parse_memory(bytes: &str) -> Result<usize, String> {
    let bytes = bytes.parse().ok().filter(|&bytes| bytes >= MEMORY_BYTES_MIN);
    bytes.ok_or_else(|| format!("type a number of bytes, at least {MEMORY_BYTES_MIN}"))
}
