//! What an RPC node answers: it may be anybody's.

use assay_client::{
    account::{Layout, decode, encode},
    event,
    protocol::{Address, JobData, ModelData, PanelData, ProviderData, SessionData, Voucher},
    slot_hashes::SlotHashes,
};

/// Accounts: what is read is what was there, and every accessor bears whatever it holds.
pub fn account(bytes: &[u8]) {
    same::<JobData>(bytes);
    same::<PanelData>(bytes);
    same::<ProviderData>(bytes);
    same::<ModelData>(bytes);
    same::<SessionData>(bytes);
    if let Ok(job) = decode::<JobData>(bytes) {
        // What the worker asks of a job before it knows anything else of it.
        let _ = (
            job.status(),
            job.is_unaudited(),
            job.require_class(&[1; 32]),
        );
        let _ = (
            job.compute_deadline(),
            job.claim_deadline(),
            job.challenge_deadline(),
        );
        let _ = (job.finalize_deadline(), job.has_panel(1));
    }
    if let Ok(hashes) = SlotHashes::decode(bytes) {
        assert!(SlotHashes::decode(&hashes.encode()) == Ok(hashes.clone()));
        let _ = hashes.find(u64::MAX);
    }
}

fn same<T: Layout>(bytes: &[u8]) {
    if let Ok(account) = decode::<T>(bytes) {
        assert!(
            encode(&account) == bytes,
            "an account changed by being read"
        );
    }
}

/// Logs of a transaction, in which other programs write too.
pub fn log(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let events = event::of_logs(text.lines());
    assert!(events.len() <= text.lines().count());
}

/// What a session's requester sends as payment, and what carries it to the chain.
pub fn voucher(bytes: &[u8]) {
    if let Some(voucher) = Voucher::from_bytes(bytes) {
        assert!(
            voucher.to_bytes() == bytes,
            "a voucher changed by being read"
        );
    }
    let key = Address::new_from_array([9; 32]);
    let named = bytes.get(114..146).and_then(|named| named.try_into().ok());
    let session = Address::new_from_array(named.unwrap_or([7; 32]));
    if let Ok(voucher) = Voucher::proven(bytes, &session, &key) {
        let signature = bytes.get(48..112).and_then(|part| part.try_into().ok());
        let again = voucher.proof(&key, &signature.unwrap_or([0; 64]));
        assert!(again == bytes, "a proof changed by being read");
        assert!(Voucher::proven(bytes, &key, &key).is_err() || session == key);
    }
}
