//! The private key by which others recognise this program.
//!
//! It is made once and never overwritten: whoever has pinned it would take another one for somebody else. So the file is
//! linked into its place, which fails if there is one already, and then read: of two programs that make it at once, both
//! have the key that came first. A file that cannot be used is not renamed either, for it may have a key that a person
//! can save.
//!
//! Each buffer that holds the private half is wiped. No error has any of it.

use super::Faults;
use super::disk;
use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::{FileFault, Kept, Notice};
use chinwag::limits::LOCK_TRIES;
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::fault::Fault;
use chinwag::proto::secure::{Identity, Seed};
use chinwag::term::Screen;
use chinwag::term::render::Sentence;
use data_encoding::BASE64URL_NOPAD;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The first line of the file.
const HEADING: &str =
    "# The private key of chinwag. Whoever can read it can pass for you. Do not change it.\n";

/// A private key, and its text.
const KEY_BYTES: usize = 32;
const KEY_CHARS: usize = 43;

/// No file with a key is longer, whatever a person has written into it.
const BYTES_MAX: usize = 4096;

/// The bits of a mode that let others read or write.
const OTHERS: u32 = 0o066;

/// The key of this run, as far as it can be used.
pub(crate) struct IdentityFile {
    secrets: Option<Secrets>,
    faults: Faults,
}

/// What a node needs to encrypt.
struct Secrets {
    identity: Identity,
    /// Random bytes, for the other keys of handshakes, until they are given away.
    entropy: Option<Zeroizing<[u8; 32]>>,
}

impl IdentityFile {
    /// Reads the key. If there is no file, it is made.
    pub(crate) fn load(path: &Path) -> Self {
        let path = disk::follow(path);
        let mut faults = Faults::new(Kept::Identity, &path);
        let secrets = secrets(&path).map_err(|why| faults.untold.push(why)).ok();
        disk::remove_second_link(&path);
        Self { secrets, faults }
    }

    /// Whether there is a key that can be used.
    pub(crate) fn is_usable(&self) -> bool {
        self.secrets.is_some()
    }

    /// Gives a node its key. Each call gives other random bytes, and none of them stay here: two nodes with the same
    /// ones would use the same keys twice.
    pub(crate) fn give(&mut self, config: Config) -> Config {
        let Some(Secrets { identity, entropy }) = &mut self.secrets else { return config };
        match entropy.take().map_or_else(random, Ok) {
            Ok(entropy) => Config { identity: Some(identity.clone()), entropy: Seed(*entropy), ..config },
            Err(why) => {
                self.secrets = None;
                self.faults.untold.push(why);
                config
            }
        }
    }

    /// What is wrong with the file, as a sentence.
    pub(crate) fn complaint(&self) -> Option<String> {
        let why = self.faults.untold.first()?.clone();
        let notice = Notice::FileFault { kept: Kept::Identity, path: self.faults.path.clone(), why };
        Some(Sentence(&notice).to_string().trim_end().to_owned())
    }

    /// Tells what is wrong with the file, once.
    pub(super) fn tell<S: Screen<Notice>>(&mut self, event_loop: &mut EventLoop<Node, S>) {
        self.faults.tell(event_loop);
    }
}

fn secrets(path: &Path) -> Result<Secrets, FileFault> {
    let identity = match read(path)? {
        Some(identity) => identity,
        None => make(path)?,
    };
    Ok(Secrets { identity, entropy: Some(random()?) })
}

/// The key in a file; `None` if there is no file.
fn read(path: &Path) -> Result<Option<Identity>, FileFault> {
    let unreadable = |error: io::Error| FileFault::Unreadable(Fault::from(&error));
    let file = match disk::open_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    // Asked of the open file, so that it is the one that is read.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(FileFault::Exposed);
    }
    // With room for all, so that no part stays behind where it was before it grew.
    let mut text = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    file.take(BYTES_MAX as u64).read_to_end(&mut text).map_err(unreadable)?;
    parse(&text).map(Some).ok_or(FileFault::NoKey)
}

/// The key in a text: its only line, besides comments.
fn parse(text: &[u8]) -> Option<Identity> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let line = lines.next().filter(|line| line.len() == KEY_CHARS)?;
    let mut private = Zeroizing::new([0; KEY_BYTES]);
    let is_key = BASE64URL_NOPAD.decode_mut(line, &mut *private).is_ok() && lines.next().is_none();
    if is_key { Identity::new(*private) } else { None }
}

/// Makes a key and its file, unless another program has made one in the meantime; gives the one in the file.
fn make(path: &Path) -> Result<Identity, FileFault> {
    let private = random()?;
    let mut text = Zeroizing::new(Vec::with_capacity(HEADING.len() + KEY_CHARS + 1));
    text.extend_from_slice(HEADING.as_bytes());
    text.resize(HEADING.len() + KEY_CHARS, 0);
    BASE64URL_NOPAD.encode_mut(&*private, &mut text[HEADING.len()..]);
    text.push(b'\n');
    disk::locked(path, LOCK_TRIES, |lock| disk::create(lock, path, &text))
        .map_err(|error| FileFault::Unwritable(Fault::from(&error)))?;
    // It is not there if another program had the lock all the time.
    read(path)?.ok_or(FileFault::Unwritable(ErrorKind::ResourceBusy.into()))
}

/// Bytes that nobody else knows.
fn random() -> Result<Zeroizing<[u8; 32]>, FileFault> {
    let mut bytes = Zeroizing::new([0; 32]);
    match getrandom::fill(&mut *bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(FileFault::NoRandomness(match error.raw_os_error() {
            Some(errno) => Fault::from(&io::Error::from_raw_os_error(errno)),
            None => ErrorKind::Unsupported.into(),
        })),
    }
}

/// Where the key is, unless the user says otherwise.
pub(crate) fn identity_place() -> Option<PathBuf> {
    Some(super::known_peers_place()?.with_file_name("identity"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use tempfile::TempDir;

    fn place() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        let path = home.path().join("data/identity");
        (home, path)
    }

    /// A file with this text and this mode.
    fn written(text: impl AsRef<[u8]>, mode: u32) -> (TempDir, PathBuf) {
        let (home, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (home, path)
    }

    fn key(path: &Path) -> String {
        let mut file = IdentityFile::load(path);
        assert_eq!(file.complaint(), None);
        file.give(Config::default()).identity.unwrap().key().to_string()
    }

    /// Whatever is wrong leads to no key, and to a sentence.
    #[track_caller]
    fn fault(path: &Path) -> FileFault {
        let mut file = IdentityFile::load(path);
        let config = file.give(Config::default());
        assert!(!file.is_usable() && config.identity.is_none() && config.entropy.0 == [0; 32]);
        assert!(file.complaint().unwrap().contains("so nothing is encrypted"));
        file.faults.untold[0].clone()
    }

    #[test]
    fn a_key_is_made_once_for_this_user_alone_and_read_from_then_on() {
        let (_home, path) = place();
        let first = key(&path);
        let text = fs::read_to_string(&path).unwrap();
        let rest = text.strip_prefix(HEADING).unwrap();
        assert!(rest.len() == KEY_CHARS + 1 && rest.ends_with('\n'), "{}", rest.len());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(key(&path), first);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let (_other, elsewhere) = place();
        assert_ne!(key(&elsewhere), first);
        let entropy = || IdentityFile::load(&path).give(Config::default()).entropy.0;
        assert_ne!(entropy(), entropy());
    }

    #[test]
    fn random_bytes_are_given_once_and_do_not_stay() {
        let (_home, path) = place();
        let mut file = IdentityFile::load(&path);
        let first = file.give(Config::default());
        assert!(file.secrets.as_ref().is_some_and(|secrets| secrets.entropy.is_none()));
        let second = file.give(Config::default());
        assert_eq!(first.identity.unwrap().key(), second.identity.unwrap().key());
        assert!(first.entropy.0 != second.entropy.0 && second.entropy.0 != [0; 32]);
    }

    #[test]
    fn a_second_link_to_the_key_is_removed_and_no_other_file() {
        let (_home, path) = place();
        let first = key(&path);
        let new = path.with_file_name("identity.new");
        fs::hard_link(&path, &new).unwrap();
        let lock = disk::lock(&path, 1).unwrap();
        assert_eq!((key(&path), new.exists()), (first.clone(), true), "another program is at work");
        drop(lock);
        assert_eq!((key(&path), new.exists()), (first.clone(), false));
        fs::write(&new, "of the user").unwrap();
        assert_eq!((key(&path), new.exists()), (first, true));
    }

    #[test]
    fn a_file_is_never_overwritten_even_if_it_comes_while_another_is_made() {
        let (_home, path) = place();
        let identity = make(&path).unwrap();
        assert_eq!(make(&path).unwrap().key(), identity.key());
        let (_home, path) = written("", 0o600);
        assert_eq!(make(&path).unwrap_err(), FileFault::NoKey);
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn what_an_editor_or_a_torn_newline_changes_does_no_harm() {
        let line = BASE64URL_NOPAD.encode(&[7; 32]);
        let expected = Identity::new([7; 32]).unwrap().key().to_string();
        for text in [line.clone(), format!("{HEADING}{line}"), format!("# mine\r\n\r\n  {line} \r\n# end")] {
            let (_home, path) = written(&text, 0o600);
            assert_eq!(key(&path), expected, "{text}");
        }
        let (_home, path) = written(&line, 0o400);
        assert_eq!(key(&path), expected, "it need not be writable");
    }

    #[test]
    fn what_is_not_exactly_one_key_is_none_and_is_left_as_it_is() {
        let line = BASE64URL_NOPAD.encode(&[0xFB; 32]);
        let torn = (0..KEY_CHARS).map(|end| line[..end].to_owned());
        let others = [
            format!("{line}A"),
            format!("{line}\n{line}"),
            format!("{line}="),
            format!("key = \"{line}\""),
            line.replace('-', "+"),
            line.replace(&line[..1], "\u{fc}"),
            "\0".repeat(KEY_CHARS),
            "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned(),
            format!("{}\n{line}", "#".repeat(BYTES_MAX)),
        ];
        for text in torn.chain(others) {
            let (_home, path) = written(&text, 0o600);
            assert_eq!(fault(&path), FileFault::NoKey, "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let complaint = IdentityFile::load(&path).complaint().unwrap();
            assert!(!complaint.contains(&line[..8]), "{complaint}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_or_write_is_not_used() {
        let line = BASE64URL_NOPAD.encode(&[7; 32]);
        for mode in [0o640, 0o604, 0o620, 0o602, 0o666] {
            let (_home, path) = written(&line, mode);
            assert_eq!(fault(&path), FileFault::Exposed, "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_file_is_neither_read_nor_waited_for() {
        let (home, path) = place();
        fs::create_dir_all(&path).unwrap();
        assert_eq!(fault(&path), FileFault::Unreadable(ErrorKind::IsADirectory.into()));
        let pipe = home.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(fault(&pipe), FileFault::Unreadable(ErrorKind::Unsupported.into()));
    }

    #[test]
    fn a_file_that_cannot_be_made_is_told() {
        let (home, _) = place();
        fs::write(home.path().join("file"), "").unwrap();
        assert!(matches!(fault(&home.path().join("file/identity")), FileFault::Unreadable(_)));
        // Nobody can make a directory there, not even root.
        assert!(matches!(fault(Path::new("/proc/chinwag/identity")), FileFault::Unwritable(_)));
        let link = home.path().join("link");
        std::os::unix::fs::symlink("/dev/full/identity", &link).unwrap();
        assert!(matches!(fault(&link), FileFault::Unreadable(_) | FileFault::Unwritable(_)));
    }

    #[test]
    fn a_link_leads_to_the_file_before_and_after_it_is_there() {
        let (home, path) = place();
        let link = home.path().join("link");
        std::os::unix::fs::symlink("data/identity", &link).unwrap();
        let first = key(&link);
        assert_eq!((key(&link), key(&path)), (first.clone(), first));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn while_another_program_makes_it_there_is_no_second_one() {
        let (_home, path) = place();
        let lock = disk::lock(&path, 1).unwrap();
        assert_eq!(fault(&path), FileFault::Unwritable(ErrorKind::ResourceBusy.into()));
        assert!(!path.exists());
        drop(lock);
        key(&path);
    }
}
