//! A requester that speaks to the worker itself, and does not pay as it should.

use anyhow::{Context as _, Result};
use assay_client::{
    address,
    delivery::Refusal,
    instruction::SessionOpen,
    protocol::{Address, SessionData, Voucher, args::SessionOpenArgs},
    session::{
        MODEL_HEADER, Payment, Price, SEQUENCE_HEADER, Standing, VOUCHER_HEADER, code, run_path,
        session_path,
    },
};
use assay_tests::e2e::{
    Http, Provider, SOL, Stage,
    digits::{Prediction, Sample},
    gateway::Served,
};
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::{received, serving, start};
use crate::present;

/// A model dear enough that two requests are worth a settlement's fees.
const SERVED: Served = Served {
    price: Price {
        request: 500_000,
        ..Served::DIGITS.price
    },
    ..Served::DIGITS
};
const PRICE: u64 = SERVED.price.request;
const DEPOSIT: u64 = 3 * PRICE;

/// A session opened by hand.
struct Session {
    address: Address,
    key: Keypair,
    http: Http,
    sample: Sample,
}

impl Session {
    fn open(stage: &Stage, provider: &Provider) -> Result<Self> {
        let wallet = stage.wallet(SOL)?;
        let key = Keypair::new();
        let open_slot = stage.rpc().get_slot()?;
        let place = address::cheap_session(&wallet.pubkey(), &provider.address, open_slot, 0);
        let open = SessionOpen {
            requester: wallet.pubkey(),
            provider: provider.address,
            args: SessionOpenArgs {
                session_key: key.pubkey(),
                deposit: DEPOSIT,
                open_slot,
                index: place.index,
                grace_secs: 86_400,
            },
        };
        stage.send("session_open", open.instruction(), &[&wallet])?;
        Ok(Self {
            address: place.address,
            key,
            http: provider.http(),
            sample: Sample::new(3)?,
        })
    }

    /// Asks for a run with a voucher over this sum, signed by this key.
    fn ask_with(&self, sequence: u64, cumulative: u64, key: &Keypair) -> Result<(u16, Vec<u8>)> {
        let voucher = Voucher {
            session: self.address,
            cumulative,
            expires_at: i64::MAX,
        };
        let headers = vec![
            (MODEL_HEADER, hex::encode(SERVED.digest()?.0)),
            (SEQUENCE_HEADER, sequence.to_string()),
            (VOUCHER_HEADER, Payment::sign(voucher, key)?.to_header()),
        ];
        let input = self.sample.input.clone();
        let answer = self
            .http
            .send("POST", &run_path(&self.address), input, headers)?;
        Ok((answer.status, answer.body))
    }

    fn answered(&self, sequence: u64, cumulative: u64) -> Result<()> {
        let (status, body) = self.ask_with(sequence, cumulative, &self.key)?;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let prediction = Prediction::read(&body)?;
        assert_eq!(prediction.label, i64::from(self.sample.digit));
        Ok(())
    }

    fn refused(&self, sequence: u64, cumulative: u64, status: u16, code: &str) -> Result<()> {
        self.refused_with(sequence, cumulative, &self.key, (status, code))
    }

    fn refused_with(
        &self,
        sequence: u64,
        cumulative: u64,
        key: &Keypair,
        expected: (u16, &str),
    ) -> Result<()> {
        let (status, body) = self.ask_with(sequence, cumulative, key)?;
        let refusal: Refusal = serde_json::from_slice(&body).context("a refusal")?;
        assert_eq!(
            (status, refusal.error.as_str()),
            expected,
            "{}",
            refusal.message
        );
        Ok(())
    }

    fn standing(&self) -> Result<Standing> {
        let answer = self.http.get(&session_path(&self.address))?;
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

#[test]
fn requester_that_stops_paying_gets_one_answer_for_nothing_at_most() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let worker = start(stage, &provider, &serving(&[SERVED]))?;
    let session = Session::open(stage, &provider)?;

    session.answered(1, 0)?;
    for paid in [0, PRICE - 1] {
        session.refused(2, paid, 402, code::PAYMENT_REQUIRED)?;
    }
    // The same number again gets the same answer, and costs nothing more.
    session.answered(1, 0)?;
    session.refused(3, PRICE, 409, code::SEQUENCE_MISMATCH)?;
    let stranger = Keypair::new();
    session.refused_with(2, PRICE, &stranger, (401, code::VOUCHER_INVALID))?;
    session.refused(2, DEPOSIT + 1, 402, code::DEPOSIT_TOO_SMALL)?;
    let standing = session.standing()?;
    assert_eq!(
        (standing.sequence, standing.due, standing.paid),
        (1, PRICE, 0)
    );

    // Three requests are what the deposit covers.
    session.answered(2, PRICE)?;
    session.answered(3, 2 * PRICE)?;
    session.refused(4, 3 * PRICE, 402, code::DEPOSIT_TOO_SMALL)?;

    // The worker ends and settles what it has vouchers for: all but the last answer.
    assert!(worker.process.terminate()?.status.success());
    let data: SessionData = stage.get(&session.address)?;
    assert_eq!(data.settled, 2 * PRICE);
    assert_eq!(received(stage, &provider)?, 2 * PRICE);
    Ok(())
}

/// Another session's voucher, of the same key even, pays nothing here.
#[test]
fn voucher_of_another_session_is_refused() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let worker = start(stage, &provider, &serving(&[SERVED]))?;
    let (one, other) = (
        Session::open(stage, &provider)?,
        Session::open(stage, &provider)?,
    );
    let foreign = Session {
        address: other.address,
        key: one.key.insecure_clone(),
        http: provider.http(),
        sample: Sample::new(3)?,
    };
    foreign.refused(1, 0, 401, code::VOUCHER_INVALID)?;
    other.answered(1, 0)?;
    let nowhere = Session {
        address: Address::new_unique(),
        ..foreign
    };
    nowhere.refused(1, 0, 404, code::SESSION_UNKNOWN)?;
    drop(worker);
    Ok(())
}
