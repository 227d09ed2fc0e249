import t from 'tap';
import { envelope } from '../../src/api/envelope.js';
import { list, optional, string } from '../../src/api/table.js';
import type { ObjectOf, Params, Response } from '../../src/api/types.js';

// The compiler is the test: each line below an `@ts-expect-error` must not compile.

t.test('types: a response has the fields of the table, all of them and no others', async t => {
  const done = (): Response<'deleteHost'> => ({ success: true, displaytext: 'x' });
  // @ts-expect-error a field that is not in the table
  const more = (): Response<'deleteHost'> => ({ success: true, displaytext: 'x', removed: 1 });
  // @ts-expect-error a field that is documented and not sent
  const less = (): Response<'deleteHost'> => ({ success: true });
  // @ts-expect-error another type
  const other = (): Response<'deleteHost'> => ({ success: 'yes', displaytext: 'x' });
  // @ts-expect-error a required field has a value
  const none = (): Response<'deleteHost'> => ({ success: true, displaytext: undefined });
  t.same(envelope('deleteHost', done()), { deletehostresponse: { success: true, displaytext: 'x' } });
  t.same([more, less, other, none].length, 4);
});

t.test('types: an optional field is written out, also when it has no value', async t => {
  const nothing = (): Response<'rebalanceAgents'> => ({ success: true, placed: undefined, jobids: [] });
  // @ts-expect-error it would be documented and never sent
  const less = (): Response<'rebalanceAgents'> => ({ success: true, jobids: [] });
  t.match(envelope('rebalanceAgents', nothing()), { rebalanceagentsresponse: { success: true, jobids: [] } });
  t.ok(less);
});

t.test('types: objects in lists have their own fields', async t => {
  const fields = { hosts: list({ id: string('id'), name: optional(string('name')) }, 'hosts') } as const;
  type Hosts = ObjectOf<typeof fields>;
  const good: Hosts = { hosts: [{ id: 'a', name: null }] };
  // @ts-expect-error a field that is not in the table
  const more: Hosts = { hosts: [{ id: 'a', name: null, age: 1 }] };
  // @ts-expect-error a field that is not sent
  const less: Hosts = { hosts: [{ id: 'a' }] };
  // @ts-expect-error no object
  const text: Hosts = { hosts: ['a'] };
  t.same([good, more, less, text].length, 4);
});

t.test('types: a list has its count, a job its id, and parameters are those of the table', async t => {
  const page: Response<'listHosts'> = { count: 0, items: [] };
  // @ts-expect-error a list is no object
  const host: Response<'listHosts'> = { id: 'a' };
  t.match(envelope('listHosts', page), { listhostsresponse: { items: undefined, count: undefined } });
  t.same(envelope('reconnectHost', { jobid: 'a', id: 'b' }), { reconnecthostresponse: { jobid: 'a', id: 'b' } });
  const given: Params<'deleteHost'> = { id: 'a', forced: true };
  // @ts-expect-error a required parameter is missing
  const missing: Params<'deleteHost'> = { forced: true };
  // @ts-expect-error no such parameter
  const unknown: Params<'deleteHost'> = { id: 'a', force: true };
  t.same([host, given, missing, unknown].length, 4);
});
