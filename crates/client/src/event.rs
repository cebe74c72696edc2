//! Events of the program, read from a transaction's logs.

use assay_protocol::events;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{discriminator, program::PROGRAM_ID};

macro_rules! event_enum {
    ($($name:ident)*) => {
        /// One change of money or status that the program reported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event {
            $($name(events::$name),)*
        }

        impl Event {
            /// Names of every event, in the order of the protocol.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The event's name, as in the IDL.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// Slot of the change.
            pub const fn slot(&self) -> u64 {
                match self { $(Self::$name(event) => event.slot,)* }
            }

            /// Unix seconds of the change.
            pub const fn time(&self) -> i64 {
                match self { $(Self::$name(event) => event.time,)* }
            }

            /// The changed account's sequence number after the change; a gap shows that logs were cut.
            pub const fn sequence(&self) -> u64 {
                match self { $(Self::$name(event) => event.sequence,)* }
            }

            /// The event in these bytes, if they are one.
            pub fn decode(data: &[u8]) -> Option<Self> {
                $(
                    if let Some(body) = data.strip_prefix(&discriminator::event(stringify!($name))) {
                        return bytemuck::try_pod_read_unaligned(body).ok().map(Self::$name);
                    }
                )*
                None
            }
        }
    };
}

event_enum! {
    MarketInitialized MarketUpdated MarketPaused AuthorityProposed AuthorityAccepted TreasuryWithdrawn
    ProviderRegistered ProviderUpdated ProviderDeregistered
    StakeDeposited StakeUnbonded StakeWithdrawn EarningsWithdrawn
    ModelRegistered ModelRetired ModelClosed
    JobCreated JobCancelled JobClaimed JobReleased JobCommitted JobSettled JobExpired
    JobAudited JobDisputed JobRevealed
    PanelRetargeted PanelOpened PanelJoined PanelCommitted PanelRevealed PanelResolved SeatSettled PanelClosed
    JobClosed
    SessionOpened SessionToppedUp SessionSettled SessionCloseRequested SessionClosed
}

/// The program's events in a transaction's logs, in order.
///
/// Any program can write a line that looks like an event, so only lines that ours wrote count.
pub fn of_logs<T: AsRef<str>>(logs: impl IntoIterator<Item = T>) -> Vec<Event> {
    let program = PROGRAM_ID.to_string();
    let mut running: Vec<String> = Vec::new();
    let mut events = Vec::new();
    for line in logs {
        let line = line.as_ref();
        if let Some(data) = line.strip_prefix("Program data: ") {
            let ours = running.last().is_some_and(|id| *id == program);
            // The program logs one field; further fields would follow after a space.
            let bytes = data.split(' ').next().map(|field| STANDARD.decode(field));
            if let (true, Some(Ok(bytes))) = (ours, bytes) {
                events.extend(Event::decode(&bytes));
            }
            continue;
        }
        // "Program log: .." and "Program return: .." carry text that a program chose.
        let Some(rest) = line.strip_prefix("Program ") else {
            continue;
        };
        let Some((id, what)) = rest.split_once(' ') else {
            continue;
        };
        if what.starts_with("invoke [") {
            running.push(id.to_owned());
        } else if what == "success" || what.starts_with("failed") {
            running.pop();
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use assay_protocol::Address;

    use super::*;

    fn claimed() -> events::JobClaimed {
        events::JobClaimed {
            slot: 5,
            time: 1_700_000_000,
            job: Address::new_from_array([1; 32]),
            provider: Address::new_from_array([2; 32]),
            sequence: 2,
            price: 10,
            reserved: 20,
            attempt: 0,
        }
    }

    fn line(event: &events::JobClaimed) -> String {
        let data = [
            &discriminator::event("JobClaimed"),
            bytemuck::bytes_of(event),
        ]
        .concat();
        format!("Program data: {}", STANDARD.encode(data))
    }

    #[test]
    fn every_event_of_the_protocol_is_known() {
        assert_eq!(Event::NAMES, events::NAMES);
    }

    #[test]
    fn only_our_own_lines_are_events() {
        let data = line(&claimed());
        let other = "Other1111111111111111111111111111111111111";
        let logs = [
            format!("Program {other} invoke [1]"),
            data.clone(),
            "Program log: Program data: spoof".to_owned(),
            format!("Program {PROGRAM_ID} invoke [2]"),
            "Program 11111111111111111111111111111111 invoke [3]".to_owned(),
            data.clone(),
            "Program 11111111111111111111111111111111 success".to_owned(),
            data.clone(),
            format!("Program {PROGRAM_ID} consumed 2000 of 200000 compute units"),
            format!("Program {PROGRAM_ID} success"),
            data,
            format!("Program {other} success"),
        ];
        let events = of_logs(&logs);
        assert_eq!(events, [Event::JobClaimed(claimed())]);
        assert_eq!(
            events.first().map(|event| (
                event.name(),
                event.slot(),
                event.time(),
                event.sequence()
            )),
            Some(("JobClaimed", 5, 1_700_000_000, 2))
        );
    }

    #[test]
    fn cut_or_foreign_data_is_no_event() {
        let whole = [
            &discriminator::event("JobClaimed"),
            bytemuck::bytes_of(&claimed()),
        ]
        .concat();
        assert!(Event::decode(&whole).is_some());
        assert!(Event::decode(&whole[..whole.len() - 1]).is_none());
        assert!(Event::decode(&whole[..8]).is_none());
        assert!(Event::decode(&[0; 64]).is_none());
        assert!(Event::decode(&[]).is_none());
    }
}
