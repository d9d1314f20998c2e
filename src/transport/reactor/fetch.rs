//! Registration of exchanges that the browser carries out.

use super::{Reactor, SourceId};
use crate::transport::system::ReadySignal;

impl Reactor {
    /// Registers an exchange. Its signal makes the source readable and lists its owner, as an event of a
    /// socket does. `None` on an in-memory network.
    pub(crate) fn add_fetch(&mut self) -> Option<(SourceId, ReadySignal)> {
        let id = self.insert(false);
        let signal = self.member.signal(id.0);
        if signal.is_none() {
            self.remove(id);
        }
        signal.map(|signal| (id, signal))
    }
}
