use auth0_catalog as files;

use super::*;
use crate::operations::operation::Stage;

fn member(read: &Member, written: &files::Member) {
    assert_eq!((read.name, read.required, read.null), (&*written.name, written.required, written.kind.null));
    assert_eq!(read.meaning, written.meaning);
    kind(&read.kind, &written.kind.kind);
}

fn kind(read: &Kind, written: &files::Kind) {
    match (read, written) {
        (Kind::Text(read, longest), files::Kind::Text { format, longest: written }) => {
            assert_eq!(format!("{read:?}"), format!("{format:?}"));
            assert_eq!(longest.map(|longest| u32::try_from(longest).unwrap()), *written);
        }
        (Kind::OneOf(read), files::Kind::OneOf(written)) => assert_eq!(read, written),
        (Kind::OneOfMany(read), files::Kind::OneOfMany(written)) => assert_eq!(*read, usize::from(*written)),
        (Kind::Names(read, longest), files::Kind::Names { names, longest: written }) => {
            assert_eq!(read, names);
            assert_eq!(longest.map(|longest| u32::try_from(longest).unwrap()), *written);
        }
        (Kind::Integer(least, most), files::Kind::Integer { least: l, most: m }) => {
            assert_eq!((least, most), (l, m));
        }
        (Kind::List(read), files::Kind::List(written)) => kind(read, written),
        (read, written) => assert_eq!(format!("{read:?}"), format!("{written:?}")),
    }
}

#[test]
fn the_component_carries_what_the_files_say() {
    let written = files::read().unwrap();
    let read: Vec<_> = all().collect();
    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(&written) {
        assert_eq!(read.name, written.name);
        let texts = [read.method.as_str(), read.path, read.title, read.note, read.group()];
        let note = written.note.as_deref().unwrap_or_default();
        assert_eq!(
            texts,
            [&*written.method, &written.path, &written.title, note, written.group()],
            "{}",
            read.name
        );
        let flags = [read.idempotent, read.whole, read.totals, read.handles_personal_data];
        let whole = written.known == files::Known::Whole;
        let expected = [written.idempotent, whole, written.totals, written.handles_personal_data];
        assert_eq!(flags, expected, "{}", read.name);
        assert_eq!(
            format!("{:?} {:?}", read.stage, read.effect),
            format!("{:?} {:?}", written.stage, written.effect)
        );
        assert_eq!(read.page_size, usize::from(written.page_size.unwrap_or(100)));
        assert_eq!(read.beyond, written.beyond.as_deref().unwrap_or_default(), "{}", read.name);
        assert_eq!(read.scopes, written.scopes, "{}", read.name);
        let scopes_for = written.scopes_for.iter().map(|(scope, part)| (scope.as_str(), part.as_str()));
        assert!(read.scopes_for.iter().copied().eq(scopes_for), "{}", read.name);
        let paging = match written.paging {
            files::Paging::None => Paging::None,
            files::Paging::Offset => Paging::Offset,
            files::Paging::Checkpoint => Paging::Checkpoint,
            files::Paging::Both => Paging::Either,
        };
        assert_eq!(read.paging, paging, "{}", read.name);
        assert_eq!(format!("{:?}", read.answer), format!("{:?}", written.answer), "{}", read.name);
        for (read, written) in [(&read.path_members, &written.path_members), (&read.query, &written.query)] {
            assert_eq!(read.len(), written.len());
            read.iter().zip(written).for_each(|(read, written)| member(read, written));
        }
        assert_eq!(read.body.is_some(), written.body.is_some(), "{}", read.name);
        if let (Some(read), Some(written)) = (&read.body, &written.body) {
            assert_eq!(format!("{:?}", read.form), format!("{:?}", written.form));
            assert_eq!(read.at_least, usize::from(written.at_least));
            assert_eq!(read.members.len(), written.members.len());
            read.members.iter().zip(&written.members).for_each(|(read, written)| member(read, written));
        }
    }
}

#[test]
fn an_operation_is_found_by_its_whole_name_only() {
    assert!(names().eq(all().map(|operation| operation.name)));
    for operation in all() {
        assert_eq!(find(operation.name).as_ref(), Some(&operation));
        assert_eq!(find(&operation.name[..operation.name.len() - 1]), None, "{}", operation.name);
        assert_eq!(find(&format!("{}x", operation.name)), None);
    }
    for name in ["", "a", "zzz", "users"] {
        assert_eq!(find(name), None, "{name}");
    }
}

#[test]
fn the_header_for_a_custom_domain_goes_where_the_table_says() {
    for (operation, written) in all().zip(files::read().unwrap()) {
        let path = format!("/api/v2{}", operation.path);
        let takes = crate::client::takes_custom_domain(operation.method, &path);
        assert_eq!(takes, written.custom_domain, "{}", operation.name);
    }
}

#[test]
fn those_whose_request_alone_is_known_are_marked() {
    let marked: Vec<_> = all().filter(|operation| !operation.whole).collect();
    assert_eq!(marked.len(), 18);
    assert!(marked.iter().all(|operation| operation.query.is_empty() && operation.body.is_none()));
    assert!(all().any(|operation| operation.stage == Stage::Unknown));
}
