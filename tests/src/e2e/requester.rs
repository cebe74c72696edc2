//! A requester: places orders, fetches and checks results, acknowledges them.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result, bail};
use assay_client::{
    address,
    delivery::{self, Acknowledgement, Delivery, Received, Verified},
    instruction::{JobCancel, JobClose, JobCreate},
    protocol::{Address, JobData, args::JobCreateArgs},
    secret,
};
use bytemuck::Zeroable as _;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Http, Landed, Order, Stage, worker::write_key};

/// A wallet that pays for jobs.
#[derive(Debug)]
pub struct Requester {
    pub wallet: Keypair,
}

/// A job on the chain.
#[derive(Clone, Debug)]
pub struct Placed {
    pub job: Address,
    pub landed: Landed,
}

/// What came back for a job.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub delivery: Delivery,
    pub outputs: Vec<u8>,
    pub hints: Vec<u8>,
}

impl Requester {
    pub fn new(stage: &Stage, lamports: u64) -> Result<Self> {
        Ok(Self {
            wallet: stage.wallet(lamports)?,
        })
    }

    pub fn address(&self) -> Address {
        self.wallet.pubkey()
    }

    pub fn balance(&self, stage: &Stage) -> Result<u64> {
        stage.balance(&self.address())
    }

    /// Writes the wallet's key file, for commands.
    pub fn write_key(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("requester.json");
        write_key(&path, &self.wallet)?;
        Ok(path)
    }

    /// Creates the job.
    pub fn create(&self, stage: &Stage, order: &Order) -> Result<Placed> {
        let open_slot = stage.rpc().get_slot()?;
        // Several jobs fit into a slot; none may have another's address.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let start = NEXT.fetch_add(1 << 16, Ordering::Relaxed);
        let place = address::cheap_job(&self.address(), open_slot, start);
        let secret = secret::for_job(&self.wallet, &place.address)?;
        let args = JobCreateArgs {
            open_slot,
            index: place.index,
            terms: order.terms(&secret::hash(&secret))?,
            ..JobCreateArgs::zeroed()
        };
        let create = JobCreate {
            requester: self.address(),
            model: order.model,
            args,
        };
        let landed = stage.send("job_create", create.instruction(), &[&self.wallet])?;
        Ok(Placed {
            job: place.address,
            landed,
        })
    }

    /// Hands the input over and creates the job.
    pub fn place(&self, stage: &Stage, http: &Http, order: &Order) -> Result<Placed> {
        let answer = http.put_blob(&order.input_digest, &order.input)?;
        if !matches!(answer.status, 200 | 201) {
            bail!("the input was refused: {} {}", answer.status, answer.text());
        }
        self.create(stage, order)
    }

    /// The result of a committed job, checked against the chain.
    pub fn receive(
        &self,
        stage: &Stage,
        http: &Http,
        job: &Address,
    ) -> Result<(Delivered, Verified)> {
        let delivered = self.fetch(stage, http, job)?;
        let verified = self.verify(stage, job, &delivered)?;
        Ok((delivered, verified))
    }

    /// Recomputes what was delivered against what the chain says.
    pub fn verify(&self, stage: &Stage, job: &Address, delivered: &Delivered) -> Result<Verified> {
        let data: JobData = stage.get(job)?;
        let Delivered {
            delivery,
            outputs,
            hints,
        } = delivered;
        Ok(delivery::verify(
            job,
            &data,
            &Received {
                delivery,
                outputs,
                hints,
            },
        )?)
    }

    /// The result as the worker hands it out. The worker may hear of its commitment later than we do, and says until
    /// then that the result is pending.
    fn fetch(&self, stage: &Stage, http: &Http, job: &Address) -> Result<Delivered> {
        let path = delivery::result_path(job);
        let watch = stage.watch(job)?;
        let answer = watch.until("a delivery", || {
            let answer = http.signed(&self.wallet, "GET", &path, Vec::new())?;
            match answer.status {
                202 => Ok(None),
                200 => Ok(Some(answer)),
                status => bail!("the result was refused: {status} {}", answer.text()),
            }
        })?;
        let delivery: Delivery = serde_json::from_slice(&answer.body).context("no delivery")?;
        let file = |path: String| {
            let answer = http.signed(&self.wallet, "GET", &path, Vec::new())?;
            match answer.status {
                200 => Ok(answer.body),
                status => bail!("{path} was refused: {status} {}", answer.text()),
            }
        };
        Ok(Delivered {
            delivery,
            outputs: file(delivery::outputs_path(job))?,
            hints: file(delivery::hints_path(job))?,
        })
    }

    /// Tells the worker that the result is accepted.
    pub fn acknowledge(&self, http: &Http, job: &Address) -> Result<()> {
        let body = self.acknowledgement(job)?;
        let path = delivery::acknowledge_path(job);
        let answer = http.signed(&self.wallet, "POST", &path, body)?;
        match answer.status {
            200 => Ok(()),
            status => bail!(
                "the acknowledgement was refused: {status} {}",
                answer.text()
            ),
        }
    }

    /// Sends the acknowledgement without waiting for an answer, which a worker that dies never gives.
    pub fn acknowledge_unheard(&self, http: &Http, job: &Address) {
        let (http, job) = (http.clone(), *job);
        let requester = Self {
            wallet: self.wallet.insecure_clone(),
        };
        // The connection breaks with the worker, and the thread ends with an error that nobody needs.
        std::thread::spawn(move || drop(requester.acknowledge(&http, &job)));
    }

    fn acknowledgement(&self, job: &Address) -> Result<Vec<u8>> {
        let requester_secret = secret::for_job(&self.wallet, job)?;
        Ok(serde_json::to_vec(&Acknowledgement { requester_secret })?)
    }

    pub fn cancel(&self, stage: &Stage, job: &Address) -> Result<Landed> {
        let cancel = JobCancel {
            requester: self.address(),
            job: *job,
        };
        stage.send("job_cancel", cancel.instruction(), &[&self.wallet])
    }

    /// Closes an ended job, as soon as its address cannot be used again.
    pub fn close(&self, stage: &Stage, job: &Address) -> Result<Landed> {
        let close = JobClose {
            job: *job,
            requester: self.address(),
        };
        stage.send("job_close", close.instruction(), &[&self.wallet])
    }
}
