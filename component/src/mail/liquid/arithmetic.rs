//! Filters that calculate. What is no number counts as 0, as in LiquidJS.

use super::error::Fault;
use super::filters::Call;
use super::number;
use super::value::Value;

type Answer<'a> = Result<Value<'a>, Fault>;

pub(super) fn plus<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input.to_number_or_zero() + call.number(0)))
}

pub(super) fn minus<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input.to_number_or_zero() - call.number(0)))
}

pub(super) fn times<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input.to_number_or_zero() * call.number(0)))
}

/// Divides; the result is whole only if asked for by a third value, as in LiquidJS and unlike Shopify's Liquid.
pub(super) fn divided_by<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let quotient = call.input.to_number_or_zero() / call.number(0);
    Ok(Value::Number(if call.number(1) == 0.0 { quotient } else { quotient.floor() }))
}

/// Returns the remainder with the sign of the divisor.
pub(super) fn modulo<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (value, divisor) = (call.input.to_number_or_zero(), call.number(0));
    Ok(Value::Number((value % divisor + divisor) % divisor))
}

pub(super) fn floor<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input.to_number_or_zero().floor()))
}

pub(super) fn ceil<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input.to_number_or_zero().ceil()))
}

pub(super) fn round<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(number::round(call.input.to_number_or_zero(), call.number(0))))
}

pub(super) fn abs<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input.to_number_or_zero().abs()))
}

/// Returns the greatest of the value and all that are given.
pub(super) fn at_least<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(each(call).fold(f64::NEG_INFINITY, f64::max)))
}

/// Returns the least of the value and all that are given.
pub(super) fn at_most<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(each(call).fold(f64::INFINITY, f64::min)))
}

fn each(call: &Call<'_, '_>) -> impl Iterator<Item = f64> {
    std::iter::once(&call.input).chain(&call.arguments).map(Value::to_number_or_zero)
}
