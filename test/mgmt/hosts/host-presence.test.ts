import t from 'tap';
import { silentLog } from '../../../src/lib/logger.js';
import { HostPresence } from '../../../src/mgmt/hosts/host-presence.js';
import type { KnownHost } from '../../../src/mgmt/hosts/known-hosts.js';

const HERE = 1;
const THERE = 2;
const host = { id: 7, name: 'kvm-7' };

/** What a server with msid `HERE` tells of one host. */
function world() {
  let row: KnownHost | undefined;
  const presence = new HostPresence(HERE, silentLog, () => row);
  const said: string[] = [];
  presence.events.on('ready', ({ name }) => said.push(`ready ${name}`));
  presence.events.on('lost', ({ name, reason }) => said.push(`lost ${name}: ${reason}`));
  presence.events.on('moved', ({ name, msid }) => said.push(`moved ${name} to ${msid}`));
  const learn = (status: KnownHost['status'], msid: number | null) => {
    row = {
      ...host,
      ...{
        uuid: 'u',
        guid: 'g',
        zoneId: 1,
        clusterId: null,
        preferred: null,
        nextPreferred: null,
        nextGeneration: null,
      },
      ...{ status, msid, epoch: 1, instanceId: null, linkAddress: null },
    };
    presence.learn(row);
  };
  const remove = () => {
    row = undefined;
    presence.forget(host.id);
  };
  return { presence, said, learn, remove };
}

t.test('hosts: one that leaves is lost, and moved when another server has it', async t => {
  const { presence, said, learn } = world();
  presence.ready(host);
  learn('Up', HERE);
  presence.lost(host, 'closed by the peer');
  learn('Disconnected', null);
  learn('Up', THERE);
  learn('Up', THERE);
  t.same(said, ['ready kvm-7', 'lost kvm-7: closed by the peer', 'moved kvm-7 to 2']);
});

t.test('hosts: one that is elsewhere before its link here ends is moved, and not lost', async t => {
  const { presence, said, learn } = world();
  presence.ready(host);
  learn('Up', THERE);
  presence.lost(host, 'closed by the peer');
  presence.ready(host);
  t.same(said, ['ready kvm-7', 'moved kvm-7 to 2', 'ready kvm-7']);
});

t.test(
  'hosts: nothing is told of a newer link, of links that were never Ready, and of hosts that were never here',
  async t => {
    const { presence, said, learn } = world();
    learn('Up', THERE);
    presence.lost(host, 'never Ready');
    presence.ready(host);
    presence.ready(host);
    presence.lost(host, 'cut');
    presence.forget(host.id);
    learn('Up', THERE);
    t.same(said, ['ready kvm-7', 'lost kvm-7: cut']);
  },
);

t.test('regression: hosts: nothing is kept of one that was removed while its link was open', async t => {
  const { presence, said, learn, remove } = world();
  presence.ready(host);
  learn('Up', HERE);
  remove();
  presence.lost(host, 'the host was removed');
  learn('Up', THERE);
  t.same(said, ['ready kvm-7', 'lost kvm-7: the host was removed'], 'and not that it has moved');
});
