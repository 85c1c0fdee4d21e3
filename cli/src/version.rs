//! What `--version` says: the version, and which of the features that a build may leave out are in.

use std::sync::LazyLock;

/// The features by their names in Cargo.toml, and whether they are in.
const FEATURES: [(&str, bool); 3] =
    [("smtp", cfg!(feature = "smtp")), ("ses", cfg!(feature = "ses")), ("otlp", cfg!(feature = "otlp"))];

/// Returns `0.1.0 (smtp, ses)`, and the version alone where no feature is in.
pub(crate) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| with(&FEATURES));
    &VERSION
}

fn with(features: &[(&str, bool)]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let features: Vec<_> = features.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
    match features.is_empty() {
        true => version.to_owned(),
        false => format!("{version} ({})", features.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn the_features_that_are_in_stand_behind_the_version() {
        let version = env!("CARGO_PKG_VERSION");
        for (smtp, ses, otlp, expected) in [
            (true, true, true, format!("{version} (smtp, ses, otlp)")),
            (false, false, true, format!("{version} (otlp)")),
            (false, false, false, version.to_owned()),
        ] {
            assert_eq!(with(&[("smtp", smtp), ("ses", ses), ("otlp", otlp)]), expected);
        }
    }
}
