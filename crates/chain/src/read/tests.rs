use assay_client::{PROGRAM_ID, account::DecodeError, protocol::TreasuryData};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::node::Node;

/// Of the system program, which owns wallets.
const SYSTEM: Address = Address::new_from_array([0; 32]);

fn address(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

fn treasury(collected: u64) -> TreasuryData {
    TreasuryData {
        collected,
        ..TreasuryData::new(0)
    }
}

fn account(owner: Address, data: &[u8]) -> Value {
    json!({
        "lamports": 1,
        "data": [STANDARD.encode(data), "base64"],
        "owner": owner.to_string(),
        "executable": false,
        "rentEpoch": 0,
    })
}

fn ours(collected: u64) -> Value {
    account(PROGRAM_ID, &account::encode(&treasury(collected)))
}

/// Answers each question for accounts by their addresses.
fn holding(mut answer: impl FnMut(&[Value]) -> Vec<Value> + Send + 'static) -> Node {
    Node::start(move |_, params| {
        let accounts = answer(params[0].as_array().unwrap());
        Some(json!({ "result": { "context": { "slot": 9 }, "value": accounts } }))
    })
}

#[tokio::test]
async fn many_accounts_are_asked_for_in_pages() {
    let mut asked = 0_u64;
    let node = holding(move |addresses| {
        assert!(addresses.len() <= 100, "nodes refuse more");
        let first = asked;
        asked += addresses.len() as u64;
        (first..asked).map(ours).collect()
    });
    let addresses: Vec<Address> = (0..=200).map(address).collect();
    let found = node.cluster.find_all::<TreasuryData>(&addresses).await;
    let expected: Vec<_> = (0..=200).map(|at| Some(treasury(at))).collect();
    assert_eq!(found.unwrap(), expected);
    assert_eq!(node.asked(), ["getMultipleAccounts"; 3]);
}

#[tokio::test]
async fn answer_with_another_number_of_accounts_is_none() {
    for count in [1, 3] {
        let node = holding(move |_| (0..count).map(ours).collect());
        let addresses = [address(1), address(2)];
        let found = node.cluster.find_all::<TreasuryData>(&addresses).await;
        let error = found.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    }
}

#[tokio::test]
async fn wallet_at_an_address_is_nothing_yet_and_an_account_of_others_is_an_error() {
    let node = holding(|_| vec![account(SYSTEM, &[])]);
    let found = node.cluster.find::<TreasuryData>(&address(1)).await;
    assert_eq!(found.unwrap(), None);

    let data = account::encode(&treasury(1));
    let node = holding(move |_| vec![account(SYSTEM, &data)]);
    let found = node.cluster.find::<TreasuryData>(&address(1)).await;
    require_foreign(&found.unwrap_err(), 1);
}

#[tokio::test]
async fn listed_account_of_another_owner_is_an_error_of_its_own() {
    let node = Node::start(|_, _| {
        let listed = [ours(1), account(SYSTEM, &account::encode(&treasury(2)))];
        let keyed = (1..).zip(listed).map(
            |(number, account)| json!({ "pubkey": address(number).to_string(), "account": account }),
        );
        Some(json!({ "result": keyed.collect::<Vec<Value>>() }))
    });
    let each = node.cluster.list_each::<TreasuryData>(&[]).await.unwrap();
    let [Ok(found), Err(error)] = &*each else {
        panic!("{each:?}");
    };
    assert_eq!((found.address, found.data), (address(1), treasury(1)));
    require_foreign(error, 2);
    let all = node.cluster.list::<TreasuryData>(&[]).await;
    require_foreign(&all.unwrap_err(), 2);
}

fn require_foreign(error: &Error, number: u8) {
    let foreign = matches!(
        error,
        Error::Decode { address: at, source: DecodeError::Owner { owner: SYSTEM } } if *at == address(number)
    );
    assert!(foreign, "{error}");
}
