//! How a frame's budget is divided between the clients and servers that one pump polls.

use std::time::Instant;

use httpoll::Budget;

/// A pump's budget, divided between the clients and servers that it polls.
pub(crate) struct Shares {
    budget: Budget,
    began: Instant,
    clients: usize,
    /// Clients that have not had their turn yet.
    left: usize,
}

impl Shares {
    pub(crate) fn new(budget: Budget, clients: usize) -> Self {
        Self {
            budget,
            began: Instant::now(),
            clients,
            left: clients,
        }
    }

    /// The budget of the next client, which counts as `weight` clients. Every client gets a turn in each
    /// frame, and every poll makes some progress whatever its budget, so no client starves. Time that one
    /// client does not use is left to those after it.
    pub(crate) fn next(&mut self, weight: usize) -> Budget {
        let mut share = self.budget.clone();
        let part = |clients: usize| u32::try_from(clients.max(1)).unwrap_or(u32::MAX);
        let weight = weight.max(1);
        if let Some(time) = self.budget.time {
            let left = time.saturating_sub(self.began.elapsed());
            let share_of_it = left / part(self.left) * part(weight.min(self.left));
            share.time = Some(share_of_it.min(left));
        }
        share.bytes = self.budget.bytes.map(|bytes| {
            bytes / u64::from(part(self.clients)) * u64::from(part(weight.min(self.clients)))
        });
        self.left = self.left.saturating_sub(weight);
        share
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_bytes_never_exceed_the_whole() {
        for (requests, nodes) in [(0, 1), (1, 0), (1, 3), (20, 3), (7, 7)] {
            let clients = requests + nodes;
            let mut shares = Shares::new(Budget::unlimited().with_bytes(1000), clients);
            let mut bytes = 0;
            for _ in 0..nodes {
                bytes += shares.next(1).bytes.unwrap();
            }
            if requests > 0 {
                bytes += shares.next(requests).bytes.unwrap();
            }
            assert!(bytes <= 1000, "{bytes}");
        }
    }
}
