import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { buildDeb } from '../../scripts/install/build-deb.js';
import { debPackages } from '../../scripts/install/debian.js';
import { programFiles } from '../../scripts/install/program-files.js';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';
import { hasNodePackage, onCopiedMachine, whyNoCopiedMachine } from './copied-machine.js';

const missing = whyNoCopiedMachine(t) ?? false;

t.test('deb: the agent needs nothing of the server, and no package with a native module', async t => {
  const { files, packages } = programFiles(join(ROOT, 'dist'), ['agent.js', 'admin.js']);
  t.same(
    [...files].filter(file => /^(mgmt|fleet|testing)[/.]/.test(file)),
    [],
  );
  t.notOk(packages.has('libsql') || packages.has('mysql2') || packages.has('fastify'));
  t.ok(packages.has('winston'));
  t.ok(programFiles(join(ROOT, 'dist'), ['mgmt.js']).files.has('mgmt/store/sqlite/worker.js'), 'threads are followed');
});

t.test('deb: install, upgrade, remove and purge on a copy of this machine', { skip: missing }, async t => {
  const folder = testFolder(t);
  const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  const build = (version: string) =>
    debPackages(architecture)
      // regression: the command line of the agent, which was there first, stayed that of the machine and cannot back up a server.
      .toReversed()
      .map(deb => buildDeb(deb, { root: ROOT, version, destination: folder, compression: 'none' }))
      .join(' ');
  if (!hasNodePackage()) t.comment('Node is no package of Debian here: that the packages depend on it is NOT tested');
  const install = (files: string) => `dpkg ${hasNodePackage() ? '' : '--force-depends'} -i ${files} </dev/null 2>&1`;
  const [first, second] = [build('1.0.0'), build('1.1.0')];

  const printed = onCopiedMachine(`set -e
say() { echo "@@ $1"; }
as() { local user=$1; shift; exec setpriv --reuid $user --regid $user --clear-groups "$@"; }
units() { cd /etc/systemd/system; find . -name 'muster*' | sort; cd /; }
folders() { for path in "$@"; do stat -c '%n %a %U %G' $path; done; }

: >/server.log; : >/agent.log
say install
${install(first)}
say folders
folders /etc/muster /etc/muster/mgmt.properties /var/lib/muster-* /var/log/muster-* /var/lib/muster-agent/*
say units
units
say systemctl
cat /systemctl.log
say programs
muster --version; muster-mgmt --version; muster-agent --version; muster-mgmt --help | grep Usage
say native
find /usr/lib/muster-agent -name '*.node'; find /usr/lib/muster-mgmt -name '*.node' | wc -l
say shared
readlink -e /usr/share/man/man1/muster.1.gz /usr/share/bash-completion/completions/muster /usr/bin/muster
say verify
systemd-analyze verify --man=no muster-mgmt.service muster-agent.service 2>&1 | grep muster || true
systemd-analyze security --offline=true muster-mgmt.service muster-agent.service 2>&1 | grep Overall || true

say server
sed -i 's|^db.url=.*|db.url=sqlite:/var/lib/muster-mgmt/muster.db|; s|=10\\.0\\.0\\.1.*|=127.0.0.1|' /etc/muster/mgmt.properties
as muster-mgmt muster-mgmt /etc/muster/mgmt.properties bind.address=127.0.0.1 port=0 api.port=0 >/server.log 2>&1 &
server=$!
tail -n +1 --pid=$server -f /server.log | grep -m 1 -o 'Listening for agents'
muster --config /var/lib/muster-mgmt/cloudstack.ini status | grep '^Agents'
muster backup /var/lib/backup
ls /var/lib/backup
kill -INT $server; wait $server
say agent
sed -i 's|^host=.*|host=127.0.0.1|' /var/lib/muster-agent/agent.properties
cd /var/lib/muster-agent
as muster-agent muster-agent /var/lib/muster-agent/agent.properties port=1 >/agent.log 2>&1 &
agent=$!
cd /
tail -n +1 --pid=$agent -f /agent.log | grep -m 1 -o 'ECONNREFUSED'
kill -INT $agent; wait $agent
guid=$(grep ^guid= /var/lib/muster-agent/agent.properties)

say upgrade
echo '# mine' >>/etc/muster/mgmt.properties
rm /systemctl.log
${install(second)}
say kept
grep -c '^# mine' /etc/muster/mgmt.properties; grep -cx "$guid" /var/lib/muster-agent/agent.properties
folders /etc/muster/mgmt.properties /var/lib/muster-agent/agent.properties
ls /etc/muster
say restarted
cat /systemctl.log

say one
rm /systemctl.log
dpkg -r muster-mgmt 2>&1
cat /systemctl.log
readlink -e /usr/bin/muster
ls /etc/muster/mgmt.properties /var/lib/muster-mgmt/muster.db
dpkg -P muster-agent 2>&1
say purged
dpkg -P muster-mgmt 2>&1
say left
rm -r /var/lib/backup
find /etc /lib/systemd /usr/bin /usr/lib -maxdepth 3 -name '*muster*'; find /usr/share /var/lib /var/log -maxdepth 4 -name '*muster*'
units
getent passwd muster-mgmt | cut -d: -f1,6,7
`);
  const [, ...sections] = printed.split(/^@@ /m);
  const said = new Map(sections.map(text => [text.split('\n', 1)[0] ?? '', text.slice(text.indexOf('\n') + 1)]));
  const lines = (name: string) => (said.get(name) ?? '').trimEnd().split('\n');
  t.notMatch(said.get('install'), /warning|error/i);
  t.same(lines('folders'), [
    '/etc/muster 755 root root',
    '/etc/muster/mgmt.properties 640 root muster-mgmt',
    '/var/lib/muster-agent 700 muster-agent muster-agent',
    '/var/lib/muster-mgmt 700 muster-mgmt muster-mgmt',
    '/var/log/muster-agent 750 muster-agent muster-agent',
    '/var/log/muster-mgmt 750 muster-mgmt muster-mgmt',
    '/var/lib/muster-agent/agent.properties 600 muster-agent muster-agent',
  ]);
  t.same(lines('units'), [
    './multi-user.target.wants/muster-agent.service',
    './multi-user.target.wants/muster-mgmt.service',
  ]);
  t.same(lines('systemctl'), ['--system daemon-reload', '--system daemon-reload'], 'nothing starts without settings');
  t.match(lines('programs'), ['muster 1.0.0', 'muster 1.0.0', 'muster 1.0.0', /^Usage: muster-mgmt \[FILE/]);
  t.match(lines('native'), [/^[1-9]$/], 'the server alone has native modules');
  t.same(lines('shared'), [
    '/usr/lib/muster-mgmt/man/muster.1.gz',
    '/usr/lib/muster-mgmt/completion/muster.bash',
    '/usr/lib/muster-mgmt/dist/admin.js',
  ]);
  const verified = lines('verify');
  t.match(verified, [/muster-mgmt\.service: 1\.\d OK/, /muster-agent\.service: 1\.\d OK/], 'the units are hardened');
  t.equal(verified.length, 2, 'nothing is wrong with the units');
  t.match(lines('server'), [
    'Listening for agents',
    /^Agents: 0 in all/,
    /^\/var\/lib\/backup has muster\.db, mgmt\.properties, cluster\.node\.id, token, key\.file$/,
    'backup.json',
  ]);
  t.same(lines('agent'), ['ECONNREFUSED']);
  t.same(lines('kept'), [
    '1',
    '1',
    '/etc/muster/mgmt.properties 640 root muster-mgmt',
    '/var/lib/muster-agent/agent.properties 600 muster-agent muster-agent',
    'mgmt.properties',
  ]);
  t.same(
    lines('restarted').filter(line => /try-restart|start|stop/.test(line)),
    ['try-restart muster-agent.service', 'try-restart muster-mgmt.service'],
  );
  const one = lines('one');
  t.ok(one.includes('stop muster-mgmt.service'));
  t.ok(one.includes('/usr/lib/muster-agent/dist/admin.js'), 'the command line of the other package takes over');
  t.ok(
    one.includes('/etc/muster/mgmt.properties') && one.includes('/var/lib/muster-mgmt/muster.db'),
    'removed, not purged',
  );
  t.same(lines('left'), ['muster-mgmt:/var/lib/muster-mgmt:/usr/sbin/nologin'], 'purged: the user alone stays');
});
