//! Bytes that grow. Many of them live in a mapping of their own, which the system gets back as soon as they are dropped: an
//! allocator keeps what it was given while anything above it lives, and peers can make us keep much for a while.

use crate::limits::{BUFFER_BYTES_MAX, MAPPED_BYTES_MIN};
use memmap2::MmapMut;
use std::ops::Deref;

/// At most [`BUFFER_BYTES_MAX`] bytes, to which some can be appended.
#[derive(Debug)]
pub(super) enum Buffer {
    Heap(Vec<u8>),
    Mapped { map: MmapMut, len: usize },
}

impl Buffer {
    /// Appends bytes; who calls sees to the bound.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if let Self::Heap(vec) = self
            && vec.len() + bytes.len() >= MAPPED_BYTES_MIN
            && let Ok(mut map) = MmapMut::map_anon(BUFFER_BYTES_MAX)
        {
            map[..vec.len()].copy_from_slice(vec);
            *self = Self::Mapped { map, len: vec.len() };
        }
        match self {
            Self::Heap(vec) => vec.extend_from_slice(bytes),
            Self::Mapped { map, len } => {
                map[*len..*len + bytes.len()].copy_from_slice(bytes);
                *len += bytes.len();
            }
        }
    }

    /// The memory that it takes, in bytes. Of a mapping that is what was written to.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Heap(vec) => vec.capacity(),
            Self::Mapped { len, .. } => *len,
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
            assert!(matches!(buffer, Buffer::Mapped { .. }) && buffer.held() == all.len());
            assert_eq!(buffer.into_vec(), all);
        }
    }
}
