//! Files for this user only: locked against other programs, replaced as a whole, and renamed if they cannot be
//! understood. It knows nothing about their content.

use chinwag::limits::{CORRUPT_FILES_MAX, LOCK_RETRY, LOCK_TRIES};
use rustix::event::{Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It could not be understood, and was renamed.
    Corrupt { reason: String, set_aside: PathBuf },
    /// It could not be read, or could not be renamed.
    Unreadable(io::Error),
}

/// A lock on a file, until it is dropped or the process ends.
pub(super) struct Lock(#[expect(dead_code, reason = "it is the open file that has the lock")] File);

/// The file that a link at `path` leads to, even if that file does not exist yet: a replacement must not replace the
/// link.
pub(super) fn follow(path: &Path) -> PathBuf {
    let linked = || fs::read_link(path).map(|target| directory(path).join(target));
    fs::canonicalize(path).or_else(|_| linked()).unwrap_or_else(|_| path.to_owned())
}

/// What a file says, if there is one. A corrupt file is renamed, unless another program has renamed or repaired it in
/// between.
pub(super) fn read<T>(
    path: &Path,
    bytes_max: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Unusable> {
    match understand(path, bytes_max, &parse).map_err(Unusable::Unreadable)? {
        Ok(read) => Ok(read),
        Err(_) => match locked(path, LOCK_TRIES, |lock| Ok(read_locked(lock, path, bytes_max, &parse))) {
            Ok(Some(read)) => read,
            Ok(None) => Err(Unusable::Unreadable(ErrorKind::ResourceBusy.into())),
            Err(error) => Err(Unusable::Unreadable(error)),
        },
    }
}

/// The same, by whoever has the lock.
pub(super) fn read_locked<T>(
    _lock: &Lock,
    path: &Path,
    bytes_max: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Unusable> {
    match understand(path, bytes_max, parse).map_err(Unusable::Unreadable)? {
        Ok(read) => Ok(read),
        Err(reason) => {
            let set_aside = set_aside(path).map_err(Unusable::Unreadable)?;
            Err(Unusable::Corrupt { reason, set_aside })
        }
    }
}

/// What a file says, if there is one, or why it cannot be understood.
pub(super) fn understand<T>(
    path: &Path,
    bytes_max: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> io::Result<Result<Option<T>, String>> {
    let Some(bytes) = read_end(path, bytes_max + 1)? else { return Ok(Ok(None)) };
    if bytes.len() > bytes_max {
        return Ok(Err(format!("it is larger than {} MiB", bytes_max >> 20)));
    }
    let Ok(text) = String::from_utf8(bytes) else { return Ok(Err("it is not UTF-8".to_owned())) };
    Ok(parse(&text).map(Some))
}

/// Reads a file, but at most the last `bytes_max` bytes; `None` if there is no file.
pub(super) fn read_end(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    use io::{Seek, SeekFrom};
    let mut file = match open_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes_max as u64)))?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Opens only what cannot make us wait, so not a FIFO.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.file_type() {
        kind if kind.is_file() => File::open(path),
        kind if kind.is_dir() => Err(ErrorKind::IsADirectory.into()),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

/// Locks a file by means of a second file beside it, which stays. It tries `tries` times, with a short pause. `None`
/// if another program has the lock.
pub(super) fn lock(path: &Path, tries: usize) -> io::Result<Option<Lock>> {
    make_directory(path)?;
    let file = private().write(true).create(true).truncate(false).open(beside(path, ".lock"))?;
    let a_moment = Timespec { tv_sec: 0, tv_nsec: LOCK_RETRY.as_nanos() as _ };
    for again in (0..tries).rev() {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Lock(file))),
            Err(Errno::WOULDBLOCK) if again > 0 => {
                // A signal makes the pause shorter, which does no harm.
                let _ = poll(&mut [], Some(&a_moment));
            }
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Calls a function while it holds the lock, see [`lock`]; `None` if another program has the lock.
pub(super) fn locked<T>(
    path: &Path,
    tries: usize,
    work: impl FnOnce(&Lock) -> io::Result<T>,
) -> io::Result<Option<T>> {
    lock(path, tries)?.map(|lock| work(&lock)).transpose()
}

/// Replaces a file by `contents` as a whole: even if the program is killed, there is either the old file or the new
/// one.
pub(super) fn replace(lock: &Lock, path: &Path, contents: &[u8]) -> io::Result<()> {
    write_new(lock, path, contents, |new| fs::rename(new, path))
}

/// Makes a file with these `contents` as a whole. If there is a file already, whoever made it, it stays as it is.
pub(super) fn create(lock: &Lock, path: &Path, contents: &[u8]) -> io::Result<()> {
    write_new(lock, path, contents, |new| match fs::hard_link(new, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => fs::remove_file(new),
    })
}

/// Removes the second link to a file that [`create`] leaves if the program is killed before it has removed it. It stays
/// for the next time if another program has the lock, or if it cannot be removed.
pub(super) fn remove_second_link(path: &Path) {
    let temporary = beside(path, ".new");
    if is_same(path, &temporary) {
        let _ =
            locked(path, 1, |_| if is_same(path, &temporary) { fs::remove_file(&temporary) } else { Ok(()) });
    }
}

/// Whether both are links to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path| fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()));
    place(one).is_ok_and(|one| place(other).is_ok_and(|other| one == other))
}

/// Writes a new file beside `path`, and lets `put` give it its name.
fn write_new(
    _lock: &Lock,
    path: &Path,
    contents: &[u8],
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = beside(path, ".new");
    // Left by a program that was killed.
    let _ = fs::remove_file(&temporary);
    let mut file = private().write(true).create_new(true).open(&temporary)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| put(&temporary)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(directory(path))?.sync_all()
}

/// Adds whole lines to a file, in one write.
pub(super) fn append(_lock: &Lock, path: &Path, lines: &[u8]) -> io::Result<()> {
    private().append(true).create(true).open(path)?.write_all(lines)
}

/// Renames a file to a name that does not exist yet, and returns that name.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=CORRUPT_FILES_MAX {
        let suffix = if number == 1 { ".corrupt".to_owned() } else { format!(".corrupt.{number}") };
        let aside = beside(path, &suffix);
        match fs::hard_link(path, &aside) {
            Ok(()) => return fs::remove_file(path).map(|()| aside),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Only this user may read and write it.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory(path))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_this_user_alone() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("deep/er/file");
        let lock = lock(&path, 1).unwrap().unwrap();
        replace(&lock, &path, b"one").unwrap();
        assert_eq!((mode(&path), mode(directory(&path))), (0o600, 0o700));
        let old = File::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(beside(&path, ".new"), "half of a").unwrap();
        replace(&lock, &path, b"two").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o600));
        assert_eq!(io::read_to_string(&old).unwrap(), "one", "the old one was left as it was");
        assert_ne!(old.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino());
        assert!(!beside(&path, ".new").exists());
    }

    #[test]
    fn a_file_that_is_there_is_not_made_again() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("deep/file");
        let lock = lock(&path, 1).unwrap().unwrap();
        fs::write(beside(&path, ".new"), "half of a").unwrap();
        for text in [b"one", b"two"] {
            create(&lock, &path, text).unwrap();
            assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o600));
            assert!(!beside(&path, ".new").exists());
        }
    }

    #[test]
    fn a_link_is_followed_before_and_after_its_file_is_there() {
        let home = TempDir::new().unwrap();
        let [path, file] = ["link", "file"].map(|name| home.path().join(name));
        std::os::unix::fs::symlink("file", &path).unwrap();
        assert_eq!(follow(&path), file);
        fs::write(&file, "").unwrap();
        assert_eq!(follow(&path), file.canonicalize().unwrap());
        assert_eq!(follow(Path::new("nothing")), Path::new("nothing"));
    }

    #[test]
    fn one_at_a_time_has_the_lock() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("file");
        let first = lock(&path, 1).unwrap();
        assert!(first.is_some() && lock(&path, 2).unwrap().is_none());
        drop(first);
        assert!(lock(&path, 1).unwrap().is_some());
    }

    #[test]
    fn a_renamed_corrupt_file_never_replaces_another_file() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("file");
        for (text, name) in [("one", "file.corrupt"), ("two", "file.corrupt.2"), ("three", "file.corrupt.3")]
        {
            fs::write(&path, text).unwrap();
            assert_eq!(set_aside(&path).unwrap(), home.path().join(name));
            assert_eq!(fs::read_to_string(home.path().join(name)).unwrap(), text);
            assert!(!path.exists());
        }
    }

    #[test]
    fn only_the_end_of_a_long_file_is_read_and_only_regular_files() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("file");
        assert!(read_end(&path, 9).unwrap().is_none());
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_end(&path, 4).unwrap().unwrap(), b"6789");
        assert_eq!(read_end(&path, 40).unwrap().unwrap(), b"0123456789");
        let table =
            [(home.path(), ErrorKind::IsADirectory), (Path::new("/dev/null"), ErrorKind::Unsupported)];
        for (no_file, why) in table {
            assert_eq!(read_end(no_file, 9).unwrap_err().kind(), why);
        }
    }
}
