//! The time of day for rustls, which judges certificates and tickets by it.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::tickets;
use crate::clock::system_time;

/// The system's clock. rustls's own provider panics while that shows a time before 1970, as it does on machines
/// that lost it. Then certificates are not valid yet. There is no time for session tickets beyond their limit.
#[derive(Debug)]
pub(super) struct TimeOfDay;

impl TimeProvider for TimeOfDay {
    fn current_time(&self) -> Option<UnixTime> {
        tickets::count_one().then(|| unix_time(system_time()))
    }
}

fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::tls::TlsOptions;

    #[test]
    fn a_clock_before_1970_is_the_first_second_of_1970() {
        let second = Duration::from_secs(1);
        for (time, seconds) in [
            (UNIX_EPOCH + 5 * second, 5),
            (UNIX_EPOCH, 0),
            (UNIX_EPOCH - second, 0),
            (UNIX_EPOCH - 1_000_000_000 * second, 0),
        ] {
            assert_eq!(unix_time(time).as_secs(), seconds, "{time:?}");
        }
    }

    #[test]
    fn both_ends_of_tls_use_a_clock_that_does_not_panic() {
        let name = format!("{TimeOfDay:?}");
        let client = TlsOptions::client();
        let provider = &client.config().unwrap().time_provider;
        assert_eq!(format!("{provider:?}"), name);
        #[cfg(feature = "server")]
        {
            let made = rcgen::generate_simple_self_signed(["game.test".to_owned()]).unwrap();
            let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
            let server = crate::transport::tls::ServerTlsOptions::builder()
                .certificate_pem(chain.as_bytes(), key.as_bytes())
                .build()
                .unwrap();
            let provider = &server.config().time_provider;
            assert_eq!(format!("{provider:?}"), name);
        }
    }
}
