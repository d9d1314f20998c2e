//! Things that their owners drop when they like, such as the part files that are being written.

use std::sync::{Arc, Weak};

/// With fewer than this, looking for those that are gone is not worth it.
const FEW: usize = 32;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct WeakList<T: ?Sized> {
    list: Vec<Weak<T>>,
    /// How many there may be before those that are gone are looked for: twice as many as were left the last time, so
    /// that a loop that adds does not look through all of them each time.
    most: usize,
}

impl<T: ?Sized> Default for WeakList<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            most: FEW,
        }
    }
}

impl<T: ?Sized> WeakList<T> {
    // Only downloads to files are in such a list.
    #[cfg_attr(any(not(feature = "agent"), target_family = "wasm"), allow(dead_code))]
    pub(super) fn add(&mut self, new: &Arc<T>) {
        if self.list.len() >= self.most {
            self.prune();
        }
        self.list.push(Arc::downgrade(new));
    }

    /// Those that are not gone.
    pub(super) fn alive(&mut self) -> Vec<Arc<T>> {
        self.prune();
        self.list.iter().filter_map(Weak::upgrade).collect()
    }

    fn prune(&mut self) {
        self.list.retain(|it| it.strong_count() > 0);
        self.list.shrink_to(2 * self.list.len());
        self.most = FEW.max(2 * self.list.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_looks_through_the_list_only_when_it_has_doubled() {
        let mut list = WeakList::default();
        let mut kept = Vec::new();
        let mut looks = 0;
        for number in 0..10_000 {
            let before = list.most;
            kept.push(Arc::new(number));
            list.add(&kept[number]);
            looks += usize::from(list.most != before);
        }
        // 32, 64, 128, and so on, up to 8,192.
        assert_eq!(looks, 9);
        assert_eq!(list.alive().len(), 10_000);
    }

    #[test]
    fn what_is_gone_does_not_pile_up() {
        let mut list = WeakList::default();
        let kept = Arc::new(0);
        list.add(&kept);
        let mut most = 0;
        for number in 1..10_000 {
            list.add(&Arc::new(number));
            most = most.max(list.list.len());
        }
        assert_eq!(most, FEW);
        assert_eq!(list.alive(), [kept]);
    }
}
