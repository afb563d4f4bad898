//! Listings in pages.

use crate::context::Context;
use crate::failure::Failure;
use clap::Args;
use tenantkit::Page;
use tenantkit::key::id::KeyId;

/// Keys that one page of the engine holds.
const PAGE: u32 = 200;

/// Which part of a listing.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Pages {
    /// At most so many; without it all
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only those after this key: where the part before ended
    #[arg(long, value_name = "KEY_ID")]
    after: Option<String>,
}

impl Pages {
    /// Reads as many pages as it takes. Where the limit cuts the listing, it is said where to go on.
    pub(super) fn read<T>(
        &self,
        context: &Context,
        id_of: impl Fn(&T) -> KeyId,
        page: impl Fn(Option<KeyId>, u32) -> Result<Page<T>, tenantkit::Error>,
    ) -> Result<Vec<T>, Failure> {
        let mut after =
            self.after.as_deref().map(str::parse::<KeyId>).transpose().map_err(tenantkit::Error::from)?;
        let limit = self.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut items = Vec::new();
        loop {
            let wanted = u32::try_from(limit - items.len()).unwrap_or(PAGE).min(PAGE);
            let read = page(after, wanted)?;
            items.extend(read.items);
            if read.next.is_none() {
                return Ok(items);
            }
            if items.len() >= limit {
                items.truncate(limit);
                if let Some(last) = items.last() {
                    context.out.note(format_args!("there may be more: go on with `--after {}`", id_of(last)));
                }
                return Ok(items);
            }
            after = read.next;
        }
    }
}
