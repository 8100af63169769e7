//! `RUST_LOG`: what is logged, on stderr.
//!
//! `env_logger` takes a word that is not a level for the name of a module, and then logs nothing at all. Here an
//! invalid part is left out and reported.
//!
//! The log is written at once: if nobody reads stderr, for example on a stopped terminal, the loop waits. By default
//! only warnings are logged, and each kind at most once a second; for more, send the log to a file. A buffer of our
//! own would lose the last lines before a crash.

use chinwag::proto::clean::Clean;
use env_logger::Builder;
use log::LevelFilter;
use std::env;

const VARIABLE: &str = "RUST_LOG";

/// The default.
const DEFAULT: &str = "warn";

/// The modules of this package, directly below `chinwag`.
const MODULES: [&str; 23] = [
    "args",
    "chat",
    "diagnose",
    "discovery",
    "drive",
    "endpoint",
    "files",
    "keys",
    "limits",
    "logging",
    "manual",
    "nearby",
    "net",
    "output",
    "proto",
    "quoting",
    "readiness",
    "send",
    "settings",
    "swarm",
    "term",
    "values",
    "words",
];

/// Starts the log. Returns a sentence for the user if something is wrong with the variable.
pub(crate) fn start() -> Option<String> {
    let spec = env::var_os(VARIABLE).unwrap_or_default();
    let (spec, nonsense) = understood(&spec.to_string_lossy());
    Builder::new().parse_filters(&spec).init();
    (!nonsense.is_empty()).then(|| sentence(&nonsense))
}

fn sentence(nonsense: &[String]) -> String {
    let quoted: Vec<String> = nonsense.iter().map(|part| format!("'{}'", Clean(part))).collect();
    format!(
        "{VARIABLE}: {} is not understood and is ignored; use a level (off, error, warn, info, debug or trace), a part \
         of chinwag (such as chinwag::net), or both (chinwag::net=debug), with commas between several",
        quoted.join(", ")
    )
}

/// The valid parts, or the default if there are none; and the invalid parts.
fn understood(spec: &str) -> (String, Vec<String>) {
    let (directives, text) =
        spec.split_once('/').map_or((spec, None), |(directives, text)| (directives, Some(text)));
    let given = directives.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let (mut meant, mut nonsense) = (Vec::new(), Vec::new());
    for directive in given {
        if is_directive(directive) {
            // `env_logger` takes a space before the sign for a part of the name.
            meant.push(directive.replace(char::is_whitespace, ""));
        } else {
            nonsense.push(directive.to_owned());
        }
    }
    let mut spec = if meant.is_empty() { DEFAULT.to_owned() } else { meant.join(",") };
    match text {
        // A filter: only lines with this text.
        Some(text) if !text.contains('/') => spec.extend(["/", text]),
        Some(text) => nonsense.push(format!("/{text}")),
        None => {}
    }
    (spec, nonsense)
}

/// We have no list of other crates' modules. But such a part must have a level, and no other crate's name begins with
/// ours.
fn is_directive(directive: &str) -> bool {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    match directive.split_once('=').map(|(module, level)| (module.trim(), level.trim())) {
        Some((module, level)) if module.starts_with("chinwag") => {
            is_ours(module) && (is_level(level) || level.is_empty())
        }
        Some((_, level)) => is_level(level),
        None => is_level(directive) || is_ours(directive),
    }
}

fn is_ours(module: &str) -> bool {
    let mut names = module.split("::");
    names.next() == Some("chinwag") && names.next().is_none_or(|name| MODULES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn valid_parts_are_kept_and_the_others_are_reported() {
        let table: [(&str, &str, &[&str]); 18] = [
            ("", "warn", &[]),
            (" , ", "warn", &[]),
            ("debug", "debug", &[]),
            ("OFF", "OFF", &[]),
            ("nonsense", "warn", &["nonsense"]),
            ("chinwag", "chinwag", &[]),
            ("chinwag::net::listener", "chinwag::net::listener", &[]),
            ("chinwag::nte", "warn", &["chinwag::nte"]),
            ("chinwagger", "warn", &["chinwagger"]),
            ("chinwag=loud,info", "info", &["chinwag=loud"]),
            ("chinwag = trace, mio=debug", "chinwag=trace,mio=debug", &[]),
            ("info,chinwag::nte=debug", "info", &["chinwag::nte=debug"]),
            ("chinwag:net=debug, debug=", "warn", &["chinwag:net=debug", "debug="]),
            ("chinwag=", "chinwag=", &[]),
            ("a=b=c,,x", "warn", &["a=b=c", "x"]),
            ("mio", "warn", &["mio"]),
            ("debug/listen", "debug/listen", &[]),
            ("/a/b", "warn", &["/a/b"]),
        ];
        for (spec, kept, nonsense) in table {
            assert_eq!(
                understood(spec),
                (kept.to_owned(), nonsense.iter().map(|&s| s.to_owned()).collect()),
                "{spec}"
            );
        }
    }

    #[test]
    fn the_sentence_quotes_what_is_wrong_and_names_what_is_right() {
        let told = sentence(&["a\x1b".to_owned(), "b=c".to_owned()]);
        assert!(
            told.starts_with("RUST_LOG: 'a␛', 'b=c' is not understood") && told.contains("trace"),
            "{told}"
        );
    }

    #[test]
    fn the_list_of_modules_is_complete() {
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("a directory");
        let names = files.map(|file| file.expect("a file").path().file_stem().expect("a name").to_owned());
        let modules = names.map(|name| name.into_string().expect("UTF-8"));
        let modules: BTreeSet<_> = modules.filter(|name| !["lib", "main"].contains(&name.as_str())).collect();
        assert_eq!(modules, MODULES.map(str::to_owned).into());
    }
}
