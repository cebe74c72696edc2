//! `options`, and what it means.

use serde_json::{Map, Value};

use crate::api::{ask::Wish, failure::Failure};

/// Options for the machine that a model is loaded on, which is the provider's.
const OF_THE_MACHINE: [&str; 12] = [
    "numa",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "low_vram",
    "f16_kv",
    "vocab_only",
    "use_mmap",
    "use_mlock",
    "num_thread",
    "logits_all",
    "embedding_only",
];

/// Reads the options.
pub fn wish(options: Option<Map<String, Value>>) -> Result<Wish, Failure> {
    let mut wish = Wish::default();
    for (key, value) in options.unwrap_or_default() {
        if value.is_null() || OF_THE_MACHINE.contains(&key.as_str()) {
            continue;
        }
        let option = Named {
            key: &key,
            value: &value,
        };
        match key.as_str() {
            "temperature" => wish.temperature = Some(option.real(0.0, f64::from(f32::MAX))?),
            "top_k" => wish.top_k = Some(option.whole(0, i64::from(u32::MAX))?),
            "top_p" => wish.top_p = Some(option.real(0.0, 1.0)?),
            "min_p" => wish.min_p = Some(option.real(0.0, 1.0)?),
            "repeat_penalty" => wish.repeat_penalty = Some(option.real(0.01, 100.0)?),
            "repeat_last_n" => wish.repeat_last_n = Some(option.whole(-1, i64::from(i32::MAX))?),
            "presence_penalty" => wish.presence_penalty = option.real(-2.0, 2.0)?,
            "frequency_penalty" => wish.frequency_penalty = option.real(-2.0, 2.0)?,
            // Below 0 is any.
            "seed" => {
                let seed: i64 = option.whole(i64::MIN, i64::MAX)?;
                wish.seed = u64::try_from(seed).ok();
            }
            "num_predict" => {
                wish.max_tokens = Some(option.whole(i64::from(i32::MIN), i64::from(i32::MAX))?);
            }
            "num_ctx" => wish.context = Some(option.whole(1, i64::from(u32::MAX))?),
            "stop" => wish.stop = Some(option.texts()?),
            "num_keep" => option.only(0.0)?,
            "mirostat" => option.only(0.0)?,
            "tfs_z" | "typical_p" => option.only(1.0)?,
            // They say how mirostat goes, which is off.
            "mirostat_tau" | "mirostat_eta" => {}
            _ => return Err(option.wrong("there is no such option here")),
        }
    }
    Ok(wish)
}

struct Named<'a> {
    key: &'a str,
    value: &'a Value,
}

impl Named<'_> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float's nearest neighbour is what is wanted"
    )]
    fn real(&self, from: f64, to: f64) -> Result<f32, Failure> {
        let number = self.value.as_f64();
        let number = number.filter(|number| (from..=to).contains(number));
        let number = number.ok_or_else(|| {
            let range = if to > 1e9 {
                format!("a number from {from}")
            } else {
                format!("a number from {from} to {to}")
            };
            self.wrong(&format!("it must be {range}"))
        })?;
        Ok(number as f32)
    }

    fn whole<T: TryFrom<i64>>(&self, from: i64, to: i64) -> Result<T, Failure> {
        let number = self.value.as_i64();
        let number = number.filter(|number| (from..=to).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.wrong(&format!("it must be a whole number from {from} to {to}")))
    }

    fn texts(&self) -> Result<Vec<String>, Failure> {
        let texts: Option<Vec<String>> = match self.value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(texts) => texts
                .iter()
                .map(|text| text.as_str().map(str::to_owned))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        texts.ok_or_else(|| self.wrong("it must be a text or several"))
    }

    /// Takes the value that turns the option off.
    fn only(&self, off: f64) -> Result<(), Failure> {
        if self.value.as_f64() == Some(off) {
            return Ok(());
        }
        Err(Failure::unsupported(
            "options",
            format!(
                "options.{}: it is not built; leave it out or set it to {off}",
                self.key
            ),
        ))
    }

    fn wrong(&self, text: &str) -> Failure {
        Failure::invalid(format!("options.{} is {}: {text}", self.key, self.value)).about("options")
    }
}
