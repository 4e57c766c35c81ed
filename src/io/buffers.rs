//! Buffers lent to connections while they have something to do, so that an idle connection holds
//! none and a busy one allocates none.

use std::cell::RefCell;

use crate::limits::RELAY_BYTES;

/// Buffers kept for the next borrower.
const KEPT_MAX: usize = 64;

/// A shard's spare buffers.
#[derive(Default)]
pub struct Buffers {
    spare: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer, with the capacity its last user left.
    pub fn lend(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back. One that has grown past what a relay needs is given up.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        let fits = buffer.capacity() > 0 && buffer.capacity() <= 2 * RELAY_BYTES;
        if fits && spare.len() < KEPT_MAX {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_with_its_memory() {
        let buffers = Buffers::default();
        buffers.give_back(vec![1; 100]);
        let lent = buffers.lend();
        assert!(lent.is_empty());
        assert!(lent.capacity() >= 100);
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_size() {
        let buffers = Buffers::default();
        buffers.give_back(vec![0; 2 * RELAY_BYTES + 1]);
        assert_eq!(buffers.spare.borrow().len(), 0);
        for _ in 0..2 * KEPT_MAX {
            buffers.give_back(vec![0; 8]);
        }
        assert_eq!(buffers.spare.borrow().len(), KEPT_MAX);
    }
}
