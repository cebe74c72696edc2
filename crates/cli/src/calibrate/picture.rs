//! The deviations of honest and of cheating runs against the step, as an SVG picture.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 215.0;
/// Columns beside the axis: no deviation at all, and no finite one.
const COLUMN: f64 = 72.0;
const ROW: f64 = 30.0;
const TOP: f64 = 64.0;
/// Half a step: what is to the left of it is accepted.
const TOLERANCE: f64 = 0.5;

/// One row: how far some results are from honest ones, in steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    pub name: String,
    pub honest: bool,
    pub steps: Vec<f64>,
}

/// Decades of the axis.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn of(strips: &[Strip]) -> Self {
        let mut axis = Self {
            low: -2.0,
            high: 2.0,
        };
        let all = strips.iter().flat_map(|strip| &strip.steps);
        for steps in all.filter(|steps| steps.is_finite() && **steps > 0.0) {
            axis.low = axis.low.min(steps.log10().floor());
            axis.high = axis.high.max(steps.log10().ceil());
        }
        axis
    }

    fn x(&self, steps: f64) -> f64 {
        let (from, to) = (LEFT + COLUMN, WIDTH - COLUMN);
        if steps <= 0.0 {
            return LEFT + COLUMN / 2.0;
        }
        if !steps.is_finite() {
            return WIDTH - COLUMN / 2.0;
        }
        from + (steps.log10() - self.low) / (self.high - self.low) * (to - from)
    }
}

/// Draws the rows below each other.
pub fn svg(title: &str, strips: &[Strip]) -> String {
    let axis = Axis::of(strips);
    let bottom = TOP + ROW * strips.len() as f64;
    let height = bottom + 62.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\" fill=\"#222222\">{}</text>\n",
        escaped(title)
    );
    frame(&mut svg, &axis, bottom);
    for (position, strip) in strips.iter().enumerate() {
        let y = TOP + ROW * (position as f64 + 0.5);
        let color = if strip.honest { "#1a6fb3" } else { "#c0392b" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{color}\">{}</text>",
            LEFT - 12.0,
            y + 4.5,
            escaped(&strip.name)
        );
        for (place, steps) in strip.steps.iter().enumerate() {
            // Spread over the row's height, so that equal results do not hide each other.
            let shift = (place % 7) as f64 * 2.6 - 7.8;
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\" fill-opacity=\"0.45\"/>",
                axis.x(*steps),
                y + shift
            );
        }
    }
    svg += "</svg>\n";
    svg
}

fn frame(svg: &mut String, axis: &Axis, bottom: f64) {
    let tolerance = axis.x(TOLERANCE);
    let _ = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#e9f5ec\"/>",
        tolerance - LEFT,
        bottom - TOP
    );
    let label = bottom + 18.0;
    let decades = axis.high - axis.low;
    let every = (decades / 12.0).ceil().max(1.0);
    let mut decade = axis.low;
    while decade <= axis.high {
        let x = axis.x(10.0_f64.powf(decade));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#d5d5d5\"/>\
             <text x=\"{x:.1}\" y=\"{label}\" text-anchor=\"middle\" fill=\"#555555\">10<tspan dy=\"-5\" \
             font-size=\"10\">{decade:.0}</tspan></text>"
        );
        decade += every;
    }
    // A line below the decades, which are near.
    let below = label + 14.0;
    for (x, name) in [(axis.x(0.0), "none"), (axis.x(f64::INFINITY), "differs")] {
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\" fill=\"#555555\">{name}</text>"
        );
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{tolerance:.1}\" y1=\"{:.1}\" x2=\"{tolerance:.1}\" y2=\"{bottom}\" stroke=\"#2e7d46\" \
         stroke-width=\"2\"/><text x=\"{tolerance:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#2e7d46\">\
         half a step: accepted to the left</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555555\">largest deviation of a result, in steps \
         (blue: honest, red: cheating)</text>",
        TOP - 8.0,
        TOP - 13.0,
        f64::midpoint(LEFT, WIDTH),
        label + 28.0
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(honest: bool, steps: &[f64]) -> Strip {
        Strip {
            name: "a < b".into(),
            honest,
            steps: steps.into(),
        }
    }

    #[test]
    fn every_result_is_a_point_on_the_side_where_it_is_decided() {
        let strips = [
            strip(true, &[0.0, 1e-7, 0.03]),
            strip(false, &[0.6, 1e9, f64::INFINITY]),
        ];
        let picture = svg("digits & more", &strips);
        assert_eq!(picture.matches("<circle").count(), 6);
        assert!(picture.contains("digits &amp; more") && picture.contains("a &lt; b"));
        let axis = Axis::of(&strips);
        let line = axis.x(TOLERANCE);
        assert!(strips[0].steps.iter().all(|steps| axis.x(*steps) < line));
        assert!(strips[1].steps.iter().all(|steps| axis.x(*steps) > line));
        let all = strips.iter().flat_map(|strip| &strip.steps);
        assert!(
            all.map(|steps| axis.x(*steps))
                .all(|x| (LEFT..=WIDTH).contains(&x))
        );
    }
}
