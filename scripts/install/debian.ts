// What the packages of Debian say to dpkg: their control files and the scripts that it runs.

/** One package: a program that runs as a service, and the command line beside it. */
export interface DebPackage {
  /** Of the package, its program, its service, its user and its folders. */
  readonly name: 'muster-mgmt' | 'muster-agent';
  /** The script in `dist` that is the program. */
  readonly script: string;
  /** Folders in `dist` that it serves and does not import. */
  readonly assets: readonly string[];
  readonly architecture: string;
  readonly description: string;
  /** Files below /etc that dpkg asks about when both the operator and a new version have changed them. */
  readonly conffiles: readonly string[];
  /** Lines of postinst for a first installation, behind those that make the user. */
  readonly firstInstall: string;
  /** Of a machine that has both packages the one with more gives `muster`. */
  readonly priority: number;
}

/** @param architecture of this machine, as dpkg names it: the server's package has a native module */
export const debPackages = (architecture: string): readonly DebPackage[] => [
  {
    name: 'muster-mgmt',
    script: 'mgmt.js',
    assets: ['console'],
    architecture,
    description: 'management server for hypervisor agents',
    conffiles: ['/etc/logrotate.d/muster-mgmt', '/etc/muster/mgmt.properties'],
    // It gets the password of the database.
    firstInstall: `  chown root:muster-mgmt /etc/muster/mgmt.properties
  chmod 640 /etc/muster/mgmt.properties
  echo 'muster-mgmt: edit /etc/muster/mgmt.properties, then systemctl start muster-mgmt'`,
    // Only its command line can back up a server.
    priority: 60,
  },
  {
    name: 'muster-agent',
    script: 'agent.js',
    assets: [],
    architecture: 'all',
    description: 'agent that keeps its hypervisor connected to a management server',
    conffiles: ['/etc/logrotate.d/muster-agent'],
    // The agent writes this file as well: as a conffile, dpkg would ask about it on every hypervisor.
    firstInstall: `  if [ ! -e /var/lib/muster-agent/agent.properties ]; then
    cp /usr/share/muster-agent/agent.properties /var/lib/muster-agent/agent.properties
  fi
  chown muster-agent:muster-agent /var/lib/muster-agent/agent.properties
  chmod 600 /var/lib/muster-agent/agent.properties
  echo 'muster-agent: edit /var/lib/muster-agent/agent.properties, then systemctl start muster-agent'`,
    priority: 50,
  },
];

/** Where a package has its program. */
export const libraryOf = (name: string): string => `/usr/lib/${name}`;

/** The files of the folder DEBIAN, with their modes. */
export function controlFiles(
  deb: DebPackage,
  { version, installedKiB }: { readonly version: string; readonly installedKiB: number },
): ReadonlyMap<string, { readonly text: string; readonly mode: number }> {
  const script = (text: string) => ({ text: `#!/bin/sh\nset -e\n${text}exit 0\n`, mode: 0o755 });
  return new Map([
    ['control', { text: control(deb, version, installedKiB), mode: 0o644 }],
    ['conffiles', { text: `${deb.conffiles.join('\n')}\n`, mode: 0o644 }],
    ['postinst', script(postinst(deb))],
    ['prerm', script(prerm(deb))],
    ['postrm', script(postrm(deb))],
  ]);
}

function control({ name, architecture, description }: DebPackage, version: string, installedKiB: number): string {
  return `Package: ${name}
Version: ${version}
Architecture: ${architecture}
Maintainer: Muster
Section: admin
Priority: optional
Installed-Size: ${installedKiB}
Depends: nodejs (>= 20), adduser, init-system-helpers (>= 1.54~)
Suggests: logrotate, bash-completion
Description: ${description}
 Agents on hypervisors hold an ordered list of management servers, fail over
 along it, and come back to the first, with no load balancer in between.
`;
}

// Both packages have the command line, for a machine may have either, or both.
const COMMAND_LINE = (name: string) => `${libraryOf(name)}/dist/admin.js`;

function postinst({ name, firstInstall, priority }: DebPackage): string {
  const library = libraryOf(name);
  return `if [ "$1" = configure ]; then
  adduser --quiet --system --group --no-create-home --home /var/lib/${name} ${name}
  [ -d /var/lib/${name} ] || install -d -m 700 -o ${name} -g ${name} /var/lib/${name}
  [ -d /var/log/${name} ] || install -d -m 750 -o ${name} -g ${name} /var/log/${name}
  if [ -z "$2" ]; then
${firstInstall.replace(/^/gm, '  ')}
  fi
  update-alternatives --quiet --install /usr/bin/muster muster ${COMMAND_LINE(name)} ${priority} \\
    --slave /usr/share/man/man1/muster.1.gz muster.1.gz ${library}/man/muster.1.gz \\
    --slave /usr/share/bash-completion/completions/muster muster.bash ${library}/completion/muster.bash
  deb-systemd-helper unmask ${name}.service >/dev/null || true
  if deb-systemd-helper --quiet was-enabled ${name}.service; then
    deb-systemd-helper enable ${name}.service >/dev/null || true
  else
    deb-systemd-helper update-state ${name}.service >/dev/null || true
  fi
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    # Not started at first: it needs its settings.
    [ -z "$2" ] || systemctl try-restart ${name}.service || true
  fi
fi
`;
}

function prerm({ name }: DebPackage): string {
  return `if [ "$1" = remove ]; then
  [ ! -d /run/systemd/system ] || systemctl stop ${name}.service || true
  update-alternatives --quiet --remove muster ${COMMAND_LINE(name)}
fi
`;
}

// The user stays, as Debian does it: no other user gets the id of files that are elsewhere.
function postrm({ name }: DebPackage): string {
  return `if [ "$1" = remove ]; then
  deb-systemd-helper mask ${name}.service >/dev/null || true
fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/${name} /var/log/${name}
  deb-systemd-helper purge ${name}.service >/dev/null || true
  deb-systemd-helper unmask ${name}.service >/dev/null || true
fi
[ ! -d /run/systemd/system ] || systemctl --system daemon-reload >/dev/null || true
`;
}
