//! Random histories, answered as the plain maps answer them (I16).

use super::keyed::{operation, operation_key};
use super::{Party, bucket, exchange_reply, item, terms, units};
use crate::clock::Timestamp;
use crate::limit::batch::{self, Act, Batch, BatchReply, Item, ItemReply, Request};
use crate::limit::gcra::{Rate, RateRequest};
use crate::limit::holder::{Accepted, Holding};
use crate::limit::maintain::{self, Configure};
use crate::limit::tables::Tables;
use crate::limit::{
    ConfigVersion, Credit, CreditAmount, EventKind, HolderId, Incarnation, LeaseId, LimitId, RefundId,
    Settlement,
};
use crate::store::{UsageRow, UsageStore};

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }
}

const LIMITS: u8 = 3;

pub(in crate::store::conformance) fn random_histories_are_answered_alike(store: &dyn UsageStore) {
    let mut random = Random(20_260_101);
    let mut oracle = Tables::default();
    let mut events: Vec<EventKind> = Vec::new();
    let mut parties: Vec<Party> = (0..9)
        .map(|n| Party::new(1 + n / u64::from(LIMITS), bucket(1 + (n % u64::from(LIMITS)) as u8), Some(40)))
        .collect();
    let mut sent: Vec<Batch> = Vec::new();
    let mut now = Timestamp::EPOCH;
    for step in 0..600_u64 {
        if random.below(12) == 0 {
            let change = Configure {
                limit_id: bucket(1 + random.below(u64::from(LIMITS)) as u8).limit_id,
                terms: terms(1 + random.below(step / 40 + 2), Some(20 + random.below(60))),
                renewal: None,
            };
            let taken = store.configure(&change).unwrap();
            assert_eq!(maintain::configure(&mut oracle, &change, now).unwrap(), taken, "step {step}");
            let holder = parties[random.index(9)].holding.id().holder;
            assert_eq!(store.settle(holder, Settlement::Used).unwrap(), 0, "nothing has expired");
        }
        let again = !sent.is_empty() && random.below(5) == 0;
        let batch = if again {
            sent[random.index(sent.len())].clone()
        } else {
            next_batch(&mut random, &mut parties, step, store.capabilities().atomic_batches)
        };
        let reply = store.exchange(&batch).unwrap();
        now = time_of(&reply).unwrap_or(now);
        let expected = batch::run(&mut oracle, &batch, now).unwrap();
        assert_eq!(plain(&reply), plain(&expected), "step {step}: {batch:?}");
        events.extend(oracle.take_events().map(|(_, kind, _)| kind));
        if random.below(4) > 0 {
            accept(&mut random, &mut parties, &batch, &reply);
        }
        sent.push(batch);
    }
    compare_rows(store, &oracle);
    let told: Vec<EventKind> = store.events(0, u32::MAX).unwrap().iter().map(|event| event.kind).collect();
    assert_eq!(told, events);
    assert_eq!(store.audit().unwrap(), []);
}

fn compare_rows(store: &dyn UsageStore, oracle: &Tables) {
    let limits: Vec<LimitId> = (1..=LIMITS).map(|n| bucket(n).limit_id).collect();
    let rows = store.read(&limits, Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(rows.len(), usize::from(LIMITS));
    for UsageRow { key, mut bucket } in rows {
        let mut expected = oracle.look(&key).unwrap().0.clone();
        // Each store draws ids of its own, and notes its own instants for a new configuration.
        (bucket.incarnation, expected.incarnation) = (Incarnation::default(), Incarnation::default());
        (bucket.clk, bucket.next_sweep) = (expected.clk, expected.next_sweep);
        assert_eq!(bucket, expected);
    }
}

fn next_batch(random: &mut Random, parties: &mut [Party], step: u64, atomic: bool) -> Batch {
    let i = random.index(parties.len());
    if random.below(10) == 0 {
        parties[i].terms = terms(1 + random.below(step / 40 + 2), Some(20 + random.below(60)));
    }
    let amount = 1 + random.below(4);
    let act = |act| Batch { act, ..Batch::default() };
    match random.below(10) {
        0..4 => {
            let demand: Vec<u64> = (0..=random.below(3)).map(|_| 1 + random.below(4)).collect();
            Batch { items: vec![item(parties[i].ask(&demand, random.below(2) == 0))], ..Batch::default() }
        }
        4 => {
            local_acts(random, &mut parties[i].holding);
            Batch { items: vec![item(parties[i].ask(&[], false))], ..Batch::default() }
        }
        5 if atomic => {
            let process = i / usize::from(LIMITS) * usize::from(LIMITS);
            let mut items: Vec<Item> =
                (process..process + 2).map(|i| item(parties[i].ask(&[amount], true))).collect();
            if random.below(2) == 0 {
                items.iter_mut().for_each(|item| item.group = Some(1));
            }
            items.push(rate_item(amount));
            Batch { items, atomic: true, act: Act::None }
        }
        6 | 7 => {
            // Operations are charged on the first limit, whose bucket keeps their record where a store keeps it there.
            let first = i / usize::from(LIMITS) * usize::from(LIMITS);
            let (id, ask) = (random.below(8), random.below(4) == 0);
            let demand = if ask { Vec::new() } else { vec![1 + id % 3] };
            let items = vec![item(parties[first].ask(&demand, true))];
            let operation =
                operation(&format!("op-{id}"), step, 1 + (id + u64::from(random.below(9) == 0)) % 3, ask);
            Batch { items, ..act(Act::Charge(operation)) }
        }
        8 => act(Act::Credit(Credit::Operation {
            key: operation_key(&format!("op-{}", random.below(8))),
            refund_id: RefundId::new(&random.below(20).to_string()),
            amount: CreditAmount::Each(units(1)),
            primary_only: random.below(2) == 0,
        })),
        _ => Batch { items: vec![rate_item(amount)], ..Batch::default() },
    }
}

fn rate_item(amount: u64) -> Item {
    let limit_id = LimitId::from_bytes([200; 16]);
    let rate = Rate::parse("30/d").unwrap();
    let request = RateRequest { limit_id, ver: ConfigVersion::from_raw(1), rate, amount: units(amount) };
    Item { group: None, request: Request::Rate(request) }
}

fn local_acts(random: &mut Random, holding: &mut Holding) {
    match random.below(4) {
        0 => drop(holding.spend(1)),
        1 => drop(holding.refund(1)),
        2 if random.below(6) == 0 => holding.overrun(1),
        _ => drop(holding.give_back()),
    }
}

/// Takes the replies to the parties, as a process would.
fn accept(random: &mut Random, parties: &mut [Party], batch: &Batch, reply: &BatchReply) {
    for (i, item) in batch.items.iter().enumerate() {
        let Request::Exchange(request) = &item.request else { continue };
        let id = request.lease_id();
        let theirs =
            |party: &&mut Party| party.holding.id() == id && *party.holding.bucket() == request.bucket;
        let Some(party) = parties.iter_mut().find(theirs) else { continue };
        let accepted = party.holding.accept(&exchange_reply(reply, i));
        if let Accepted::NewHolder { unreported } | Accepted::NewLife { unreported } = accepted {
            let holder = HolderId::from_bytes((u128::from(random.below(u64::MAX)) << 1).to_be_bytes());
            party.holding = Holding::new(request.bucket, LeaseId { holder, life: 1 }, unreported);
        }
    }
}

fn time_of(reply: &BatchReply) -> Option<Timestamp> {
    let times = reply.items.iter().map(|item| match item {
        ItemReply::Exchange(reply) => reply.now,
        ItemReply::Rate(reply) => reply.now,
    });
    times.min()
}

/// A reply without what each store draws for itself.
fn plain(reply: &BatchReply) -> BatchReply {
    let mut reply = reply.clone();
    for item in &mut reply.items {
        if let ItemReply::Exchange(reply) = item {
            reply.incarnation = Incarnation::default();
        }
    }
    reply
}
