//! Pictures, turned into tensors as the model's own metadata says.

use anyhow::{Context as _, Result, bail};
use image::{DynamicImage, ImageReader, imageops::FilterType};
use safetensors::Dtype;

use super::Tensor;
use crate::onnx::{Channels, ImageInput, Layout};

/// Widest and highest picture that is decoded; a small file can hold a huge one.
const MAX_SIDE: u32 = 16_384;

/// Decodes a picture, brings it to the model's size and makes the tensor.
pub fn tensor(file: &[u8], how: &ImageInput, notes: &mut Vec<String>) -> Result<Tensor> {
    let mut reader = ImageReader::new(std::io::Cursor::new(file)).with_guessed_format()?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    reader.limits(limits);
    let mut picture = reader.decode().context("the picture cannot be decoded")?;
    if (picture.width(), picture.height()) != (how.width, how.height) {
        notes.push(format!(
            "the picture of {}x{} was resized to the model's {}x{}",
            picture.width(),
            picture.height(),
            how.width,
            how.height
        ));
        picture = picture.resize_exact(how.width, how.height, FilterType::Triangle);
    }
    Ok(Tensor {
        name: how.input.clone(),
        dtype: Dtype::F32,
        shape: shape(how)?,
        data: values(&picture, how)
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    })
}

fn shape(how: &ImageInput) -> Result<Vec<usize>> {
    let (width, height) = (usize::try_from(how.width)?, usize::try_from(how.height)?);
    let channels = match how.channels {
        Channels::Gray => 1,
        Channels::Rgb => 3,
    };
    Ok(match how.layout {
        Layout::Nchw => vec![1, channels, height, width],
        Layout::Nhwc => vec![1, height, width, channels],
        Layout::Nhw if channels == 1 => vec![1, height, width],
        Layout::Nhw => bail!("the model's metadata wants colours in a layout without channels"),
        Layout::Flat => vec![1, height.saturating_mul(width).saturating_mul(channels)],
    })
}

/// Bytes in the layout's order, as values. Transparent parts are put on white first.
fn values(picture: &DynamicImage, how: &ImageInput) -> Vec<f32> {
    let opaque = on_white(picture);
    let bytes = match how.channels {
        Channels::Gray => DynamicImage::ImageRgb8(opaque).into_luma8().into_raw(),
        Channels::Rgb if how.layout == Layout::Nchw => {
            let raw = opaque.into_raw();
            (0..3)
                .flat_map(|channel| raw.iter().skip(channel).step_by(3).copied())
                .collect()
        }
        Channels::Rgb => opaque.into_raw(),
    };
    bytes.into_iter().map(|byte| value(byte, how)).collect()
}

fn value(byte: u8, how: &ImageInput) -> f32 {
    let byte = f64::from(if how.invert { 255 - byte } else { byte });
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what the metadata says"
    )]
    let value = (byte * how.scale + how.offset) as f32;
    value
}

fn on_white(picture: &DynamicImage) -> image::RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let with_alpha = picture.to_rgba8();
    let mut opaque = image::RgbImage::new(with_alpha.width(), with_alpha.height());
    for (from, to) in with_alpha.pixels().zip(opaque.pixels_mut()) {
        let [red, green, blue, alpha] = from.0;
        let blend = |colour: u8| {
            let (colour, alpha) = (u16::from(colour), u16::from(alpha));
            u8::try_from((colour * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
        };
        to.0 = [blend(red), blend(green), blend(blue)];
    }
    opaque
}
