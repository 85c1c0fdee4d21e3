//! Filters that calculate. What is no number counts as 0, as in LiquidJS.

use super::error::Fault;
use super::filters::Call;
use super::number;
use super::value::Value;

type Answer<'a> = Result<Value<'a>, Fault>;

pub(super) fn plus<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input_number()? + call.number(0)?))
}

pub(super) fn minus<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input_number()? - call.number(0)?))
}

pub(super) fn times<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input_number()? * call.number(0)?))
}

/// Divides; the result is whole only if asked for by a third value, as in LiquidJS and unlike Shopify's Liquid.
pub(super) fn divided_by<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let quotient = call.input_number()? / call.number(0)?;
    Ok(Value::Number(if call.number(1)? == 0.0 { quotient } else { quotient.floor() }))
}

/// Returns the remainder with the sign of the divisor.
pub(super) fn modulo<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (value, divisor) = (call.input_number()?, call.number(0)?);
    Ok(Value::Number((value % divisor + divisor) % divisor))
}

pub(super) fn floor<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input_number()?.floor()))
}

pub(super) fn ceil<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input_number()?.ceil()))
}

pub(super) fn round<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(number::round(call.input_number()?, call.number(0)?)))
}

pub(super) fn abs<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(call.input_number()?.abs()))
}

/// Returns the greatest of the value and all that are given.
pub(super) fn at_least<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    fold(call, f64::max)
}

/// Returns the least of the value and all that are given.
pub(super) fn at_most<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    fold(call, f64::min)
}

fn fold<'a>(call: &Call<'a, '_>, choose: fn(f64, f64) -> f64) -> Answer<'a> {
    let mut chosen = call.input_number()?;
    for argument in &call.arguments {
        chosen = choose(chosen, argument.to_number_or_zero(call.budget)?);
    }
    Ok(Value::Number(chosen))
}
