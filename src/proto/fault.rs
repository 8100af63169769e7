//! What the system said of a call that failed, as data that can be compared, stored and shown later.

use rustix::io::Errno;
use std::fmt;
use std::io;

/// A fault of the system. It is displayed in the system's own words if there are any, after the name of the call if
/// that is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// Its kind, as far as the standard library knows it.
    pub kind: io::ErrorKind,
    errno: Option<i32>,
    /// The system call, if the reader should know which one it was.
    call: Option<&'static str>,
}

impl Fault {
    /// The fault of this system call.
    pub fn of_call(call: &'static str, error: impl Into<io::Error>) -> Self {
        Self { call: Some(call), ..Self::from(&error.into()) }
    }

    /// Whether `bind` failed, or the call is not known: then the address or the port is the cause.
    pub fn may_be_of_bind(self) -> bool {
        self.call.is_none_or(|call| call == "bind")
    }

    /// Whether the process, or the system, has no descriptor left.
    pub fn is_of_descriptors(self) -> bool {
        let is = |errno: Errno| self.errno == Some(errno.raw_os_error());
        is(Errno::MFILE) || is(Errno::NFILE)
    }

    /// Whether the system has no addresses of that family, so that no port can be used.
    pub fn is_of_family(self) -> bool {
        self.errno == Some(Errno::AFNOSUPPORT.raw_os_error())
    }
}

impl From<&io::Error> for Fault {
    fn from(error: &io::Error) -> Self {
        Self { kind: error.kind(), errno: error.raw_os_error(), call: None }
    }
}

impl From<io::ErrorKind> for Fault {
    fn from(kind: io::ErrorKind) -> Self {
        Self { kind, errno: None, call: None }
    }
}

/// An error number without a kind is "uncategorized" in the standard library, so the system's own text is used.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.call {
            write!(f, "{call}: ")?;
        }
        let Some(errno) = self.errno else { return write!(f, "{}", self.kind) };
        let words = io::Error::from_raw_os_error(errno).to_string();
        f.write_str(words.strip_suffix(&format!(" (os error {errno})")).unwrap_or(&words))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_the_words_of_the_system_without_the_error_number() {
        for errno in [Errno::AFNOSUPPORT, Errno::NOBUFS, Errno::ACCESS, Errno::IO] {
            let error = io::Error::from(errno);
            let fault = Fault::from(&error);
            assert_eq!(format!("{fault} (os error {})", errno.raw_os_error()), error.to_string());
            assert_eq!((fault.kind, fault.is_of_family()), (error.kind(), errno == Errno::AFNOSUPPORT));
            assert!(!fault.to_string().contains("uncategorized"), "{fault}");
        }
        assert_eq!(Fault::from(io::ErrorKind::TimedOut).to_string(), "timed out");
        assert_eq!(Fault::of_call("listen", Errno::NOBUFS).to_string(), "listen: No buffer space available");
        let ours = Fault::from(&io::Error::other("of our own"));
        assert_eq!(ours.to_string(), io::ErrorKind::Other.to_string());
    }
}
