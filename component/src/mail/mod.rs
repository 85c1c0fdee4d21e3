//! E-mail: templates in Auth0's Liquid, and one HTTP request per mail provider.
pub mod liquid;
