import t from 'tap';
import { apiBench, wrongFields } from '../../helpers/api-bench.js';

const ALERT = { uuid: '00000000-0000-4000-8000-0000000000a1', type: 14, name: 'ALERT.MANAGEMENT' };

t.test('alerts: silenced by subject or kind, listed with the end, and posted again', async t => {
  const { call, store, clock, events } = await apiBench(t);
  await store.raiseAlert({ ...ALERT, subject: 'server-down:77', description: 'x' });
  const { alertsilence } = (
    await call('silenceAlert', { subject: 'server-down:77', minutes: '90', reason: 'a new disk' })
  ).body;
  const end = new Date(clock.wallTime() + 90 * 60_000).toISOString().slice(0, 16);
  t.match(alertsilence, { subject: 'server-down:77', end: `${end}:00+0000` });
  const { alert } = (await call('listAlerts', { open: 'true' })).body;
  t.match(alert, [{ subject: 'server-down:77', silencedto: alertsilence.end }]);
  t.same(wrongFields('listAlerts', alert[0]), []);
  await call('silenceAlert', { subject: 'guid-fight', end: '2099-01-01' }).then(reply =>
    t.equal(reply.status, 431, 'too late'),
  );
  await call('silenceAlert', { subject: 'guid-fight', minutes: '1' });
  t.match((await call('listAlertSilences')).body, {
    count: 2,
    alertsilence: [alertsilence, { subject: 'guid-fight' }],
  });
  t.match((await call('listAlertSilences', { keyword: 'fight' })).body, { count: 1 });
  await clock.advance(121_000);
  t.match((await call('listAlertSilences')).body, { count: 1 }, 'one is over');
  t.match((await call('deleteAlertSilence', { subject: 'server-down:77' })).body, { success: true });
  t.equal((await call('deleteAlertSilence', { subject: 'server-down:77' })).status, 431);
  t.equal((await store.configuration()).values.get('alert.silences'), '', 'what is over goes with a change');
  t.notOk((await call('listAlerts')).body.alert[0].silencedto);
  t.match(events, [
    {
      type: 'ALERT.SILENCE',
      username: 'operator',
      description: `Alerts server-down:77 are silent until ${end}Z: a new disk`,
    },
    { type: 'ALERT.SILENCE' },
    { type: 'ALERT.SILENCE.DELETE', description: 'Alerts server-down:77 are posted again' },
  ]);
});

t.test('alerts: a silence that is none is refused', async t => {
  const { call } = await apiBench(t);
  for (const params of [
    { subject: 'server-down' },
    { subject: 'server-down', minutes: '5', end: '2026-11-28' },
    { subject: 'server-down', minutes: '0' },
    { subject: 'server-down', minutes: '9999999' },
    { subject: 'server-down', minutes: '999999999999999' },
    { subject: 'servers', minutes: '5' },
    { subject: 'server-down=1,', minutes: '5' },
    { subject: 'server-down', minutes: '5', reason: 'x'.repeat(256) },
  ])
    t.equal(
      (await call('silenceAlert', params as Record<string, string>)).status,
      431,
      JSON.stringify(params).slice(0, 60),
    );
});
