//! Who runs a command: what the ledger calls the operator.

use nix::unistd::{Uid, User};
use oblink_session::request::check_text;

use crate::cli::OperatorArgs;

/// The operator's name: what was said, else the operating system's name of the account, else its number.
pub(super) fn name(args: &OperatorArgs) -> String {
    args.operator.clone().unwrap_or_else(account)
}

/// The operating system's name of the account that runs this.
pub(super) fn account() -> String {
    let uid = Uid::effective();
    let named = User::from_uid(uid).ok().flatten().map(|user| user.name).filter(|name| check_text(name));
    named.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_always_has_a_name_that_the_ledger_takes() {
        assert!(check_text(&account()));
        assert_eq!(name(&OperatorArgs { operator: Some("Ann Example".to_owned()) }), "Ann Example");
        assert_eq!(name(&OperatorArgs::default()), account());
    }
}
