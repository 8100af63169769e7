//! The flags about keys, which the chat, `send` and `diagnose` share.

use crate::files::identity::{IdentityFile, identity_place};
use crate::values::policies;
use chinwag::chat::trust::Policy;
use std::path::PathBuf;

/// What a user says of keys.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// Your key is in this file, which is made if it is not there; others know you by it [default: identity in the data
    /// directory, if stdin is a terminal]
    #[arg(long, value_name = "FILE", conflicts_with = "no_identity")]
    identity: Option<PathBuf>,

    /// Do not read or make a file with a key; nothing is encrypted
    #[arg(long)]
    no_identity: bool,

    /// When to encrypt: never, with each peer that can (prefer), or always (require); then nothing is sent or taken in
    /// the clear
    #[arg(long, value_name = "WHEN", default_value = "prefer", value_parser = policies())]
    pub(crate) secure: Policy,
}

impl KeyArgs {
    /// The key, if one is used: for a person, or if a flag names it.
    ///
    /// # Errors
    ///
    /// Nothing could be sent, because there is no key; the error is a sentence.
    pub(crate) fn open(&self, is_person: bool) -> Result<Option<IdentityFile>, String> {
        let is_wanted = !self.no_identity && self.secure != Policy::Never;
        let default = || if is_person { identity_place() } else { None };
        let path = if is_wanted { self.identity.clone().or_else(default) } else { None };
        let file = path.as_deref().map(IdentityFile::load);
        let is_usable = file.as_ref().is_some_and(IdentityFile::is_usable);
        if self.secure == Policy::Require && !is_usable {
            return Err(self.lack(file.as_ref()));
        }
        Ok(file)
    }

    /// Why there is no key where one is required.
    fn lack(&self, file: Option<&IdentityFile>) -> String {
        let without = "'--secure require' sends nothing without a key";
        match file.and_then(IdentityFile::complaint) {
            Some(complaint) => format!("{without}. {complaint}"),
            None if self.no_identity => format!("{without}; leave out '--no-identity'"),
            None => format!("{without}; name its file with '--identity <FILE>'"),
        }
    }
}
