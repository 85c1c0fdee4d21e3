//! Numbers as JavaScript reads and writes them, since LiquidJS has no others.

/// Reads a text as `Number(text)` does: blank is 0, anything that is not wholly a number is NaN.
pub(super) fn parse(text: &str) -> f64 {
    let text = text.trim_matches(super::text::is_space);
    if text.is_empty() {
        return 0.0;
    }
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            // `from_str_radix` takes a sign, JavaScript does not.
            if !digits.chars().all(|digit| digit.is_digit(radix)) {
                return f64::NAN;
            }
            return u64::from_str_radix(digits, radix).map_or(f64::NAN, |whole| whole as f64);
        }
    }
    match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // Rust also reads `inf` and `nan`.
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// Writes a number as `String(number)` does.
pub(super) fn format(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let size = number.abs();
    if (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((mantissa, power)) if !power.starts_with('-') => format!("{mantissa}e+{power}"),
        _ => scientific,
    }
}

/// Rounds halves away from zero at a number of decimal places, as the filter `round` of LiquidJS does: the point is
/// moved in the decimal text, so that 1.005 becomes 1.01.
pub(super) fn round(number: f64, places: f64) -> f64 {
    /// `Number.MAX_SAFE_INTEGER`: whole numbers beyond it have no decimals to round.
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

    let scaled = shift(number.abs(), places);
    if scaled.is_nan() || scaled > MAX_SAFE {
        return number;
    }
    let rounded = shift((scaled + 0.5).floor(), -places);
    if number < 0.0 { -rounded } else { rounded }
}

fn shift(number: f64, places: f64) -> f64 {
    let scientific = format!("{number:e}");
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power = parse(power) + places;
    if power.fract() != 0.0 { f64::NAN } else { parse(&format!("{mantissa}e{power}")) }
}
