//! The target's stdin. What is typed there makes the target send to all peers.

use super::generator::Generator;
use chinwag::limits::{TARGET_POLL, TRIGGER_HEADER_BYTES};
use chinwag::swarm::plan::Plan;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;

/// A named pipe that the target reads, or should.
#[derive(Debug)]
pub(super) struct Trigger(File);

impl Trigger {
    /// Fails with a sentence if the file is not a named pipe, or if nobody reads it.
    pub(super) fn open(file: &Path) -> Result<Self, String> {
        let because = |error: io::Error| format!("--trigger {}: {error}", file.display());
        // Any other file would be overwritten, and no target would read it.
        if !file.metadata().map_err(because)?.file_type().is_fifo() {
            return Err(format!("--trigger {}: this is not a named pipe", file.display()));
        }
        // Without the flag, opening a pipe that nobody reads waits for a reader.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let pipe = OpenOptions::new().write(true).custom_flags(nonblocking).open(file);
        pipe.map(Self).map_err(|error| because(error) + "; the target must be reading it")
    }

    /// Types menu choice 5 and a text for each message of a round, while the generator goes on. What the target
    /// does not read in time is not typed. The generator waits for those messages as well, and reports that they
    /// are missing.
    pub(super) fn pull(&mut self, plan: &Plan, generator: &mut dyn Generator) -> io::Result<()> {
        let text = "x".repeat(plan.message_bytes.saturating_sub(TRIGGER_HEADER_BYTES).max(1));
        let lines = format!("5\n{text}\n").repeat(plan.batch);
        let mut rest = lines.as_bytes();
        let until = Instant::now() + plan.timeout;
        while !rest.is_empty() && Instant::now() < until {
            match self.0.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !generator.rest(TARGET_POLL)? {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
