//! Cost against size, both by powers of ten, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::time;

/// What an engine took at each size.
#[derive(Debug, Clone)]
pub struct Line {
    /// The engine.
    pub name: String,
    /// Size, and nanoseconds.
    pub points: Vec<(f64, f64)>,
}

/// A picture of some lines.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// What grows to the right.
    pub sizes: String,
    /// The lines; the first is ours.
    pub lines: Vec<Line>,
}

/// Colours that stay apart for colour-blind eyes (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 5] = [
    RGBColor(213, 94, 0),
    RGBColor(120, 120, 120),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];
const FONT: &str = "Helvetica, Arial, sans-serif";
const DARK: RGBColor = RGBColor(60, 60, 60);

impl Chart {
    /// Writes the picture.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::new(path, (860, 480)).into_drawing_area();
        root.fill(&WHITE)?;
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let sizes = all().fold((f64::MAX, 0.0_f64), |(low, high), (size, _)| (low.min(*size), high.max(*size)));
        let costs = all().fold((f64::MAX, 0.0_f64), |(low, high), (_, cost)| (low.min(*cost), high.max(*cost)));
        // A whole power of ten below and above.
        let decade = |cost: f64, up: bool| 10_f64.powf(if up { cost.log10().ceil() } else { cost.log10().floor() });
        // To the right of the last point is room for the names of the lines.
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, (FONT, 17).into_font().color(&DARK))
            .margin(14)
            .margin_right(240)
            .x_label_area_size(46)
            .y_label_area_size(70)
            .build_cartesian_2d(
                (sizes.0..sizes.1).log_scale(),
                (decade(costs.0, false)..decade(costs.1, true)).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(228, 228, 228))
            .axis_style(RGBColor(150, 150, 150))
            .x_desc(&self.sizes)
            .x_labels(4)
            .y_labels(9)
            .x_label_formatter(&|size| magnitude(*size))
            .y_label_formatter(&|nanos| round_time(*nanos))
            .label_style((FONT, 13).into_font().color(&DARK))
            .axis_desc_style((FONT, 14).into_font().color(&DARK))
            .draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS).rev() {
            let ours = line.name == self.lines[0].name;
            let stroke = ShapeStyle { color: colour.into(), filled: false, stroke_width: if ours { 4 } else { 2 } };
            chart.draw_series(LineSeries::new(line.points.iter().copied(), stroke))?;
            let radius = if ours { 5 } else { 4 };
            chart.draw_series(line.points.iter().map(|point| Circle::new(*point, radius, colour.filled())))?;
        }
        self.name_lines(&root, &chart)?;
        root.present()?;
        Ok(())
    }

    /// Writes each line's name and last value beside its end, apart from those of its neighbours.
    fn name_lines<X, Y>(
        &self,
        root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        chart: &ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    ) -> Result<(), Box<dyn Error>>
    where
        X: Ranged<ValueType = f64>,
        Y: Ranged<ValueType = f64>,
    {
        const APART: i32 = 18;
        let ends = self.lines.iter().zip(COLOURS).filter_map(|(line, colour)| {
            let last = line.points.last()?;
            Some((chart.backend_coord(last), format!("{}  {}", line.name, time(last.1)), colour))
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_by_key(|((_, y), ..)| *y);
        let mut lowest = i32::MIN;
        for ((x, y), text, colour) in ends {
            let y = y.max(lowest);
            lowest = y.saturating_add(APART);
            let style = TextStyle::from((FONT, 14).into_font()).color(&colour).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(text, (x + 12, y), style))?;
        }
        Ok(())
    }
}

fn magnitude(size: f64) -> String {
    match size {
        1e6.. => format!("{:.0} M", size / 1e6),
        1e3.. => format!("{:.0} k", size / 1e3),
        _ => format!("{size:.0}"),
    }
}

/// A power of ten.
fn round_time(nanos: f64) -> String {
    let (number, unit) = match nanos {
        ..1e3 => (nanos, "ns"),
        ..1e6 => (nanos / 1e3, "µs"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{number:.0} {unit}")
}
