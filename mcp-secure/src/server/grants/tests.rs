use super::*;
use crate::{
    capability::{
        Capability,
        fs::{FsGrant, FsRoot},
    },
    server::config_file,
};

macro_rules! roots {
    ($($type:ident $name:literal $doc:literal;)*) => {$(
        struct $type;
        impl FsRoot for $type {}
        impl Capability for $type {
            const NAME: &'static str = $name;
            const DOC: &'static str = $doc;
            const PRIVATE: bool = false;
        }
    )*};
}

roots! {
    Notes "notes" "The user's notes.";
    Cache "cache" "";
    Fixed "fixed" "Set in code.";
}

fn declared() -> Vec<Grant> {
    vec![
        FsGrant::<Notes>::from_operator().into(),
        FsGrant::<Fixed>::at("/srv/fixed").into(),
    ]
}

fn option(name: &str, path: &str) -> GrantOption {
    GrantOption {
        name: name.into(),
        value: path.into(),
    }
}

fn config(text: &str) -> Config {
    config_file::parse("notes.toml", Path::new("/etc"), text).unwrap()
}

fn bound(options: &[GrantOption], config: Option<&Config>) -> Result<Vec<BoundGrant>> {
    bind(&declared(), options, config, Path::new("/srv/app"))
}

fn refused(options: &[GrantOption], config: Option<&Config>) -> String {
    bound(options, config).unwrap_err().to_string()
}

#[test]
fn the_command_line_binds_relative_to_where_it_was_typed() {
    let bound = bound(&[option("notes", "my/notes")], None).unwrap();
    assert_eq!(bound[0].value, Path::new("/srv/app/my/notes"));
    assert_eq!(bound[0].bound_by, BoundBy::CommandLine);
    assert_eq!(bound[1].value, Path::new("/srv/fixed"));
    assert_eq!(bound[1].bound_by, BoundBy::Code);
}

#[test]
fn the_config_file_binds_relative_to_itself_and_is_named() {
    let config = config("[grants]\nnotes = \"my/notes\"\n");
    let bound = bound(&[], Some(&config)).unwrap();
    assert_eq!(bound[0].value, Path::new("/etc/my/notes"));
    assert_eq!(bound[0].bound_by.to_string(), "notes.toml:2:1");
}

#[test]
fn what_is_not_granted_stops_the_start_and_says_how_to() {
    assert_eq!(
        refused(&[], None),
        "`notes` is not granted\n  help: bind it with `--grant notes=PATH`, or under `[grants]` in \
         the config file\n        `notes`: The user's notes."
    );
    let both = [
        FsGrant::<Notes>::from_operator().into(),
        FsGrant::<Cache>::from_operator().into(),
    ];
    assert_eq!(
        bind(&both, &[], None, Path::new("/"))
            .unwrap_err()
            .to_string(),
        "`notes`, `cache` are not granted\n  help: bind them with `--grant notes=PATH --grant \
         cache=PATH`, or under `[grants]` in the config file\n        `notes`: The user's notes."
    );
}

#[test]
fn a_name_that_nothing_asks_for_is_refused_with_the_nearest() {
    assert_eq!(
        refused(&[option("ntoes", "n")], None),
        "--grant: nothing asks for a grant `ntoes`\n  help: did you mean `notes`? the grants are \
         `notes`, `fixed`"
    );
    assert_eq!(
        refused(
            &[option("notes", "n")],
            Some(&config("[grants]\n\nhome = \"/home\"\n"))
        ),
        "notes.toml:3:1: nothing asks for a grant `home`\n  help: the grants are `notes`, `fixed`"
    );
    assert_eq!(
        bind(&[], &[option("a", "b")], None, Path::new("/"))
            .unwrap_err()
            .to_string(),
        "--grant: nothing asks for a grant `a`\n  help: there are no grants"
    );
}

#[test]
fn a_grant_bound_twice_is_refused_and_not_overridden() {
    assert_eq!(
        refused(&[option("notes", "a"), option("notes", "b")], None),
        "`notes` is granted twice: by --grant and by --grant\n  help: keep one of the two"
    );
    assert_eq!(
        refused(
            &[option("notes", "a")],
            Some(&config("[grants]\nnotes = \"b\"\n"))
        ),
        "`notes` is granted twice: by --grant and by notes.toml:2:1\n  help: keep one of the two"
    );
}

#[test]
fn what_the_code_binds_can_only_be_narrowed() {
    let inside = bound(
        &[option("notes", "n"), option("fixed", "/srv/fixed/a")],
        None,
    )
    .unwrap();
    assert_eq!(inside[1].value, Path::new("/srv/fixed/a"));
    assert_eq!(inside[1].ceiling.as_deref(), Some(OsStr::new("/srv/fixed")));
    assert_eq!(
        refused(&[option("notes", "n"), option("fixed", "/srv")], None),
        "--grant fixed: `fixed` is fixed in code at `/srv/fixed`, and `/srv` is not inside of it\n  help: \
         leave the grant out, or name a folder inside"
    );
    for outside in [
        "/srv/fixedness",
        "/srv/fixed/../other",
        "/srv/fixed/a/../../b",
        "fixed",
        "/",
    ] {
        refused(&[option("notes", "n"), option("fixed", outside)], None);
    }
}

#[test]
fn a_tilde_that_no_shell_replaced_is_not_a_folder() {
    assert_eq!(
        refused(&[option("notes", "~/notes")], None),
        "--grant notes: `~/notes` begins with `~`, which only a shell replaces\n  help: write the \
         whole path"
    );
    // `~x` may be a folder of that name.
    bound(&[option("notes", "~x")], None).unwrap();
}
