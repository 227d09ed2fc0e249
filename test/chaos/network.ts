import { output } from '../../scripts/galera/processes.js';

/** The way from the agents to the servers. */
export interface Network {
  /** Where agents dial a server, and servers each other. */
  addressOf(server: number): string;
  /** What goes before the command of a process with agents. */
  readonly prefix: readonly string[];
  /** Undefined: this machine does not permit it. From now on packets between the agents and that server vanish. */
  readonly blackhole: ((server: number) => Promise<void>) | undefined;
  heal(server: number): Promise<void>;
  close(): Promise<void>;
}

/** All on the loopback interface, without blackholes. */
function loopback(): Network {
  return {
    addressOf: server => `127.0.0.${server + 1}`,
    prefix: [],
    blackhole: undefined,
    heal: async () => {},
    close: async () => {},
  };
}

/** Runs at the same time have a number each. */
const MOST_NETWORKS = 250;
/** The test networks of RFC 2544. */
const addressesOf = (number: number) => (last: number) => `198.18.${number}.${last}`;

/**
 * The agents get a network namespace of their own, and so does a router between them and the servers, which can let packets
 * vanish as a cable does that is out.
 * @param say is told, once, when this machine permits no namespaces; then all are on the loopback interface
 */
export async function openNetwork(servers: number, say: (line: string) => void): Promise<Network> {
  try {
    return await openNamespaces(servers);
  } catch (error) {
    say(
      `*** No network namespaces here, so there are NO blackholes: ${error instanceof Error ? error.message : error}`,
    );
    return loopback();
  }
}

async function openNamespaces(servers: number): Promise<Network> {
  const { number, router } = await freeNumber();
  const agents = `muster-agents-${number}`;
  const outside = `muster${number}`;
  const address = addressesOf(number);
  const addressOf = (server: number) => address(server + 1);
  const close = async () => {
    // With a namespace its ends of the pairs go, and with them the others.
    for (const name of [agents, router]) await ip('netns', 'del', name).catch(() => {});
  };
  const heal = async (server: number) => {
    await ip('-n', router, 'route', 'del', 'blackhole', `${addressOf(server)}/32`).catch(() => {});
    await ip('-n', router, 'rule', 'del', 'from', addressOf(server), 'blackhole').catch(() => {});
  };
  try {
    await ip('netns', 'add', agents);
    await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'servers', 'netns', router);
    await ip('link', 'add', 'agents', 'netns', router, 'type', 'veth', 'peer', 'name', 'router', 'netns', agents);
    for (let server = 0; server < servers; server++) await ip('addr', 'add', `${addressOf(server)}/32`, 'dev', outside);
    await ip('addr', 'add', `${address(125)}/25`, 'dev', outside);
    await ip('link', 'set', outside, 'up');
    await ip('-n', router, 'addr', 'add', `${address(126)}/25`, 'dev', 'servers');
    await ip('-n', router, 'addr', 'add', `${address(254)}/25`, 'dev', 'agents');
    for (const device of ['servers', 'agents']) await ip('-n', router, 'link', 'set', device, 'up');
    await ip('netns', 'exec', router, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    await ip('-n', agents, 'addr', 'add', `${address(130)}/25`, 'dev', 'router');
    for (const device of ['lo', 'router']) await ip('-n', agents, 'link', 'set', device, 'up');
    await ip('-n', agents, 'route', 'add', 'default', 'via', address(254));
    await ip('route', 'add', `${address(128)}/25`, 'via', address(126));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    addressOf,
    prefix: ['ip', 'netns', 'exec', agents],
    async blackhole(server) {
      await ip('-n', router, 'route', 'add', 'blackhole', `${addressOf(server)}/32`);
      await ip('-n', router, 'rule', 'add', 'from', addressOf(server), 'blackhole');
    },
    heal,
    close,
  };
}

/** The router's namespace is the claim to its number. */
async function freeNumber(): Promise<{ readonly number: number; readonly router: string }> {
  if (process.getuid?.() !== 0) throw new Error('only root may make them');
  for (let number = 1; number <= MOST_NETWORKS; number++) {
    const router = `muster-router-${number}`;
    try {
      await ip('netns', 'add', router);
      return { number, router };
    } catch (error) {
      if (!String(error).includes('File exists')) throw error;
    }
  }
  throw new Error('too many of them are left over: ip netns list');
}

async function ip(...args: readonly string[]): Promise<void> {
  const { end, stderr } = await output('ip', args);
  if (end !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim() || end}`);
}
