//! The output of a program: a thread collects it, and the test waits for it.

use super::PATIENCE;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// The collected output of one descriptor.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Default)]
struct Shared {
    collected: Mutex<Collected>,
    has_grown: Condvar,
}

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    /// Where the last match ended.
    matched: usize,
    /// Whether more may come.
    is_open: bool,
}

impl Output {
    /// Collects until the end, or until the terminal hangs up.
    pub(crate) fn of(mut reader: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        output.lock().is_open = true;
        let writer = output.clone();
        thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            loop {
                let count = reader.read(&mut chunk).unwrap_or(0);
                let mut collected = writer.lock();
                collected.bytes.extend_from_slice(&chunk[..count]);
                collected.is_open = count > 0;
                writer.0.has_grown.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        output
    }

    /// Waits until `text` comes after the last match; returns everything up to the end of `text`.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) -> String {
        self.expect_one_of(&[text])
    }

    /// The same with the first of several texts.
    #[track_caller]
    pub(crate) fn expect_one_of(&self, texts: &[&str]) -> String {
        let mut collected = self.await_that(&format!("{texts:?}"), |collected| {
            let rest = &collected.bytes[collected.matched..];
            texts.iter().any(|text| find(rest, text).is_some())
        });
        let rest = &collected.bytes[collected.matched..];
        let end = texts.iter().filter_map(|text| Some(find(rest, text)? + text.len())).min().unwrap_or(0);
        let shown = String::from_utf8(rest[..end].to_vec()).expect("the output is UTF-8");
        collected.matched += end;
        shown
    }

    /// Waits until this whole line comes after the last match.
    #[track_caller]
    pub(crate) fn expect_line(&self, line: &str) {
        let with_newline = format!("\n{line}\n");
        // The newline before it may be the last thing that was matched.
        let from = |collected: &Collected| collected.matched.saturating_sub(1);
        let mut collected = self.await_that(&format!("the line {line:?}"), |collected| {
            find(&collected.bytes[from(collected)..], &with_newline).is_some()
        });
        let start = find(&collected.bytes[from(&collected)..], &with_newline).unwrap_or_default();
        collected.matched = from(&collected) + start + with_newline.len();
    }

    /// Waits until the whole output is as wanted.
    #[track_caller]
    pub(crate) fn expect_that(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        drop(self.await_that(what, |collected| is_so(&String::from_utf8_lossy(&collected.bytes))));
    }

    /// Waits for the end; returns everything after the last match.
    #[track_caller]
    pub(crate) fn rest(&self) -> String {
        let mut collected = self.await_that("the end", |collected| !collected.is_open);
        let rest = collected.bytes[collected.matched..].to_vec();
        collected.matched = collected.bytes.len();
        String::from_utf8(rest).expect("the output is UTF-8")
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn end(&self) {
        drop(self.await_that("the end", |collected| !collected.is_open));
    }

    /// Everything that has been written by now, unchanged.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    #[track_caller]
    fn await_that(&self, what: &str, is_so: impl Fn(&Collected) -> bool) -> MutexGuard<'_, Collected> {
        let is_waiting = |collected: &mut Collected| !is_so(collected) && collected.is_open;
        let (collected, _) = self
            .0
            .has_grown
            .wait_timeout_while(self.lock(), PATIENCE, is_waiting)
            .expect("the collector does not panic");
        if !is_so(&collected) {
            let all = String::from_utf8_lossy(&collected.bytes).into_owned();
            let matched = collected.matched;
            drop(collected);
            panic!("{what} did not come; the output, of which {matched} bytes were matched before:\n{all}");
        }
        collected
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.collected.lock().expect("the collector does not panic")
    }
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    memchr::memmem::find(bytes, text.as_bytes())
}
