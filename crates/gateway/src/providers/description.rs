//! What a model is, where providers say different things of it.

use assay_client::session::{OfferedModel, Price, Usage};

use crate::upstream::Listed;

/// The offers of one model that describe it alike.
pub struct Alike<'a> {
    cheapest: &'a OfferedModel,
    count: usize,
    /// The largest of their limits on tokens; 0 for none.
    max_tokens: u32,
}

/// Sorts an offer in with those that describe the model in the same way.
pub fn add<'a>(groups: &mut Vec<Alike<'a>>, offered: &'a OfferedModel) {
    let same = |group: &&mut Alike<'a>| {
        let other = group.cheapest;
        other.generates == offered.generates
            && other.inputs == offered.inputs
            && other.outputs == offered.outputs
    };
    let Some(group) = groups.iter_mut().find(same) else {
        return groups.push(Alike {
            cheapest: offered,
            count: 1,
            max_tokens: offered.max_tokens,
        });
    };
    group.count = group.count.saturating_add(1);
    group.max_tokens = match (group.max_tokens, offered.max_tokens) {
        (0, _) | (_, 0) => 0,
        (one, other) => one.max(other),
    };
    if cost(&offered.price) < cost(&group.cheapest.price) {
        group.cheapest = offered;
    }
}

/// The model as most providers describe it, by the cheapest of their offers: one provider with a low price must not keep
/// everybody from using a model by describing it wrongly. Nor by its limit on tokens: the largest of them counts, and
/// requests go to those that have room for them.
pub fn believed(groups: &[Alike<'_>]) -> Option<Listed> {
    let most = groups.iter().max_by_key(|group| {
        let cheap = std::cmp::Reverse(cost(&group.cheapest.price));
        (group.count, cheap)
    })?;
    let counts = groups.iter().map(|group| group.count);
    Some(Listed {
        model: OfferedModel {
            max_tokens: most.max_tokens,
            ..most.cheapest.clone()
        },
        providers: counts.fold(0, usize::saturating_add),
    })
}

/// A measure to show the cheapest by, where no request is at hand: a small run or a short answer.
fn cost(price: &Price) -> u64 {
    price
        .of(Usage {
            input_bytes: 1 << 14,
            input_tokens: 500,
            output_tokens: 500,
        })
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use assay_client::{protocol::Digest, session::Port};

    use super::*;

    fn offer(name: &str, request: u64, input: &str) -> OfferedModel {
        let input = Port {
            name: input.to_owned(),
            dtype: "F32".to_owned(),
            shape: None,
        };
        OfferedModel {
            digest: Digest([1; 32]),
            name: name.to_owned(),
            price: Price {
                request,
                ..Price::default()
            },
            inputs: vec![input],
            outputs: Vec::new(),
            generates: false,
            max_tokens: 0,
        }
    }

    fn listed(offers: &[OfferedModel]) -> (String, usize) {
        let mut groups = Vec::new();
        for offer in offers {
            add(&mut groups, offer);
        }
        let listed = believed(&groups).unwrap();
        (listed.model.name, listed.providers)
    }

    #[test]
    fn cheap_provider_alone_with_its_description_is_not_believed() {
        let honest = [offer("a", 9, "x"), offer("b", 5, "x")];
        assert_eq!(listed(&honest), ("b".to_owned(), 2));
        let [a, b] = honest;
        let odd = offer("odd", 0, "y");
        assert_eq!(listed(&[odd.clone(), a.clone(), b]), ("b".to_owned(), 3));
        // Word against word, the price tells.
        assert_eq!(listed(&[a, odd]), ("odd".to_owned(), 2));
        assert!(believed(&[]).is_none());
    }

    #[test]
    fn cheap_provider_alone_with_its_limit_does_not_limit_everybody() {
        let of = |(request, max_tokens)| OfferedModel {
            max_tokens,
            ..offer("a", request, "x")
        };
        for (offers, most) in [
            ([(5, 8_192), (5, 4_096), (0, 1)], 8_192),
            ([(0, 1), (5, 8_192), (5, 8_192)], 8_192),
            ([(0, 1), (5, 0), (5, 8_192)], 0),
        ] {
            let offers = offers.map(of);
            let mut groups = Vec::new();
            for offer in &offers {
                add(&mut groups, offer);
            }
            let model = believed(&groups).unwrap().model;
            assert_eq!((model.price.request, model.max_tokens), (0, most));
        }
    }
}
