//! What to ask an RPC node for, so that it sends only the accounts that matter.

use assay_protocol::{
    Address, JobData, JobStatus, ModelData, PanelData, ProviderData, SessionData,
};
use serde_json::{Value, json};

use crate::{PROGRAM_ID, account::Layout, discriminator};

/// One condition on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The account has this many bytes.
    Size(u64),
    /// The account's data has these bytes at this offset.
    Bytes { offset: usize, bytes: Vec<u8> },
}

/// Accounts of one type.
pub fn accounts<T: Layout>() -> Vec<Filter> {
    vec![
        Filter::Bytes {
            offset: 0,
            bytes: discriminator::account(T::NAME).to_vec(),
        },
        Filter::Size(u64::try_from(T::SIZE).unwrap_or(u64::MAX)),
    ]
}

/// The parameters of `getProgramAccounts` for accounts of one type that meet the conditions.
pub fn listing<T: Layout>(conditions: &[Filter]) -> Value {
    let all = accounts::<T>();
    let filters: Vec<Value> = all.iter().chain(conditions).map(Filter::json).collect();
    json!([PROGRAM_ID.to_string(), {
        "encoding": "base64",
        "commitment": "confirmed",
        "filters": filters,
    }])
}

impl Filter {
    /// In a node's words.
    fn json(&self) -> Value {
        match self {
            Self::Size(size) => json!({ "dataSize": size }),
            Self::Bytes { offset, bytes } => json!({
                "memcmp": { "offset": offset, "bytes": bs58::encode(bytes).into_string() }
            }),
        }
    }
}

/// Jobs in this status.
pub fn job_status(status: JobStatus) -> Filter {
    at(std::mem::offset_of!(JobData, status), &[status as u8])
}

/// Jobs that this wallet pays for.
pub fn job_requester(requester: &Address) -> Filter {
    at(std::mem::offset_of!(JobData, requester), requester.as_ref())
}

/// Jobs for this model's account.
pub fn job_model(model: &Address) -> Filter {
    at(std::mem::offset_of!(JobData, model), model.as_ref())
}

/// Jobs that this provider's account works on or has worked on last.
pub fn job_provider(provider: &Address) -> Filter {
    at(std::mem::offset_of!(JobData, provider), provider.as_ref())
}

/// Models of this author.
pub fn model_author(author: &Address) -> Filter {
    at(std::mem::offset_of!(ModelData, author), author.as_ref())
}

/// Models of this file, whoever registered it.
pub fn model_digest(digest: &[u8; 32]) -> Filter {
    at(std::mem::offset_of!(ModelData, digest), digest)
}

/// Providers that this hot key works for.
pub fn provider_operator(operator: &Address) -> Filter {
    at(
        std::mem::offset_of!(ProviderData, operator),
        operator.as_ref(),
    )
}

/// Panels of this job.
pub fn panel_job(job: &Address) -> Filter {
    at(std::mem::offset_of!(PanelData, job), job.as_ref())
}

/// Sessions that this wallet pays.
pub fn session_requester(requester: &Address) -> Filter {
    at(
        std::mem::offset_of!(SessionData, requester),
        requester.as_ref(),
    )
}

fn at(offset: usize, bytes: &[u8]) -> Filter {
    Filter::Bytes {
        offset: discriminator::LENGTH + offset,
        bytes: bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(filter: &Filter) -> usize {
        match filter {
            Filter::Bytes { offset, .. } => *offset,
            Filter::Size(_) => panic!("a size has no offset"),
        }
    }

    /// Other people's indexers rely on these numbers too: they never change.
    #[test]
    fn offsets_are_pinned() {
        let key = Address::new_from_array([9; 32]);
        assert_eq!(offset(&job_status(JobStatus::Open)), 9);
        assert_eq!(offset(&job_requester(&key)), 16);
        assert_eq!(offset(&job_model(&key)), 48);
        assert_eq!(offset(&job_provider(&key)), 80);
        assert_eq!(offset(&model_author(&key)), 16);
        assert_eq!(offset(&model_digest(&[1; 32])), 80);
        assert_eq!(offset(&provider_operator(&key)), 48);
        assert_eq!(offset(&panel_job(&key)), 16);
        assert_eq!(offset(&session_requester(&key)), 16);
    }

    #[test]
    fn filters_match_an_encoded_account() {
        let key = Address::new_from_array([9; 32]);
        let mut job: JobData = bytemuck::Zeroable::zeroed();
        job.status = JobStatus::Committed as u8;
        job.requester = key;
        job.provider = Address::new_from_array([4; 32]);
        let data = crate::account::encode(&job);
        let mut filters = accounts::<JobData>();
        filters.extend([
            job_status(JobStatus::Committed),
            job_requester(&key),
            job_provider(&job.provider),
        ]);
        for filter in filters {
            match filter {
                Filter::Size(size) => assert_eq!(size, data.len() as u64),
                Filter::Bytes { offset, bytes } => {
                    assert_eq!(&data[offset..offset + bytes.len()], bytes);
                }
            }
        }
    }
}
