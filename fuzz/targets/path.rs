//! Paths: a whole one from outside, and an id that becomes a segment.
#![no_main]

use auth0_connector::core::path::{ApiPath, check_segment, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(path) = text.parse::<ApiPath>() {
        auth0_fuzz::check(path.as_str());
        // What was accepted once is accepted as it was sent.
        assert_eq!(path.as_str().parse::<ApiPath>().as_ref(), Ok(&path));
    }
    if check_segment(text).is_ok() {
        let path = ApiPath::of(&["users", text]);
        auth0_fuzz::check(path.as_str());
        assert_eq!(path.as_str(), format!("/api/v2/users/{}", encode(text)));
        assert_eq!(path.as_str().split('/').count(), 5, "{text:?}");
    }
});
