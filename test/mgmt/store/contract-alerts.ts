import { systemRandom } from '../../../src/lib/random.js';
import type { AlertQuery, NewAlert, Store } from '../../../src/mgmt/store/store.js';
import { type FreshStore, storeTest } from './store-test.js';

const alert = (subject: string): NewAlert => ({
  uuid: systemRandom.uuid(),
  subject,
  type: 14,
  name: 'ALERT.MANAGEMENT',
  description: `100% of ${subject}`,
});

const LEASE_MS = 60_000;

/** What is wrong, raised once and cleared once. */
export function alertsContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);
  const subjects = async (store: Store, query: Partial<AlertQuery> = {}) =>
    (await store.alerts({ page: 1, pagesize: 10, ...query })).rows.map(({ subject }) => subject);

  test('alerts: of a subject there is one at a time, whoever raises it', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const raised = await Promise.all(stores.map(one => one.raiseAlert(alert('a'))));
    t.strictSame(raised.toSorted(), [false, false, true]);
    t.equal(await store.raiseAlert(alert('b')), true);
    t.strictSame(await store.openAlerts(), ['a', 'b']);
    const cleared = await Promise.all(stores.map(one => one.clearAlert('a')));
    t.strictSame(cleared.toSorted(), [false, false, true]);
    t.strictSame(await store.openAlerts(), ['b']);
    t.equal(await store.raiseAlert(alert('a')), true, 'it comes again');
    t.strictSame(await subjects(store), ['a', 'b', 'a'], 'newest first');
    t.strictSame(await subjects(store, { isOpen: true }), ['a', 'b']);
    t.strictSame(await subjects(store, { keyword: '0% OF B' }), ['b']);
    t.strictSame(await subjects(store, { type: 7 }), []);
    const { rows } = await store.alerts({ page: 1, pagesize: 1 });
    t.strictSame(await subjects(store, { uuid: rows[0]?.uuid ?? '' }), ['a']);
    t.equal(rows[0]?.cleared, null);
  });

  test('alerts: a notice is taken by one, and by another when that one has not told it in time', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    t.equal(await store.takeAlertNotice(LEASE_MS), undefined);
    await store.raiseAlert(alert('a'));
    const taken = await Promise.all(stores.map(one => one.takeAlertNotice(0)));
    t.ok(taken.some(Boolean));
    const late = await store.takeAlertNotice(LEASE_MS);
    t.match(late, { subject: 'a', about: 'raised', attempts: taken.filter(Boolean).length + 1, cleared: null });
    t.equal(await store.takeAlertNotice(LEASE_MS), undefined, 'whoever has it has time');
    // It is over before its coming was told to all.
    await store.clearAlert('a');
    if (late !== undefined) await store.endAlertNotice(late);
    const end = await store.takeAlertNotice(LEASE_MS);
    t.match(end, { subject: 'a', about: 'cleared', attempts: 1 });
    t.type(end?.cleared, 'number');
    if (end !== undefined) await store.endAlertNotice(end);
    t.equal(await store.takeAlertNotice(0), undefined);
  });

  test('alerts: whoever takes a notice next knows which webhooks have it', async (t, store, open) => {
    const other = await open();
    const url = 'https://alerts.example.org/1';
    await store.raiseAlert(alert('a'));
    const notice = await store.takeAlertNotice(0);
    t.strictSame(notice?.reached, []);
    if (notice === undefined) return;
    await store.alertNoticeReached(notice, [url]);
    t.strictSame((await other.takeAlertNotice(LEASE_MS))?.reached, [url]);
    await store.clearAlert('a');
    await store.alertNoticeReached(notice, ['https://late.example.org/']);
    t.match(await other.takeAlertNotice(LEASE_MS), { about: 'cleared', reached: [] }, 'its end nobody has yet');
  });

  test('alerts: what nobody was told of has no end to tell of; what is over goes', async (t, store) => {
    await store.raiseAlert(alert('a'));
    await store.raiseAlert(alert('b'));
    await store.clearAlert('a');
    t.match(await store.takeAlertNotice(LEASE_MS), { subject: 'b' });
    t.equal(await store.takeAlertNotice(LEASE_MS), undefined);
    t.equal(await store.deleteAlerts(60_000), 0);
    t.equal(await store.deleteAlerts(-1_000), 1);
    t.strictSame(await subjects(store), ['b']);
  });
}
