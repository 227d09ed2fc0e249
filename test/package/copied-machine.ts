import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Test } from 'tap';

/**
 * Why packages cannot be installed here for a test; undefined: they can. Where everything must hold,
 * there has to be dpkg-deb; a container that may mount nothing is no failure.
 * @param t says it aloud
 */
export function whyNoCopiedMachine(t: Pick<Test, 'comment'>): string | undefined {
  const why = reason();
  if (why === undefined) return undefined;
  if (process.env.CI === 'true' && !hasDpkg()) throw new Error(why);
  process.stderr.write(`\n*** ${why}\n\n`);
  t.comment(why);
  return why;
}

const hasDpkg = () => existsSync('/usr/bin/dpkg-deb');

function reason(): string | undefined {
  const end = 'so the packages of Debian are NOT tested';
  if (!hasDpkg()) return `There is no dpkg-deb, ${end}`;
  if (process.getuid?.() !== 0) return `Only root may install packages, ${end}`;
  try {
    onCopiedMachine('true');
    return undefined;
  } catch (error) {
    return `This machine cannot be copied by an overlay (${(error as Error).message.trim()}), ${end}`;
  }
}

/**
 * Runs a script of bash on a copy of this machine, whose files are gone afterwards. Its network is that of this
 * machine. systemd does not run there: `systemctl` writes what it is asked into /systemctl.log.
 * @returns what the script prints
 * @throws Error with what it prints, when it fails
 */
export function onCopiedMachine(script: string): string {
  const { status, stdout, stderr } = spawnSync('unshare', [...OWN, 'bash', '-c', MOUNTS, 'bash', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 24,
  });
  if (status !== 0) throw new Error(`${status}: ${stdout}${stderr}`);
  return stdout;
}

/** With the script all its processes end. */
const OWN = ['--mount', '--pid', '--fork', '--kill-child'];

const MOUNTS = `set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/machine
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/machine
for folder in dev tmp; do mount --rbind /$folder /mnt/machine/$folder; done
mount -t proc proc /mnt/machine/proc
mkdir -p /mnt/machine/run/systemd/system
cd /mnt/machine/usr/bin
mv systemctl systemctl.real
cat >systemctl <<'END'
#!/bin/sh
case $1 in
  --root=*) exec /usr/bin/systemctl.real "$@" ;;
  *) echo "$*" >>/systemctl.log ;;
esac
END
chmod 755 systemctl
[ -e /mnt/machine/usr/bin/node ] || ln -s "$(command -v node)" /mnt/machine/usr/bin/node
exec chroot /mnt/machine /bin/bash -c "$1"
`;

/** Whether this machine has Node as a package of Debian, as the packages ask for. */
export function hasNodePackage(): boolean {
  try {
    return /^Status: install ok installed$/m.test(
      execFileSync('dpkg', ['-s', 'nodejs'], { encoding: 'utf8', stdio: 'pipe' }),
    );
  } catch {
    return false;
  }
}
