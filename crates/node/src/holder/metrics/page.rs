//! One scrape: values that are looked up as it is written.

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, GaugeValueEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;

use super::Labels;

/// A value: a count, or a measure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Count(u64),
    Measure(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Measure(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Count(value.into())
    }
}

impl EncodeGaugeValue for Value {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self {
            // Past 2^63 the encoder has no whole numbers; nothing here comes near.
            Self::Count(count) => i64::try_from(*count).unwrap_or(i64::MAX).encode(encoder),
            Self::Measure(measure) => measure.encode(encoder),
        }
    }
}

/// The page in the making.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

/// As the library ends those that it is given.
fn sentence(help: &str) -> String {
    format!("{help}.")
}

impl Page<'_> {
    /// A value that may go up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Into<Value>) -> Result<(), std::fmt::Error> {
        self.one(name, help, MetricType::Gauge, value.into())
    }

    /// A value that only grows.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Into<Value>) -> Result<(), std::fmt::Error> {
        self.one(name, help, MetricType::Counter, value.into())
    }

    fn one(&mut self, name: &str, help: &str, kind: MetricType, value: Value) -> Result<(), std::fmt::Error> {
        self.0.encode_descriptor(name, &sentence(help), None, kind)?.encode_gauge(&value)
    }

    /// A gauge of several series; nothing where there are none.
    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, Value)>,
    ) -> Result<(), std::fmt::Error> {
        let mut series = series.into_iter().peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let mut metric: MetricEncoder<'_> = self.0.encode_descriptor(name, &sentence(help), None, MetricType::Gauge)?;
        series.try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }
}
