use super::*;

/// Logits whose distribution at temperature 1 is this.
fn logits(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.ln()).collect()
}

const NOTHING: Seen<'_> = Seen {
    prompt: &[],
    answer: &[],
};

fn sampler(sampling: Sampling) -> Sampler {
    Sampler::new(sampling, 0).unwrap()
}

/// What may be drawn, with probabilities.
fn distribution(sampling: Sampling, logits: &[f32], seen: &Seen<'_>) -> Vec<(u32, f64)> {
    let sampler = sampler(Sampling {
        temperature: match sampling.temperature {
            0.0 => 1.0,
            other => other,
        },
        ..sampling
    });
    let mut scores = logits.to_vec();
    sampler.penalise(&mut scores, seen);
    let kept = sampler.kept(&scores, likeliest(&scores).unwrap());
    let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
    kept.iter()
        .map(|(id, weight)| (*id, weight / total))
        .collect()
}

fn assert_is(found: &[(u32, f64)], expected: &[(u32, f64)]) {
    let close = |(one, other): (&(u32, f64), &(u32, f64))| {
        one.0 == other.0 && (one.1 - other.1).abs() < 1e-6
    };
    let all = found.len() == expected.len() && found.iter().zip(expected).all(close);
    assert!(all, "{found:?} instead of {expected:?}");
}

const FOUR: [f32; 4] = [0.1, 0.4, 0.2, 0.3];

#[test]
fn temperature_zero_takes_the_likeliest_and_of_equals_the_first() {
    let mut greedy = sampler(Sampling {
        // Without effect.
        top_k: 1,
        min_p: 1.0,
        top_p: 0.1,
        ..Sampling::default()
    });
    let mut choose = |logits: &[f32]| greedy.choose(logits, &NOTHING).unwrap().id;
    assert_eq!(choose(&[1.0, 3.0, 2.0]), 1);
    assert_eq!(choose(&[1.0, 3.0, 3.0, 3.0]), 1);
    assert_eq!(choose(&[f32::NEG_INFINITY, -5.0]), 1);
    assert_eq!(choose(&[-0.0, 0.0]), 0);
}

#[test]
fn logits_that_are_no_distribution_are_refused() {
    for temperature in [0.0, 1.0] {
        let mut any = sampler(Sampling {
            temperature,
            ..Sampling::default()
        });
        let none = [f32::NEG_INFINITY; 2];
        for logits in [&[0.0, f32::NAN][..], &[f32::INFINITY, 0.0], &none, &[]] {
            assert_eq!(any.choose(logits, &NOTHING), Err(NoDistribution));
        }
    }
}

#[test]
fn without_cuts_all_tokens_keep_their_probability() {
    let plain = distribution(Sampling::default(), &logits(&FOUR), &NOTHING);
    assert_is(&plain, &[(0, 0.1), (1, 0.4), (2, 0.2), (3, 0.3)]);
}

#[test]
fn temperature_two_takes_roots_of_probabilities() {
    let sampling = Sampling {
        temperature: 2.0,
        ..Sampling::default()
    };
    let found = distribution(sampling, &logits(&[0.64, 0.04, 0.32]), &NOTHING);
    // 0.8, 0.2 and 0.565685 of 1.565685.
    assert_is(&found, &[(0, 0.510_958), (1, 0.127_739), (2, 0.361_302)]);
}

#[test]
fn top_k_keeps_the_likeliest() {
    let top = |top_k| {
        let sampling = Sampling {
            top_k,
            ..Sampling::default()
        };
        distribution(sampling, &logits(&FOUR), &NOTHING)
    };
    assert_is(&top(1), &[(1, 1.0)]);
    assert_is(&top(2), &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    assert_eq!(top(4).len(), 4);
    assert_eq!(top(u32::MAX).len(), 4);
    let tied = Sampling {
        top_k: 2,
        ..Sampling::default()
    };
    assert_is(
        &distribution(tied, &[1.0; 5], &NOTHING),
        &[(0, 0.5), (1, 0.5)],
    );
}

#[test]
fn top_p_keeps_the_fewest_that_reach_it() {
    let top = |top_p, top_k| {
        let sampling = Sampling {
            top_p,
            top_k,
            ..Sampling::default()
        };
        distribution(sampling, &logits(&FOUR), &NOTHING)
    };
    assert_is(&top(0.39, 0), &[(1, 1.0)]);
    assert_is(&top(0.69, 0), &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    let three = [(1, 4.0 / 9.0), (2, 2.0 / 9.0), (3, 3.0 / 9.0)];
    assert_is(&top(0.71, 0), &three);
    assert_is(&top(f32::MIN_POSITIVE, 0), &[(1, 1.0)]);
    // Of the three of top_k, the first has 4/9, the first two have 7/9.
    assert_is(&top(0.77, 3), &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    assert_is(&top(0.43, 3), &[(1, 1.0)]);
}

#[test]
fn min_p_is_a_part_of_the_likeliest_ones_probability() {
    let least = |min_p| {
        let sampling = Sampling {
            min_p,
            ..Sampling::default()
        };
        distribution(sampling, &logits(&FOUR), &NOTHING)
    };
    assert_is(&least(0.7), &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    assert_eq!(least(0.49).len(), 3);
    assert_eq!(least(0.24).len(), 4);
    assert_is(&least(1.0), &[(1, 1.0)]);
}

#[test]
fn repeat_penalty_makes_seen_tokens_less_likely_as_far_back_as_told() {
    let scores = |repeat_last| {
        let sampler = sampler(Sampling {
            repeat_penalty: 2.0,
            repeat_last,
            ..Sampling::default()
        });
        let mut scores = vec![4.0, -4.0, 4.0, 4.0, 0.0];
        let seen = Seen {
            prompt: &[0, 1, 1],
            answer: &[2, 99],
        };
        sampler.penalise(&mut scores, &seen);
        scores
    };
    assert_eq!(scores(0), [2.0, -8.0, 2.0, 4.0, 0.0]);
    assert_eq!(scores(64), [2.0, -8.0, 2.0, 4.0, 0.0]);
    assert_eq!(scores(4), [4.0, -8.0, 2.0, 4.0, 0.0]);
    assert_eq!(scores(2), [4.0, -4.0, 2.0, 4.0, 0.0]);
    assert_eq!(scores(1), [4.0, -4.0, 4.0, 4.0, 0.0]);
}

#[test]
fn presence_and_frequency_penalties_count_the_answer_alone() {
    let sampler = sampler(Sampling {
        presence_penalty: 1.0,
        frequency_penalty: 0.25,
        logit_bias: vec![(3, 2.5), (0, -1.0), (77, 1.0)],
        ..Sampling::default()
    });
    let mut scores = vec![1.0; 4];
    let seen = Seen {
        prompt: &[0, 0, 3],
        answer: &[1, 2, 1],
    };
    sampler.penalise(&mut scores, &seen);
    assert_eq!(scores, [0.0, -0.5, -0.25, 3.5]);
}

#[test]
fn biases_decide_at_temperature_zero_too() {
    let mut biased = sampler(Sampling {
        logit_bias: vec![(2, 100.0)],
        ..Sampling::default()
    });
    let chosen = biased.choose(&[5.0, 6.0, 0.0], &NOTHING).unwrap();
    assert_eq!(chosen.id, 2);
    let mut huge = sampler(Sampling {
        logit_bias: vec![(1, f32::MAX)],
        temperature: 1.0,
        ..Sampling::default()
    });
    let chosen = huge.choose(&[0.0, f32::MAX], &NOTHING).unwrap();
    assert_eq!(chosen.id, 1);
}

#[test]
fn tokens_are_drawn_as_often_as_their_probability_says() {
    let mut plain = sampler(Sampling {
        temperature: 1.0,
        seed: 7,
        ..Sampling::default()
    });
    let logits = logits(&FOUR);
    let mut found = [0_u32; 4];
    for _ in 0..20_000 {
        let id = plain.choose(&logits, &NOTHING).unwrap().id;
        found[usize::try_from(id).unwrap()] += 1;
    }
    for (times, probability) in found.iter().zip(FOUR) {
        // Five standard deviations of the widest.
        let off = f64::from(*times) - 20_000.0 * f64::from(probability);
        assert!(off.abs() < 350.0, "{found:?}");
    }
}

#[test]
fn drawing_walks_the_weights_from_the_first_to_the_last() {
    let kept = [(5, 1.0), (6, 2.0), (9, 1.0)];
    let at = |part: u64| draw(&kept, u64::MAX / 10_000 * part);
    assert_eq!(at(0), Some(5));
    assert_eq!(at(2_499), Some(5));
    assert_eq!(at(2_501), Some(6));
    assert_eq!(at(7_499), Some(6));
    assert_eq!(at(7_501), Some(9));
    assert_eq!(draw(&kept, u64::MAX), Some(9));
    assert_eq!(draw(&[], 0), None);
}

#[test]
fn same_seed_gives_the_same_tokens_and_another_seed_others() {
    let drawn = |seed| {
        let mut sampler = sampler(Sampling {
            temperature: 1.0,
            seed,
            ..Sampling::default()
        });
        let one = || sampler.choose(&[0.0; 64], &NOTHING).unwrap().id;
        std::iter::repeat_with(one).take(32).collect::<Vec<_>>()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn log_probabilities_are_the_models_own() {
    let sampling = Sampling {
        temperature: 0.5,
        top_k: 1,
        logit_bias: vec![(1, -50.0)],
        ..Sampling::default()
    };
    let mut telling = Sampler::new(sampling, 2).unwrap();
    let mut scores = logits(&FOUR);
    scores.push(f32::NEG_INFINITY);
    let token = telling.choose(&scores, &NOTHING).unwrap();
    assert_eq!(token.id, 3);
    assert!((token.logprob.unwrap() - 0.3_f32.ln()).abs() < 1e-6);
    let ids: Vec<u32> = token.likely.iter().map(|one| one.id).collect();
    assert_eq!(ids, [1, 3]);
    assert!((token.likely[0].logprob - 0.4_f32.ln()).abs() < 1e-6);
    let mut all = Sampler::new(Sampling::default(), 20).unwrap();
    let token = all.choose(&scores, &NOTHING).unwrap();
    assert_eq!(token.likely.len(), 5);
    let impossible = token.likely[4];
    assert!(impossible.id == 4 && impossible.logprob.is_finite());
}

#[test]
fn settings_out_of_range_are_refused_with_their_name() {
    let odd = [
        (
            "temperature",
            Sampling {
                temperature: -1.0,
                ..Sampling::default()
            },
        ),
        (
            "temperature",
            Sampling {
                temperature: f32::NAN,
                ..Sampling::default()
            },
        ),
        (
            "top_p",
            Sampling {
                top_p: 0.0,
                ..Sampling::default()
            },
        ),
        (
            "top_p",
            Sampling {
                top_p: 1.1,
                ..Sampling::default()
            },
        ),
        (
            "min_p",
            Sampling {
                min_p: 1.5,
                ..Sampling::default()
            },
        ),
        (
            "repeat_penalty",
            Sampling {
                repeat_penalty: 0.0,
                ..Sampling::default()
            },
        ),
        (
            "presence_penalty",
            Sampling {
                presence_penalty: f32::INFINITY,
                ..Sampling::default()
            },
        ),
        (
            "frequency_penalty",
            Sampling {
                frequency_penalty: f32::NAN,
                ..Sampling::default()
            },
        ),
        (
            "logit_bias",
            Sampling {
                logit_bias: vec![(3, f32::NAN)],
                ..Sampling::default()
            },
        ),
    ];
    for (name, sampling) in odd {
        let text = Sampler::new(sampling, 0).map(|_| ()).unwrap_err();
        assert!(text.contains(name), "{text}");
    }
    assert!(Sampler::new(Sampling::default(), 21).is_err());
    let biased = sampler(Sampling {
        logit_bias: vec![(4, 1.0)],
        ..Sampling::default()
    });
    assert!(biased.check_vocabulary(4).is_err());
    assert!(biased.check_vocabulary(5).is_ok());
}
