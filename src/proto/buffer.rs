//! A buffer of bytes that grows. A large buffer has its own memory mapping, which goes back to the system as soon as
//! the buffer is dropped. An allocator would keep that memory while anything above it lives, and peers can make us
//! hold a lot for a while.

use crate::limits::{BUFFER_BYTES_MAX, MAPPED_AT_ONCE_BYTES_MIN, MAPPED_BYTES_MIN};
use memmap2::MmapMut;
use std::ops::Deref;

/// The bytes of a page on most systems.
const PAGE_BYTES: usize = 4096;

/// At most [`BUFFER_BYTES_MAX`] bytes. More can be appended up to that.
#[derive(Debug)]
pub(super) enum Buffer {
    Heap(Vec<u8>),
    Mapped { map: MmapMut, len: usize },
}

impl Buffer {
    /// Appends bytes; the caller checks the limit.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.map_for(bytes.len(), MAPPED_BYTES_MIN);
        self.extend(bytes);
    }

    /// Moves many bytes that will be held for a while into a mapping.
    pub(super) fn settle(&mut self) {
        self.map_for(0, MAPPED_BYTES_MIN);
    }

    fn map_for(&mut self, more: usize, bytes_min: usize) {
        if let Self::Heap(vec) = self
            && vec.len() + more >= bytes_min
            && let Ok(mut map) = MmapMut::map_anon(BUFFER_BYTES_MAX)
        {
            map[..vec.len()].copy_from_slice(vec);
            *self = Self::Mapped { map, len: vec.len() };
        }
    }

    /// Appends bytes that will probably be gone at once: for a few of them, a mapping would cost more than they do.
    pub(super) fn append_for_now(&mut self, bytes: &[u8]) {
        self.map_for(bytes.len(), MAPPED_AT_ONCE_BYTES_MIN);
        self.extend(bytes);
    }

    fn extend(&mut self, bytes: &[u8]) {
        match self {
            Self::Heap(vec) => vec.extend_from_slice(bytes),
            Self::Mapped { map, len } => {
                map[*len..*len + bytes.len()].copy_from_slice(bytes);
                *len += bytes.len();
            }
        }
    }

    /// The memory that it takes, in bytes. For a mapping, only the pages that were written to.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Heap(vec) => vec.capacity(),
            Self::Mapped { len, .. } => len.next_multiple_of(PAGE_BYTES),
        }
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Heap(vec) => vec,
            Self::Mapped { map, len } => map[..len].to_vec(),
        }
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Self {
        Self::Heap(bytes.to_vec())
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Heap(Vec::new())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(vec) => vec,
            Self::Mapped { map, len } => &map[..*len],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_in_a_mapping() {
        for sizes in [vec![1, MAPPED_BYTES_MIN, 1], vec![BUFFER_BYTES_MAX], vec![1; MAPPED_BYTES_MIN + 1]] {
            let mut buffer = Buffer::default();
            let mut all = Vec::new();
            for (n, size) in sizes.into_iter().enumerate() {
                let bytes = vec![n as u8; size];
                buffer.append(&bytes);
                all.extend(bytes);
                assert_eq!(&*buffer, all);
            }
            assert!(matches!(buffer, Buffer::Mapped { .. }));
            assert!((all.len()..all.len() + PAGE_BYTES).contains(&buffer.held()));
            assert_eq!(buffer.into_vec(), all);
        }
    }
}
