//! The study as a picture.

use anyhow::{Result, anyhow};
use assay_tests::sim::{
    Behaviour,
    study::{Return, Study, Wreck},
};
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
};

const COLORS: [RGBColor; 4] = [
    RGBColor(0, 90, 181),
    RGBColor(220, 110, 0),
    RGBColor(0, 130, 80),
    RGBColor(150, 50, 150),
];
const RED: RGBColor = RGBColor(190, 30, 30);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub fn picture(study: &Study) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1_240, 920)).into_drawing_area();
        draw(&root, study).map_err(|error| anyhow!("cannot draw the simulation: {error}"))?;
        root.present()
            .map_err(|error| anyhow!("cannot finish the picture: {error}"))?;
    }
    Ok(svg)
}

fn draw<'a>(root: &Area<'a>, study: &Study) -> Result<(), Box<dyn std::error::Error + 'a>> {
    root.fill(&WHITE)?;
    let cells = root.split_evenly((2, 2));
    let [returns, captured, wrecks, mixed] = &cells[..] else {
        return Ok(());
    };
    draw_returns(returns, study)?;
    draw_captured(captured, study)?;
    draw_wrecks(wrecks, study)?;
    draw_mixed(mixed, study)?;
    Ok(())
}

fn chart<'a>(
    area: &Area<'a>,
    caption: &str,
    x: std::ops::Range<f64>,
    y: std::ops::Range<f64>,
    labels: (&str, &str),
) -> Result<Chart<'a>, Box<dyn std::error::Error + 'a>> {
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(BLACK.mix(0.04))
        .max_light_lines(1)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(labels.0)
        .y_desc(labels.1)
        .label_style(("sans-serif", 14))
        .draw()?;
    Ok(chart)
}

fn legend<'a>(
    chart: &mut Chart<'a>,
    position: SeriesLabelPosition,
) -> Result<(), Box<dyn std::error::Error + 'a>> {
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}

fn draw_returns<'a>(area: &Area<'a>, study: &Study) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let mut chart = chart(
        area,
        "What a job cheated brings beyond honesty",
        0.0..75.0,
        -5.0..1.0,
        (
            "stake held by the colluding group, %",
            "return for a job, in K",
        ),
    )?;
    chart.draw_series(LineSeries::new(
        [(0.0, 0.0), (75.0, 0.0)],
        BLACK.stroke_width(2),
    ))?;
    for (rate, color) in [200_u16, 500, 1_000, 2_500].into_iter().zip(COLORS) {
        let cells: Vec<&Return> = study
            .returns
            .iter()
            .filter(|cell| cell.audit_bps == rate && cell.behaviour == Behaviour::Colluding)
            .collect();
        let points = cells
            .iter()
            .map(|cell| (100.0 * cell.share(), cell.per_job));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(format!("audit rate {} %", rate / 100))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(cells.iter().map(|cell| {
            let (low, high) = (cell.per_job - cell.error, cell.per_job + cell.error);
            ErrorBar::new_vertical(
                100.0 * cell.share(),
                low,
                cell.per_job,
                high,
                color.filled(),
                6,
            )
        }))?;
    }
    legend(&mut chart, SeriesLabelPosition::UpperLeft)
}

fn draw_captured<'a>(
    area: &Area<'a>,
    study: &Study,
) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let mut chart = chart(
        area,
        "A group holds three of level 2's five seats",
        0.0..75.0,
        0.0..100.0,
        ("stake held by the group, %", "panels captured, %"),
    )?;
    let line = study
        .captured
        .iter()
        .map(|point| (100.0 * point.share(), 100.0 * point.expected));
    chart
        .draw_series(LineSeries::new(line, COLORS[0].stroke_width(2)))?
        .label("computed")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], COLORS[0].stroke_width(2)));
    chart
        .draw_series(study.captured.iter().map(|point| {
            Circle::new(
                (100.0 * point.share(), 100.0 * point.measured),
                4,
                COLORS[1].filled(),
            )
        }))?
        .label("drawn by the sortition")
        .legend(|(x, y)| Circle::new((x + 9, y), 4, COLORS[1].filled()));
    legend(&mut chart, SeriesLabelPosition::UpperLeft)
}

fn draw_wrecks<'a>(area: &Area<'a>, study: &Study) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let mut chart = chart(
        area,
        "Honest providers slashed by a group that dissents",
        0.0..65.0,
        0.0..70.0,
        ("stake held by the group, %", "drawn honest jobs slashed, %"),
    )?;
    let line = study
        .wrecks
        .iter()
        .filter(|wreck| wreck.behaviour == Behaviour::Wrecking)
        .map(|point| (100.0 * point.share(), 100.0 * point.expected));
    chart
        .draw_series(LineSeries::new(line, COLORS[0].stroke_width(2)))?
        .label("computed")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], COLORS[0].stroke_width(2)));
    for (label, color, wins) in [
        ("simulated, the group loses", COLORS[2], false),
        ("simulated, the group gains", RED, true),
    ] {
        let points = || {
            study
                .wrecks
                .iter()
                .filter(move |wreck| (wreck.per_drawn > 0.0) == wins)
        };
        let place = |wreck: &Wreck| {
            (
                100.0 * wreck.share(),
                100.0 * wreck.slashed as f64 / wreck.drawn as f64,
            )
        };
        let by_root = points().filter(|wreck| wreck.behaviour == Behaviour::Wrecking);
        chart
            .draw_series(by_root.map(|wreck| Circle::new(place(wreck), 4, color.filled())))?
            .label(format!("{label}, by another root"))
            .legend(move |(x, y)| Circle::new((x + 9, y), 4, color.filled()));
        let by_denial = points().filter(|wreck| wreck.behaviour == Behaviour::Denying);
        chart
            .draw_series(by_denial.map(|wreck| Cross::new(place(wreck), 5, color.stroke_width(2))))?
            .label(format!("{label}, by denying hints"))
            .legend(move |(x, y)| Cross::new((x + 9, y), 5, color.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperLeft)
}

fn draw_mixed<'a>(area: &Area<'a>, study: &Study) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let bars: Vec<(Behaviour, f64)> = Behaviour::ALL
        .into_iter()
        .map(|behaviour| (behaviour, study.mixed.cohort(behaviour)))
        .filter(|(_, cohort)| cohort.0 > 0)
        .map(|(behaviour, cohort)| (behaviour, cohort.1))
        .collect();
    let lowest = bars.iter().map(|bar| bar.1).fold(0.0, f64::min);
    let highest = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    let room = 0.15 * (highest - lowest).max(1.0);
    let caption = format!(
        "Profit of one provider after {} mixed jobs, 10 % audited",
        study.mixed.tally.jobs
    );
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..bars.len() as f64, lowest - room..highest + room)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(BLACK.mix(0.04))
        .max_light_lines(1)
        .bold_line_style(BLACK.mix(0.12))
        .y_desc("profit, in K")
        .label_style(("sans-serif", 14))
        .draw()?;
    for (place, (behaviour, profit)) in bars.iter().enumerate() {
        let left = place as f64;
        let color = if *profit > 0.0 { COLORS[2] } else { RED };
        let corners = [(left + 0.2, 0.0), (left + 0.8, *profit)];
        chart.draw_series([Rectangle::new(corners, color.mix(0.8).filled())])?;
        let above = if *profit > 0.0 {
            profit + 0.5 * room
        } else {
            0.5 * room
        };
        let label = format!("{} {profit:+.0}", behaviour.name());
        chart.draw_series([Text::new(label, (left + 0.15, above), ("sans-serif", 14))])?;
    }
    chart.draw_series(LineSeries::new(
        [(0.0, 0.0), (bars.len() as f64, 0.0)],
        BLACK,
    ))?;
    Ok(())
}
