//! The verdict on a call: what its guest answered, and what the host knows better.
//!
//! A guest need not tell what it heard, or understand it: it learns that a request was denied and not by which rule, and it
//! never learns that a secret was lost. Where both speak, the host does, here and nowhere else.

use crate::{
    call::CallFacts,
    denial::{Denial, DeniedBy, Remedy},
    error::{ActionError, Disposition, Error, ErrorCode},
    json::Json,
};

/// Reconciles what a guest answered with what the host knows of the call.
pub(crate) fn verdict(action: &str, answer: Result<Json, Error>, facts: &CallFacts) -> Result<Json, Error> {
    let CallFacts { denial, lacking, lost_secret, .. } = facts;
    match (answer, lost_secret) {
        // It may be in force, whatever the guest made of the answer. The host's own failures leave that open as they are.
        (Ok(_), Some(subject)) => Err(lost(subject).into()),
        (Err(Error::Action(error)), Some(subject)) => {
            let ActionError { status, error_code, request_id, .. } = *error;
            Err(ActionError { status, error_code, request_id, ..lost(subject) }.into())
        }
        // No request to the Management API was sent for want of them. But what is to be verified went elsewhere, such as an
        // email whose answer was lost: with the scopes granted, the call would send it again.
        (Err(Error::Action(error)), None)
            if !lacking.is_empty() && error.disposition != Disposition::VerifyFirst =>
        {
            let (action, scopes) = (action.to_owned(), lacking.clone());
            let remedy = Remedy::WidenGrant { action: action.clone(), scopes: scopes.clone() };
            let denial =
                Denial::new(DeniedBy::InsufficientScope { action, scopes: scopes.clone() }).or(remedy);
            let ActionError { status, error_code, request_id, .. } = *error;
            let known = ActionError::new(ErrorCode::InsufficientScope, denial.to_string());
            let denial = Some(Box::new(denial));
            Err(ActionError { status, error_code, request_id, scopes, denial, ..known }.into())
        }
        (Err(Error::Action(mut error)), None) if error.code == ErrorCode::PolicyDenied => {
            if let Some(denial) = denial {
                error.message = denial.to_string();
                error.denial = Some(Box::new(denial.clone()));
            }
            Err(Error::Action(error))
        }
        // The guest takes what it got in place of the answer for one that it cannot read.
        (Err(Error::Action(mut error)), None)
            if matches!(error.code, ErrorCode::UnexpectedAnswer | ErrorCode::OutcomeUnknown) =>
        {
            if let Some(reason) = facts.withheld {
                error.message = reason.to_owned();
            }
            Err(Error::Action(error))
        }
        (answer, _) => answer,
    }
}

fn lost(subject: &str) -> ActionError {
    ActionError::new(
        ErrorCode::OutcomeUnknown,
        format!(
            "a new secret of `{subject}` may be in force, and is in no secret sink: the tenant's answer was lost or could \
             not be read; have another made in its place, as by rotating the secret again"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: ErrorCode) -> Result<Json, Error> {
        let mut error = ActionError::new(code, "the guest's words");
        error.status = Some(403);
        Err(error.into())
    }

    fn told(answer: Result<Json, Error>, facts: &CallFacts) -> ActionError {
        match verdict("get-user", answer, facts) {
            Err(Error::Action(error)) => *error,
            other => panic!("{other:?}"),
        }
    }

    fn denied() -> CallFacts {
        let denial = Denial::new(DeniedBy::NoMail);
        CallFacts { denial: Some(denial), ..CallFacts::default() }
    }

    #[test]
    fn what_the_host_does_not_know_better_stays_as_the_guest_said_it() {
        let facts = CallFacts::default();
        assert_eq!(verdict("get-user", Ok(Json::null()), &facts).unwrap(), Json::null());
        assert_eq!(told(answered(ErrorCode::PolicyDenied), &facts).message, "the guest's words");
        assert_eq!(told(answered(ErrorCode::NotFound), &denied()).message, "the guest's words");
        assert_eq!(verdict("get-user", Ok(Json::null()), &denied()).unwrap(), Json::null());
    }

    #[test]
    fn a_denial_is_the_host_s_with_its_rule() {
        let error = told(answered(ErrorCode::PolicyDenied), &denied());
        assert_eq!(error.denial.unwrap().rule(), &DeniedBy::NoMail);
        assert_eq!((error.message.as_str(), error.status), ("the policy allows no email", Some(403)));
    }

    #[test]
    fn scopes_that_are_lacking_are_told_with_the_grant_that_would_do() {
        let facts = CallFacts { lacking: vec!["read:users".to_owned()], ..denied() };
        let error = told(answered(ErrorCode::UnexpectedAnswer), &facts);
        assert_eq!(
            (error.code, error.scopes.as_slice()),
            (ErrorCode::InsufficientScope, &["read:users".to_owned()][..])
        );
        assert!(matches!(error.denial.unwrap().remedy(), Some(Remedy::WidenGrant { .. })));
    }

    /// Guards against a caller who grants the scopes and sends an email for a second time.
    #[test]
    fn what_is_to_be_verified_stays_so_where_scopes_are_lacking() {
        let facts = CallFacts { lacking: vec!["read:users".to_owned()], ..CallFacts::default() };
        let error = told(answered(ErrorCode::OutcomeUnknown), &facts);
        assert_eq!(
            (error.code, error.disposition, error.message.as_str()),
            (ErrorCode::OutcomeUnknown, Disposition::VerifyFirst, "the guest's words")
        );
    }

    #[test]
    fn why_an_answer_was_withheld_is_the_host_s_to_say_and_what_to_do_about_it_is_not() {
        let facts = CallFacts { withheld: Some("the answer was withheld: …"), ..CallFacts::default() };
        for code in [ErrorCode::UnexpectedAnswer, ErrorCode::OutcomeUnknown] {
            let before = ActionError::new(code.clone(), "");
            let after = told(answered(code.clone()), &facts);
            assert_eq!((after.code, after.message.as_str()), (code, "the answer was withheld: …"));
            assert_eq!(after.disposition, before.disposition);
        }
        assert_eq!(told(answered(ErrorCode::NotFound), &facts).message, "the guest's words");
    }

    #[test]
    fn a_secret_that_nobody_has_is_told_before_anything_else() {
        let lost = Some("clients/abc".to_owned());
        let facts = CallFacts { lost_secret: lost, lacking: vec!["read:users".to_owned()], ..denied() };
        for answer in [Ok(Json::null()), answered(ErrorCode::RateLimited)] {
            let error = told(answer, &facts);
            assert_eq!(error.code, ErrorCode::OutcomeUnknown);
            assert!(error.message.contains("of `clients/abc` may be in force"), "{error}");
        }
        let stopped = Err(Error::Timeout { after: std::time::Duration::ZERO });
        assert!(matches!(verdict("get-user", stopped, &facts), Err(Error::Timeout { .. })));
    }
}
