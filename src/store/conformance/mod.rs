//! The suite that every store passes, as plain functions. An author of a store runs all of [`RECORD_CASES`], or of
//! [`USAGE_CASES`], each on a fresh store; a failure panics with what was expected.
//!
//! ```
//! use tenantkit::store::{conformance, memory::MemoryRecords};
//! for case in conformance::RECORD_CASES {
//!     (case.run)(&MemoryRecords::new());
//! }
//! ```
// A suite asserts; that is its work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod changes;
mod reading;
mod samples;
mod usage;

use super::{RecordStore, UsageStore};
use usage::{counting, histories, keeping, keyed};

/// One thing a store must do.
pub struct Case<S: ?Sized> {
    /// The rule it checks.
    pub name: &'static str,
    /// Runs it on a fresh, empty store.
    pub run: fn(&S),
}

macro_rules! cases {
    ($($module:ident::$name:ident,)*) => { &[$(Case { name: stringify!($name), run: $module::$name },)*] };
}

/// The record store's cases.
pub const RECORD_CASES: &[Case<dyn RecordStore>] = cases![
    reading::a_new_store_is_empty,
    reading::a_key_is_found_by_digest_and_by_id_in_its_account,
    reading::pages_follow_the_order_of_ids_and_never_cross_accounts,
    reading::filters_apply_before_the_page_is_cut,
    reading::tenants_are_listed_in_byte_order,
    reading::touches_only_move_forward_and_never_revive,
    reading::the_clock_mark_only_rises_until_it_is_reset,
    reading::each_policy_that_is_loaded_gets_the_next_revision,
    changes::a_change_is_all_or_nothing,
    changes::versions_are_compared_and_set,
    changes::a_digest_belongs_to_one_key,
    changes::a_new_digest_ends_the_old_one,
    changes::a_deleted_key_leaves_nothing_to_find,
    changes::guards_are_judged_after_the_change,
    changes::a_guard_that_fails_leaves_nothing,
    changes::creating_a_tenant_twice_makes_one,
    changes::an_operation_id_is_answered_again,
    changes::audit_chains_are_per_account_and_verify,
    changes::erasing_removes_what_lies_below_and_nothing_else,
    changes::generations_rise_with_every_change_and_tell_what_changed,
    changes::parallel_changes_each_stand_once,
];

/// The usage store's cases.
pub const USAGE_CASES: &[Case<dyn UsageStore>] = cases![
    counting::a_new_store_counts_nothing,
    counting::parallel_calls_admit_exactly_the_cap,
    counting::whole_calls_are_served_in_order,
    counting::a_repeated_or_late_message_changes_no_total,
    counting::units_are_reserved_used_returned_and_refunded,
    counting::a_lost_grant_falls_away_and_a_forgotten_one_is_restored,
    counting::the_largest_amounts_are_counted_exactly,
    counting::an_invalid_batch_is_an_error_and_changes_nothing,
    counting::an_atomic_batch_is_all_or_nothing,
    counting::parallel_atomic_batches_stand_whole,
    counting::a_strict_rate_is_one_for_all,
    counting::a_newer_configuration_stays,
    keyed::an_operation_is_charged_once,
    keyed::a_keyed_charge_survives_its_lost_reply,
    keyed::parallel_tries_of_one_operation_charge_it_once,
    keyed::credits_stay_within_their_operation,
    keyed::a_full_credit_under_the_attempt_undoes_the_operation,
    keeping::configure_reaches_open_buckets,
    keeping::a_limit_begins_anew_with_what_it_carries,
    keeping::the_operators_word_settles_expired_leases,
    keeping::events_wait_in_order_until_they_are_acknowledged,
    keeping::rows_are_read_by_limit_and_period,
    keeping::maintain_closes_what_is_over_and_removes_what_is_old,
    keeping::erasing_removes_these_limits_and_no_other,
    keeping::as_many_requests_as_it_says_go_in_one_batch,
    histories::random_histories_are_answered_alike,
];
